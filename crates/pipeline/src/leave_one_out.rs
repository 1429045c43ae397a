//! The public next-item benchmark: each user's last item is the test, the one before it the validation; ranked against
//! the whole catalogue, with the items a user has seen removed.

use crate::baselines::{Histories, most_bought, recommenders};
use crate::error::{Error, Result};
use crate::evaluation::{Answers, Evaluation, Judged, Role, compare};
use crate::learning::Learning;
use crate::metrics_table::OURS;
use crate::progress::Progress;
use crate::task::Task;
use crate::training::{config, watch};
use analytics::metrics::NOT_RANKED;
use sequences::{Head, LabelledExample, Sequences, Target, Vocabulary};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How the benchmark is run, beside what the task says.
#[derive(Clone, Debug, Default)]
pub struct LeaveOneOutOptions {
    /// Takes only the order from a file that has times.
    pub in_order_only: bool,
    /// Overrides the task's epochs.
    pub epochs: Option<u32>,
    /// Overrides the task's seed.
    pub seed: Option<u64>,
    /// Folder for runs; this one gets a folder of its own in it.
    pub work: PathBuf,
    /// Once set, training stops before its next step.
    pub interrupted: Arc<AtomicBool>,
}

/// Trains on a file of interactions (see [`Sequences::from_interactions`]), and judges the best epoch on the last items.
pub async fn leave_one_out(
    file: &Path,
    task: &Task,
    options: &LeaveOneOutOptions,
    progress: &dyn Progress,
) -> Result<Evaluation> {
    let head = task.head()?;
    if head != Head::NextItem {
        let problem = format!("leave-one-out ranks the next item; its head is {}", head.name());
        return Err(Error::Task { task: task.name.clone(), problem });
    }
    let text = std::fs::read_to_string(file).map_err(Error::file(file))?;
    let mut sequences = Sequences::from_interactions(&text, &file.display().to_string())?;
    if options.in_order_only {
        sequences = sequences.in_order_only();
    }
    let mut task = task.clone();
    let overrides = [("epochs", options.epochs.map(i64::from)), ("seed", options.seed.map(|seed| seed as i64))];
    for (key, value) in overrides {
        if let Some(value) = value {
            task.training.insert(key.into(), value.into());
        }
    }
    let config = config(&task)?;
    let vocabulary = Vocabulary::fit(&sequences, i64::MAX, 1);
    let length = config.length();
    let train = sequences.leave_one_out_training(length);
    let (valid, test) = (sequences.leave_one_out(2, length), sequences.leave_one_out(1, length));
    let run_id = uuid::Uuid::now_v7().to_string();
    let folder = options.work.join(&run_id);
    progress.start("train next item", None);
    let dataset = trainer::Dataset {
        sequences: &sequences,
        vocabulary: &vocabulary,
        features: &[],
        offsets: None,
        horizon_days: task.horizon_days as f32,
        train: &train,
        valid: &valid,
    };
    let trained = tokio::task::block_in_place(|| {
        let mut report = |at: trainer::Progress| watch(progress, &at);
        let options = trainer::TrainOptions {
            resume: false,
            earlier: None,
            progress: &mut report,
            interrupted: &options.interrupted,
        };
        trainer::train(&config, dataset, &folder, options)
    });
    let trained = trained.map_err(|error| match error {
        trainer::Error::Interrupted { .. } => {
            Error::Interrupted { verb: "leave-one-out".into(), again: "run it again from the start" }
        }
        error => error.into(),
    })?;
    progress.finish(&format!(
        "best epoch {} of {}, run in {}",
        trained.best_epoch,
        trained.history.len(),
        folder.display()
    ));
    let ranks = tokio::task::block_in_place(|| {
        let model = trainer::Model::load(&folder, trainer::DeviceChoice::Auto)?;
        model.rank_targets(&sequences, &test, true)
    })?;
    let ranks: Vec<u32> = ranks.into_iter().map(|rank| rank.unwrap_or(NOT_RANKED)).collect();
    let ours = Judged::new(OURS, [Answers::Ranks(ranks.into())])?;
    let histories = Histories::before(&sequences, test.iter().map(|t| (t.example.customer(), t.example.as_of())));
    let bought: Vec<u32> = test.iter().map(target).collect();
    let popular = most_bought(&histories, &histories, &bought);
    let mut others = vec![(Role::Baseline, Judged::new("popularity", [Answers::Ranks(popular.into())])?)];
    for (name, ranks) in tokio::task::block_in_place(|| recommenders(&histories, &histories, &bought, true))? {
        others.push((Role::Baseline, Judged::new(name, [Answers::Ranks(ranks.into())])?));
    }
    Ok(Evaluation {
        task: task.name,
        run_id,
        protocol: "leave-one-out, ranked against the whole catalogue, seen items removed".into(),
        as_of: "each user's last item".into(),
        examples: test.len(),
        rows: compare(&ours, &others)?,
        deciles: Vec::new(),
        shown: None,
        slices: Vec::new(),
        learning: Learning::new(trained.best_epoch, &trained.history),
    })
}

/// The code of the item asked for; 0 for none.
fn target(labelled: &LabelledExample) -> u32 {
    match labelled.target {
        Target::NextPurchase { product: Some(product), .. } => product,
        _ => 0,
    }
}
