//! Past scores beside what then happened, against brute force.

use super::shop::{W, built};
use crate::support::Folder;
use serde_json::Value;

fn monitor(folder: &Folder, tasks: &[&str]) -> Value {
    let report = folder.ok(&[&["monitor"], tasks, &["--warehouse", W, "--format", "json"]].concat());
    serde_json::from_str(&report).expect("JSON")
}

/// A query's rows at a cut-off with a horizon of 90 days, each a few numbers.
fn numbers(folder: &Folder, as_of: &str, query: &str) -> Vec<Vec<f64>> {
    let arguments = ["sql", query, "--as-of", as_of, "--horizon", "90", "--format", "csv", "--warehouse", W];
    let row = |line: &str| line.split(',').map(|cell| cell.parse().unwrap_or(f64::NAN)).collect();
    folder.ok(&arguments).lines().skip(1).map(row).collect()
}

fn value(report: &Value, task: &str, metric: &str) -> f64 {
    let lines = report["lines"].as_array().expect("lines");
    let line = lines.iter().find(|line| line["task"] == task && line["metric"] == metric && line["feature"].is_null());
    line.unwrap_or_else(|| panic!("{task} {metric}: {report:#}"))["value"].as_f64().expect("a number")
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9 * one.abs().max(1.0)
}

#[test]
fn scores_are_judged_by_what_followed() {
    let folder = built();
    for task in ["churn", "clv", "next_purchase"] {
        folder.ok(&["train", task, "--warehouse", W]);
    }
    folder.ok(&["evaluate", "churn", "--warehouse", W]);
    let test = folder.sql(W, "SELECT cast(max(test_as_of) AS DATE) FROM models.runs")[0].clone();
    let before = folder.sql(W, "SELECT cast(max(test_as_of) - INTERVAL '30 days' AS DATE) FROM models.runs")[0].clone();
    let error = folder.fails(&["monitor", "churn", "--warehouse", W]);
    assert!(error.contains("no scores of task churn"), "{error}");
    for as_of in [&test, &before] {
        folder.ok(&["score", "--as-of", as_of, "--warehouse", W]);
    }
    folder.ok(&["score", "--warehouse", W]);

    let report = monitor(&folder, &[]);
    assert_eq!(report["seen_in_training"].as_u64(), Some(3), "three tasks, 30 days before the test: {report:#}");
    assert_eq!(report["pending"].as_array().map(Vec::len), Some(3));
    assert_eq!(report["unjudged"].as_array().map(Vec::len), Some(0));

    // The probability that whoever left was given a higher p than whoever stayed, pair by pair.
    let churn = "SELECT cast(l.churned AS INT), s.p_churn FROM labels.churn AS l \
        JOIN scores.churn AS s ON s.customer_id = l.customer_id AND s.as_of = l.as_of";
    let churn = numbers(&folder, &test, churn);
    let (left, stayed): (Vec<&Vec<f64>>, Vec<&Vec<f64>>) = churn.iter().partition(|row| row[0] == 1.0);
    let wins: f64 = left
        .iter()
        .flat_map(|one| {
            stayed
                .iter()
                .map(|other| f64::from(u8::from(one[1] > other[1])) + f64::from(u8::from(one[1] == other[1])) / 2.0)
        })
        .sum();
    assert!(near(value(&report, "churn", "auc"), wins / (left.len() * stayed.len()) as f64));
    let brier = churn.iter().map(|row| (row[1] - row[0]).powi(2)).sum::<f64>() / churn.len() as f64;
    assert!(near(value(&report, "churn", "brier"), brier));
    let clv = "SELECT l.value, s.expected_value FROM labels.value AS l \
        JOIN scores.clv AS s ON s.customer_id = l.customer_id AND s.as_of = l.as_of";
    let clv = numbers(&folder, &test, clv);
    let mae = clv.iter().map(|row| (row[0] - row[1]).abs()).sum::<f64>() / clv.len() as f64;
    assert!(near(value(&report, "clv", "mae"), mae));
    let listed = "SELECT coalesce(max(s.rank), 0) FROM labels.next_purchase AS l LEFT JOIN scores.next_purchase AS s \
        ON s.customer_id = l.customer_id AND s.as_of = l.as_of AND s.product_id = l.product_id \
        WHERE l.product_id IS NOT NULL GROUP BY l.customer_id";
    let listed = numbers(&folder, &test, listed);
    let hits = listed.iter().filter(|row| row[0] > 0.0).count();
    assert!(near(value(&report, "next_purchase", "hit_rate@10"), hits as f64 / listed.len() as f64));
    let days = "SELECT least(coalesce(l.days_to_next, 90), 90), least(s.median_days, 90) FROM labels.next_purchase AS l \
        JOIN scores.next_purchase_time AS s ON s.customer_id = l.customer_id AND s.as_of = l.as_of";
    let days = numbers(&folder, &test, days);
    let mae = days.iter().map(|row| (row[0] - row[1]).abs()).sum::<f64>() / days.len() as f64;
    assert!(near(value(&report, "next_purchase", "mae of days to purchase"), mae));

    // At the test cut-off it is what the evaluation said, so nothing decays; the other runs were never evaluated.
    let lines = report["lines"].as_array().expect("lines");
    let metrics = || lines.iter().filter(|line| line["feature"].is_null());
    assert!(metrics().all(|line| line["flag"].is_null()), "{report:#}");
    for line in metrics() {
        assert_eq!(line["test_value"].is_f64(), line["task"] == "churn", "{line:#}");
        assert!(line["task"] != "churn" || near(line["value"].as_f64().unwrap(), line["test_value"].as_f64().unwrap()));
    }

    // Monitoring the same scores again adds nothing, but an evaluation since then adds what to compare with.
    let again = monitor(&folder, &[]);
    assert_eq!((again["added"].as_u64(), &again["lines"]), (Some(0), &report["lines"]));
    folder.ok(&["evaluate", "clv", "--warehouse", W]);
    let compared = monitor(&folder, &["clv"]);
    assert_eq!(compared["added"].as_u64(), Some(5));
    let of_clv =
        |report: &Value| report["lines"].as_array().expect("lines").iter().filter(|l| l["task"] == "clv").count();
    assert_eq!(of_clv(&compared), of_clv(&report), "the newest of each number is shown");

    psi_is_that_of_brute_force(&folder, &report, &test);
    let text = folder.ok(&["monitor", "--warehouse", W]);
    assert!(text.contains("features drifted") && text.contains("to be judged once data reach"), "{text}");
}

/// Of one feature with missing values, between the test cut-off and the newest.
fn psi_is_that_of_brute_force(folder: &Folder, report: &Value, test: &str) {
    let query = "SELECT mean_gap_days FROM features.customer";
    let then: Vec<f64> = numbers(folder, test, query).concat();
    let now: Vec<f64> = folder.sql(W, query).iter().map(|cell| cell.parse().unwrap_or(f64::NAN)).collect();
    let mut known: Vec<f64> = then.iter().copied().filter(|value| !value.is_nan()).collect();
    known.sort_by(f64::total_cmp);
    let ends: Vec<f64> = (1..10).map(|k| known[(k * known.len()).div_ceil(10) - 1]).collect();
    let share = |values: &[f64], from: f64, to: f64| {
        values.iter().filter(|v| **v > from && **v <= to).count() as f64 / values.len() as f64
    };
    let missing = |values: &[f64]| values.iter().filter(|v| v.is_nan()).count() as f64 / values.len() as f64;
    let edges = [&[f64::NEG_INFINITY], ends.as_slice(), &[f64::INFINITY]].concat();
    let pairs = edges.windows(2).map(|edge| (share(&then, edge[0], edge[1]), share(&now, edge[0], edge[1])));
    let psi: f64 = pairs
        .chain([(missing(&then), missing(&now))])
        .map(|(e, a)| (e.max(1e-4), a.max(1e-4)))
        .map(|(e, a)| (a - e) * (a / e).ln())
        .sum();
    let lines = report["lines"].as_array().expect("lines");
    let line = lines.iter().find(|line| line["feature"] == "mean_gap_days").expect("a psi");
    assert!(psi > 0.0 && near(line["value"].as_f64().expect("a number"), psi), "{psi} {line:#}");
    assert_eq!(line["flag"] == "drift", psi > 0.25);
}
