//! Which run of a task scores, from training to promotion and back.

use super::shop::{W, built, count, json};
use crate::support::Folder;
use serde_json::Value;

fn roles(folder: &Folder) -> Vec<(String, String)> {
    let text = |run: &Value, key: &str| run[key].as_str().expect("text").to_string();
    let runs = json(folder, &["runs", "churn"]);
    runs.as_array().expect("runs").iter().map(|run| (text(run, "run_id"), text(run, "role"))).collect()
}

/// The run that `score` takes without being told, and the run whose probabilities the mart shows then.
fn scored_by(folder: &Folder) -> (String, String) {
    let scored = json(folder, &["score", "churn"])["tables"][0]["run_id"].as_str().expect("a run").to_string();
    let shown = "SELECT DISTINCT s.run_id FROM marts.customer_360 AS m JOIN scores.churn AS s \
        ON s.customer_id = m.customer_id AND s.as_of = m.scores_as_of AND s.p_churn = m.p_churn";
    let shown = folder.sql(W, shown);
    assert_eq!(shown.len(), 1, "two seeds give no probability twice: {shown:?}");
    (scored, shown[0].clone())
}

#[test]
fn a_champion_scores_until_another_is_promoted_or_it_is_rolled_back() {
    let folder = built();
    for seed in ["1", "2"] {
        folder.ok(&["train", "churn", "--seed", seed, "--warehouse", W]);
    }
    let runs = roles(&folder);
    let (new, old) = (runs[0].0.clone(), runs[1].0.clone());
    assert_eq!((runs[0].1.as_str(), runs[1].1.as_str(), runs.len()), ("newest", "past", 2));
    assert_eq!(scored_by(&folder), (new.clone(), new.clone()));

    folder.ok(&["evaluate", "churn", "--run", &old, "--warehouse", W]);
    let promoted = folder.ok(&["promote", "churn", "--run", &old, "--reason", "it's calmer", "--warehouse", W]);
    assert!(promoted.contains(&format!("run {old} is the champion of churn\n")), "{promoted}");
    assert!(promoted.contains("auc ") && promoted.contains(&format!("evaluate churn --run {new}")), "{promoted}");
    assert_eq!(roles(&folder), [(new.clone(), "challenger".into()), (old.clone(), "champion".into())]);
    assert_eq!(scored_by(&folder), (old.clone(), old.clone()));
    // Of parts of the customers, too, which are not what a run is known by.
    let judged = json(&folder, &["evaluate", "churn", "--slices"]);
    assert_eq!(judged["run_id"].as_str(), Some(new.as_str()), "evaluate judges the newest run all the same");
    let night = "warehouse = 'w'\n[[tasks]]\ntask = 'churn'\n";
    folder.write("perennial.toml", night);
    let night = folder.ok(&["run", "--project", "."]);
    assert!(night.contains(&format!("champion {old} scores; challenger {new} waits")), "{night}");

    // The newest run without being named, compared with the champion before.
    let promoted = json(&folder, &["promote", "churn"]);
    assert_eq!(promoted["scores"]["run_id"].as_str(), Some(new.as_str()));
    assert_eq!(promoted["before"]["run_id"].as_str(), Some(old.as_str()));
    let listed = &json(&folder, &["runs"])[0];
    let auc = promoted["scores"]["metrics"].as_array().expect("metrics").iter().find(|m| m["metric"] == "auc");
    assert_eq!(Some(&listed["main"]), auc);
    let in_table = folder.sql(W, &format!("SELECT value FROM models.metrics WHERE run_id = '{new}' AND split = 'test' AND slice IS NULL AND model = 'perennial' AND metric = 'auc'"));
    assert_eq!(listed["main"]["value"]["estimate"].as_f64(), in_table[0].parse().ok());
    assert_eq!(scored_by(&folder), (new.clone(), new.clone()));
    let again = folder.ok(&["promote", "churn", "--warehouse", W]);
    assert!(again.contains("already"), "{again}");
    assert_eq!(count(&folder, "models.champions"), 2, "what is the champion already is not promoted again");

    // Back to the first champion, whose scores of this cut-off are there already, and on to none.
    let scores = count(&folder, "scores.churn");
    folder.ok(&["rollback", "churn", "--warehouse", W]);
    assert_eq!(scored_by(&folder), (old.clone(), old.clone()));
    assert_eq!(count(&folder, "scores.churn"), scores);
    let back = folder.ok(&["rollback", "churn", "--warehouse", W]);
    assert!(back.contains(&format!("no champion: its newest run, {new}, scores")), "{back}");
    assert_eq!(roles(&folder), [(new, "newest".into()), (old.clone(), "past".into())]);
    let log = folder
        .sql(W, "SELECT operation, run_id IS NULL, coalesce(reason, '') FROM models.champions ORDER BY promoted_at");
    assert_eq!(log, ["promote,false,it's calmer", "promote,false,", "rollback,false,", "rollback,true,"]);

    let error = folder.fails(&["rollback", "churn", "--warehouse", W]);
    assert!(error.contains("nothing to undo"), "{error}");
    let error = folder.fails(&["promote", "clv", "--run", &old, "--warehouse", W]);
    assert!(error.contains(&format!("run {old} is one of task churn")), "{error}");
    let error = folder.fails(&["promote", "recommendations", "--warehouse", W]);
    assert!(error.contains("nothing to train"), "{error}");
}
