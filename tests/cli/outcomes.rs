//! Labels of one's own: a view and a task file of each kind, through the whole path and without Rust.

use super::shop::{TINY, W, built, json};
use crate::support::Folder;

/// Whether something of the category `shoes` is bought, and how many orders of which value, in complete horizons.
const SHOES: &str = "-- Whether a customer buys shoes in the horizon.\n\
    WITH shoes AS ( \
        SELECT DISTINCT o.customer_id, o.as_of FROM labels.horizon_orders AS o \
        INNER JOIN core.line_versions AS l ON l.customer_id = o.customer_id AND l.order_id = o.order_id \
        INNER JOIN core.products AS p ON p.product_id = l.product_id \
        WHERE o.is_purchase AND l.superseded_at IS NULL AND p.category = 'shoes' \
    ) \
    SELECT h.customer_id, h.as_of, h.is_complete, \
        CASE WHEN h.is_complete THEN s.customer_id IS NOT NULL END AS buys_shoes \
    FROM labels.horizon AS h LEFT JOIN shoes AS s ON s.customer_id = h.customer_id AND s.as_of = h.as_of\n";
const BASKETS: &str = "-- How often a customer buys in the horizon, and the largest amount.\n\
    SELECT h.customer_id, h.as_of, CASE WHEN h.is_complete THEN count(o.order_id) END AS visits, \
        CASE WHEN h.is_complete THEN coalesce(max(o.amount), 0.0) END AS largest, 'none' AS remark \
    FROM labels.horizon AS h \
    LEFT JOIN labels.horizon_orders AS o ON o.customer_id = h.customer_id AND o.as_of = h.as_of AND o.is_purchase \
    GROUP BY h.customer_id, h.as_of, h.is_complete\n";
const MEAN: &str = "mean of the training cut-offs";

fn project() -> Folder {
    let folder = built();
    folder.write("sql/labels/shoes.sql", SHOES);
    folder.write("sql/labels/baskets.sql", BASKETS);
    task(&folder, "shoes", "label = 'labels.shoes'\nhead = 'binary'");
    task(&folder, "visits", "label = 'labels.baskets'\nlabel_column = 'visits'\nhead = 'count'");
    task(&folder, "largest", "label = 'labels.baskets'\nlabel_column = 'largest'\nhead = 'amount'");
    folder
}

fn task(folder: &Folder, name: &str, lines: &str) {
    let text = format!("task = '{name}'\n{lines}\nhorizon_days = 60\nfeatures = 'features.customer'\n{TINY}");
    folder.write(&format!("models/{name}.toml"), &text);
}

/// A query's only number, of labels at a cut-off.
fn number(folder: &Folder, as_of: &str, query: &str) -> f64 {
    let arguments = ["sql", query, "--as-of", as_of, "--horizon", "60", "--format", "csv", "--warehouse", W];
    folder.ok(&arguments).lines().nth(1).expect("a row").parse().expect("a number")
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9 * one.abs().max(1.0)
}

#[test]
fn labels_of_ones_own_are_trained_judged_and_scored() {
    let folder = project();
    for task in ["shoes", "visits", "largest"] {
        folder.ok(&["train", task, "--warehouse", W]);
    }
    let customers = folder.sql(W, "SELECT count(*) FROM spine")[0].clone();
    judged_beside_what_fits_the_label(&folder);

    let test = folder.sql(W, "SELECT cast(max(test_as_of) AS DATE) FROM models.runs")[0].clone();
    for as_of in [&[][..], &["--as-of", &test]] {
        folder.ok(&[&["score", "shoes", "visits", "largest", "--warehouse", W], as_of].concat());
    }
    let scored = "SELECT task, horizon_days, count(*), count(p), count(expected), min(p) >= 0, max(p) <= 1, min(expected) >= 0 \
        FROM scores.outcomes WHERE as_of = (SELECT max(as_of) FROM scores.outcomes) GROUP BY ALL ORDER BY task";
    let counted = |task: &str| format!("{task},60,{customers},{customers},{customers},true,true,true");
    let shoes = format!("shoes,60,{customers},{customers},0,true,true,");
    assert_eq!(folder.sql(W, scored), [counted("largest"), shoes, counted("visits")]);

    let report = json(&folder, &["monitor"]);
    assert_eq!(
        (report["pending"].as_array().map(Vec::len), report["unjudged"].as_array().map(Vec::len)),
        (Some(3), Some(0))
    );
    for (task, metric, error) in [
        ("shoes", "brier", "power(cast(l.buys_shoes AS INT) - s.p, 2)) FROM labels.shoes"),
        ("visits", "mae", "abs(l.visits - s.expected)) FROM labels.baskets"),
        ("largest", "mae", "abs(l.largest - s.expected)) FROM labels.baskets"),
    ] {
        let query = format!(
            "SELECT avg({error} AS l JOIN scores.outcomes AS s ON s.customer_id = l.customer_id AND s.as_of = l.as_of \
            WHERE s.task = '{task}'"
        );
        let expected = number(&folder, &test, &query);
        let lines = report["lines"].as_array().expect("lines");
        let found = lines.iter().find(|line| line["task"] == task && line["metric"] == metric).expect("a line");
        assert!(near(found["value"].as_f64().expect("a number"), expected), "{task}: {found} and {expected}");
    }
    let promoted = folder.ok(&["promote", "visits", "--reason", "the first", "--warehouse", W]);
    assert!(promoted.contains("spearman"), "{promoted}");
    let lineage = folder.ok(&["lineage", "scores.outcomes", "--warehouse", W]);
    assert!(lineage.contains("labels.baskets") && lineage.contains("tasks.shoes"), "{lineage}");
    explained(&folder);
}

/// Reasons come to the score, and importance is told of each input.
fn explained(folder: &Folder) {
    folder.ok(&["score", "shoes", "visits", "largest", "--reasons", "200", "--warehouse", W]);
    let sums = "
        WITH sums AS (
            SELECT task, customer_id, sum(contribution) + min(baseline) AS told, min(output) AS output
            FROM scores.outcome_reasons GROUP BY task, customer_id
        ),
        scores AS (
            SELECT task, customer_id, coalesce(CASE WHEN expected IS NULL THEN ln(p / (1 - p)) END, ln(expected)) AS output
            FROM scores.outcomes WHERE as_of = (SELECT max(as_of) FROM scores.outcomes)
        )
        SELECT s.task, max(abs(s.told - s.output)) < 0.01, max(abs(s.output - o.output)) < 0.001
        FROM sums AS s JOIN scores AS o ON o.task = s.task AND o.customer_id = s.customer_id GROUP BY s.task ORDER BY s.task";
    assert_eq!(folder.sql(W, sums), ["largest,true,true", "shoes,true,true", "visits,true,true"]);
    let told = folder.ok(&["explain", "visits", "--repeats", "2", "--customers", "100", "--warehouse", W]);
    assert!(told.contains("spearman"), "{told}");
    folder.ok(&["check", "scores.outcome_reasons", "--warehouse", W]);
}

/// No churn model beside a label that is not churn, but what knows the label: its mean, trees, and regression of a binary one.
fn judged_beside_what_fits_the_label(folder: &Folder) {
    let trees = "boosted trees on all features";
    for (task, models, metrics) in [
        ("shoes", &["perennial", "logistic regression on RFM", trees, MEAN][..], &["auc", "log_loss"][..]),
        ("visits", &["perennial", trees, MEAN], &["mae", "poisson_deviance", "total_error"]),
        ("largest", &["perennial", trees, MEAN], &["mae", "rmse", "normalised_gini"]),
    ] {
        let evaluation = json(folder, &["evaluate", task, "--slices"]);
        let rows = evaluation["rows"].as_array().expect("rows");
        for metric in metrics {
            let of = rows.iter().filter(|row| row["metric"] == *metric);
            let found: Vec<&str> = of.filter_map(|row| row["model"].as_str()).collect();
            assert_eq!(found, models, "{task} {metric}");
        }
        let ranked = rows.iter().filter(|row| row["metric"] == "spearman" && row["model"] == MEAN);
        assert_eq!(ranked.count(), 0, "one number ranks nobody");
        let error = folder.fails(&["evaluate", task, "--truth", "shop/truth", "--warehouse", W]);
        assert!(error.contains("leave --truth out"), "{error}");
    }
}

#[test]
fn a_label_that_cannot_be_learnt_is_refused_in_its_own_words() {
    let folder = project();
    let refused = |lines: &str| {
        task(&folder, "mine", lines);
        folder.fails(&["train", "mine", "--warehouse", W])
    };
    folder.write(
        "sql/labels/doubled.sql",
        "-- Twice.\nSELECT customer_id, as_of, 1 AS n FROM labels.horizon UNION ALL SELECT customer_id, as_of, 2 FROM labels.horizon",
    );
    folder.write(
        "sql/labels/fixed.sql",
        "-- Of another time.\nSELECT customer_id, TIMESTAMP '2024-01-01' AS as_of, 1 AS n FROM labels.horizon",
    );
    for (lines, problem) in [
        ("label = 'labels.baskets'\nhead = 'count'", "visits, largest, remark could be the label; say which"),
        ("label = 'labels.baskets'\nlabel_column = 'size'\nhead = 'count'", "no column size"),
        ("label = 'labels.baskets'\nlabel_column = 'largest'\nhead = 'count'", "needs whole numbers from 0"),
        ("label = 'labels.baskets'\nlabel_column = 'visits'\nhead = 'binary'", "the head binary needs a boolean"),
        ("label = 'labels.shoes'\nhead = 'amount'", "the head amount needs a number"),
        ("label = 'labels.doubled'\nhead = 'count'", "has two rows at"),
        ("label = 'labels.fixed'\nhead = 'count'", "two rows at 2024-01-01"),
        ("label = 'labels.next_purchase'\nlabel_column = 'x'\nhead = 'next_purchase'", "leave label_column out"),
    ] {
        let error = refused(lines);
        assert!(error.contains("task mine") && error.contains(problem), "{lines}: {error}");
    }
}
