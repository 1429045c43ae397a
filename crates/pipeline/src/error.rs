//! What can go wrong for a user of the pipeline, each in words that say what to do.

use std::path::PathBuf;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Warehouse(#[from] warehouse::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Sequences(#[from] sequences::Error),
    #[error(transparent)]
    Analytics(#[from] analytics::Error),
    #[error(transparent)]
    Simulate(#[from] simulate::Error),
    #[cfg(feature = "train")]
    #[error(transparent)]
    Trainer(#[from] trainer::Error),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{what} is there already and is not replaced")]
    AlreadyThere { what: String },
    #[error("no task `{name}`: neither a file nor a shipped task; shipped are {shipped}")]
    UnknownTask { name: String, shipped: String },
    #[error("task {task}: {problem}")]
    Task { task: String, problem: String },
    #[error(
        "task {task}: a horizon of {horizon_days} days needs {needed_days} days of history (training, validation and test horizon); the warehouse holds {have_days} days up to {until}. Load more history or take a horizon of at most {most_days} days"
    )]
    ShortHistory { task: String, horizon_days: u32, needed_days: i64, have_days: i64, until: String, most_days: i64 },
    #[error(
        "task {task}: training looks back from {newest} at the latest, but nothing was known before {known}. Files loaded with --history count as known when things happened"
    )]
    KnownTooLate { task: String, newest: String, known: String },
    #[error("no run of task {task} in this warehouse; train one with: perennial train {task}")]
    NoRun { task: String },
    #[error(
        "no run of task {task} was promoted, so there is nothing to undo: its newest run scores, and perennial promote {task} --run <run> makes another one do so"
    )]
    NoChampion { task: String },
    #[error("no scores of task {task} by a model yet; perennial score {task} makes some")]
    NoScores { task: String },
    #[error(
        "a model that scores has decayed: {alarms}. Train and promote another one; models.monitoring has every number"
    )]
    Decayed { alarms: String },
    #[cfg(feature = "train")]
    #[error("nobody who was scored has a label in the horizon")]
    NobodyToJudge,
    #[error("no run {run} in this warehouse; perennial runs lists them")]
    UnknownRun { run: String },
    #[error("{0} check(s) failed: {1}. quality.results says why, quality.failures has every failing row")]
    Checks(usize, String),
    #[error("{findings} finding(s): each says above what to do about it")]
    Unsound { findings: usize },
    #[error("`{text}` is no duration: write 7d or 12h")]
    Duration { text: String },
    #[error("old published versions of which place? Give it with --published, or set `publish` in perennial.toml")]
    NowherePublished,
    #[error("{what}: column {column} is missing or is no {expected}")]
    Column { what: String, column: String, expected: &'static str },
    #[error("`{text}` is no date: write 2024-10-01, 2024-10-01T12:30:00 (UTC) or 2024-10-01T12:30:00+02:00")]
    Time { text: String },
    #[error(
        "customer {customer} is in the spine but has no row in core.timeline; customers come from core.orders, so the timeline must hold those orders"
    )]
    NoEvents { customer: String },
    #[cfg(not(feature = "train"))]
    #[error("task {task}: this perennial was built without its trainer; build it with the feature `train`")]
    NoTrainer { task: String },
    #[error("a table of the pipeline: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    #[cfg(feature = "train")]
    #[error("{metric} of {model} cannot be judged on these customers: {source}")]
    NotJudged { metric: String, model: String, source: analytics::Error },
    #[error("no metric {name} for this kind of prediction")]
    NoMetric { name: String },
    #[error("the truth does not know customer {customer}; is it the truth of this warehouse's shop?")]
    NoTruth { customer: String },
    #[error("there are no orders or other facts yet: load files and run `perennial build` first")]
    NoFacts,
    #[error(
        "task {task}: run {run_id} is being trained by another process, in {}; wait for it, or train without --resume",
        folder.display()
    )]
    InTraining { task: String, run_id: String, folder: PathBuf },
    #[error("{verb} was interrupted; what was finished is kept: {again}")]
    Interrupted { verb: String, again: &'static str },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { path, source }
    }
}
