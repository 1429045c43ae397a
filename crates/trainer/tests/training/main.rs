//! Training and scoring through the public API, on histories made up so that the answer is known.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use sequences::{Example, Field, LabelledExample, MICROS_PER_DAY, Sequences, SequencesBuilder, Target, Vocabulary};
use tempfile::TempDir;
use trainer::{
    ArchitectureChoice, Config, Dataset, DeviceChoice, Error, Head, Input, Model, Offsets, Precision, Predictions,
    RawConfig, RawModel, RawTraining, Reasons, TrainOptions, Trained, train,
};

mod absences;
mod averages;
mod earlier;
mod embeddings;
mod features;
mod next_item;
mod outcomes;
mod worse;

/// A timeline row: customer, day, kind, product, amount.
type Row = (String, i64, &'static str, Option<String>, f64);

const CUT_OFF: i64 = 400 * MICROS_PER_DAY;
const LENGTH: usize = 16;

fn build(rows: &[Row]) -> Sequences {
    let text = |values: Vec<Option<String>>| Arc::new(StringArray::from(values)) as ArrayRef;
    let days = || rows.iter().map(|row| row.1 * MICROS_PER_DAY);
    let time = || Arc::new(TimestampMicrosecondArray::from_iter_values(days()).with_timezone("UTC")) as ArrayRef;
    let never = Arc::new(TimestampMicrosecondArray::new_null(rows.len()).with_timezone("UTC")) as ArrayRef;
    let batch = RecordBatch::try_from_iter(vec![
        ("customer_id", text(rows.iter().map(|row| Some(row.0.clone())).collect())),
        ("event_time", time()),
        ("known_time", time()),
        ("superseded_at", never),
        ("kind", text(rows.iter().map(|row| Some(row.2.to_owned())).collect())),
        ("product_id", text(rows.iter().map(|row| row.3.clone()).collect())),
        ("category", text(vec![Some("any".to_owned()); rows.len()])),
        ("channel", text(vec![None; rows.len()])),
        ("amount", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.4))) as ArrayRef),
    ])
    .unwrap();
    let mut builder = SequencesBuilder::new();
    builder.push(&batch).unwrap();
    builder.finish()
}

/// Some 400 customers whose whole future lies in their last event: bought lately or long ago, and which product.
struct Shop {
    sequences: Sequences,
    vocabulary: Vocabulary,
    train: Vec<LabelledExample>,
    valid: Vec<LabelledExample>,
}

fn shop(target: impl Fn(&Sequences, usize, usize) -> Target) -> Shop {
    shop_of(|_, product| format!("p{product}"), target)
}

/// The same with names of its own for the products of each customer.
fn shop_of(name: impl Fn(usize, usize) -> String, target: impl Fn(&Sequences, usize, usize) -> Target) -> Shop {
    const CUSTOMERS: usize = 400;
    let mut rows: Vec<Row> = Vec::new();
    for customer in 0..CUSTOMERS {
        let last = if is_recent(customer) { 390 - (customer % 17) as i64 } else { 250 - (customer % 60) as i64 };
        for back in (0..=customer % 7).rev() {
            let product = name(customer, (product(customer) + 5 - back % 5) % 5);
            let day = last - 9 * back as i64;
            rows.push((format!("c{customer:03}"), day, "purchase", Some(product), price(customer)));
            rows.push((format!("c{customer:03}"), day + 1, "view", None, 0.0));
        }
    }
    let sequences = build(&rows);
    let vocabulary = Vocabulary::fit(&sequences, CUT_OFF, 1);
    let labelled = |customers: &mut dyn Iterator<Item = usize>| -> Vec<LabelledExample> {
        let example = |c| Example::at(&sequences, c, CUT_OFF, LENGTH);
        customers.map(|c| LabelledExample { example: example(c), target: target(&sequences, c, product(c)) }).collect()
    };
    let train = labelled(&mut (0..CUSTOMERS).filter(|c| c % 4 != 0));
    let valid = labelled(&mut (0..CUSTOMERS).filter(|c| c % 4 == 0));
    Shop { sequences, vocabulary, train, valid }
}

fn is_recent(customer: usize) -> bool {
    (customer / 3).is_multiple_of(2)
}

/// What the customer always spends.
fn price(customer: usize) -> f64 {
    3f64.powi((customer / 11 % 7) as i32)
}

/// The product that the customer's last purchase is of.
fn product(customer: usize) -> usize {
    (customer / 2) % 5
}

fn churn_shop() -> Shop {
    shop(|_, customer, _| Target::Label(!is_recent(customer)))
}

/// The next product is the one after the last in a circle of five; recent customers come back in 10 days, others not.
fn purchase_shop() -> Shop {
    purchase_shop_of(|_, product| format!("p{product}"))
}

fn purchase_shop_of(name: impl Fn(usize, usize) -> String) -> Shop {
    shop_of(&name, |sequences, customer, product| {
        if is_recent(customer) {
            let next = sequences.code_of(Field::Product, &name(customer, (product + 1) % 5));
            Target::NextPurchase { product: Some(next), days: Some(8.0 + (customer % 5) as f32) }
        } else {
            Target::NextPurchase { product: None, days: None }
        }
    })
}

impl Shop {
    fn dataset(&self) -> Dataset<'_> {
        let Shop { sequences, vocabulary, train, valid } = self;
        Dataset { sequences, vocabulary, features: &[], offsets: None, horizon_days: 90.0, train, valid }
    }

    fn examples(&self) -> Vec<Example> {
        self.valid.iter().map(|labelled| labelled.example.clone()).collect()
    }
}

fn config(head: Head, change: impl FnOnce(&mut RawModel, &mut RawTraining)) -> Config {
    let mut model = RawModel { width: 16, layers: 2, length: LENGTH, ..RawModel::default() };
    let mut training = RawTraining {
        epochs: 12,
        batch_size: 32,
        learning_rate: 1e-2,
        patience: 12,
        device: DeviceChoice::Cpu,
        threads: 1,
        ..RawTraining::default()
    };
    change(&mut model, &mut training);
    Config::try_from(RawConfig { head, model, training }).unwrap()
}

fn run(config: &Config, data: Dataset<'_>, folder: &Path) -> Result<Trained, Error> {
    let interrupted = AtomicBool::new(false);
    train(
        config,
        data,
        folder,
        TrainOptions { resume: false, earlier: None, progress: &mut |_| (), interrupted: &interrupted },
    )
}

fn last_metric(trained: &Trained, name: &str) -> f64 {
    trained.history[trained.best_epoch - 1].metrics[name]
}

#[test]
fn learns_churn_from_recency() {
    let (shop, folder) = (churn_shop(), TempDir::new().unwrap());
    let trained = run(&config(Head::Churn, |_, _| ()), shop.dataset(), folder.path()).unwrap();
    assert!(last_metric(&trained, "auc") > 0.95, "{trained:?}");

    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let Predictions::Probability(p) = model.predict(&shop.sequences, &shop.examples(), 0).unwrap() else {
        panic!("no churn")
    };
    let right =
        p.iter().zip(&shop.valid).filter(|(p, labelled)| (**p > 0.5) == (labelled.target == Target::Label(true)));
    assert!(right.count() as f64 > 0.95 * shop.valid.len() as f64);
    assert_eq!((model.epoch(), model.horizon_days()), (trained.best_epoch, 90.0));
}

#[test]
fn learns_value_from_what_was_spent() {
    // Who was there lately spends the same again, others bring something back.
    let shop = shop(|_, customer, _| Target::Value(if is_recent(customer) { price(customer) as f32 } else { -1.0 }));
    let folder = TempDir::new().unwrap();
    let trained = run(&config(Head::Clv, |_, _| ()), shop.dataset(), folder.path()).unwrap();
    assert!(last_metric(&trained, "normalised_gini") > 0.9, "{trained:?}");
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let Predictions::Value(values) = model.predict(&shop.sequences, &shop.examples(), 0).unwrap() else {
        panic!("no value")
    };
    for value in values {
        // The largest value of the training set is the most that is ever expected.
        assert!((0.0..=3f64.powi(6) * 1.000_001).contains(&value.expected), "{value:?}");
        assert!((0.0..=1.0).contains(&value.p_zero), "{value:?}");
    }
}

#[test]
fn learns_the_next_product_and_its_time() {
    let (shop, folder) = (purchase_shop(), TempDir::new().unwrap());
    run(&config(Head::NextPurchase, |_, training| training.epochs = 25), shop.dataset(), folder.path()).unwrap();
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let ranks = model.rank_targets(&shop.sequences, &shop.valid, false).unwrap();
    let predictions = model.predict(&shop.sequences, &shop.examples(), 3).unwrap();
    let Predictions::NextPurchase(predicted) = predictions else { panic!("no purchases") };
    let (mut bought, mut first) = (0, 0);
    for ((labelled, rank), predicted) in shop.valid.iter().zip(ranks).zip(predicted) {
        let time = predicted.time.unwrap();
        assert!(time.p10_days <= time.median_days && time.median_days <= time.p90_days);
        assert_eq!(predicted.products.len(), 3);
        assert!(predicted.products.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        let Target::NextPurchase { product, days } = labelled.target else { panic!("other target") };
        assert_eq!(rank.is_some(), product.is_some());
        if let Some(rank) = rank {
            let listed = predicted.products.iter().position(|(place, _)| {
                shop.sequences.text(Field::Product, product.unwrap()) == Some(&model.products()[*place])
            });
            assert_eq!(listed.map(|place| place as u32 + 1), (rank <= 3).then_some(rank));
            bought += 1;
            first += u32::from(rank == 1);
            assert!(time.median_days > 5.0 && time.median_days < 20.0, "{time:?} for {days:?}");
            assert!(time.p_within_horizon > 0.7, "{time:?}");
        } else {
            assert!(time.p_within_horizon < 0.3, "{time:?}");
        }
    }
    assert!(f64::from(first) > 0.9 * f64::from(bought), "{first} of {bought}");
}

#[test]
fn learns_as_well_in_bf16() {
    let (shop, folder) = (purchase_shop(), TempDir::new().unwrap());
    let bf16 = |training: &mut RawTraining| (training.epochs, training.precision) = (25, Precision::Bf16);
    run(&config(Head::NextPurchase, |_, training| bf16(training)), shop.dataset(), folder.path()).unwrap();
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let ranks = model.rank_targets(&shop.sequences, &shop.valid, false).unwrap();
    let ranks: Vec<u32> = ranks.into_iter().flatten().collect();
    let first = ranks.iter().filter(|rank| **rank == 1).count();
    assert!(first as f64 > 0.9 * ranks.len() as f64, "{first} of {}", ranks.len());
    let Predictions::NextPurchase(predicted) = model.predict(&shop.sequences, &shop.examples(), 1).unwrap() else {
        panic!("no purchases")
    };
    for (labelled, predicted) in shop.valid.iter().zip(predicted) {
        let returns = is_recent(labelled.example.customer());
        assert_eq!(predicted.time.unwrap().p_within_horizon > 0.5, returns);
    }
}

fn bytes(folder: &Path, file: &str) -> Vec<u8> {
    std::fs::read(folder.join(file)).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let shop = purchase_shop();
    for architecture in [ArchitectureChoice::Transformer, ArchitectureChoice::Hstu, ArchitectureChoice::Gru] {
        let folders = [(); 3].map(|()| TempDir::new().unwrap());
        for (folder, seed) in folders.iter().zip([1, 1, 2]) {
            // Two threads, whose sums must not depend on who comes first.
            let config = config(Head::NextPurchase, |model, training| {
                model.architecture = architecture;
                (training.seed, training.epochs, training.threads) = (seed, 2, 2);
            });
            run(&config, shop.dataset(), folder.path()).unwrap();
        }
        let weights = folders.each_ref().map(|folder| bytes(folder.path(), "weights.safetensors"));
        assert!(weights[0] == weights[1], "{architecture:?}");
        assert!(weights[0] != weights[2], "{architecture:?}");
        assert_eq!(bytes(folders[0].path(), "history.json"), bytes(folders[1].path(), "history.json"));
    }
}

#[test]
fn a_resumed_run_ends_as_one_never_stopped() {
    let config = |head, ema| config(head, |_, training| (training.epochs, training.ema) = (4, ema));
    check_resumed(&churn_shop(), &config(Head::Churn, 0.0));
    check_resumed(&churn_shop(), &config(Head::Churn, 0.98));
    check_resumed(&purchase_shop(), &config(Head::NextPurchase, 0.0));
}

/// Of a training of four epochs.
fn check_resumed(shop: &Shop, config: &Config) {
    let (whole, stopped) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let expected = run(config, shop.dataset(), whole.path()).unwrap();

    // Stopped in the middle of the first, the second and the fourth epoch.
    for stop in [1, 2, 4] {
        let interrupted = AtomicBool::new(false);
        let mut progress = |progress: trainer::Progress<'_>| {
            interrupted.store(progress.epoch == stop && progress.step == 3, Ordering::Relaxed);
        };
        let options = TrainOptions { resume: true, earlier: None, progress: &mut progress, interrupted: &interrupted };
        match train(config, shop.dataset(), stopped.path(), options) {
            Err(Error::Interrupted { epoch, finished }) => assert_eq!((epoch, finished), (stop, stop - 1)),
            other => panic!("{other:?}"),
        }
    }
    let resume = || {
        let interrupted = AtomicBool::new(false);
        let options = TrainOptions { resume: true, earlier: None, progress: &mut |_| (), interrupted: &interrupted };
        train(config, shop.dataset(), stopped.path(), options)
    };
    assert_eq!(resume().unwrap(), expected);
    for file in ["weights.safetensors", "checkpoint.safetensors", "history.json", "config.toml", "vocabulary.json"] {
        assert!(bytes(whole.path(), file) == bytes(stopped.path(), file), "{file}");
    }
    // A finished run has nothing left to do.
    assert_eq!(resume().unwrap(), expected);
    assert!(std::fs::read_dir(stopped.path()).unwrap().all(|e| e.unwrap().path().extension().unwrap() != "partial"));
}

#[test]
fn a_run_belongs_to_its_config_and_data() {
    let (shop, folder) = (churn_shop(), TempDir::new().unwrap());
    let short = |change: fn(&mut RawModel, &mut RawTraining)| {
        config(Head::Churn, |model, training| {
            training.epochs = 1;
            change(model, training);
        })
    };
    run(&short(|_, _| ()), shop.dataset(), folder.path()).unwrap();
    let again = run(&short(|_, _| ()), shop.dataset(), folder.path()).unwrap_err().to_string();
    assert!(again.contains("already holds a training run"), "{again}");

    let resume = |config: &Config, data: Dataset<'_>| {
        let interrupted = AtomicBool::new(false);
        let options = TrainOptions { resume: true, earlier: None, progress: &mut |_| (), interrupted: &interrupted };
        train(config, data, folder.path(), options)
    };
    let message = resume(&short(|model, _| model.width = 32), shop.dataset()).unwrap_err().to_string();
    assert!(message.contains("model.width = 16, now it is 32"), "{message}");
    let message = resume(&short(|_, training| training.seed = 9), shop.dataset()).unwrap_err().to_string();
    assert!(message.contains("training.seed = 1, now it is 9"), "{message}");
    let fewer = Dataset { train: &shop.train[1..], ..shop.dataset() };
    let message = resume(&short(|_, _| ()), fewer).unwrap_err().to_string();
    assert!(message.contains("training examples = 300, now it is 299"), "{message}");
    let other = Vocabulary::fit(&shop.sequences, 0, 1);
    let message = resume(&short(|_, _| ()), Dataset { vocabulary: &other, ..shop.dataset() }).unwrap_err().to_string();
    assert!(message.contains("vocabulary.json"), "{message}");
    // More epochs are no other run.
    let longer = resume(&short(|_, training| training.epochs = 2), shop.dataset()).unwrap();
    assert_eq!(longer.history.len(), 2);
}

#[test]
fn broken_files_are_named() {
    let (shop, folder) = (churn_shop(), TempDir::new().unwrap());
    run(&config(Head::Churn, |_, training| training.epochs = 1), shop.dataset(), folder.path()).unwrap();
    let check = |file: &str, content: &[u8], parts: &[&str]| {
        let whole = bytes(folder.path(), file);
        std::fs::write(folder.path().join(file), content).unwrap();
        let message = match Model::load(folder.path(), DeviceChoice::Cpu) {
            Ok(_) => panic!("a broken {file} was loaded"),
            Err(error) => error.to_string(),
        };
        for part in parts {
            assert!(message.contains(part), "{message} lacks {part}");
        }
        std::fs::write(folder.path().join(file), whole).unwrap();
    };
    let weights = bytes(folder.path(), "weights.safetensors");
    check("weights.safetensors", &weights[..weights.len() - 4], &["weights.safetensors", "no whole safetensors file"]);
    check("weights.safetensors", b"", &["weights.safetensors", "no whole safetensors file"]);
    let checkpoint = bytes(folder.path(), "checkpoint.safetensors");
    check("weights.safetensors", &checkpoint, &["weights.safetensors", "header is wrong"]);
    let config = String::from_utf8(bytes(folder.path(), "config.toml")).unwrap();
    check("config.toml", config.replace("width = 16", "width = 24").as_bytes(), &["weights.safetensors", "shape"]);
    check("config.toml", config.replace("layers = 2", "layers = 1").as_bytes(), &["block_1", "configured network"]);
    check("vocabulary.json", b"{", &["vocabulary.json"]);
    assert!(Model::load(folder.path(), DeviceChoice::Cpu).is_ok());
}

#[test]
fn data_without_an_answer_is_refused() {
    let (shop, folder) = (churn_shop(), TempDir::new().unwrap());
    let refused = |head, data: Dataset<'_>| {
        let message = run(&config(head, |_, _| ()), data, folder.path()).unwrap_err().to_string();
        assert!(!folder.path().join("config.toml").exists());
        message
    };
    let message = refused(Head::Churn, Dataset { train: &[], ..shop.dataset() });
    assert!(
        message.contains("training set is empty") && message.contains("100 examples (cut-offs 1971-02-05"),
        "{message}"
    );
    let message = refused(Head::Churn, Dataset { valid: &[], ..shop.dataset() });
    assert!(message.contains("validation set is empty"), "{message}");
    let message = refused(Head::Clv, shop.dataset());
    assert!(message.contains("example 0") && message.contains("`clv` needs a finite value"), "{message}");
    let message = refused(Head::Count, self::shop(|_, customer, _| Target::Value(customer as f32 / 2.0)).dataset());
    assert!(message.contains("example 0") && message.contains("`count` needs a whole number from 0"), "{message}");
    let message = refused(Head::Count, self::shop(|_, _, _| Target::Value(0.0)).dataset());
    assert!(message.contains("no value above 0"), "{message}");
    let churned: Vec<LabelledExample> =
        shop.train.iter().filter(|labelled| labelled.target == Target::Label(true)).cloned().collect();
    let message = refused(Head::Churn, Dataset { train: &churned, ..shop.dataset() });
    assert!(message.contains("training set") && message.contains("have churned"), "{message}");
}

#[test]
fn a_loss_that_is_no_number_stops_the_run() {
    let (shop, folder) = (churn_shop(), TempDir::new().unwrap());
    let wild = config(Head::Churn, |_, training| (training.learning_rate, training.warmup) = (1e38, 0));
    match run(&wild, shop.dataset(), folder.path()) {
        Err(error @ Error::Diverged { .. }) => {
            assert!(error.to_string().contains("in epoch 1, step "), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn scores_do_not_depend_on_the_batch() {
    let (shop, folder) = (purchase_shop(), TempDir::new().unwrap());
    run(&config(Head::NextPurchase, |_, training| training.epochs = 3), shop.dataset(), folder.path()).unwrap();
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let examples = shop.examples();
    let numbers = |predictions: Predictions| -> Vec<f64> {
        let Predictions::NextPurchase(predicted) = predictions else { panic!("no purchases") };
        let row = |p: trainer::NextPurchase| {
            let time = p.time.unwrap();
            // Sorted by product: equally probable ones may change places.
            let mut products = p.products;
            products.sort_by_key(|(place, _)| *place);
            products
                .into_iter()
                .map(|(_, p)| p)
                .chain([time.median_days.ln(), time.p_within_horizon])
                .collect::<Vec<_>>()
        };
        predicted.into_iter().flat_map(row).collect()
    };
    let everything = model.products().len();
    let together = numbers(model.predict(&shop.sequences, &examples, everything).unwrap());
    let alone: Vec<f64> =
        examples.chunks(1).flat_map(|one| numbers(model.predict(&shop.sequences, one, everything).unwrap())).collect();
    assert_eq!(together.len(), alone.len());
    for (together, alone) in together.iter().zip(&alone) {
        assert!((together - alone).abs() < 1e-5, "{together} and {alone}");
    }
    assert_eq!(numbers(model.predict(&shop.sequences, &[], 3).unwrap()), [] as [f64; 0]);
}

#[test]
fn strangers_and_new_products_are_scored() {
    let (shop, folder) = (purchase_shop(), TempDir::new().unwrap());
    run(&config(Head::NextPurchase, |_, training| training.epochs = 2), shop.dataset(), folder.path()).unwrap();
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let stranger = |product: &str, kind| build(&[("new".to_owned(), 399, kind, Some(product.to_owned()), 7.0)]);
    for sequences in [stranger("p1", "purchase"), stranger("never seen", "purchase"), stranger("p1", "a new kind")] {
        let example = Example::at(&sequences, 0, CUT_OFF, LENGTH);
        let labelled = |product: &str| LabelledExample {
            example: example.clone(),
            target: Target::NextPurchase { product: Some(sequences.code_of(Field::Product, product)), days: Some(1.0) },
        };
        let Predictions::NextPurchase(p) = model.predict(&sequences, std::slice::from_ref(&example), 10).unwrap()
        else {
            panic!("no purchases")
        };
        assert_eq!(p[0].products.len(), 5, "the whole catalogue is shorter than the list asked for");
        assert!((p[0].products.iter().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-5);
        let ranks = model.rank_targets(&sequences, &[labelled("p1"), labelled("never sold")], false).unwrap();
        assert!(ranks[0].is_none_or(|rank| rank <= 5 || !sequences_hold(&sequences, "p1")));
        assert_eq!(ranks[1], Some(analytics::metrics::NOT_RANKED));
    }
    // Who has no history at all is a stranger, too.
    let nobody = Example::at(&shop.sequences, 0, 0, LENGTH);
    assert!(nobody.is_empty());
    assert!(
        matches!(model.predict(&shop.sequences, &[nobody], 1).unwrap(), Predictions::NextPurchase(p) if p.len() == 1)
    );
}

fn sequences_hold(sequences: &Sequences, product: &str) -> bool {
    sequences.text(Field::Product, sequences.code_of(Field::Product, product)).is_some()
}

/// CDNOW names no products: the time is learnt, nothing is ranked.
#[test]
fn a_source_without_products_has_times_only() {
    let rows: Vec<Row> =
        (0..200).map(|i| (format!("c{:02}", i / 5), 100 + 20 * (i % 5), "purchase", None, 9.0)).collect();
    let sequences = build(&rows);
    let vocabulary = Vocabulary::fit(&sequences, CUT_OFF, 1);
    let label = |customer| LabelledExample {
        example: Example::at(&sequences, customer, CUT_OFF, LENGTH),
        target: Target::NextPurchase { product: None, days: (customer % 2 == 0).then_some(20.0) },
    };
    let examples: Vec<LabelledExample> = (0..40).map(label).collect();
    let (train, valid) = examples.split_at(30);
    let data = Dataset {
        sequences: &sequences,
        vocabulary: &vocabulary,
        features: &[],
        offsets: None,
        horizon_days: 90.0,
        train,
        valid,
    };
    let folder = TempDir::new().unwrap();
    let trained = run(&config(Head::NextPurchase, |_, training| training.epochs = 2), data, folder.path()).unwrap();
    assert!(trained.history.iter().all(|epoch| epoch.valid_loss.is_finite() && epoch.metrics.is_empty()));
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let examples: Vec<Example> = valid.iter().map(|labelled| labelled.example.clone()).collect();
    let predictions = model.predict(&sequences, &examples, 10).unwrap();
    let Predictions::NextPurchase(predicted) = predictions else { panic!("no purchases") };
    assert!(predicted.iter().all(|p| p.products.is_empty() && p.time.is_some_and(|time| time.median_days > 0.0)));
    let wished = Target::NextPurchase { product: Some(1), days: Some(1.0) };
    let wished = LabelledExample { example: examples[0].clone(), target: wished };
    let ranks = model.rank_targets(&sequences, &[wished], true).unwrap();
    assert_eq!(ranks, [Some(analytics::metrics::NOT_RANKED)]);
}

#[test]
fn churn_models_rank_nothing() {
    let (shop, folder) = (churn_shop(), TempDir::new().unwrap());
    run(&config(Head::Churn, |_, training| training.epochs = 1), shop.dataset(), folder.path()).unwrap();
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let message = model.rank_targets(&shop.sequences, &shop.valid, true).unwrap_err().to_string();
    assert!(message.contains("`churn`") && message.contains("next_item"), "{message}");
}
