//! Features that examples bring.

use super::*;

/// Who leaves is in no event, only in a feature, and of every tenth customer it is unknown, which says it too.
#[test]
fn learns_from_features_what_no_event_says() {
    let secret = |customer: usize| if customer.is_multiple_of(10) { f32::NAN } else { (customer * 37 % 101) as f32 };
    let mut shop = shop(|_, customer, _| Target::Label(secret(customer).is_nan() || secret(customer) >= 50.0));
    for labelled in shop.train.iter_mut().chain(&mut shop.valid) {
        let customer = labelled.example.customer();
        labelled.example = labelled.example.clone().with_features(&[(customer * 53 % 89) as f32, secret(customer)]);
    }
    let names = ["noise", "secret"].map(str::to_owned);
    let data = Dataset { features: &names, ..shop.dataset() };
    let (config, folder) = (config(Head::Churn, |_, training| training.feature_prior = 0), TempDir::new().unwrap());
    let trained = run(&config, data, folder.path()).unwrap();
    assert!(last_metric(&trained, "auc") > 0.95, "{trained:?}");

    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    assert_eq!(model.features(), names);
    let Predictions::Probability(p) = model.predict(&shop.sequences, &shop.examples(), 0).unwrap() else {
        panic!("no churn")
    };
    let right =
        p.iter().zip(&shop.valid).filter(|(p, labelled)| (**p > 0.5) == (labelled.target == Target::Label(true)));
    assert!(right.count() as f64 > 0.9 * shop.valid.len() as f64);

    // Features that are missing, or of other names than when the run began, are no guess.
    let bare = Example::at(&shop.sequences, 0, CUT_OFF, LENGTH);
    let message = model.predict(&shop.sequences, &[bare], 0).unwrap_err().to_string();
    assert!(message.contains("brings 0 features; the model reads 2: noise, secret"), "{message}");
    let message = run(&config, shop.dataset(), TempDir::new().unwrap().path()).unwrap_err().to_string();
    assert!(message.contains("brings 2 features; the model reads 0"), "{message}");
    let others = ["noise", "other"].map(str::to_owned);
    let interrupted = AtomicBool::new(false);
    let options = TrainOptions { resume: true, earlier: None, progress: &mut |_| (), interrupted: &interrupted };
    let resumed = train(&config, Dataset { features: &others, ..shop.dataset() }, folder.path(), options);
    let message = resumed.unwrap_err().to_string();
    assert!(message.contains("features = noise, secret, now it is noise, other"), "{message}");
}
