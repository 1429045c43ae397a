//! What a model goes by, and why a customer's score is what it is.

use super::shop::{TINY, W, built, count};
use crate::support::Folder;
use serde_json::Value;
use std::collections::BTreeSet;

/// A shop with a trained task that reads every feature.
fn trained(task: &str, label: &str) -> Folder {
    let folder = built();
    let text =
        format!("task = '{task}'\nlabel = 'labels.{label}'\nfeatures = 'features.customer'\nhead = '{task}'\n{TINY}");
    folder.write(&format!("models/{task}.toml"), &text);
    folder.ok(&["train", task, "--warehouse", W]);
    folder
}

#[test]
fn importance_is_measured_by_source_group_and_input() {
    let folder = trained("churn", "churn");
    let arguments = ["explain", "churn", "--repeats", "3", "--customers", "120", "--warehouse", W];
    let report: Value =
        serde_json::from_str(&folder.ok(&[&arguments[..], &["--format", "json"]].concat())).expect("JSON");
    let inputs = report["inputs"].as_array().expect("inputs");
    let of = |grouping: &str, group: Value| -> BTreeSet<&str> {
        let own = inputs.iter().filter(|input| input["grouping"] == grouping && input["group"] == group);
        own.map(|input| input["input"].as_str().expect("text")).collect()
    };
    assert_eq!(of("source", Value::Null), BTreeSet::from(["events", "aggregates", "features"]));
    let events = of("group", "events".into());
    assert!(["kind", "product_id", "category", "channel", "log_amount", "calendar"].iter().all(|i| events.contains(i)));
    let families = of("group", "features".into());
    assert!(families.contains("features.recency") && families.contains("features.engagement"), "{families:?}");
    // Every family's columns are below it, as the views have them.
    let recency = of("single", "features.recency".into());
    assert_eq!(recency, BTreeSet::from(["days_since_order"]));
    assert!(of("single", "aggregates".into()).contains("log_spend"));
    // A purchase count and its logarithm are the same order of customers; the less important one says so.
    let pair = ["log_orders", "count_orders"];
    let redundant =
        inputs.iter().filter(|i| pair.contains(&i["input"].as_str().expect("text")) && !i["redundancy"].is_null());
    assert!(redundant.count() >= 1, "{report}");

    // Every n-th customer, so that they are no more than asked for.
    let customers = report["customers"].as_u64().expect("a number");
    assert!((60..=120).contains(&customers), "{customers}");
    let in_table = "SELECT count(*), count(DISTINCT metric), min(customers), min(repeats) FROM models.importance";
    assert_eq!(folder.sql(W, in_table), [format!("{},2,{customers},3", 2 * inputs.len())]);
    folder.ok(&["check", "models.importance", "--warehouse", W]);
    // Measured again: the same numbers, as a history.
    let text = folder.ok(&arguments);
    assert!(text.contains(&format!("{customers} customers")) && text.contains("says the same as"), "{text}");
    let differing = "SELECT count(*) FROM (SELECT DISTINCT grouping, input_group, input, metric, importance FROM models.importance)";
    assert_eq!(folder.sql(W, differing), [(2 * inputs.len()).to_string()]);

    let message = folder.fails(&["explain", "recommendations", "--warehouse", W]);
    assert!(message.contains("nothing to train"), "{message}");
}

#[test]
fn reasons_come_to_the_score_and_are_forgotten_with_the_customer() {
    for (task, label, output) in
        [("churn", "churn", "ln(s.p_churn / (1 - s.p_churn))"), ("clv", "value", "ln(s.expected_value)")]
    {
        let folder = trained(task, label);
        let reasons = format!("scores.{task}_reasons");
        let score = |most: &str| folder.ok(&["score", task, "--reasons", most, "--warehouse", W]);
        assert!(score("3").contains(&reasons));
        let customers = count(&folder, &format!("scores.{task}"));
        assert_eq!(count(&folder, &reasons), 3 * customers);
        // The same once more is the same reasons, and all of them is more.
        score("3");
        assert_eq!(count(&folder, &reasons), 3 * customers);
        score("1000");
        let complete = format!(
            "WITH sums AS (
                SELECT customer_id, sum(contribution) AS added, max(output) AS output, max(baseline) AS baseline,
                    min(rank) AS first, max(rank) - count(*) AS gaps
                FROM {reasons} WHERE scored_at = (SELECT max(scored_at) FROM {reasons}) GROUP BY customer_id
            )
            SELECT count(*), max(abs(baseline + added - output)) < .005, max(abs(output - {output})) < .001,
                min(first), max(gaps)
            FROM sums JOIN scores.{task} AS s USING (customer_id)"
        );
        assert_eq!(folder.sql(W, &complete), [format!("{customers},true,true,1,0")]);
        folder.ok(&["check", &reasons, "--warehouse", W]);
        let values = format!(
            "SELECT count(*) FROM {reasons} AS r JOIN features.customer AS f ON f.customer_id = r.customer_id \
            WHERE r.input = 'days_since_order' AND abs(r.value - f.days_since_order) > .01"
        );
        assert_eq!(folder.sql(W, &values), ["0"]);
        let whose = folder.sql(W, &format!("SELECT customer_id FROM {reasons} LIMIT 1"));
        folder.ok(&["erase", "--customer", &whose[0], "--yes", "--warehouse", W]);
        assert_eq!(folder.sql(W, &format!("SELECT count(*) FROM {reasons} WHERE customer_id = '{}'", whose[0])), ["0"]);
        folder.ok(&["publish", "published", "--warehouse", W]);
        assert!(folder.ok(&["lineage", &reasons, "--warehouse", W]).contains(&format!("tasks.{task}")));
    }
}

#[test]
fn what_has_no_reasons_says_so() {
    let folder = built();
    folder.ok(&["train", "next_purchase", "--warehouse", W]);
    for arguments in [["score", "next_purchase", "--reasons", "3"].as_slice(), &["explain", "next_purchase"]] {
        let message = folder.fails(&[arguments, &["--warehouse", W]].concat());
        assert!(message.contains("labels, amounts and counts"), "{message}");
    }
}
