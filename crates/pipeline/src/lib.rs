//! The product as a library: each stage from raw files to published scores is one function, and the binary only parses
//! arguments, calls one of them, and prints.
//!
//! ```
//! # async fn shop(folder: &std::path::Path) -> pipeline::Result<()> {
//! use pipeline::{LoadOptions, Silent, SqlOptions};
//!
//! let url = folder.join("shop").display().to_string();
//! pipeline::init(&url, pipeline::DEFAULT_BUCKETS, []).await?;
//! let shop = pipeline::open(&url, None, []).await?;
//!
//! let files = [folder.join("CDNOW_master.txt").display().to_string()];
//! let history = LoadOptions { history: true, ..LoadOptions::default() };
//! pipeline::load(&shop, "raw.cdnow_transactions", &files, &history, &Silent).await?;
//! pipeline::build(&shop, &Silent).await?;
//!
//! let query = "SELECT customer_id, days_since_order FROM features.recency";
//! let batches = pipeline::sql(&shop, query, &SqlOptions::default()).await?.collect().await?;
//!
//! # #[cfg(feature = "train")]
//! # {
//! use pipeline::{ScoreOptions, Task, TrainOptions};
//! let churn = Task::read("churn", folder)?;
//! let work = TrainOptions { work: folder.join("training"), ..TrainOptions::default() };
//! pipeline::train(&shop, &churn, &work, &Silent).await?;
//! pipeline::score(&shop, &[churn], &ScoreOptions::default(), &Silent).await?;
//! # }
//! # assert!(!batches.is_empty());
//! # Ok(())
//! # }
//! # // Two years of a few customers, some of whom leave, in the form of the real file.
//! # let folder = tempfile::tempdir().unwrap();
//! # let mut text = String::from("customer_id date number_of_cds dollar_value\n");
//! # for customer in 1..=40 {
//! #     for month in 0..if customer % 2 == 0 { 24 } else { 9 } {
//! #         text += &format!("{customer} {}{:02}{:02} 1 {}.5\n", 1997 + month / 12, month % 12 + 1, customer % 28 + 1, customer);
//! #     }
//! # }
//! # std::fs::write(folder.path().join("CDNOW_master.txt"), text).unwrap();
//! # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
//! # runtime.block_on(shop(folder.path())).unwrap();
//! ```

// Errors end a stage; they are never made in a loop, where their size would count.
#![allow(clippy::result_large_err)]
#![cfg_attr(not(feature = "train"), allow(dead_code, reason = "some helpers serve models alone"))]

#[cfg(feature = "train")]
mod backtest;
#[cfg(feature = "train")]
mod baselines;
mod buying;
mod checks;
mod columns;
#[cfg(feature = "train")]
mod cutoffs;
mod dataset;
mod doctor;
mod erasing;
mod error;
#[cfg(feature = "train")]
mod evaluation;
#[cfg(feature = "train")]
mod explaining;
mod features;
#[cfg(feature = "train")]
mod judging;
mod label;
#[cfg(feature = "train")]
mod learning;
#[cfg(feature = "train")]
mod leave_one_out;
mod lineage;
#[cfg(feature = "train")]
mod metrics_table;
#[cfg(feature = "train")]
mod monitoring;
mod nightly;
mod operations;
mod prior;
mod progress;
pub mod project;
mod publishing;
#[cfg(feature = "train")]
mod registry;
#[cfg(feature = "train")]
mod report;
mod run_folder;
#[cfg(feature = "train")]
mod runs;
#[cfg(feature = "train")]
mod same_data;
mod scoring;
#[cfg(feature = "train")]
mod shown;
mod simulation;
#[cfg(feature = "train")]
mod slices;
mod source;
mod tables;
mod task;
mod time;
#[cfg(feature = "train")]
mod training;
#[cfg(feature = "train")]
mod truth;
#[cfg(feature = "train")]
mod tuning;

#[cfg(feature = "train")]
pub use backtest::{Backtest, BacktestOptions, DEFAULT_ORIGINS, Origin, Summary, backtest};
pub use checks::{check, must_hold};
pub use dataset::TIMELINE;
pub use doctor::{DoctorOptions, DoctorReport, doctor, must_be_sound};
pub use erasing::erase;
pub use error::{Error, Result};
#[cfg(feature = "train")]
pub use evaluation::{Decile, Evaluation, Interval, Row};
#[cfg(feature = "train")]
pub use explaining::{
    DEFAULT_EXPLAINED, DEFAULT_REPEATS, ExplainOptions, ExplainedInput, Explanation, Grouping, MetricValue, Needed,
    Redundancy, explain,
};
#[cfg(feature = "train")]
pub use judging::{EvaluateOptions, evaluate};
#[cfg(feature = "train")]
pub use learning::{Epoch, Fit, Learning};
#[cfg(feature = "train")]
pub use leave_one_out::{LeaveOneOutOptions, leave_one_out};
pub use lineage::lineage;
#[cfg(feature = "train")]
pub use monitoring::{MonitorLine, MonitorReport, Pending, Unjudged, monitor, must_not_decay};
pub use nightly::{RunOptions, RunReport, Step, run};
pub use operations::{RestoreReport, VacuumOptions, VacuumReport, history, restore, table_history, vacuum};
pub use prior::{Prior, PriorKind};
pub use progress::{Progress, Silent};
pub use project::{Project, Source, read_schema};
pub use publishing::{PublishOptions, PublishReport, publish};
#[cfg(feature = "train")]
pub use registry::{Judgement, Measured, Promotion, Role, RunLine, promote, rollback, runs};
#[cfg(feature = "train")]
pub use report::{Table, number};
#[cfg(feature = "train")]
pub use runs::{Plan, Run};
pub use scoring::{DEFAULT_CUSTOMERS_AT_ONCE, DEFAULT_TOP, ScoreOptions, ScoreReport, ScoredTable, score};
pub use sequences::Head;
#[cfg(feature = "train")]
#[cfg(feature = "train")]
pub use shown::Shown;
pub use simulation::{SimulateOptions, simulate};
#[cfg(feature = "train")]
pub use slices::{Beside, Slice};
pub use source::{NewSource, new_source};
pub use store::{ExaminedTable, Finding, Keep, SnapshotChange, TableChange, TableVersion};
pub use tables::{
    BuildReport, LoadReport, LoadedColumn, OptimizedTable, SqlOptions, build, describe, features, features_to_file,
    init, load, open, optimize, query_to_file, session, sql,
};
pub use task::Task;
pub use time::{parse_duration, parse_time};
#[cfg(feature = "train")]
pub use training::{TrainOptions, train};
#[cfg(feature = "train")]
pub use tuning::{DEFAULT_TRIALS, Trial, TuneOptions, TuneReport, tune};
pub use warehouse::{
    Answer, Changed, CheckOptions, CheckReport, CheckResult, DEFAULT_HORIZON_DAYS, Derivation, DerivedColumn,
    Described, DescribedFunction, DescribedSetting, EraseOptions, EraseReport, Every, FileFormat, Lineage, LoadOptions,
    Query, Score, Scratch, Session, Severity, Spine, Statement, Warehouse, described_functions, is_complete,
    write_rows,
};

/// Into how many buckets customers are spread, unless `init` says otherwise.
pub const DEFAULT_BUCKETS: u32 = 16;
