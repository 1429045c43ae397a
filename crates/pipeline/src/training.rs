//! Training a task: examples from the warehouse, a run folder from the trainer, rows in `models`.

use crate::cutoffs::Cutoffs;
use crate::dataset::{self, Labels};
use crate::error::{Error, Result};
use crate::features::Features;
use crate::metrics_table::{MetricRow, metric_rows};
use crate::prior;
use crate::progress::Progress;
use crate::registry::Registry;
use crate::run_folder::{self, RECORD};
use crate::runs::{Plan, Run};
use crate::task::Task;
use crate::time::{date, now};
use rayon::prelude::*;
use sequences::{Example, LabelledExample, Sequences, Vocabulary};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;
use trainer::Offsets;
use warehouse::Warehouse;

/// An item must occur this often before the validation cut-off to get an embedding of its own.
const MIN_COUNT: usize = 2;

/// How a task is trained, beside what its file says.
#[derive(Clone, Debug, Default)]
pub struct TrainOptions {
    /// Go on with the task's unfinished run, where there is one.
    pub resume: bool,
    /// Starts from the weights of an earlier run: its id, `newest` or `champion`.
    pub from: Option<String>,
    /// Overrides the task's device: cpu, cuda or auto.
    pub device: Option<String>,
    /// Overrides the task's seed.
    pub seed: Option<u64>,
    /// Folder in which a run lies until it is finished.
    pub work: PathBuf,
    /// Once set, training stops at its next checkpoint.
    pub interrupted: Arc<AtomicBool>,
}

/// Trains a task on the warehouse's newest snapshot and puts the run folder and its metrics there.
///
/// After a kill at any moment the same call with `resume` goes on from the last checkpoint.
pub async fn train(warehouse: &Warehouse, task: &Task, options: &TrainOptions, progress: &dyn Progress) -> Result<Run> {
    let task = with_overrides(task, options.seed, options.device.as_deref());
    let config = ready(&task)?;
    let plan = plan(warehouse, &task, &config, options).await?;
    let folder = plan.folder(&options.work);
    let _held = plan.hold(&options.work)?;
    let trained = match read_and_fit(warehouse, &plan, &config, &folder, options, progress).await {
        Ok(trained) => trained,
        Err(error) if !would_fail_again(&error) && trainer::has_checkpoint(&folder) => return Err(error),
        Err(error @ Error::Interrupted { .. }) => return Err(error),
        Err(error) => {
            // The next training starts anew, perhaps on better data.
            std::fs::remove_dir_all(&folder).map_err(Error::file(&folder))?;
            return Err(error);
        }
    };
    let run = Run {
        run_id: plan.run_id.clone(),
        task: task.name.clone(),
        best_epoch: trained.best_epoch,
        epochs: trained.history.len(),
        finished_at: now(),
        plan,
    };
    progress.finish(&format!("best epoch {} of {}", run.best_epoch, run.epochs));
    finish(warehouse, &run, &trained, &folder).await?;
    Ok(run)
}

/// Whether the data or the settings are at fault, and not a disk that is full or a store that can't be reached.
fn would_fail_again(error: &Error) -> bool {
    match error {
        Error::Trainer(error) => !matches!(error, trainer::Error::Io { .. }),
        Error::Task { .. } => true,
        _ => false,
    }
}

/// What is wrong with the labels, with the task and the view that they come from.
fn of_task(error: Error, task: &Task) -> Error {
    use trainer::Error::{Empty, OneClass, WrongTarget};
    match error {
        Error::Trainer(error @ (Empty { .. } | OneClass { .. } | WrongTarget { .. })) => {
            let label = task.label.as_deref().unwrap_or_default();
            Error::Task { task: task.name.clone(), problem: format!("by {label}, {error}") }
        }
        error => error,
    }
}

async fn read_and_fit(
    warehouse: &Warehouse,
    plan: &Plan,
    config: &trainer::Config,
    folder: &Path,
    options: &TrainOptions,
    progress: &dyn Progress,
) -> Result<trainer::Trained> {
    let earlier = match &plan.from {
        Some(run) => Some(Run::find(warehouse, &plan.task.name, Some(run)).await?.download(warehouse).await?),
        None => None,
    };
    let earlier = earlier.as_ref().map(TempDir::path);
    earlier.map_or(Ok(()), |earlier| trainer::check_earlier(earlier, config))?;
    let sequences = Arc::new(dataset::sequences(warehouse, plan.snapshot, progress).await?);
    let data = Data::read(warehouse, plan, sequences, config.length(), progress).await?;
    progress.start(&format!("train {}", plan.task.name), None);
    // Training keeps this thread busy for minutes; the runtime moves its other work away.
    let trained = tokio::task::block_in_place(|| fit(config, &data, folder, earlier, &options.interrupted, progress));
    trained.map_err(|error| unfinished(error, &plan.task, "train", "with --resume it goes on from its last epoch"))
}

/// Why a training did not finish, for whoever typed the verb: `again` says what the same command does next.
pub(crate) fn unfinished(error: trainer::Error, task: &Task, verb: &str, again: &'static str) -> Error {
    match error {
        trainer::Error::Interrupted { .. } => Error::Interrupted { verb: verb.into(), again },
        error => of_task(error.into(), task),
    }
}

/// The configuration of a task that can be trained on this machine, as far as that shows without the data.
pub(crate) fn ready(task: &Task) -> Result<trainer::Config> {
    task.head()?;
    task.label()?;
    let config = config(task)?;
    config.check_device()?;
    Ok(config)
}

/// The trainer's configuration of a task.
pub(crate) fn config(task: &Task) -> Result<trainer::Config> {
    let mut raw = toml::Table::new();
    raw.insert("head".into(), task.head()?.name().into());
    raw.insert("model".into(), task.model.clone().into());
    raw.insert("training".into(), task.training.clone().into());
    let raw: trainer::RawConfig = raw
        .try_into()
        .map_err(|source| Error::Toml { path: format!("task {}", task.name).into(), source: Box::new(source) })?;
    Ok(raw.try_into()?)
}

/// The task as it is trained. What `[tune]` says is no part of that.
pub(crate) fn with_overrides(task: &Task, seed: Option<u64>, device: Option<&str>) -> Task {
    let mut task = Task { tune: toml::Table::new(), ..task.clone() };
    if let Some(seed) = seed {
        task.training.insert("seed".into(), toml::Value::Integer(seed as i64));
    }
    if let Some(device) = device {
        task.training.insert("device".into(), toml::Value::String(device.into()));
    }
    task
}

async fn plan(warehouse: &Warehouse, task: &Task, config: &trainer::Config, options: &TrainOptions) -> Result<Plan> {
    let snapshot = warehouse.store().snapshot().await?;
    let from = match &options.from {
        Some(name) => Some(earlier(warehouse, &task.name, name).await?),
        None => None,
    };
    let from_id = from.as_ref().map(|run| run.run_id.as_str());
    if options.resume {
        let newest = Run::newest(warehouse, &task.name).await?;
        if let Some(plan) = Plan::unfinished(warehouse, task, snapshot.id, from_id, newest.as_deref(), &options.work) {
            return Ok(plan);
        }
    }
    let clock = warehouse.clock(&snapshot).await?.ok_or(Error::NoFacts)?;
    let cutoffs = Cutoffs::plan(task, &clock)?;
    if let Some(from) = from.as_ref().filter(|from| from.plan.valid > cutoffs.valid) {
        let (learnt, valid) = (date(from.plan.valid), date(cutoffs.valid));
        let problem = format!(
            "run {} has learnt from what happened up to {learnt}, which a validation at {valid} must not know",
            from.run_id
        );
        return Err(Error::Task { task: task.name.clone(), problem });
    }
    let from = from_id.map(String::from);
    let plan = Plan { from, ..Plan::new(warehouse, task, snapshot.id, config.seed(), cutoffs).await? };
    plan.save(&options.work)?;
    Ok(plan)
}

/// The run of a task that `newest`, `champion` or an id names.
async fn earlier(warehouse: &Warehouse, task: &str, name: &str) -> Result<Run> {
    let run = match name {
        "newest" => None,
        "champion" => {
            let registry = Registry::read(warehouse).await?;
            let champion = registry.champion(task).map(String::from);
            let problem =
                || "no run of it was promoted that training could go on from; name one, or take newest".into();
            Some(champion.ok_or_else(|| Error::Task { task: task.into(), problem: problem() })?)
        }
        run => Some(run.to_string()),
    };
    Run::find(warehouse, task, run.as_deref()).await
}

/// What a training reads.
pub(crate) struct Data {
    horizon_days: f32,
    offsets: Option<Offsets>,
    /// Events of an example, at most.
    length: usize,
    features: Vec<String>,
    sequences: Arc<Sequences>,
    vocabulary: Vocabulary,
    train: Vec<LabelledExample>,
    valid: Vec<LabelledExample>,
}

impl Data {
    /// Examples hold at most `length` events.
    pub(crate) async fn read(
        warehouse: &Warehouse,
        plan: &Plan,
        sequences: Arc<Sequences>,
        length: usize,
        progress: &dyn Progress,
    ) -> Result<Data> {
        progress.start("labels", None);
        let task = plan.task.as_learnt();
        let train = dataset::labels(warehouse, plan.snapshot, &task, &plan.train).await?;
        let valid = dataset::labels(warehouse, plan.snapshot, &task, &[plan.valid]).await?;
        progress.finish(&format!("{} to train on, {} to validate", train.keys.len(), valid.keys.len()));
        let vocabulary = Vocabulary::fit(&sequences, plan.valid, MIN_COUNT);
        let (train, features) = examples(warehouse, plan, &train, &sequences, length, progress).await?;
        let (valid, _) = examples(warehouse, plan, &valid, &sequences, length, progress).await?;
        let horizon_days = task.horizon_days as f32;
        let count = prior::offsets(task.head()?).len();
        let offsets = plan.prior.map(|_| Offsets { count, days: plan.task.horizon_days as f32 });
        Ok(Data { horizon_days, offsets, length, features, sequences, vocabulary, train, valid })
    }

    fn shortened(&self, examples: &[LabelledExample], length: usize) -> Vec<LabelledExample> {
        let shorter = |LabelledExample { example, target }: &LabelledExample| {
            let shorter = Example::at(&self.sequences, example.customer(), example.as_of(), length);
            LabelledExample { example: shorter.with_features(example.features()), target: *target }
        };
        examples.par_iter().map(shorter).collect()
    }
}

/// The examples of labels, and the names of their features.
async fn examples(
    warehouse: &Warehouse,
    plan: &Plan,
    labels: &Labels,
    sequences: &Sequences,
    length: usize,
    progress: &dyn Progress,
) -> Result<(Vec<LabelledExample>, Vec<String>)> {
    progress.start("features", None);
    let features = Features::of_task(warehouse, plan.snapshot, &plan.task, &labels.keys).await?;
    let prior = plan.prior_features(warehouse, plan.snapshot, &labels.keys, plan.task.learnt_days()).await?;
    let features = features.beside(prior)?;
    let examples = labels.examples(sequences, &features, length)?;
    progress.finish(&format!("{} of {} customers at cut-offs", features.names.len(), examples.len()));
    Ok((examples, features.names))
}

/// Trains into `folder`, from its checkpoint where it has one.
pub(crate) fn fit(
    config: &trainer::Config,
    data: &Data,
    folder: &Path,
    earlier: Option<&Path>,
    interrupted: &AtomicBool,
    progress: &dyn Progress,
) -> trainer::Result<trainer::Trained> {
    let Data { horizon_days, offsets, length, features, sequences, vocabulary, train, valid } = data;
    let shorter = (config.length() < *length).then(|| [train, valid].map(|all| data.shortened(all, config.length())));
    let [train, valid] = shorter.as_ref().map_or([train, valid], |[train, valid]| [train, valid]);
    let dataset = trainer::Dataset {
        sequences,
        vocabulary,
        features,
        offsets: *offsets,
        horizon_days: *horizon_days,
        train,
        valid,
    };
    let mut report = |at: trainer::Progress| watch(progress, &at);
    // A run that has no checkpoint yet starts from its beginning.
    let options = trainer::TrainOptions { resume: true, earlier, progress: &mut report, interrupted };
    trainer::train(config, dataset, folder, options)
}

/// Shows where a training stands: steps done of all, loss, speed, and the last validation.
pub(crate) fn watch(progress: &dyn Progress, at: &trainer::Progress) {
    let trainer::Progress { epoch, epochs, step, steps, loss, events_per_second, last, .. } = at;
    progress.total((epochs * steps) as u64);
    progress.at(((epoch - 1) * steps + step) as u64);
    let last = last.map_or(String::new(), |last| format!(" · validation {:.4}", last.valid_loss));
    progress.note(&format!("epoch {epoch}/{epochs} · loss {loss:.4}{last} · {events_per_second:.0} events/s"));
}

/// Puts the run in the warehouse: first the folder, whole once its record is there, then the rows that name it.
async fn finish(warehouse: &Warehouse, run: &Run, trained: &trainer::Trained, folder: &Path) -> Result<()> {
    run.save(folder)?;
    match warehouse.store().upload_folder(folder, &run_folder::place(&run.run_id), RECORD).await {
        // A kill came after the upload.
        Ok(()) | Err(store::Error::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let history = trained.history.iter().flat_map(|epoch| {
        let losses = [("loss", "train", epoch.train_loss), ("loss", "valid", epoch.valid_loss)];
        let metrics = epoch.metrics.iter().map(|(name, value)| (name.as_str(), "valid", *value));
        losses
            .into_iter()
            .chain(metrics)
            .map(|(metric, split, value)| MetricRow::training(run, epoch.epoch, split, metric, value))
    });
    let metrics = metric_rows(&history.collect::<Vec<_>>(), run.finished_at)?;
    let tables = vec![("models.runs", vec![run.row()?]), ("models.metrics", vec![metrics])];
    warehouse.append(tables, &format!("train:{}", run.run_id), "train").await?;
    std::fs::remove_dir_all(folder).map_err(Error::file(folder))
}
