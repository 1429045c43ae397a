//! The demo: one simulated shop through every stage of the product, by the commands a user would type.

use crate::{Outcome, cargo, run};
use std::path::{Path, PathBuf};
use std::{env, fs};

const CUSTOMERS: &str = "20000";
/// Two years: enough for a training cut-off, a validation and a test horizon, and a season each.
const MONTHS: &str = "24";
const TASKS: [&str; 3] = ["churn", "next_purchase", "clv"];

/// Queries worth a try, also run here so that they are known to work.
const QUERIES: [&str; 8] = [
    "SELECT segment, count(*) AS customers, round(avg(p_churn), 3) AS p_churn, round(sum(expected_value)) AS expected_value FROM marts.customer_360 GROUP BY segment ORDER BY expected_value DESC",
    "SELECT customer_id, p_churn, expected_value FROM marts.customer_360 WHERE p_churn > 0.5 ORDER BY expected_value DESC LIMIT 5",
    "SELECT action, channel, trigger, count(*) FILTER (WHERE NOT is_held_out) AS customers, count(*) FILTER (WHERE is_held_out) AS held_out, round(sum(gain) FILTER (WHERE NOT is_held_out)) AS expected_gain FROM insights.next_best_action GROUP BY action, channel, trigger ORDER BY expected_gain DESC",
    "SELECT decision, count(*) AS candidates FROM insights.action_decisions GROUP BY decision ORDER BY candidates DESC",
    "SELECT p.name, count(*) AS customers FROM scores.next_purchase s JOIN core.products p USING (product_id) WHERE s.rank = 1 GROUP BY p.name ORDER BY customers DESC LIMIT 5",
    "SELECT source, count_new_customers AS customers, round(cac, 2) AS cac, payback_months, round(clv) AS clv, round(clv_to_cac, 1) AS clv_to_cac FROM insights.acquisition WHERE dimension = 'channel' AND cac > 0 ORDER BY cac",
    "SELECT channel, count(*) AS orders, round(sum(amount)) AS revenue FROM core.orders GROUP BY channel ORDER BY revenue DESC",
    "SELECT task, model, metric, round(value, 4) AS value FROM models.metrics WHERE split = 'test' AND metric IN ('auc', 'ndcg@10', 'spearman') ORDER BY task, metric, value DESC",
];

pub(crate) fn run_all(workspace: &Path, arguments: &[String]) -> Outcome {
    let Options { customers, folder } = Options::parse(workspace, arguments)?;
    run(cargo(workspace).arg("build"))?;
    let perennial = |arguments: &[&str]| -> Outcome {
        println!("\n$ perennial {}", arguments.join(" "));
        run(cargo(workspace).args(["run", "--quiet", "--"]).args(arguments))
    };
    clear(&folder)?;
    let shop = folder.to_str().ok_or("the demo folder's name is not UTF-8")?;
    let (warehouse, truth) = (format!("{shop}/warehouse"), format!("{shop}/truth"));
    perennial(&["simulate", "--customers", &customers, "--months", MONTHS, "--seed", "1", "--out", shop])?;
    perennial(&["init", &warehouse])?;
    perennial(&["run", "--project", shop])?;
    for task in TASKS {
        perennial(&["evaluate", task, "--warehouse", &warehouse, "--truth", &truth])?;
    }
    println!("\nQueries to try:");
    for query in QUERIES {
        perennial(&["sql", query, "--warehouse", &warehouse])?;
    }
    println!("\nWhere everything lies:");
    for (what, place) in [
        ("the shop's raw files and its perennial.toml", shop.to_string()),
        ("what no shop knows: the truth behind them", truth),
        ("the warehouse: Delta tables, snapshots, runs", warehouse),
        ("what BI tools read: plain Parquet", format!("{shop}/published/current")),
    ] {
        println!("  {place:<40} {what}");
    }
    Ok(())
}

struct Options {
    customers: String,
    folder: PathBuf,
}

impl Options {
    fn parse(workspace: &Path, arguments: &[String]) -> Result<Options, String> {
        let mut options = Options { customers: CUSTOMERS.into(), folder: workspace.join("target/demo") };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let value = rest.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--customers" => options.customers = value?.clone(),
                "--dir" => options.folder = env::current_dir().map_err(|e| e.to_string())?.join(value?),
                other => return Err(format!("demo takes --customers N and --dir DIR, not `{other}`")),
            }
        }
        Ok(options)
    }
}

/// Removes an earlier demo, and nothing that isn't one.
fn clear(folder: &Path) -> Outcome {
    if !folder.exists() {
        return Ok(());
    }
    if !folder.join("perennial.toml").exists() || !folder.join("truth").exists() {
        return Err(format!("{} exists and is no earlier demo; choose another --dir", folder.display()));
    }
    fs::remove_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))
}
