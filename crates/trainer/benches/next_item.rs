//! The next-item benchmark without a warehouse: trains on a file of `user item …` lines by a task file, judges the best
//! epoch on the users' last items, and prints what it took; on a GPU also whether it agrees with the CPU.
//!
//! `cargo bench -p trainer --bench next_item -- ml-1m.txt models/next_item.toml training.epochs=5 training.seed=2`:
//! whatever follows the task file overrides it. The program needs nothing but libtorch, so that it can be carried to a
//! GPU machine; `benches/peers/next_item_torch.py` trains the same network there in PyTorch.

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use analytics::metrics::{self, NOT_RANKED};
use sequences::{Example, Field, LabelledExample, Sequences, Vocabulary};
use tch::{Device, Kind, Tensor};
use trainer::{Config, Dataset, DeviceChoice, Model, Predictions, RawConfig, TrainOptions, train};

/// Steps after which the speed is measured: before, memory is still being taken.
const WARM_UP: usize = 20;
/// How many users are scored on both devices.
const COMPARED: usize = 256;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [file, task, overrides @ ..] = arguments.as_slice() else {
        println!("nothing to do; see the top of crates/trainer/benches/next_item.rs");
        return;
    };
    let config = config(task, overrides);
    let text = std::fs::read_to_string(file).expect("the file is readable");
    let sequences = Sequences::from_interactions(&text, file).expect("lines are `user item …`");
    let vocabulary = Vocabulary::fit(&sequences, i64::MAX, 1);
    let length = config.length();
    let train_set = sequences.leave_one_out_training(length);
    let (valid, test) = (sequences.leave_one_out(2, length), sequences.leave_one_out(1, length));
    let data = Dataset {
        sequences: &sequences,
        vocabulary: &vocabulary,
        features: &[],
        offsets: None,
        horizon_days: 1.0,
        train: &train_set,
        valid: &valid,
    };

    let folder = tempfile::tempdir().expect("a temporary folder");
    let started = Instant::now();
    let (epochs, events_per_second) = fit(&config, data, folder.path());
    let seconds = started.elapsed().as_secs_f64();
    let products = vocabulary.texts(Field::Product).len().min(config.raw().training.negatives);
    let flops = flops_per_event(&config, &train_set, products) * events_per_second;
    println!("{:.2} TFLOP/s in the last epoch, padding not counted", flops / 1e12);

    let model = Model::load(folder.path(), config.raw().training.device).expect("was just trained");
    let scored = Instant::now();
    let ranks = model.rank_targets(&sequences, &test, true).expect("it ranks products");
    let per_second = test.len() as f64 / scored.elapsed().as_secs_f64();
    let ranks: Vec<u32> = ranks.into_iter().map(|rank| rank.unwrap_or(NOT_RANKED)).collect();
    let hit_rate = metrics::hit_rate(&ranks, 10).expect("there are users");
    let ndcg = metrics::ndcg(&ranks, 10).expect("there are users");
    println!(
        "test: HR@10 {hit_rate:.4}, NDCG@10 {ndcg:.4} (leave-one-out, whole catalogue, seen items removed); \
         epoch {} of {epochs}, {seconds:.1} s; {per_second:.0} users ranked/s",
        model.epoch()
    );
    if let Ok(gpu) = Model::load(folder.path(), DeviceChoice::Cuda) {
        let examples: Vec<Example> = test.iter().take(COMPARED).map(|labelled| labelled.example.clone()).collect();
        let cpu = Model::load(folder.path(), DeviceChoice::Cpu).expect("was just trained");
        let first = |model: &Model| model.predict(&sequences, &examples, 10).expect("it reads no features");
        let difference = farthest(&first(&gpu), &first(&cpu));
        println!(
            "CUDA and CPU: probabilities of {COMPARED} users' first ten products differ by {difference:.1e} at most"
        );
        println!("this GPU multiplies bf16 matrices at {:.0} TFLOP/s", ceiling() / 1e12);
    }
}

/// Trains; prints the speed after each epoch; gives how many there were and the events per second of the last one.
fn fit(config: &Config, data: Dataset<'_>, folder: &Path) -> (usize, f64) {
    let (mut warm, mut steps, mut seen) = (None, 0usize, 0.0);
    let mut progress = |at: trainer::Progress<'_>| {
        steps += 1;
        if steps == WARM_UP {
            warm = Some(Instant::now());
        }
        if at.step == at.steps {
            let metrics = at.last.map(|last| format!("{:?}", last.metrics)).unwrap_or_default();
            seen = at.events_per_second;
            println!("epoch {}: loss {:.4}, {seen:.0} events/s; before: {metrics}", at.epoch, at.loss);
        }
    };
    let interrupted = AtomicBool::new(false);
    let options = TrainOptions { resume: false, earlier: None, progress: &mut progress, interrupted: &interrupted };
    let trained = train(config, data, folder, options).expect("trains");
    if let Some(warm) = warm {
        let per_step = warm.elapsed().as_secs_f64() / (steps - WARM_UP).max(1) as f64;
        println!("{:.2} ms a step, validation included; {seen:.0} events/s in the last epoch", per_step * 1e3);
    }
    (trained.history.len(), seen)
}

/// What a training step computes for an event: twice the multiplications of the forward pass, and twice that again for
/// both gradients.
fn flops_per_event(config: &Config, examples: &[LabelledExample], products: usize) -> f64 {
    let model = config.raw().model;
    let [width, layers, feed_forward] = [model.width, model.layers, model.feed_forward].map(|x| x as f64);
    let squared: usize = examples.iter().map(|labelled| labelled.example.len().pow(2)).sum();
    let events: usize = examples.iter().map(|labelled| labelled.example.len()).sum();
    let seen = squared as f64 / events as f64 / 2.0;
    let block = (4.0 + 2.0 * feed_forward) * width * width + 2.0 * seen * width;
    3.0 * 2.0 * (layers * block + products as f64 * width)
}

/// The FLOP/s of large bf16 matrix products on the first GPU.
fn ceiling() -> f64 {
    const SIZE: i64 = 8192;
    const TIMES: u32 = 20;
    let a = Tensor::randn([SIZE, SIZE], (Kind::BFloat16, Device::Cuda(0)));
    let read = |x: &Tensor| x.get(0).get(0).double_value(&[]);
    read(&a.matmul(&a));
    let started = Instant::now();
    (0..TIMES).for_each(|i| {
        let product = a.matmul(&a);
        // One that is read waits for all before.
        if i + 1 == TIMES {
            read(&product);
        }
    });
    2.0 * (SIZE as f64).powi(3) * f64::from(TIMES) / started.elapsed().as_secs_f64()
}

fn config(task: &str, overrides: &[String]) -> Config {
    let text = std::fs::read_to_string(task).expect("the task file is readable");
    let mut raw: toml::Table = text.parse().expect("the task file is TOML");
    raw.retain(|key, _| ["head", "model", "training"].contains(&key));
    for change in overrides {
        let change: toml::Table = change.parse().expect("an override is as in training.epochs=5");
        for (section, values) in change {
            let section = raw.entry(section).or_insert(toml::Value::Table(toml::Table::new()));
            section.as_table_mut().expect("a section").extend(values.as_table().expect("a key of a section").clone());
        }
    }
    let raw: RawConfig = raw.try_into().expect("the task is the trainer's");
    Config::try_from(raw).expect("the task is valid")
}

/// The largest difference between two devices' probabilities, place by place.
fn farthest(a: &Predictions, b: &Predictions) -> f64 {
    let (Predictions::NextPurchase(a), Predictions::NextPurchase(b)) = (a, b) else { return f64::INFINITY };
    let pairs = a.iter().zip(b).flat_map(|(a, b)| a.products.iter().zip(&b.products));
    pairs.map(|(a, b)| (a.1 - b.1).abs()).fold(0.0, f64::max)
}
