//! Searching for settings, and going on from earlier weights.

use super::shop::{W, built, count, json};
use crate::support::Folder;
use serde_json::Value;

/// A tiny model of churn with these lines of `[model]` and `[training]`, and a search.
fn churn(model: &str, training: &str, tune: &str) -> String {
    format!(
        "task = 'churn'\nlabel = 'labels.churn'\nhead = 'churn'\nhorizon_days = 90\ncutoffs = 2\n\
        [model]\nwidth = 16\nlayers = 1\n{model}\n[training]\nepochs = 2\n{training}\n[tune]\n{tune}\n"
    )
}

const TUNE: &str = "learning_rate = { from = 1e-3, to = 1e-2, log = true }\nlength = [8, 16]\ndropout = [0.0, 0.2]";

#[test]
fn trials_are_trainings_that_never_score() {
    let folder = built();
    folder.write("models/churn.toml", &churn("length = 16", "", TUNE));
    let snapshot =
        "SELECT count(DISTINCT snapshot), count(DISTINCT trial_id), count(DISTINCT config) FROM models.trials";
    let first = json(&folder, &["tune", "churn", "--trials", "4"]);
    let trials = first["trials"].as_array().expect("trials");
    let loss = |trial: &Value| trial["loss"].as_f64().expect("a loss");
    assert_eq!(trials.len(), 4);
    assert!(trials.windows(2).all(|pair| loss(&pair[0]) <= loss(&pair[1])), "{trials:?}");
    assert!(trials.iter().all(|trial| trial["was_known"] == false && trial["metrics"]["auc"].is_number()));
    assert_eq!(folder.sql(W, snapshot), ["1,4,4"]);

    // Nothing of that is a run.
    assert_eq!((count(&folder, "models.runs"), count(&folder, "models.metrics")), (0, 0));
    assert_eq!(json(&folder, &["runs"]), Value::Array(Vec::new()));
    let error = folder.fails(&["score", "churn", "--warehouse", W]);
    assert!(error.contains("no run of task churn"), "{error}");
    let error = folder.fails(&["promote", "churn", "--warehouse", W]);
    assert!(error.contains("no run of task churn"), "{error}");

    // What is there is not trained again, and more trials are some more.
    let again = json(&folder, &["tune", "churn", "--trials", "6"]);
    let known: Vec<&Value> =
        again["trials"].as_array().expect("trials").iter().filter(|t| t["was_known"] == true).collect();
    let without =
        |trial: &Value| (trial["trial"].clone(), trial["settings"].clone(), loss(trial), trial["metrics"].clone());
    assert_eq!(known.iter().map(|t| without(t)).collect::<Vec<_>>(), trials.iter().map(without).collect::<Vec<_>>());
    assert_eq!(folder.sql(W, snapshot), ["2,6,6"]);

    // A trial is what `train` makes of its settings, to the last digit, also where it reads fewer events than others.
    let all = again["trials"].as_array().expect("trials");
    for trial in [all.iter().find(|t| t["settings"]["length"] == 8), all.iter().find(|t| t["trial"] == 1)] {
        let trial = trial.expect("such a trial");
        let of = |name: &str| format!("{name} = {}", trial["settings"][name]);
        let model = format!("{}\n{}", of("length"), of("dropout"));
        folder.write("models/churn.toml", &churn(&model, &of("learning_rate"), TUNE));
        let run = json(&folder, &["train", "churn"]);
        assert_eq!(run["best_epoch"], trial["best_epoch"]);
        let query = format!(
            "SELECT m.value FROM models.metrics AS m JOIN models.runs AS r ON r.run_id = m.run_id AND r.best_epoch = m.epoch \
            WHERE r.run_id = '{}' AND m.metric = 'loss' AND m.split = 'valid'",
            run["run_id"].as_str().expect("a run")
        );
        assert_eq!(folder.sql(W, &query)[0].parse(), Ok(loss(trial)), "{trial}");
    }

    // Whatever was loaded since may change what a trial comes to.
    folder.write("models/churn.toml", &churn("length = 16", "", TUNE));
    folder.write("late.csv", "id\n1\n");
    folder.ok(&["load", "raw.late", "late.csv", "--warehouse", W]);
    let text = folder.ok(&["tune", "churn", "--trials", "2", "--warehouse", W]);
    assert!(text.contains("best first") && text.contains("learning_rate"), "{text}");
    assert_eq!(folder.sql(W, snapshot), ["3,8,6"]);
}

#[test]
fn what_cannot_be_searched_is_refused_before_anything_is_read() {
    let folder = Folder::new();
    folder.ok(&["init", W]);
    for (tune, problem) in [
        ("widht = [16]", "tune.widht is no setting"),
        ("dropout = []", "empty list"),
        ("dropout = [2.0]", "`model.dropout` is 2"),
        ("", "nothing to tune"),
    ] {
        folder.write("models/churn.toml", &churn("", "", tune));
        let error = folder.fails(&["tune", "churn", "--warehouse", W]);
        assert!(error.contains(problem), "{error}");
    }
    let error = folder.fails(&["tune", "recommendations", "--warehouse", W]);
    assert!(error.contains("nothing to train"), "{error}");
    let error = folder.fails(&["tune", "churn", "--trials", "0", "--warehouse", W]);
    assert!(error.contains("--trials"), "{error}");
}

#[test]
fn a_training_goes_on_from_an_earlier_run() {
    let folder = built();
    let from = |name: &str| ["train", "churn", "--from", name, "--warehouse", W].map(String::from);
    let fails = |name: &str| folder.fails(&from(name).each_ref().map(String::as_str));
    assert!(fails("newest").contains("no run of task churn"));
    folder.write("models/churn.toml", &churn("length = 16", "", TUNE));
    let first = json(&folder, &["train", "churn"])["run_id"].as_str().expect("a run").to_string();
    assert!(fails("champion").contains("no run of it was promoted"));
    assert!(fails("01a21a38-0000-7000-8000-000000000000").contains("no run 01a21a38"));

    // Steps of no length, so that the scores show whether the weights and what they are applied to came along.
    folder.write("models/churn.toml", &churn("length = 16", "learning_rate = 1e-30\nepochs_from = 1", TUNE));
    let second = json(&folder, &["train", "churn", "--from", "newest"]);
    assert_eq!((&second["plan"]["from"], &second["epochs"]), (&Value::from(first.as_str()), &Value::from(1)));
    let second = second["run_id"].as_str().expect("a run").to_string();
    let came = folder.sql(W, "SELECT coalesce(from_run, 'none') FROM models.runs ORDER BY finished_at");
    assert_eq!(came, ["none", first.as_str()]);
    for run in [&first, &second] {
        folder.ok(&["score", "churn", "--run", run, "--warehouse", W]);
    }
    let apart = format!(
        "SELECT count(*) > 100, max(abs(a.p_churn - b.p_churn)) < 1e-6 FROM scores.churn AS a JOIN scores.churn AS b \
        ON b.customer_id = a.customer_id AND b.run_id = '{second}' WHERE a.run_id = '{first}'"
    );
    assert_eq!(folder.sql(W, &apart), ["true,true"]);

    folder.ok(&["promote", "churn", "--run", &first, "--warehouse", W]);
    let third = folder.ok(&["train", "churn", "--from", "champion", "--warehouse", W]);
    assert!(third.contains(&format!("from run {first}")), "{third}");
    folder.write("models/churn.toml", &churn("length = 8", "", TUNE));
    let error = fails("newest");
    assert!(error.contains("model.length = 16, this task has 8"), "{error}");
    assert_eq!(count(&folder, "models.runs"), 3);
}
