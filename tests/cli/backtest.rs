//! Training and judging a task from several test cut-offs.

use super::shop::{W, built, count};
use crate::support::Folder;
use serde_json::Value;

fn json(folder: &Folder, arguments: &[&str]) -> Value {
    let report = folder.ok(&[arguments, &["--warehouse", W, "--format", "json"]].concat());
    serde_json::from_str(&report).expect("JSON")
}

const CHURN: &str = "task = 'churn'\nlabel = 'labels.churn'\nhead = 'churn'\nhorizon_days = 60\ncutoffs = 2\n\
    [model]\nwidth = 16\nlayers = 1\n[training]\nepochs = 2\n";

/// Model, metric and value, by test cut-off.
fn values(backtest: &Value) -> Vec<(String, Vec<(String, String, f64)>)> {
    let text = |value: &Value| value.as_str().expect("text").to_string();
    let row = |row: &Value| (text(&row["model"]), text(&row["metric"]), row["value"]["estimate"].as_f64().expect("a number"));
    let origin = |origin: &Value| {
        (text(&origin["as_of"]), origin["rows"].as_array().expect("rows").iter().map(row).collect::<Vec<_>>())
    };
    backtest["origins"].as_array().expect("origins").iter().map(origin).collect()
}

#[test]
fn an_origin_is_judged_as_if_nothing_after_it_were_known() {
    let folder = built();
    folder.write("models/churn.toml", CHURN);
    let backtest = json(&folder, &["backtest", "churn", "--origins", "2", "--every-days", "30"]);
    let found = values(&backtest);
    assert_eq!(found.len(), 2);
    assert!(backtest["origins"].as_array().expect("origins").iter().all(|origin| origin["was_known"] == false));

    // The newest is what train and evaluate make of the task, to the last digit.
    folder.ok(&["train", "churn", "--warehouse", W]);
    let evaluation = json(&folder, &["evaluate", "churn"]);
    let newest = &found[1];
    assert_eq!(evaluation["as_of"], *newest.0);
    let evaluated = serde_json::json!({ "origins": [{ "as_of": newest.0, "rows": evaluation["rows"] }] });
    assert_eq!(values(&evaluated)[0], *newest);

    // Trainings are kept, known again, and score nothing.
    let ids = "SELECT count(DISTINCT backtest_id), count(DISTINCT as_of) FROM models.backtests";
    assert_eq!((folder.sql(W, ids), count(&folder, "models.runs")), (vec!["2,2".to_string()], 1));
    let again = json(&folder, &["backtest", "churn", "--origins", "3", "--every-days", "30"]);
    let known: Vec<bool> = again["origins"].as_array().expect("origins").iter().map(|o| o["was_known"] == true).collect();
    assert_eq!(known, [false, true, true]);
    assert_eq!(values(&again)[1..], found);
    assert_eq!(folder.sql(W, ids), ["3,3"]);

    // Other settings are another training.
    folder.write("models/churn.toml", &CHURN.replace("epochs = 2", "epochs = 1"));
    let text = folder.ok(&["backtest", "churn", "--origins", "1", "--warehouse", W]);
    assert!(text.contains("rolling origin, 1 test cut-offs every 60 days"), "{text}");
    assert_eq!(folder.sql(W, ids), ["4,3"]);

    let error = folder.fails(&["backtest", "churn", "--origins", "40", "--warehouse", W]);
    assert!(error.contains("test cut-offs every 60 days, not for 40"), "{error}");
}
