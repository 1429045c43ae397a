//! The next item of a list, by each architecture and loss.

use super::{LENGTH, config, last_metric, run};
use sequences::{Example, Field, LabelledExample, Sequences, Target, Vocabulary};
use tempfile::TempDir;
use trainer::{ArchitectureChoice, Dataset, DeviceChoice, Head, LossChoice, Model};

#[test]
fn learns_the_next_item_and_leaves_out_the_seen() {
    for architecture in [ArchitectureChoice::Transformer, ArchitectureChoice::Hstu, ArchitectureChoice::Gru] {
        check(architecture, LossChoice::Softmax, 40);
    }
    // Of many answers that are each right or not, the first lesson is that most are not.
    check(ArchitectureChoice::Transformer, LossChoice::Gbce, 200);
}

fn check(architecture: ArchitectureChoice, loss: LossChoice, epochs: usize) {
    // Each user walks down a list of 30 items from some place, so the next one was never seen.
    let lines: String =
        (0..60).flat_map(|user| (0..8).map(move |i| format!("u{user} i{}\n", (user + i) % 30))).collect();
    let sequences = Sequences::from_interactions(&lines, "lines").unwrap();
    let vocabulary = Vocabulary::fit(&sequences, i64::MAX, 1);
    let at = |position: i64| -> Vec<LabelledExample> {
        let label = |customer| {
            let item = sequences.range(customer).start + position as usize;
            let product = Some(sequences.code(item, Field::Product));
            let example = Example::at(&sequences, customer, position, LENGTH);
            LabelledExample { example, target: Target::NextPurchase { product, days: None } }
        };
        (0..60).map(label).collect()
    };
    let (train, valid, test) = (at(5), at(6), at(7));
    let folder = TempDir::new().unwrap();
    let data = Dataset {
        sequences: &sequences,
        vocabulary: &vocabulary,
        features: &[],
        offsets: None,
        horizon_days: 1.0,
        train: &train,
        valid: &valid,
    };
    let config = config(Head::NextItem, |model, training| {
        (model.architecture, model.dropout) = (architecture, 0.0);
        (training.epochs, training.patience, training.loss) = (epochs, epochs, loss);
        // Fewer than there are items.
        training.negatives = if loss == LossChoice::Gbce { 16 } else { training.negatives };
    });
    let trained = run(&config, data, folder.path()).unwrap();
    assert!(last_metric(&trained, "ndcg@10") > 0.9, "{architecture:?}, {loss:?}: {:?}", trained.history.last());

    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let all = model.rank_targets(&sequences, &test, false).unwrap();
    let unseen = model.rank_targets(&sequences, &test, true).unwrap();
    assert!(unseen.iter().zip(&all).all(|(unseen, all)| unseen <= all));
    assert!(unseen.iter().flatten().all(|&rank| (1..=30 - 7).contains(&rank)));
    let first = unseen.iter().filter(|rank| **rank == Some(1)).count();
    assert!(first > 50, "{architecture:?}, {loss:?}: {first} of 60");

    // Without any history something is said, too.
    let nobody = LabelledExample { example: Example::at(&sequences, 0, 0, LENGTH), target: test[0].target };
    assert!(model.rank_targets(&sequences, &[nobody], true).unwrap()[0].is_some_and(|rank| rank <= 30));
}
