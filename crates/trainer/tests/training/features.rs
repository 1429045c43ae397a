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

/// Log-odds that a customer leaves and, where he does not, the logarithm of what he then spends.
fn offsets(customer: usize) -> [f32; 2] {
    [(customer % 13) as f32 / 3.0 - 2.0, (customer % 7) as f32 / 2.0]
}

/// The shop where every example brings one feature of no use and so many of the offsets.
fn shop_with_offsets(count: usize, target: impl Fn(&Sequences, usize, usize) -> Target) -> (Shop, Vec<String>) {
    let mut shop = shop(target);
    for labelled in shop.train.iter_mut().chain(&mut shop.valid) {
        let customer = labelled.example.customer();
        let values = [&[(customer * 53 % 89) as f32], &offsets(customer)[..count]].concat();
        labelled.example = labelled.example.clone().with_features(&values);
    }
    (shop, ["noise", "log_odds", "log_value"][..=count].iter().map(|name| name.to_string()).collect())
}

/// A model that has learnt next to nothing.
fn untaught(head: Head, shop: &Shop, names: &[String], count: usize) -> Model {
    let folder = TempDir::new().unwrap();
    let config = config(head, |_, training| (training.epochs, training.learning_rate) = (1, 1e-12));
    let offsets = Some(Offsets { count, days: 270.0 });
    run(&config, Dataset { features: names, offsets, ..shop.dataset() }, folder.path()).unwrap();
    Model::load(folder.path(), DeviceChoice::Cpu).unwrap()
}

#[test]
fn answers_start_at_the_offsets() {
    let sigmoid = |x: f32| 1.0 / (1.0 + f64::from(-x).exp());
    let (shop, names) = shop_with_offsets(1, |_, customer, _| Target::Label(!is_recent(customer)));
    let model = untaught(Head::Churn, &shop, &names, 1);
    assert_eq!(model.features(), names);
    let Predictions::Probability(p) = model.predict(&shop.sequences, &shop.examples(), 0).unwrap() else {
        panic!("no churn")
    };
    for (p, example) in p.iter().zip(shop.examples()) {
        let expected = sigmoid(offsets(example.customer())[0]);
        assert!((p - expected).abs() < 1e-5, "{p} is not {expected}");
    }

    // Values are about three times what the offset says.
    const SPREAD: f32 = 0.5;
    let value = |customer: usize| {
        let away = if customer.is_multiple_of(2) { SPREAD } else { -SPREAD };
        if is_recent(customer) { 3.0 * (offsets(customer)[1] + away).exp() } else { 0.0 }
    };
    let (shop, names) = shop_with_offsets(2, |_, customer, _| Target::Value(value(customer)));
    let model = untaught(Head::Clv, &shop, &names, 2);
    let Predictions::Value(values) = model.predict(&shop.sequences, &shop.examples(), 0).unwrap() else {
        panic!("no values")
    };
    let spread = values.iter().zip(shop.examples()).map(|(value, example)| {
        let [log_odds, log_value] = offsets(example.customer());
        assert!((1.0 - value.p_zero - sigmoid(log_odds)).abs() < 1e-5, "{value:?}");
        value.expected / (1.0 - value.p_zero) / f64::from(log_value.exp())
    });
    let expected = 3.0 * f64::from(SPREAD.powi(2) / 2.0).exp();
    assert!(spread.into_iter().all(|times| (times / expected - 1.0).abs() < 0.05));
}

/// Nothing is learnt of what an offset means: what it says of a customer stays, however far ahead it looks.
#[test]
fn an_offset_moves_its_output_by_itself() {
    let (shop, names) = shop_with_offsets(1, |_, customer, _| Target::Label(!is_recent(customer)));
    let (folder, config) = (TempDir::new().unwrap(), config(Head::Churn, |_, _| ()));
    let offsets = Some(Offsets { count: 1, days: 90.0 });
    let trained = run(&config, Dataset { features: &names, offsets, ..shop.dataset() }, folder.path()).unwrap();
    assert!(last_metric(&trained, "auc") > 0.95, "{trained:?}");
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let log_odds = |by: f32| -> Vec<f64> {
        let moved = |example: &Example| {
            let mut values = example.features().to_vec();
            values[1] += by;
            example.clone().with_features(&values)
        };
        let examples: Vec<Example> = shop.examples().iter().map(moved).collect();
        let Predictions::Probability(p) = model.predict(&shop.sequences, &examples, 0).unwrap() else {
            panic!("no churn")
        };
        p.iter().map(|p| (p / (1.0 - p)).ln()).collect()
    };
    for (own, moved) in log_odds(0.0).iter().zip(log_odds(0.7)) {
        assert!((moved - own - 0.7).abs() < 1e-4, "{own} {moved}");
    }
    // Its reason is what it is away from its mean.
    let place = model.inputs().len() - 1;
    let groups: Vec<Vec<Input>> = model.inputs().into_iter().map(|input| vec![input]).collect();
    let reasons = model.reasons(&shop.sequences, &shop.examples(), &groups, groups.len()).unwrap();
    let of = |reasons: &Reasons| reasons.contributions.iter().find(|(group, _)| *group == place).unwrap().1;
    let first = of(&reasons[0]) - f64::from(self::offsets(shop.examples()[0].customer())[0]);
    for (reasons, example) in reasons.iter().zip(shop.examples()) {
        let away = of(reasons) - f64::from(self::offsets(example.customer())[0]);
        assert!((away - first).abs() < 1e-4, "{away} is not {first}");
    }
}

#[test]
fn an_offset_must_be_known_and_have_an_output() {
    let (mut shop, names) = shop_with_offsets(1, |_, customer, _| Target::Label(!is_recent(customer)));
    let refused = |shop: &Shop, count| {
        let offsets = Some(Offsets { count, days: 90.0 });
        let data = Dataset { features: &names, offsets, ..shop.dataset() };
        run(&config(Head::Churn, |_, _| ()), data, TempDir::new().unwrap().path()).unwrap_err().to_string()
    };
    let message = refused(&shop, 2);
    assert!(message.contains("2 of the 2 features are to be offsets; the head churn takes at most 1"), "{message}");
    shop.train[3].example = shop.train[3].example.clone().with_features(&[1.0, f32::NAN]);
    let message = refused(&shop, 1);
    assert!(message.contains("example 3: its offset log_odds is NaN"), "{message}");
}
