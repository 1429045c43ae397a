//! What can go wrong in training and scoring, as a user meets it.

use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting of a task file is out of range.
    #[error("`{key}` is {value}; valid is {valid}")]
    Setting { key: &'static str, value: String, valid: &'static str },

    /// A task file or a run's config is not the TOML it should be.
    #[error("{place}: {source}")]
    Toml { place: String, source: Box<toml::de::Error> },

    /// No examples to train or to validate with.
    #[error("the {set} set is empty, while the {other} set has {has}: {advice}")]
    Empty { set: &'static str, other: &'static str, has: String, advice: &'static str },

    /// A target that the head cannot learn from.
    #[error("{set} example {row} (from 0) has the target {target}; the head `{head}` needs {needed}")]
    WrongTarget { set: &'static str, row: usize, target: String, head: &'static str, needed: &'static str },

    /// An example without the features that the model reads.
    #[error("an example brings {given} features; the model reads {needed}: {names}")]
    Features { given: usize, needed: usize, names: String },

    /// More offsets than the head's outputs can start from, or than there are features.
    #[error("{given} of the {features} features are to be offsets; the head {head} takes at most {most}")]
    Offsets { given: usize, most: usize, features: usize, head: &'static str },

    /// An offset that is no finite number.
    #[error("example {row}: its offset {name} is {value}; it must be a finite number")]
    UnknownOffset { row: usize, name: String, value: f32 },

    /// All targets of the training or validation set say the same.
    #[error("all {count} examples of the {set} set (cut-offs {cutoffs}) have {what}: there is nothing to tell apart")]
    OneClass { set: &'static str, count: usize, cutoffs: String, what: &'static str },

    /// The device asked for is not there.
    #[error("device `{asked}` is not usable here: {reason}; take `cpu` or `auto`")]
    Device { asked: &'static str, reason: String },

    /// The loss is no number any more.
    #[error(
        "the loss became {loss} in epoch {epoch}, step {step}: lower `training.learning_rate` (now {learning_rate}) or \
         look for amounts far outside the usual"
    )]
    Diverged { epoch: usize, step: usize, loss: f64, learning_rate: f64 },

    /// Training was stopped from outside; the run folder holds a whole checkpoint, if any epoch was finished.
    #[error("training was interrupted in epoch {epoch}; {finished} finished epochs are kept, so it can be resumed")]
    Interrupted { epoch: usize, finished: usize },

    /// The run folder already holds a training.
    #[error("{path} already holds a training run; resume it or choose another folder")]
    RunExists { path: PathBuf },

    /// The run folder belongs to another configuration or data.
    #[error("{path} was written with {key} = {saved}, now it is {asked}; train into a new run folder instead")]
    OtherRun { path: PathBuf, key: String, saved: String, asked: String },

    /// An earlier run whose weights would mean something else in this one.
    #[error(
        "the run to go on from has {key} = {earlier}, this task has {asked}: train without it, or with its settings"
    )]
    OtherModel { key: String, earlier: String, asked: String },

    /// A file of a run folder cannot be read for what it should be.
    #[error("{path} is not usable: {reason}")]
    Corrupt { path: PathBuf, reason: String },

    /// A question that the model's head does not answer.
    #[error("the run predicts `{head}`; only {valid} can be ranked")]
    NotRanked { head: &'static str, valid: &'static str },

    /// Days over which a model tells nothing.
    #[error(
        "{days} days after the cut-off can't be asked for: the run looks {horizon} days ahead; ask from 1 to that many"
    )]
    Days { days: u32, horizon: f32 },

    /// A model that only tells whether, and not when.
    #[error(
        "the run predicts `{head}` over its whole horizon alone; only one of churn with `model.periods` above 1 tells how long"
    )]
    NoPeriods { head: &'static str },

    /// A model whose predictions are not explained.
    #[error("the run predicts `{head}`; only {valid} can be explained")]
    NotExplained { head: &'static str, valid: &'static str },

    /// A metric that these examples leave undefined, so that nothing can be said of what it loses.
    #[error("{metric} of {examples} examples: {reason}")]
    Undefined { metric: &'static str, examples: usize, reason: String },

    /// Contributions that do not come to the prediction.
    #[error(
        "the contributions for example {row} (from 0) sum to {sum}, but its output {output} lies {difference} from the \
         baseline: not complete within {tolerance}, so nothing is explained"
    )]
    Incomplete { row: usize, sum: f64, output: f64, difference: f64, tolerance: f64 },

    /// Reading or writing a file failed.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
}

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;
