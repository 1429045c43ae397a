//! A small simulated shop through the whole path.

use crate::support::Folder;
#[cfg(feature = "train")]
use serde_json::Value;
#[cfg(feature = "train")]
use std::path::Path;

/// The warehouse of these tests.
pub const W: &str = "w";

/// Models that train in a second: what is tested is the path, not their quality.
pub const TINY: &str = "cutoffs = 2\n[model]\nwidth = 16\nlayers = 1\nlength = 16\n[training]\nepochs = 2\n";

/// The files of a shop in `shop/`, and tiny models.
pub fn simulated() -> Folder {
    let folder = simulated_of(300);
    for (task, label, head) in
        [("churn", "churn", "churn"), ("next_purchase", "next_purchase", "next_purchase"), ("clv", "value", "clv")]
    {
        let text = format!("task = '{task}'\nlabel = 'labels.{label}'\nhead = '{head}'\nhorizon_days = 90\n{TINY}");
        folder.write(&format!("models/{task}.toml"), &text);
    }
    folder
}

fn simulated_of(customers: u32) -> Folder {
    simulated_as(&["--customers", &customers.to_string(), "--months", "24", "--seed", "7"])
}

fn simulated_as(arguments: &[&str]) -> Folder {
    let folder = Folder::new();
    folder.ok(&[&["simulate", "--out", "shop"], arguments].concat());
    folder
}

/// Simulated and loaded, not built.
pub fn loaded() -> Folder {
    load(simulated(), &FILES)
}

/// What a simulated shop writes, by table; a control shop has only customers who buy: the first four.
const FILES: [(&str, &str); 12] = [
    ("customers", "customers.csv"),
    ("products", "products.csv"),
    ("orders", "orders/*.csv"),
    ("order_lines", "order_lines.parquet"),
    ("events", "events.parquet"),
    ("campaigns", "campaigns.csv"),
    ("touches", "touches.parquet"),
    ("consents", "consents.csv"),
    ("assignments", "assignments.parquet"),
    ("feedback", "feedback.parquet"),
    ("loyalty", "loyalty.parquet"),
    ("referrals", "referrals.parquet"),
];

fn load(folder: Folder, files: &[(&str, &str)]) -> Folder {
    folder.ok(&["init", W]);
    for (table, files) in files {
        let (table, files) = (format!("raw.shop_{table}"), format!("shop/{files}"));
        folder.ok(&["load", &table, &files, "--history", "--warehouse", W]);
    }
    folder
}

pub fn built() -> Folder {
    build(loaded())
}

/// Of so many customers, and without models.
pub fn built_of(customers: u32) -> Folder {
    build(load(simulated_of(customers), &FILES))
}

/// A control shop that is simulated as told, and without models.
#[cfg(feature = "train")]
pub fn control(arguments: &[&str]) -> Folder {
    build(load(simulated_as(&[&["--control"], arguments].concat()), &FILES[..4]))
}

fn build(folder: Folder) -> Folder {
    folder.ok(&["build", "--warehouse", W]);
    folder
}

/// What a verb says of the warehouse of these tests, as JSON.
#[cfg(feature = "train")]
pub fn json(folder: &Folder, arguments: &[&str]) -> Value {
    let report = folder.ok(&[arguments, &["--warehouse", W, "--format", "json"]].concat());
    serde_json::from_str(&report).expect("JSON")
}

pub fn count(folder: &Folder, table: &str) -> usize {
    folder.sql(W, &format!("SELECT count(*) FROM {table}"))[0].parse().expect("a count")
}

/// The version that `_latest.json` names, where there is one, has every file with the bytes it promises.
#[cfg(feature = "train")]
pub fn assert_published_whole(folder: &Folder, place: &str) {
    let latest = folder.path(place).join("_latest.json");
    if !latest.exists() {
        return;
    }
    let latest: serde_json::Value = serde_json::from_slice(&std::fs::read(latest).expect("readable")).expect("JSON");
    let tables = latest["tables"].as_object().expect("tables");
    assert!(!tables.is_empty());
    for file in tables.values().flat_map(|table| table["files"].as_array().expect("files")) {
        let path = folder.path(place).join(file["path"].as_str().expect("a path"));
        let size = std::fs::metadata(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).len();
        assert_eq!(Some(size), file["size"].as_u64(), "{}", path.display());
    }
}

#[test]
fn building_twice_adds_nothing_and_loading_twice_skips() {
    let folder = built();
    let orders = count(&folder, "core.orders");
    let again = folder.ok(&["load", "raw.shop_orders", "shop/orders/*.csv", "--history", "--warehouse", W]);
    assert!(again.contains("skipped"), "{again}");
    folder.ok(&["build", "--warehouse", W]);
    assert_eq!(count(&folder, "core.orders"), orders);
}

#[test]
fn an_older_snapshot_stays_readable() {
    let folder = built();
    let before =
        folder.ok(&["sql", "SELECT count(*) FROM core.orders", "--snapshot", "1", "--format", "csv", "--warehouse", W]);
    assert_eq!(before.lines().last(), Some("0"));
    assert!(count(&folder, "core.orders") > 0);
}

#[cfg(feature = "train")]
#[test]
fn one_command_does_everything_and_the_second_night_little() {
    let folder = simulated();
    folder.ok(&["init", "shop/warehouse"]);
    // The project's own tiny models, beside its perennial.toml.
    std::fs::rename(folder.path("models"), folder.path("shop/models")).expect("a rename");
    let first = folder.ok(&["run", "--project", "shop", "--format", "json"]);
    let first: serde_json::Value = serde_json::from_str(&first).expect("JSON");
    let steps = |report: &serde_json::Value, step: &str| {
        report["steps"].as_array().expect("steps").iter().filter(|s| s["step"] == step).cloned().collect::<Vec<_>>()
    };
    assert_eq!(steps(&first, "train").len(), 3, "{first:#}");
    assert_published_whole(&folder, "shop/published");
    let customers = folder.sql("shop/warehouse", "SELECT count(*) FROM marts.customer_360");
    let scored = folder.sql(
        "shop/warehouse",
        "SELECT count(*) FROM marts.customer_360 WHERE p_churn BETWEEN 0 AND 1 AND expected_value >= 0",
    );
    assert_eq!(customers, scored);
    let runs = folder.sql("shop/warehouse", "SELECT count(*) FROM models.runs");
    folder.ok(&["run", "--project", "shop"]);
    assert_eq!(folder.sql("shop/warehouse", "SELECT count(*) FROM models.runs"), runs, "nothing was due");
    // A night that fails says how far it came, and the next one goes on.
    folder.write("shop/orders/broken.csv", "order_id,customer_id\n1\n");
    let failed = folder.run(&["run", "--project", "shop"]);
    let (summary, error) = (String::from_utf8_lossy(&failed.stdout), String::from_utf8_lossy(&failed.stderr));
    assert!(!failed.status.success() && error.contains("broken.csv, line 2"), "{error}");
    assert!(summary.contains("raw.shop_customers") && !summary.contains("build"), "{summary}");
    std::fs::remove_file(folder.path("shop/orders/broken.csv")).expect("removed");
    folder.ok(&["run", "--project", "shop"]);
    for task in ["churn", "next_purchase", "clv"] {
        let table = folder.ok(&["evaluate", task, "--project", "shop", "--truth", "shop/truth"]);
        assert!(table.contains("attainable") && table.contains("training: epoch "), "{table}");
    }
    an_evaluation_tells_more_when_asked(&folder);
    published_reads_equal_elsewhere(&folder.path("shop/published/current"));
}

/// Deciles, parts of the customers and the page: of the same customers as the table, and kept.
#[cfg(feature = "train")]
fn an_evaluation_tells_more_when_asked(folder: &Folder) {
    let page = folder.path("churn.html");
    let plain = folder.ok(&["evaluate", "churn", "--project", "shop"]);
    assert!(!plain.contains("decile ") && !plain.contains("tenure: "), "{plain}");
    let all = ["evaluate", "churn", "--project", "shop", "--deciles", "--slices", "--html", &page.to_string_lossy()];
    let table = folder.ok(&all);
    for told in
        ["decile  customers", "tenure: known", "spend: high", "channel: ", "calibration_error", "top_decile_lift"]
    {
        assert!(table.contains(told), "{told} is not in {table}");
    }
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("Learning curves") && page.contains("tenure: known"), "{page}");
    let kept = folder.sql(
        "shop/warehouse",
        "SELECT count(DISTINCT slice) > 3, count(*) = count(low) FROM models.metrics WHERE slice IS NOT NULL",
    );
    assert_eq!(kept, ["true,true"]);
    let json = folder.ok(&["evaluate", "next_purchase", "--project", "shop", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let share = |name: &str| found["shown"][name].as_f64().unwrap_or(-1.0);
    assert!((0.0..=1.0).contains(&share("coverage")) && share("coverage") > 0.0 && share("novelty") > 0.0, "{json}");
    let inside = folder.fails(&["evaluate", "churn", "--project", "shop", "--html", "shop/warehouse/churn.html"]);
    assert!(inside.contains("warehouse"), "{inside}");
}

#[cfg(feature = "train")]
#[test]
fn a_task_of_ones_own_is_scored_beside_the_shipped_one() {
    let folder = built();
    let lapsed = format!("task = 'lapsed'\nlabel = 'labels.churn'\nhead = 'churn'\nhorizon_days = 30\n{TINY}");
    folder.write("models/lapsed.toml", &lapsed);
    for task in ["churn", "lapsed"] {
        folder.ok(&["train", task, "--warehouse", W]);
    }
    folder.ok(&["score", "churn", "lapsed", "--warehouse", W]);
    let customers = &folder.sql(W, "SELECT count(*) FROM spine")[0];
    let scored = folder.sql(W, "SELECT task, horizon_days, count(*) FROM scores.churn GROUP BY ALL ORDER BY task");
    assert_eq!(scored, [format!("churn,90,{customers}"), format!("lapsed,30,{customers}")]);
    let horizons = folder.sql(W, "SELECT DISTINCT churn_horizon_days FROM marts.customer_360");
    assert_eq!(horizons, ["90"], "the mart shows the shipped task");
}

#[cfg(feature = "train")]
#[test]
fn the_same_seed_gives_the_same_scores() {
    let scores = || {
        let folder = built();
        for task in ["churn", "clv", "next_purchase"] {
            folder.ok(&["train", task, "--seed", "3", "--warehouse", W]);
        }
        folder.ok(&["score", "--warehouse", W]);
        [
            "SELECT customer_id, p_churn FROM scores.churn ORDER BY customer_id",
            "SELECT customer_id, expected_value, p_zero FROM scores.clv ORDER BY customer_id",
            "SELECT customer_id, rank, product_id, probability FROM scores.next_purchase ORDER BY customer_id, rank",
            "SELECT customer_id, median_days, p10_days, p90_days FROM scores.next_purchase_time ORDER BY customer_id",
        ]
        .map(|query| folder.sql(W, query))
    };
    let (one, other) = (scores(), scores());
    assert!(one.iter().all(|rows| !rows.is_empty()));
    assert!(one == other, "two runs of one seed differ");
}

/// DuckDB, Polars and pyarrow agree on every table of a published folder.
#[cfg(feature = "train")]
fn published_reads_equal_elsewhere(folder: &Path) {
    let Some(python) = std::env::var_os("PERENNIAL_READERS") else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "PERENNIAL_READERS names no Python");
        eprintln!("skipped: PERENNIAL_READERS names no Python with duckdb, polars and pyarrow");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/readers.py");
    let output = std::process::Command::new(python).arg(script).arg(folder).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(feature = "train")]
#[test]
fn embeddings_of_customers_and_products_are_kept() {
    let folder = built();
    for task in ["churn", "next_purchase"] {
        folder.ok(&["train", task, "--warehouse", W]);
    }
    folder.ok(&["score", "churn", "next_purchase", "--warehouse", W]);
    assert_eq!(count(&folder, "scores.embeddings"), 0, "only when asked for");
    for _ in 0..2 {
        folder.ok(&["score", "churn", "next_purchase", "--embeddings", "--warehouse", W]);
    }
    let customers = count(&folder, "spine");
    let shape = "SELECT task, count(DISTINCT customer_id), max(component), count(*) FROM scores.embeddings GROUP BY task ORDER BY 1";
    let width = 16;
    let expected = ["churn", "next_purchase"].map(|task| format!("{task},{customers},{width},{}", customers * width));
    assert_eq!(folder.sql(W, shape), expected, "written once");
    let products = "SELECT count(DISTINCT product_id) * 16 = count(*), count(*) > 0 FROM models.product_embeddings";
    assert_eq!(folder.sql(W, products), ["true,true"]);
    // What is scored has an embedding on either side.
    let agreeing = "SELECT count(*) FROM scores.next_purchase AS s
        JOIN (SELECT DISTINCT run_id, customer_id FROM scores.embeddings) AS c USING (run_id, customer_id)
        JOIN (SELECT DISTINCT run_id, product_id FROM models.product_embeddings) AS p ON p.run_id = s.run_id AND p.product_id = s.product_id";
    let rows = count(&folder, "scores.next_purchase");
    assert_eq!(folder.sql(W, agreeing), [rows.to_string()]);

    folder.ok(&["publish", "published", "--warehouse", W]);
    published_reads_equal_elsewhere(&folder.path("published/current"));
    let gone = &folder.sql(W, "SELECT min(customer_id) FROM scores.embeddings")[0];
    folder.ok(&["erase", "--customer", gone, "--published", "published", "--yes", "--warehouse", W]);
    assert_eq!(count(&folder, "scores.embeddings"), (customers - 1) * width * 2);
    folder.ok(&["check", "scores.embeddings", "models.product_embeddings", "--warehouse", W]);
    let lineage = folder.ok(&["lineage", "scores.embeddings", "--warehouse", W]);
    assert!(lineage.contains("tasks.clv") && lineage.contains("published.scores_embeddings"), "{lineage}");
    let view = folder.fails(&["score", "recommendations", "--embeddings", "--warehouse", W]);
    assert!(view.contains("so it has no embeddings"), "{view}");
}

#[test]
fn a_view_is_scored_like_a_model_without_training() {
    let folder = built();
    let count = || count(&folder, "scores.recommendations");
    folder.ok(&["score", "recommendations", "--warehouse", W]);
    let rows = count();
    assert_eq!(rows, self::count(&folder, "insights.recommendations"));
    folder.ok(&["score", "recommendations", "--warehouse", W]);
    assert_eq!(count(), rows, "nothing changed, so it is the same score");
    let kept = folder.sql(W, "SELECT DISTINCT task, run_id IS NULL, snapshot > 0 FROM scores.recommendations");
    assert_eq!(kept, ["recommendations,true,true"]);
    folder.ok(&["score", "recommendations", "--as-of", "2024-06-01", "--warehouse", W]);
    assert!(count() > rows, "another cut-off is another score");
    for (task, view, problem) in [
        ("offers", "insights.recommendations", "there is no table scores.offers"),
        ("recommendations", "insights.offers", "there is no view insights.offers"),
        ("recommendations", "insights.rfm", "insights.rfm lacks columns of scores.recommendations"),
    ] {
        folder.write("mine.toml", &format!("task = '{task}'\nview = '{view}'\n"));
        let error = folder.fails(&["score", "mine.toml", "--warehouse", W]);
        assert!(error.contains(problem), "{error}");
    }
    #[cfg(feature = "train")]
    for verb in ["train", "evaluate"] {
        let error = folder.fails(&[verb, "recommendations", "--warehouse", W]);
        assert!(error.contains("nothing to train or to evaluate"), "{error}");
    }
}
