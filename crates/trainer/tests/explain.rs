//! Explanations through the public API, of models of made-up shops in which it is known what decides.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sequences::{Example, Field, LabelledExample, MICROS_PER_DAY, Sequences, SequencesBuilder, Target, Vocabulary};
use tempfile::TempDir;
use trainer::{
    Config, Dataset, DeviceChoice, Error, Head, Importances, Input, Model, Predictions, RawConfig, RawModel,
    RawTraining, Reasons, TrainOptions, train,
};

const CUT_OFF: i64 = 400 * MICROS_PER_DAY;
const CUSTOMERS: usize = 800;
const FEATURES: [&str; 4] = ["decides", "noise", "also_noise", "same_for_all"];

/// Customers whose events and features are all dice; what they come to is up to `target`, by features and last product.
struct Shop {
    sequences: Sequences,
    vocabulary: Vocabulary,
    features: Vec<String>,
    train: Vec<LabelledExample>,
    test: Vec<LabelledExample>,
}

fn shop(target: impl Fn(&[f32; 4], usize) -> Target) -> Shop {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let (mut customers, mut days, mut products, mut last) = (vec![], vec![], vec![], vec![]);
    for customer in 0..CUSTOMERS {
        let mut dates: Vec<i64> = (0..random.random_range(1..8)).map(|_| random.random_range(0..400)).collect();
        dates.sort_unstable();
        for day in dates {
            customers.push(format!("c{customer:04}"));
            days.push(day * MICROS_PER_DAY);
            products.push(random.random_range(0..4));
        }
        last.push(*products.last().unwrap());
    }
    let count = days.len();
    let time = || Arc::new(TimestampMicrosecondArray::from_iter_values(days.clone()).with_timezone("UTC")) as ArrayRef;
    let text = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
    let batch = RecordBatch::try_from_iter(vec![
        ("customer_id", text(customers)),
        ("event_time", time()),
        ("known_time", time()),
        ("superseded_at", Arc::new(TimestampMicrosecondArray::new_null(count).with_timezone("UTC")) as ArrayRef),
        ("kind", text(vec!["purchase".into(); count])),
        ("product_id", text(products.iter().map(|product| format!("p{product}")).collect())),
        ("category", text(vec!["any".into(); count])),
        ("channel", text(vec!["web".into(); count])),
        (
            "amount",
            Arc::new(Float64Array::from_iter_values((0..count).map(|_| random.random_range(1.0..50.0)))) as ArrayRef,
        ),
    ])
    .unwrap();
    let mut builder = SequencesBuilder::new();
    builder.push(&batch).unwrap();
    let sequences = builder.finish();
    let mut labelled: Vec<LabelledExample> = Vec::new();
    for (customer, last) in last.into_iter().enumerate() {
        let features = [random.random_range(-1.0..1.0), random.random(), random.random(), 3.0];
        let example = Example::at(&sequences, customer, CUT_OFF, 16).with_features(&features);
        labelled.push(LabelledExample { example, target: target(&features, last) });
    }
    let test = labelled.split_off(CUSTOMERS / 2);
    let vocabulary = Vocabulary::fit(&sequences, CUT_OFF, 1);
    Shop { sequences, vocabulary, features: FEATURES.map(str::to_owned).to_vec(), train: labelled, test }
}

impl Shop {
    fn model(&self, head: Head) -> Model {
        let folder = TempDir::new().unwrap();
        self.trained(head, folder.path());
        Model::load(folder.path(), DeviceChoice::Cpu).unwrap()
    }

    fn trained(&self, head: Head, folder: &Path) {
        let Shop { sequences, vocabulary, features, train: learnt, test } = self;
        let data =
            Dataset { sequences, vocabulary, features, offsets: None, horizon_days: 90.0, train: learnt, valid: test };
        let model = RawModel { width: 16, length: 16, ..RawModel::default() };
        let training = RawTraining {
            epochs: 15,
            patience: 15,
            batch_size: 32,
            learning_rate: 1e-2,
            // What decides is a feature, and there is no doubt about it.
            feature_prior: 0,
            device: DeviceChoice::Cpu,
            threads: 1,
            ..RawTraining::default()
        };
        let config = Config::try_from(RawConfig { head, model, training }).unwrap();
        let interrupted = AtomicBool::new(false);
        let options = TrainOptions { resume: false, progress: &mut |_| (), interrupted: &interrupted, earlier: None };
        train(&config, data, folder, options).unwrap();
    }

    fn examples(&self) -> Vec<Example> {
        self.test.iter().map(|labelled| labelled.example.clone()).collect()
    }

    /// Of each input alone.
    fn reasons(&self, model: &Model, top: usize) -> Vec<Reasons> {
        model.reasons(&self.sequences, &self.examples(), &each(model), top).unwrap()
    }

    /// Of each input alone.
    fn importances(&self, model: &Model, seed: u64) -> Importances {
        let each = each(model);
        let mut done = 0;
        let found =
            model.importances(&self.sequences, &self.test, &each, 4, seed, &mut |groups| done = groups).unwrap();
        assert_eq!((done, found.groups.len()), (each.len(), each.len()));
        found
    }
}

fn each(model: &Model) -> Vec<Vec<Input>> {
    model.inputs().into_iter().map(|input| vec![input]).collect()
}

fn place(model: &Model, input: Input) -> usize {
    model.inputs().iter().position(|own| *own == input).unwrap()
}

fn churn_shop() -> Shop {
    shop(|features, _| Target::Label(features[0] > 0.0))
}

#[test]
fn the_feature_that_decides_is_the_one_that_counts() {
    let shop = churn_shop();
    let model = shop.model(Head::Churn);
    let found = shop.importances(&model, 1);
    assert_eq!(found.metrics, ["auc", "log_loss"]);
    assert!(found.values[0] > 0.97, "{found:?}");
    let decides = place(&model, Input::Feature(0));
    for (input, [auc, loss]) in found.groups.iter().enumerate() {
        if input == decides {
            // Another's value in its place leaves nothing to go by: an AUC of one half.
            assert!((found.values[0] - auc.mean - 0.5).abs() < 0.06 && auc.deviation > 0.0, "{auc:?}");
            assert!(loss.mean > 0.4, "{loss:?}");
        } else {
            assert!(auc.mean.abs() < 0.02, "{input}: {auc:?}");
        }
    }
    let same = found.groups[place(&model, Input::Feature(3))];
    assert!(same.iter().all(|importance| (importance.mean, importance.deviation) == (0.0, 0.0)), "{same:?}");
    // The seed decides, and nothing else.
    assert_eq!(found, shop.importances(&model, 1));
    assert_ne!(found, shop.importances(&model, 2));
}

#[test]
fn shuffled_jointly_a_group_loses_what_its_inputs_share() {
    let shop = churn_shop();
    let model = shop.model(Head::Churn);
    let features: Vec<Input> = (0..4).map(Input::Feature).collect();
    let events: Vec<Input> = model.inputs().into_iter().filter(|input| input.is_of_events()).collect();
    let groups = [vec![Input::Feature(0)], features, events, model.inputs()];
    let found = model.importances(&shop.sequences, &shop.test, &groups, 4, 1, &mut |_| ()).unwrap();
    let auc: Vec<f64> = found.groups.iter().map(|[auc, _]| auc.mean).collect();
    assert!((auc[0] - auc[1]).abs() < 0.05 && auc[2].abs() < 0.02, "{auc:?}");
    // Everything from another customer is the other's prediction, in another's place.
    assert!((found.values[0] - auc[3] - 0.5).abs() < 0.06, "{auc:?}");
}

#[test]
fn what_happened_last_counts_where_it_decides() {
    let shop = shop(|_, product| Target::Label(product < 2));
    let model = shop.model(Head::Churn);
    let found = shop.importances(&model, 1);
    assert!(found.values[0] > 0.95, "{found:?}");
    let auc: Vec<f64> = found.groups.iter().map(|[auc, _]| auc.mean).collect();
    let product = place(&model, Input::EventField(Field::Product));
    assert!((0..auc.len()).all(|input| input == product || auc[input] < 0.3 * auc[product]), "{auc:?}");
    assert!((found.values[0] - auc[product] - 0.5).abs() < 0.08, "{auc:?}");
}

#[test]
fn reasons_say_what_decided_and_sum_to_the_prediction() {
    let shop = churn_shop();
    let model = shop.model(Head::Churn);
    let reasons = shop.reasons(&model, usize::MAX);
    let Predictions::Probability(p) = model.predict(&shop.sequences, &shop.examples(), 0).unwrap() else {
        panic!("no churn")
    };
    let (decides, same) = (place(&model, Input::Feature(0)), place(&model, Input::Feature(3)));
    let mut right = 0;
    for ((reasons, p), example) in reasons.iter().zip(p).zip(shop.examples()) {
        assert!((reasons.output - (p / (1.0 - p)).ln()).abs() < 1e-4, "{reasons:?} for {p}");
        let sum: f64 = reasons.contributions.iter().map(|(_, contribution)| contribution).sum();
        let difference = reasons.output - reasons.baseline;
        assert!((sum - difference).abs() < 1e-3 * difference.abs().max(1.0), "{sum} is not {difference}");
        assert_eq!(reasons.contributions.len(), model.inputs().len());
        assert!(reasons.contributions.windows(2).all(|pair| pair[0].1.abs() >= pair[1].1.abs()));
        assert!(reasons.contributions.contains(&(same, 0.0)));
        let (first, contribution) = reasons.contributions[0];
        right += usize::from(first == decides && (contribution > 0.0) == (example.features()[0] > 0.0));
    }
    assert!(right as f64 > 0.9 * reasons.len() as f64, "{right} of {}", reasons.len());
    // The largest three are the first three of all.
    let three = shop.reasons(&model, 3);
    assert!(three.iter().zip(&reasons).all(|(three, all)| three.contributions == all.contributions[..3]));
    // A group's is the sum of its inputs'.
    let whole = model.reasons(&shop.sequences, &shop.examples(), &[model.inputs()], 1).unwrap();
    for (whole, all) in whole.iter().zip(&reasons) {
        let sum: f64 = all.contributions.iter().map(|(_, contribution)| contribution).sum();
        assert!(whole.contributions.len() == 1 && (whole.contributions[0].1 - sum).abs() < 1e-9, "{whole:?}");
    }
}

#[test]
fn values_are_explained_in_logarithms() {
    let shop = shop(|features, _| Target::Value((3.0 + 2.0 * features[0]).exp()));
    let model = shop.model(Head::Clv);
    let found = shop.importances(&model, 1);
    assert_eq!(found.metrics, ["spearman", "loss"]);
    let decides = place(&model, Input::Feature(0));
    let largest = (0..found.groups.len()).max_by(|a, b| found.groups[*a][0].mean.total_cmp(&found.groups[*b][0].mean));
    assert!(largest == Some(decides) && found.groups[decides][0].mean > 0.7, "{found:?}");
    let reasons = shop.reasons(&model, usize::MAX);
    let predictions = model.predict(&shop.sequences, &shop.examples(), 0).unwrap();
    let Predictions::Value(values) = predictions else { panic!("no value") };
    for (reasons, value) in reasons.iter().zip(values) {
        assert!((reasons.output - value.expected.ln()).abs() < 1e-4, "{reasons:?} for {value:?}");
    }
    let first = reasons.iter().filter(|reasons| reasons.contributions[0].0 == decides).count();
    assert!(first as f64 > 0.9 * reasons.len() as f64, "{first} of {}", reasons.len());
}

#[test]
fn labels_of_ones_own_are_explained_like_the_shipped_ones() {
    let count = |features: &[f32; 4]| Target::Value((2.0 + 2.0 * features[0]).exp().round());
    for (head, shop, metric) in [
        (Head::Binary, churn_shop(), "auc"),
        (Head::Amount, shop(|features, _| Target::Value((3.0 + 2.0 * features[0]).exp())), "spearman"),
        (Head::Count, shop(|features, _| count(features)), "spearman"),
    ] {
        let model = shop.model(head);
        let found = shop.importances(&model, 1);
        assert_eq!(found.metrics[0], metric);
        let decides = place(&model, Input::Feature(0));
        let reasons = shop.reasons(&model, usize::MAX);
        let outputs: Vec<f64> = match model.predict(&shop.sequences, &shop.examples(), 0).unwrap() {
            Predictions::Probability(p) => p.into_iter().map(|p| (p / (1.0 - p)).ln()).collect(),
            Predictions::Value(values) => values.into_iter().map(|value| value.expected.ln()).collect(),
            Predictions::NextPurchase(_) => panic!("no label"),
        };
        for (reasons, output) in reasons.iter().zip(outputs) {
            assert!((reasons.output - output).abs() < 1e-3 * output.abs().max(1.0), "{reasons:?} for {output}");
        }
        let first = reasons.iter().filter(|reasons| reasons.contributions[0].0 == decides).count();
        assert!(first as f64 > 0.9 * reasons.len() as f64, "{head:?}: {first} of {}", reasons.len());
    }
}

#[test]
fn what_cannot_be_explained_says_so() {
    let days = |features: &[f32; 4]| Target::NextPurchase { product: None, days: Some(5.0 + features[0]) };
    let next = shop(|features, _| days(features));
    let model = next.model(Head::NextPurchase);
    let message = model.reasons(&next.sequences, &next.examples(), &[], 3).unwrap_err().to_string();
    assert!(message.contains("`next_purchase`; only labels, amounts and counts"), "{message}");
    let churn = churn_shop();
    let model = churn.model(Head::Churn);
    let bare = Example::at(&churn.sequences, 0, CUT_OFF, 16);
    assert!(matches!(
        model.reasons(&churn.sequences, &[bare], &[], 3),
        Err(Error::Features { given: 0, needed: 4, .. })
    ));
    let left: Vec<LabelledExample> =
        churn.test.iter().filter(|labelled| labelled.target == Target::Label(true)).cloned().collect();
    let undefined = model.importances(&churn.sequences, &left, &[], 2, 1, &mut |_| ()).unwrap_err().to_string();
    assert!(undefined.starts_with(&format!("auc of {} examples", left.len())), "{undefined}");
    assert_eq!(model.reasons(&churn.sequences, &[], &[], 3).unwrap(), []);
}
