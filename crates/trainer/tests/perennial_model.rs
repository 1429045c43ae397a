//! A run folder is enough: a program that knows only its documentation (`perennial_model.py`, NumPy in double precision)
//! predicts what [`Model`] predicts, from the rows of the timeline.

#![allow(clippy::print_stderr)]

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use sequences::{Example, Field, LabelledExample, MICROS_PER_DAY, Sequences, SequencesBuilder, Target, Vocabulary};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use trainer::{
    ArchitectureChoice, Config, Dataset, DeviceChoice, Head, Model, Offsets, Predictions, RawConfig, RawModel,
    RawTraining, TrainOptions, train,
};

/// Names a Python with numpy.
const READERS: &str = "PERENNIAL_READERS";
const TOLERANCE: f64 = 1e-4;
const CUSTOMERS: usize = 60;
/// Of training; scoring is later, with products and customers that are new by then.
const CUT_OFF: i64 = 300 * MICROS_PER_DAY;
const LENGTH: usize = 6;
/// The last two may be offsets.
const FEATURES: [&str; 5] = ["visits", "basket", "constant", "log_odds", "log_value"];

/// A row of the timeline.
struct Row {
    customer: usize,
    event_time: i64,
    known_time: i64,
    superseded_at: Option<i64>,
    kind: &'static str,
    product: Option<String>,
    category: Option<&'static str>,
    channel: Option<&'static str>,
    amount: f64,
}

/// Histories of every kind: long and short ones, late and superseded rows, returns, texts that are missing or new.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for customer in 0..CUSTOMERS {
        for event in 0..customer % 13 + 1 {
            let pick = customer * 31 + event * 17;
            let event_time =
                (pick as i64 * 7 % 50 + event as i64 * 29) * MICROS_PER_DAY + (pick as i64 % 5) * 3_600_000_000;
            let known_time = event_time + if pick % 7 == 0 { 40 * MICROS_PER_DAY } else { 0 };
            let kind = ["purchase", "view", "purchase", "return", "purchase"][pick % 5];
            let new = if event_time > CUT_OFF { "new " } else { "" };
            rows.push(Row {
                customer,
                event_time,
                known_time,
                superseded_at: (pick % 11 == 0).then_some(known_time + 60 * MICROS_PER_DAY),
                kind,
                product: (pick % 6 > 0).then(|| format!("{new}p{}", pick % 9)),
                category: [Some("tea"), None, Some("jam")][pick % 3],
                channel: [Some("web"), Some("till")][pick % 2],
                amount: if kind == "view" { 0.0 } else { (pick % 37) as f64 * 1.25 - 2.0 },
            });
        }
    }
    rows.sort_by_key(|row| (row.customer, row.event_time, row.known_time));
    rows
}

fn name(customer: usize) -> String {
    format!("c{customer:02}")
}

fn sequences(rows: &[Row]) -> Sequences {
    let text = |of: &dyn Fn(&Row) -> Option<String>| Arc::new(StringArray::from_iter(rows.iter().map(of))) as ArrayRef;
    let time = |of: &dyn Fn(&Row) -> Option<i64>| {
        Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(of)).with_timezone("UTC")) as ArrayRef
    };
    let batch = RecordBatch::try_from_iter(vec![
        ("customer_id", text(&|row| Some(name(row.customer)))),
        ("event_time", time(&|row| Some(row.event_time))),
        ("known_time", time(&|row| Some(row.known_time))),
        ("superseded_at", time(&|row| row.superseded_at)),
        ("kind", text(&|row| Some(row.kind.to_owned()))),
        ("product_id", text(&|row| row.product.clone())),
        ("category", text(&|row| row.category.map(str::to_owned))),
        ("channel", text(&|row| row.channel.map(str::to_owned))),
        ("amount", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.amount))) as ArrayRef),
    ])
    .unwrap();
    let mut builder = SequencesBuilder::new();
    builder.push(&batch).unwrap();
    builder.finish()
}

/// A customer's features; unknown is NaN.
fn features(customer: usize) -> [f32; FEATURES.len()] {
    let basket = if customer.is_multiple_of(7) { f32::NAN } else { (customer * 13 % 29) as f32 / 4.0 };
    let offsets = [(customer % 9) as f32 / 3.0 - 1.0, (customer % 4) as f32 / 2.0];
    [(customer % 5) as f32, basket, 1.0, offsets[0], offsets[1]]
}

/// The customers of `examples` as the Python program takes them, all their rows with them.
fn as_json(rows: &[Row], sequences: &Sequences, examples: &[Example]) -> Value {
    let customer = |example: &Example| {
        let number = |value: f32| if value.is_finite() { json!(value) } else { Value::Null };
        let features = FEATURES.iter().zip(features(example.customer()));
        let features: Map<String, Value> = features.map(|(name, x)| (name.to_string(), number(x))).collect();
        let event = |row: &Row| {
            let Row { customer: _, event_time, known_time, superseded_at, kind, product, category, channel, amount } =
                row;
            json!({
                "event_time": event_time, "known_time": known_time, "superseded_at": superseded_at, "kind": kind,
                "product_id": product, "category": category, "channel": channel, "amount": amount,
            })
        };
        let events =
            rows.iter().filter(|row| name(row.customer) == sequences.customers()[example.customer()]).map(event);
        json!({"as_of": example.as_of(), "features": features, "events": events.collect::<Vec<_>>()})
    };
    examples.iter().map(customer).collect()
}

/// What happened, made up, so that there is something to learn.
fn target(head: Head, periods: usize, sequences: &Sequences, customer: usize) -> Target {
    match head {
        Head::Churn if periods > 1 => {
            Target::Absence { days: customer.is_multiple_of(3).then_some((customer * 7 % 90) as f32) }
        }
        Head::Churn => Target::Label(!customer.is_multiple_of(3)),
        Head::Clv => Target::Value((customer % 4) as f32 * 20.0),
        Head::NextPurchase | Head::NextItem => Target::NextPurchase {
            product: Some(sequences.code_of(Field::Product, &format!("p{}", customer % 5 + 1))),
            days: (!customer.is_multiple_of(4)).then_some((customer % 40) as f32),
        },
        Head::Binary | Head::Count | Head::Amount => unreachable!("they share their code with churn and clv"),
    }
}

fn offset_count(head: Head, periods: usize) -> Option<usize> {
    match head {
        Head::Churn if periods == 1 => Some(1),
        Head::Clv => Some(2),
        _ => None,
    }
}

/// A run folder of a model that learnt a little, fast, so that no weight is where it began.
fn trained(head: Head, model: &RawModel, sequences: &Sequences, with_features: bool) -> TempDir {
    let folder = TempDir::new().unwrap();
    let vocabulary = Vocabulary::fit(sequences, CUT_OFF, 1);
    let names: Vec<String> = if with_features { FEATURES.map(str::to_owned).into() } else { Vec::new() };
    let labelled = |customer| LabelledExample {
        example: example(sequences, customer, CUT_OFF, with_features),
        target: target(head, model.periods, sequences, customer),
    };
    let (train_set, valid): (Vec<_>, Vec<_>) =
        (0..sequences.customers().len()).map(labelled).partition(|labelled| labelled.example.customer() % 5 > 0);
    let data = Dataset {
        sequences,
        vocabulary: &vocabulary,
        features: &names,
        offsets: offset_count(head, model.periods).filter(|_| with_features).map(|count| Offsets { count, days: 90.0 }),
        horizon_days: 90.0,
        train: &train_set,
        valid: &valid,
    };
    let training = RawTraining {
        epochs: 6,
        batch_size: 16,
        learning_rate: 2e-2,
        calibrate: head == Head::Clv,
        warmup: 0,
        patience: 6,
        device: DeviceChoice::Cpu,
        threads: 1,
        ..RawTraining::default()
    };
    let config = Config::try_from(RawConfig { head, model: model.clone(), training }).unwrap();
    let interrupted = AtomicBool::new(false);
    let options = TrainOptions { resume: false, progress: &mut |_| (), interrupted: &interrupted, earlier: None };
    train(&config, data, folder.path(), options).unwrap();
    folder
}

fn example(sequences: &Sequences, customer: usize, as_of: i64, with_features: bool) -> Example {
    let example = Example::at(sequences, customer, as_of, LENGTH);
    if with_features { example.with_features(&features(customer)) } else { example }
}

fn in_python(python: &OsString, run: &Path, customers: &Value) -> Vec<Value> {
    let file = run.join("customers.json");
    std::fs::write(&file, customers.to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/perennial_model.py");
    let output = Command::new(python).arg(script).arg(run).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the model says, as the Python program writes it.
fn predicted(model: &Model, sequences: &Sequences, examples: &[Example]) -> Vec<Value> {
    match model.predict(sequences, examples, model.products().len()).unwrap() {
        Predictions::Probability(p) => p.into_iter().map(|p| json!({"p_churn": p})).collect(),
        Predictions::Value(values) => {
            let row = |v: trainer::Value| json!({"expected_value": v.expected, "p_zero": v.p_zero});
            values.into_iter().map(row).collect()
        }
        Predictions::NextPurchase(next) => next
            .into_iter()
            .map(|next| {
                let products = next.products.iter().map(|(place, p)| (model.products()[*place].clone(), json!(p)));
                let mut row = json!({"products": products.collect::<Map<_, _>>()});
                if let Some(time) = next.time {
                    row["median_days"] = json!(time.median_days);
                    row["p10_days"] = json!(time.p10_days);
                    row["p90_days"] = json!(time.p90_days);
                    row["p_within_horizon"] = json!(time.p_within_horizon);
                }
                row
            })
            .collect(),
    }
}

/// The largest difference of two numbers at the same place, relative to the larger of them and 1; every place must match.
fn difference(a: &Value, b: &Value) -> f64 {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{a:?} has other names than {b:?}");
            a.values().zip(b.values()).map(|(a, b)| difference(a, b)).fold(0.0, f64::max)
        }
        _ => {
            let [a, b] = [a, b].map(|x| x.as_f64().unwrap());
            (a - b).abs() / a.abs().max(b.abs()).max(1.0)
        }
    }
}

#[test]
fn a_run_folder_is_all_that_a_prediction_needs() {
    let Some(python) = std::env::var_os(READERS) else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{READERS} names no Python");
        eprintln!("skipped: {READERS} names no Python with numpy");
        return;
    };
    let everything = rows();
    let items = rows().into_iter().filter(|row| row.kind == "purchase" && row.product.is_some());
    let items: Vec<Row> = items.map(|row| Row { category: None, channel: None, ..row }).collect();
    let model = |architecture, periods| RawModel {
        architecture,
        periods,
        width: 16,
        layers: 2,
        length: LENGTH,
        ..RawModel::default()
    };
    let [transformer, hstu, gru] = [ArchitectureChoice::Transformer, ArchitectureChoice::Hstu, ArchitectureChoice::Gru]
        .map(|choice| model(choice, 1));
    let periods = model(ArchitectureChoice::Transformer, 4);
    for (head, model, rows, with_features) in [
        (Head::Churn, &transformer, &everything, false),
        (Head::Clv, &transformer, &everything, true),
        (Head::NextPurchase, &transformer, &everything, true),
        (Head::NextItem, &transformer, &items, false),
        (Head::Churn, &periods, &everything, true),
        (Head::Churn, &hstu, &everything, true),
        (Head::NextPurchase, &hstu, &everything, false),
        (Head::NextItem, &hstu, &items, false),
        (Head::Clv, &gru, &everything, true),
        (Head::NextItem, &gru, &items, false),
    ] {
        let sequences = sequences(rows);
        let run = trained(head, model, &sequences, with_features);
        let cut_offs = [0, CUT_OFF, 2 * CUT_OFF];
        let of = |as_of| (0..sequences.customers().len()).map(move |customer| (customer, as_of));
        let examples: Vec<Example> = cut_offs
            .into_iter()
            .flat_map(of)
            .map(|(customer, as_of)| example(&sequences, customer, as_of, with_features))
            .collect();
        // Nobody, somebody, and more than fits.
        assert!(examples.iter().any(Example::is_empty) && examples.iter().any(|example| example.len() == LENGTH));

        let ours = predicted(&Model::load(run.path(), DeviceChoice::Cpu).unwrap(), &sequences, &examples);
        let theirs = in_python(&python, run.path(), &as_json(rows, &sequences, &examples));
        assert_eq!(ours.len(), theirs.len());
        let worst = ours.iter().zip(&theirs).map(|(a, b)| difference(a, b)).fold(0.0, f64::max);
        assert!(worst < TOLERANCE, "{} of {model:?}: {worst} apart", head.name());
        // The customers do differ, so that a prediction of nothing would be far off.
        let spread = ours.iter().map(|row| difference(row, &ours[0])).fold(0.0, f64::max);
        assert!(spread > 100.0 * TOLERANCE, "{} of {model:?}: all predictions are within {spread}", head.name());
    }
}
