//! A simulated shop as a project: its raw files, its truth, and a perennial.toml that runs it.

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::project::{self, Config, FILE, Source, TaskRule};
use std::collections::BTreeMap;
use std::path::Path;
use store::Store;

/// Which shop.
#[derive(Clone, Debug)]
pub struct SimulateOptions {
    pub customers: u64,
    pub months: u32,
    pub seed: u64,
    /// Of the attainable truth.
    pub horizon_days: u32,
    /// Exactly Pareto/NBD, so that no model can beat the textbook.
    pub control: bool,
}

/// Raw tables and the files that go into each.
const SOURCES: [(&str, &str); 12] = [
    ("raw.shop_customers", "customers.csv"),
    ("raw.shop_products", "products.csv"),
    ("raw.shop_orders", "orders/*.csv"),
    ("raw.shop_order_lines", "order_lines.parquet"),
    ("raw.shop_events", "events.parquet"),
    ("raw.shop_campaigns", "campaigns.csv"),
    ("raw.shop_touches", "touches.parquet"),
    ("raw.shop_consents", "consents.csv"),
    ("raw.shop_assignments", "assignments.parquet"),
    ("raw.shop_feedback", "feedback.parquet"),
    ("raw.shop_loyalty", "loyalty.parquet"),
    ("raw.shop_referrals", "referrals.parquet"),
];
const TASKS: [&str; 5] = ["churn", "next_purchase", "clv", "recommendations", "next_best_action"];
/// The control shop sells one neutral assortment and contacts nobody: what comes next is a coin toss there, and no task.
const CONTROL_TASKS: [&str; 2] = ["churn", "clv"];

/// Simulates a shop into a new folder. Returns the rows of each file.
pub async fn simulate(options: &SimulateOptions, out: &Path, progress: &dyn Progress) -> Result<BTreeMap<String, u64>> {
    Store::must_be_outside(out)?;
    let &SimulateOptions { customers, months, seed, horizon_days, control } = options;
    let kind = if control { simulate::Kind::ParetoNbd } else { simulate::Kind::Full };
    let config = simulate::Config { kind, horizon_days, ..simulate::Config::new(customers, months, seed) };
    progress.start("simulate", Some(customers));
    let report = tokio::task::block_in_place(|| simulate::write(&config, out, |done| progress.at(done)))?;
    let has = |pattern: &str| report.rows.iter().any(|(file, rows)| *rows > 0 && matches(pattern, file));
    let sources = SOURCES.iter().filter(|(_, files)| has(files)).map(|(table, files)| Source {
        table: table.to_string(),
        files: vec![files.to_string()],
        history: true,
        ..Source::default()
    });
    let tasks = if control { &CONTROL_TASKS[..] } else { &TASKS };
    let project = Config {
        warehouse: "warehouse".into(),
        publish: Some("published".into()),
        checks: vec!["core.orders".into(), "core.order_lines".into()],
        sources: sources.collect(),
        tasks: tasks
            .iter()
            .map(|task| TaskRule { task: task.to_string(), retrain_days: project::DEFAULT_RETRAIN_DAYS })
            .collect(),
    };
    let path = out.join(FILE);
    let text = toml::to_string(&project).map_err(|e| Error::file(&path)(std::io::Error::other(e)))?;
    std::fs::write(&path, text).map_err(Error::file(&path))?;
    progress.finish(&format!("{} rows in {}", report.rows.values().sum::<u64>(), out.display()));
    Ok(report.rows)
}

/// Whether a file is one of `orders/*.csv` or the file itself.
fn matches(pattern: &str, file: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, after)) => file.starts_with(before) && file.ends_with(after),
        None => file == pattern,
    }
}
