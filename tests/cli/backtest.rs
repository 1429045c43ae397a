//! Training and judging a task from several test cut-offs.

use super::shop::{W, built, count, json};
use serde_json::Value;

const CHURN: &str = "task = 'churn'\nlabel = 'labels.churn'\nhead = 'churn'\nhorizon_days = 60\ncutoffs = 2\n\
    [model]\nwidth = 16\nlayers = 1\n[training]\nepochs = 2\n";

/// A model, a metric and its value.
type Measured = (String, String, f64);

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_string()
}

/// What was measured, by test cut-off.
fn values(backtest: &Value) -> Vec<(String, Vec<Measured>)> {
    let row =
        |row: &Value| (text(&row["model"]), text(&row["metric"]), row["value"]["estimate"].as_f64().expect("a number"));
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

    // Who is called at a threshold.
    let decided = json(&folder, &["evaluate", "churn", "--threshold", "0.5"]);
    let decided = serde_json::json!({ "origins": [{ "as_of": newest.0, "rows": decided["rows"] }] });
    let (_, decided) = values(&decided).remove(0);
    let of =
        |metric: &str| decided.iter().find(|(model, name, _)| model == "perennial" && name == metric).expect(metric).2;
    let (precision, recall) = (of("precision at 0.5"), of("recall at 0.5"));
    assert!((of("f1 at 0.5") - 2.0 * precision * recall / (precision + recall)).abs() < 1e-12, "{decided:?}");
    assert!(decided.iter().any(|(model, name, _)| model.contains("RFM") && name == "f1 at 0.5"), "{decided:?}");
    for (threshold, problem) in
        [("1.0", "nobody's probability reaches 1"), ("30", "a threshold of 30 is no probability")]
    {
        let error = folder.fails(&["evaluate", "churn", "--threshold", threshold, "--warehouse", W]);
        assert!(error.contains(problem), "{error}");
    }
    let error = folder.fails(&["evaluate", "clv", "--threshold", "0.5", "--warehouse", W]);
    assert!(error.contains("gives no probability"), "{error}");

    // Trainings are kept, known again, and score nothing.
    let ids = "SELECT count(DISTINCT backtest_id), count(DISTINCT as_of) FROM models.backtests";
    assert_eq!((folder.sql(W, ids), count(&folder, "models.runs")), (vec!["2,2".to_string()], 1));
    let again = json(&folder, &["backtest", "churn", "--origins", "3", "--every-days", "30"]);
    let known: Vec<bool> =
        again["origins"].as_array().expect("origins").iter().map(|o| o["was_known"] == true).collect();
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
