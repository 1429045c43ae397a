//! Scoring with memory for some customers, and for several horizons.

use super::shop::{TINY, W, built, count};
use crate::support::Folder;

/// A shop whose churn model tells when, and reads features.
fn trained() -> Folder {
    let folder = built();
    let tiny = TINY.replace("[model]\n", "[model]\nperiods = 3\n");
    let text =
        format!("task = 'churn'\nlabel = 'labels.churn'\nfeatures = 'features.customer'\nhead = 'churn'\n{tiny}");
    folder.write("models/churn.toml", &text);
    let text = format!("task = 'clv'\nlabel = 'labels.value'\nhead = 'clv'\nprior = 'pareto_nbd'\n{TINY}");
    folder.write("models/clv.toml", &text);
    for task in ["churn", "clv", "next_purchase"] {
        folder.ok(&["train", task, "--warehouse", W]);
    }
    folder
}

#[test]
fn scores_do_not_depend_on_how_many_customers_are_in_memory() {
    let folder = trained();
    // Other numbers of products make it another scoring.
    let score = |top: &str, at_once: &str, horizons: &str| {
        let asked = ["--top", top, "--customers-at-once", at_once, "--horizons", horizons, "--embeddings"];
        folder.ok(&[&["score", "--warehouse", W], asked.as_slice()].concat());
    };
    score("4", "50000", "30,90");
    score("5", "37", "30,90");
    let customers = count(&folder, "spine");
    for (table, key, value) in [
        ("churn", "task", "p_churn"),
        ("clv", "task", "expected_value"),
        ("churn_horizons", "horizon_days", "p_churn"),
        ("next_purchase_time", "task", "median_days"),
        ("next_purchase", "product_id", "probability"),
        ("embeddings", "task, component", "value"),
    ] {
        let rank = if table == "next_purchase" { "WHERE rank <= 4" } else { "" };
        let query = format!(
            "WITH keys AS (
                SELECT customer_id, {key}, count(*) AS scorings, max({value}) - min({value}) AS apart, max(abs({value})) AS size
                FROM scores.{table} {rank} GROUP BY customer_id, {key}
            )
            SELECT count(DISTINCT customer_id), min(scorings), max(scorings), max(apart / (1.0 + size)) < 1e-5 FROM keys"
        );
        assert_eq!(folder.sql(W, &query), [format!("{customers},2,2,true")], "{table}");
    }
    // What is there is not written again, whatever its parts.
    let rows = count(&folder, "scores.embeddings");
    score("5", "100", "30,90");
    assert_eq!(count(&folder, "scores.embeddings"), rows);
    let products = "SELECT count(DISTINCT product_id) * 16 = count(*) FROM models.product_embeddings";
    assert_eq!(folder.sql(W, products), ["true"]);
    folder.ok(&["check", "scores.churn", "scores.churn_horizons", "--warehouse", W]);
}

#[test]
fn a_model_that_tells_when_is_asked_for_any_time() {
    let folder = trained();
    folder.ok(&["score", "churn", "--horizons", "7,45,90", "--warehouse", W]);
    let curve = "
        WITH curves AS (
            SELECT h.customer_id,
                max(h.p_churn) FILTER (WHERE h.horizon_days = 7) AS week,
                max(h.p_churn) FILTER (WHERE h.horizon_days = 45) AS half,
                max(h.p_churn) FILTER (WHERE h.horizon_days = 90) AS whole
            FROM scores.churn_horizons AS h GROUP BY h.customer_id
        )
        SELECT count(*), count(*) FILTER (WHERE week >= half AND half >= whole AND abs(whole - s.p_churn) < 1e-9)
        FROM curves AS c JOIN scores.churn AS s ON s.customer_id = c.customer_id";
    let customers = count(&folder, "spine");
    assert_eq!(folder.sql(W, curve), [format!("{customers},{customers}")]);

    let told = folder.ok(&["evaluate", "churn", "--horizon-days", "30", "--warehouse", W]);
    assert!(told.contains("time split, 30 days"), "{told}");
    let parts = "SELECT DISTINCT slice FROM models.metrics WHERE split = 'test'";
    assert_eq!(folder.sql(W, parts), ["horizon: 30 days"]);
    // It is no judgement of the run as a whole.
    assert!(!folder.ok(&["runs", "churn", "--warehouse", W]).contains("auc"));

    for (command, problem) in [
        ("score churn --horizons 30,91", "91 days can't be asked for: its run looks 90 days ahead"),
        ("score clv --horizons 30", "task clv: its scores are of one time"),
        ("evaluate churn --horizon-days 120", "120 days can't be asked for"),
        ("evaluate clv --horizon-days 30", "nothing of other times; a head churn with model.periods above 1 does"),
    ] {
        let words: Vec<&str> = command.split(' ').chain(["--warehouse", W]).collect();
        let message = folder.fails(&words);
        assert!(message.contains(problem), "{command}: {message}");
    }
}
