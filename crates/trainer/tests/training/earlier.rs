//! Going on from the weights of an earlier run.

use super::*;

/// A later state of the shop: a third of the customers has moved on to other products, of more frequent use than some.
fn newer_shop() -> Shop {
    purchase_shop_of(|customer, product| format!("{}{product}", if customer % 3 == 0 { "new" } else { "p" }))
}

fn run_from(config: &Config, data: Dataset<'_>, earlier: &Path, folder: &Path) -> Result<Trained, Error> {
    let interrupted = AtomicBool::new(false);
    let earlier = Some(earlier);
    train(
        config,
        data,
        folder,
        TrainOptions { resume: false, earlier, progress: &mut |_| (), interrupted: &interrupted },
    )
}

/// A step size that changes no weight, so that what is read from an earlier run is what is predicted with.
fn still(training: &mut RawTraining) {
    (training.learning_rate, training.epochs_from) = (1e-30, 1);
}

#[test]
fn without_learning_an_earlier_run_predicts_the_same() {
    let shop = churn_shop();
    let newer = newer_shop();
    let labels = |examples: &[LabelledExample]| -> Vec<LabelledExample> {
        let target = |example: &Example| Target::Label(!is_recent(example.customer()));
        examples.iter().map(|l| LabelledExample { target: target(&l.example), example: l.example.clone() }).collect()
    };
    let (train, valid) = (labels(&newer.train), labels(&newer.valid));
    let more = Dataset { train: &train, valid: &valid, ..newer.dataset() };
    let folders = [(); 3].map(|()| TempDir::new().unwrap());
    run(&config(Head::Churn, |_, training| training.epochs = 3), shop.dataset(), folders[0].path()).unwrap();
    let again = config(Head::Churn, |_, training| still(training));
    run_from(&again, shop.dataset(), folders[0].path(), folders[1].path()).unwrap();
    // More products move the rows of the embedding table that come after them, and amounts of other moments scale nothing anew.
    run_from(&again, more, folders[0].path(), folders[2].path()).unwrap();
    let [earlier, same, extended] = folders.each_ref().map(|folder| {
        let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
        let Predictions::Probability(p) = model.predict(&shop.sequences, &shop.examples(), 0).unwrap() else {
            panic!("no churn")
        };
        (p, model.products().to_vec())
    });
    assert_eq!(earlier.1, same.1);
    assert_eq!(extended.1[..5], earlier.1);
    assert_eq!(extended.1.len(), 10);
    for (p, expected) in same.0.iter().chain(&extended.0).zip(earlier.0.iter().chain(&earlier.0)) {
        assert!((p - expected).abs() < 1e-6, "{p} {expected}");
    }
}

#[test]
fn new_products_are_learnt_beside_the_known_ones() {
    let (shop, newer) = (purchase_shop(), newer_shop());
    let folders = [(); 3].map(|()| TempDir::new().unwrap());
    run(&config(Head::NextPurchase, |_, training| training.epochs = 20), shop.dataset(), folders[0].path()).unwrap();
    let few = config(Head::NextPurchase, |_, training| (training.epochs_from, training.rate_from) = (8, 1.0));
    let trained = run_from(&few, newer.dataset(), folders[0].path(), folders[1].path()).unwrap();
    assert_eq!(trained.history.len(), 8);
    let model = Model::load(folders[1].path(), DeviceChoice::Cpu).unwrap();
    let ranks = model.rank_targets(&newer.sequences, &newer.valid, false).unwrap();
    let of = |is_new: bool| -> Vec<u32> {
        let chosen = newer.valid.iter().zip(&ranks).filter(|(l, _)| (l.example.customer() % 3 == 0) == is_new);
        chosen.filter_map(|(_, rank)| *rank).collect()
    };
    for ranks in [of(true), of(false)] {
        let first = ranks.iter().filter(|rank| **rank == 1).count();
        assert!(ranks.len() > 10 && first as f64 > 0.9 * ranks.len() as f64, "{first} of {}", ranks.len());
    }

    // Stopped and resumed it ends with the same bits.
    let interrupted = AtomicBool::new(false);
    let mut stop = |progress: trainer::Progress<'_>| interrupted.store(progress.epoch == 3, Ordering::Relaxed);
    let earlier = Some(folders[0].path());
    let options = TrainOptions { resume: true, earlier, progress: &mut stop, interrupted: &interrupted };
    let stopped = train(&few, newer.dataset(), folders[2].path(), options);
    assert!(matches!(stopped, Err(Error::Interrupted { epoch: 3, finished: 2 })), "{stopped:?}");
    interrupted.store(false, Ordering::Relaxed);
    let options = TrainOptions { resume: true, earlier, progress: &mut |_| (), interrupted: &interrupted };
    assert_eq!(train(&few, newer.dataset(), folders[2].path(), options).unwrap(), trained);
    for file in ["weights.safetensors", "checkpoint.safetensors", "vocabulary.json", "config.toml"] {
        assert!(bytes(folders[1].path(), file) == bytes(folders[2].path(), file), "{file}");
    }
}

#[test]
fn an_earlier_run_of_another_model_is_refused_by_its_first_difference() {
    let (shop, folder, other) = (churn_shop(), TempDir::new().unwrap(), TempDir::new().unwrap());
    run(&config(Head::Churn, |_, training| training.epochs = 1), shop.dataset(), folder.path()).unwrap();
    let refused = |config: &Config, data: Dataset<'_>| {
        let message = run_from(config, data, folder.path(), other.path()).unwrap_err().to_string();
        assert!(!other.path().join("config.toml").exists());
        message
    };
    let wider = config(Head::Churn, |model, _| (model.width, model.dropout) = (32, 0.3));
    let message = refused(&wider, shop.dataset());
    assert!(message.contains("model.width = 16, this task has 32"), "{message}");
    assert_eq!(trainer::check_earlier(folder.path(), &wider).unwrap_err().to_string(), message);
    let same = config(Head::Churn, |model, training| (model.dropout, training.seed) = (0.3, 9));
    trainer::check_earlier(folder.path(), &same).unwrap();
    let message = refused(&same, Dataset { horizon_days: 30.0, ..shop.dataset() });
    assert!(message.contains("horizon_days = 90, this task has 30"), "{message}");
    let with_feature = |examples: &[LabelledExample]| -> Vec<LabelledExample> {
        let add = |l: &LabelledExample| LabelledExample {
            example: l.example.clone().with_features(&[1.0]),
            target: l.target,
        };
        examples.iter().map(add).collect()
    };
    let (train, valid) = (with_feature(&shop.train), with_feature(&shop.valid));
    let features = ["age".to_owned()];
    let message = refused(&same, Dataset { features: &features, train: &train, valid: &valid, ..shop.dataset() });
    assert!(message.contains("feature 1 = none, this task has age"), "{message}");
    let message = refused(&config(Head::Clv, |_, _| ()), shop.dataset());
    assert!(message.contains("example 0"), "{message}");
}
