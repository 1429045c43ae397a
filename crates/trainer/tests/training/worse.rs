//! What follows an epoch that was no better.

use super::*;

/// Labels that nothing tells: what is learnt of them is learnt by heart.
fn random_shop() -> Shop {
    shop(|_, customer, _| Target::Label((customer * 7919 + 13) % 101 < 40))
}

/// The losses of the validation, of epochs with long steps.
fn losses(rate_after_worse: f64) -> Vec<f64> {
    let shop = random_shop();
    let config = config(Head::Churn, |_, training| {
        (training.epochs, training.learning_rate, training.rate_after_worse) = (8, 3e-2, rate_after_worse);
    });
    let folder = TempDir::new().unwrap();
    let trained = run(&config, shop.dataset(), folder.path()).unwrap();
    trained.history.iter().map(|epoch| epoch.valid_loss).collect()
}

#[test]
fn a_worse_epoch_is_taken_back() {
    let plain = losses(1.0);
    let back = losses(1e-6);
    let worse = (1..plain.len()).find(|&i| plain[i] > plain[i - 1]).expect("nothing is learnt for ever");
    assert!(worse + 1 < plain.len(), "{plain:?}");
    // The same until then, and after it steps of no length, from the best epoch's weights.
    assert_eq!(plain[..=worse], back[..=worse]);
    assert!(back[worse + 1..].iter().all(|loss| (loss - back[worse - 1]).abs() < 1e-4), "{back:?}");
    assert!(plain[worse + 1..].iter().any(|loss| (loss - plain[worse - 1]).abs() > 1e-3), "{plain:?}");
}

#[test]
fn a_run_is_resumed_after_a_worse_epoch() {
    let change = |_: &mut RawModel, training: &mut RawTraining| (training.epochs, training.learning_rate) = (4, 3e-2);
    check_resumed(&random_shop(), &config(Head::Churn, change));
}
