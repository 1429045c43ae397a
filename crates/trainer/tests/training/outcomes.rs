//! Labels of one's own.

use super::*;

/// Each customer's counts are Poisson around a rate that his history gives away: recent ones buy 6 times what the others do.
#[test]
fn learns_the_rate_of_a_count() {
    let rate = |customer| if is_recent(customer) { 3.0 } else { 0.5 };
    let shop = shop(|_, customer, _| Target::Value(poisson(rate(customer), customer)));
    let folder = TempDir::new().unwrap();
    run(&config(Head::Count, |_, _| ()), shop.dataset(), folder.path()).unwrap();
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let Predictions::Value(counts) = model.predict(&shop.sequences, &shop.examples(), 0).unwrap() else {
        panic!("no counts")
    };
    for recent in [true, false] {
        let of = |customer: usize| is_recent(customer) == recent;
        let found: Vec<_> = shop.valid.iter().zip(&counts).filter(|(l, _)| of(l.example.customer())).collect();
        let mean =
            |f: &dyn Fn(&trainer::Value) -> f64| found.iter().map(|(_, c)| f(c)).sum::<f64>() / found.len() as f64;
        let (expected, p_zero) = (mean(&|count| count.expected), mean(&|count| count.p_zero));
        let rate: f64 = if recent { 3.0 } else { 0.5 };
        // The training set has 150 of each: their mean is off by sqrt(rate / 150), .14 and .06.
        assert!((expected - rate).abs() < 3.0 * (rate / 150.0).sqrt() + 0.1, "{expected} of {rate}");
        assert!((p_zero - (-rate).exp()).abs() < 0.1, "{p_zero} of {}", (-rate).exp());
    }
}

/// A draw by inversion, the uniform number from a multiplicative hash of the customer.
fn poisson(rate: f64, customer: usize) -> f32 {
    let uniform = (customer as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
    let (mut count, mut p, mut left) = (0.0, (-rate).exp(), uniform as f64 / (1u64 << 53) as f64);
    while left > p && count < 100.0 {
        left -= p;
        count += 1.0;
        p *= rate / f64::from(count);
    }
    count
}

/// Heads of one's own are those with a meaning, without it: the same targets leave the same weights.
#[test]
fn a_label_of_ones_own_is_learnt_like_the_one_with_a_meaning() {
    let value = |customer: usize| Target::Value(if is_recent(customer) { price(customer) as f32 } else { -1.0 });
    let value_shop = shop(|_, customer, _| value(customer));
    for (own, fixed, shop) in [(Head::Binary, Head::Churn, churn_shop()), (Head::Amount, Head::Clv, value_shop)] {
        let of = |head| {
            let folder = TempDir::new().unwrap();
            run(&config(head, |_, training| training.epochs = 2), shop.dataset(), folder.path()).unwrap();
            let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
            model.predict(&shop.sequences, &shop.examples(), 0).unwrap()
        };
        assert_eq!(of(own), of(fixed), "{own:?}");
    }
}

/// Of who has an amount every second has next to none, which no lognormal fits.
#[test]
fn a_calibrated_total_is_right_where_amounts_are_not_lognormal() {
    let amount = |customer: usize| if (customer / 6).is_multiple_of(2) { 0.001 } else { 50.0 };
    let shop = shop(|_, customer, _| Target::Value(if is_recent(customer) { amount(customer) } else { 0.0 }));
    let examples: Vec<Example> = shop.train.iter().map(|labelled| labelled.example.clone()).collect();
    let of =
        |labelled: &LabelledExample| if let Target::Value(value) = labelled.target { f64::from(value) } else { 0.0 };
    let actual: f64 = shop.train.iter().map(of).sum();
    let off = |calibrate| {
        let folder = TempDir::new().unwrap();
        // Too few steps to tell the one kind from the other.
        let asked = |_: &mut RawModel, training: &mut RawTraining| {
            (training.calibrate, training.epochs, training.learning_rate) = (calibrate, 2, 1e-3);
        };
        run(&config(Head::Amount, asked), shop.dataset(), folder.path()).unwrap();
        let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
        let Predictions::Value(values) = model.predict(&shop.sequences, &examples, 0).unwrap() else {
            panic!("no amounts")
        };
        values.iter().map(|value| value.expected).sum::<f64>() / actual - 1.0
    };
    let (plain, calibrated) = (off(false), off(true));
    assert!(plain.abs() > 0.3 && calibrated.abs() < 1e-3, "{plain}, calibrated {calibrated}");
}
