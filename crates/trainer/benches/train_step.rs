//! One training step, and scoring, of the default network on a made-up shop: 256 customers with 40 events each.
//! `DIVAN_MIN_TIME=5 cargo bench -p trainer` gives steady numbers; items are events.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use divan::counter::ItemsCount;
use sequences::{Example, LabelledExample, Sequences, Target, Vocabulary};
use trainer::{Config, Dataset, DeviceChoice, Head, Model, RawConfig, RawModel, RawTraining, TrainOptions, train};

const CUSTOMERS: usize = 256;
const EVENTS: usize = 40;
const STEPS: usize = 8;

fn main() {
    divan::main();
}

struct Shop {
    sequences: Sequences,
    vocabulary: Vocabulary,
    examples: Vec<LabelledExample>,
}

impl Shop {
    fn new(head: Head) -> Self {
        let lines = (0..CUSTOMERS * EVENTS).map(|i| format!("{} {}\n", i / EVENTS, (i * 7919) % 1009));
        let sequences = Sequences::from_interactions(&lines.collect::<String>(), "bench").expect("lines are whole");
        let vocabulary = Vocabulary::fit(&sequences, i64::MAX, 1);
        let label = |customer| {
            let target = match head {
                Head::Churn | Head::Binary => Target::Label(customer % 2 == 0),
                Head::Clv | Head::Amount | Head::Count => Target::Value((customer % 5) as f32),
                Head::NextPurchase | Head::NextItem => Target::NextPurchase { product: Some(1), days: Some(3.0) },
            };
            LabelledExample { example: Example::at(&sequences, customer, i64::MAX, EVENTS), target }
        };
        let examples = (0..CUSTOMERS).map(label).collect();
        Self { sequences, vocabulary, examples }
    }

    /// Trains some epochs of one step each.
    fn train(&self, head: Head, epochs: usize, folder: &Path) {
        let Shop { sequences, vocabulary, examples } = self;
        let training = RawTraining { epochs, patience: epochs, device: DeviceChoice::Cpu, ..RawTraining::default() };
        let config = Config::try_from(RawConfig { head, model: RawModel::default(), training }).expect("is valid");
        let valid = &examples[..2];
        let data =
            Dataset { sequences, vocabulary, features: &[], offsets: None, horizon_days: 90.0, train: examples, valid };
        let interrupted = AtomicBool::new(false);
        let options = TrainOptions { resume: false, earlier: None, progress: &mut |_| (), interrupted: &interrupted };
        train(&config, data, folder, options).expect("trains");
    }
}

const HEADS: [Head; 4] = [Head::Churn, Head::NextPurchase, Head::Clv, Head::Count];

/// A whole short run: the steps, and per step a validation of two customers and a checkpoint.
#[divan::bench(args = HEADS)]
fn train_steps(bencher: divan::Bencher<'_, '_>, head: Head) {
    let shop = Shop::new(head);
    let folders = || tempfile::tempdir().expect("a temporary folder");
    let bencher = bencher.counter(ItemsCount::new(STEPS * CUSTOMERS * EVENTS));
    bencher.with_inputs(folders).bench_local_refs(|folder| shop.train(head, STEPS, folder.path()));
}

#[divan::bench(args = HEADS)]
fn predict(bencher: divan::Bencher<'_, '_>, head: Head) {
    let shop = Shop::new(head);
    let folder = tempfile::tempdir().expect("a temporary folder");
    shop.train(head, 1, folder.path());
    let model = Model::load(folder.path(), DeviceChoice::Cpu).expect("was just trained");
    let examples: Vec<Example> = shop.examples.iter().map(|labelled| labelled.example.clone()).collect();
    let bencher = bencher.counter(ItemsCount::new(CUSTOMERS * EVENTS));
    bencher.bench_local(|| model.predict(&shop.sequences, &examples, 10));
}
