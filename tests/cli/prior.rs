//! Models that start from what purchases alone say, and look further ahead than what they learn from.

use super::shop::{self, W, count, json};
use crate::support::Folder;
use serde_json::Value;

const PARETO_NBD: &str = "Pareto/NBD + Gamma-Gamma";

/// A shop that is exactly Pareto/NBD, and tasks over 180 days that learn from 60.
fn control(training: &str) -> Folder {
    let folder = shop::control(&["--customers", "600", "--months", "18", "--horizon", "180"]);
    for (task, label) in [
        ("churn", "label = 'labels.churn'\nhead = 'churn'"),
        ("clv", "label = 'labels.value'\nhead = 'clv'"),
        ("orders", "label = 'labels.value'\nlabel_column = 'order_count'\nhead = 'count'"),
    ] {
        let text = format!(
            "task = '{task}'\n{label}\nhorizon_days = 180\nlearnt_horizon_days = 60\nprior = 'pareto_nbd'\ncutoffs = 2\n\
             [model]\nwidth = 16\nlayers = 1\nlength = 16\n[training]\n{training}\n"
        );
        folder.write(&format!("models/{task}.toml"), &text);
    }
    folder
}

fn value(evaluation: &Value, metric: &str, model: &str) -> f64 {
    let rows = evaluation["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["metric"] == metric && row["model"] == model);
    row.unwrap_or_else(|| panic!("{metric} of {model}: {evaluation}"))["value"]["estimate"].as_f64().expect("a number")
}

/// What has learnt nothing says what its prior says, over a horizon three times as long as that of its labels.
#[test]
fn an_untaught_model_is_its_prior() {
    let folder = control("epochs = 1\nlearning_rate = 1e-12");
    for (task, metrics) in [
        ("churn", &["auc", "log_loss", "brier"][..]),
        ("clv", &["spearman", "normalised_gini"]),
        ("orders", &["spearman", "pearson", "mae", "total_error"]),
    ] {
        folder.ok(&["train", task, "--warehouse", W]);
        let evaluation = json(&folder, &["evaluate", task]);
        for metric in metrics {
            let (ours, theirs) = (value(&evaluation, metric, "perennial"), value(&evaluation, metric, PARETO_NBD));
            assert!((ours - theirs).abs() < 2e-3, "{task} {metric}: {ours} {theirs}");
        }
        // What could only learn from the labels of the short horizon is not beside it.
        let models = evaluation["rows"].as_array().expect("rows").iter().map(|row| row["model"].as_str());
        assert!(models.flatten().all(|model| !model.contains("trees") && !model.contains("logistic")), "{evaluation}");
        assert_eq!(evaluation["protocol"], "time split, 180 days, learnt over 60, every customer of the cut-off");
    }
}

#[test]
fn a_taught_model_scores_and_is_explained_with_its_prior() {
    let folder = control("epochs = 2");
    folder.ok(&["train", "churn", "--warehouse", W]);
    folder.ok(&["score", "churn", "--reasons", "1000", "--warehouse", W]);
    let customers = folder.sql(W, "SELECT count(*) FROM spine")[0].clone();
    let scored = "SELECT count(*), min(horizon_days), max(horizon_days) FROM scores.churn";
    assert_eq!(folder.sql(W, scored), [format!("{customers},180,180")]);
    let reasons = "SELECT count(*) FROM scores.churn_reasons WHERE input_group = 'prior' AND input = 'prior_log_odds'";
    assert_eq!(folder.sql(W, reasons), [customers.as_str()]);
    assert!(count(&folder, "scores.churn_reasons") > 3 * customers.parse::<usize>().expect("a number"));
    let explained = json(&folder, &["explain", "churn", "--repeats", "2"]);
    let inputs = explained["inputs"].as_array().expect("inputs");
    let prior =
        inputs.iter().find(|input| input["grouping"] == "group" && input["input"] == "prior").expect("the prior");
    assert!(prior["importance"][0]["mean"].as_f64().expect("a number") > 0.02, "{prior}");
    let ranges = "SELECT count(*) FROM scores.churn WHERE NOT p_churn BETWEEN 0 AND 1";
    assert_eq!(folder.sql(W, ranges), ["0"]);
}
