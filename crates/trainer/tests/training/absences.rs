//! How long customers buy nothing.

use super::{config, is_recent, last_metric, run, shop};
use sequences::Target;
use tempfile::TempDir;
use trainer::{DeviceChoice, Error, Head, Model, Predictions};

/// Recent customers come back within the first third of the horizon, one in four of the others in the last one.
fn days(customer: usize) -> Option<f32> {
    match (is_recent(customer), customer % 8 == 1) {
        (true, _) => Some(2.0 + (customer % 25) as f32),
        (false, true) => Some(65.0 + (customer % 20) as f32),
        (false, false) => None,
    }
}

#[test]
fn learns_when_customers_come_back() {
    let (shop, folder) = (shop(|_, customer, _| Target::Absence { days: days(customer) }), TempDir::new().unwrap());
    let trained = run(&config(Head::Churn, |model, _| model.periods = 9), shop.dataset(), folder.path()).unwrap();
    assert!(last_metric(&trained, "auc") > 0.8, "{trained:?}");

    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let examples = shop.examples();
    let away = model.absences(&shop.sequences, &examples, &[1, 30, 45, 60, 90]).unwrap();
    let Predictions::Probability(churned) = model.predict(&shop.sequences, &examples, 0).unwrap() else {
        panic!("no churn")
    };
    for ((away, churned), labelled) in away.iter().zip(churned).zip(&shop.valid) {
        assert!(away.is_sorted_by(|earlier, later| earlier >= later), "{away:?}");
        assert!((away[4] - churned).abs() < 1e-9);
        let is_recent = is_recent(labelled.example.customer());
        // The middle third is quiet for everybody, and who has not come back by then mostly stays away.
        assert!(away[1] - away[3] < 0.15, "{away:?}");
        assert_eq!(away[1] < 0.5, is_recent, "{away:?}");
    }
    let beyond = model.absences(&shop.sequences, &examples, &[91]).unwrap_err().to_string();
    assert!(beyond.contains("91 days") && beyond.contains("90 days ahead"), "{beyond}");
}

#[test]
fn whether_and_when_are_different_labels() {
    let folder = TempDir::new().unwrap();
    let when = shop(|_, customer, _| Target::Absence { days: days(customer) });
    let whether = shop(|_, customer, _| Target::Label(!is_recent(customer)));
    let asked = |periods| config(Head::Churn, |model, _| model.periods = periods);
    for (shop, periods, needed) in [(&when, 1, "needs true or false"), (&whether, 6, "when the next purchase is")] {
        let error = run(&asked(periods), shop.dataset(), folder.path()).unwrap_err();
        assert!(matches!(error, Error::WrongTarget { .. }) && error.to_string().contains(needed), "{error}");
    }
    run(&asked(1), whether.dataset(), folder.path()).unwrap();
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let error = model.absences(&whether.sequences, &whether.examples(), &[30]).unwrap_err().to_string();
    assert!(error.contains("model.periods"), "{error}");
}
