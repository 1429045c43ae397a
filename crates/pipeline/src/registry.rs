//! Which run of a task scores: its champion, and where nobody promoted one, its newest run.
//!
//! Only a person promotes. A night trains challengers and leaves the champion alone, since a model that swaps itself can't
//! be told from customers who changed. Promotions are rows of `models.champions`, and going back is one more row: it makes
//! what was champion before the newest promotion that still stands the champion again, step by step down to none.

use crate::columns::Rows;
use crate::dataset;
use crate::error::{Error, Result};
use crate::evaluation::{Interval, MAIN_METRICS};
use crate::metrics_table::OURS;
use crate::runs::Run;
use crate::task::Task;
use crate::time::{date, now};
use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use warehouse::{Session, Spine, Warehouse};

/// What a promotion or a rollback changed.
#[derive(Clone, Debug, Serialize)]
pub struct Promotion {
    pub task: String,
    /// The champion now. None: the newest run scores.
    pub champion: Option<String>,
    /// False where it was the champion already.
    pub is_changed: bool,
    /// The run that scores from now on; None where there is none.
    pub scores: Option<Judgement>,
    /// The one that scored until now, where it is another.
    pub before: Option<Judgement>,
}

/// A run with what its evaluation said.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    pub run_id: String,
    pub test_as_of: Option<String>,
    /// Of the newest evaluation; empty where there was none.
    pub metrics: Vec<Measured>,
}

/// A metric of a run at its test cut-off.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    pub metric: String,
    pub value: Interval,
}

/// A run in the list of runs.
#[derive(Clone, Debug, Serialize)]
pub struct RunLine {
    pub task: String,
    pub run_id: String,
    pub role: Role,
    pub finished_at: Option<String>,
    pub best_epoch: Option<u64>,
    pub test_as_of: Option<String>,
    /// The task's main metric at the test cut-off; None before an evaluation.
    pub main: Option<Measured>,
}

/// What a run is to its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Promoted: it scores.
    Champion,
    /// The newest run, newer than the champion: it waits to be promoted.
    Challenger,
    /// The newest run of a task without a champion: it scores.
    Newest,
    /// None of these.
    Past,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Champion => "champion",
            Role::Challenger => "challenger",
            Role::Newest => "newest",
            Role::Past => "",
        }
    }
}

/// Makes a run the champion of its task: the newest run, unless another is named.
pub async fn promote(warehouse: &Warehouse, task: &Task, run: Option<&str>, reason: Option<&str>) -> Result<Promotion> {
    task.head()?;
    let run = Run::find(warehouse, &task.name, run).await?;
    let registry = Registry::read(warehouse).await?;
    let is_changed = registry.champion(&task.name) != Some(&run.run_id);
    if is_changed {
        registry.decide(warehouse, &task.name, Some(&run.run_id), Operation::Promote, reason).await?;
    }
    Ok(registry.promotion(&task.name, Some(run.run_id), is_changed))
}

/// Undoes the newest promotion of a task that still stands.
///
/// # Errors
/// [`Error::NoChampion`] where none does.
pub async fn rollback(warehouse: &Warehouse, task: &Task, reason: Option<&str>) -> Result<Promotion> {
    task.head()?;
    let registry = Registry::read(warehouse).await?;
    let mut standing = registry.standing(&task.name);
    if standing.pop().is_none() {
        return Err(Error::NoChampion { task: task.name.clone() });
    }
    let before = standing.last().map(|run| run.to_string());
    registry.decide(warehouse, &task.name, before.as_deref(), Operation::Rollback, reason).await?;
    Ok(registry.promotion(&task.name, before, true))
}

/// Every run of a task, or of all, newest first.
pub async fn runs(warehouse: &Warehouse, task: Option<&str>) -> Result<Vec<RunLine>> {
    let registry = Registry::read(warehouse).await?;
    let line = |run: &Known| RunLine {
        task: run.task.clone(),
        run_id: run.run_id.clone(),
        role: registry.role(run),
        finished_at: run.finished_at.map(date),
        best_epoch: run.best_epoch,
        test_as_of: run.test_as_of.map(date),
        main: registry.main(&run.run_id),
    };
    Ok(registry.runs.iter().filter(|run| task.is_none_or(|task| run.task == task)).map(line).collect())
}

/// The run that scores a task: the one named, or else the champion, or else the newest.
pub(crate) async fn scoring_run(warehouse: &Warehouse, task: &str, run: Option<&str>) -> Result<Run> {
    match run {
        Some(run) => Run::find(warehouse, task, Some(run)).await,
        None => {
            let registry = Registry::read(warehouse).await?;
            Run::find(warehouse, task, registry.champion(task)).await
        }
    }
}

/// That a challenger waits, in words; `None` where none does.
pub(crate) async fn waiting(warehouse: &Warehouse, task: &str) -> Result<Option<String>> {
    let registry = Registry::read(warehouse).await?;
    let challenger = registry.runs.iter().find(|run| run.task == task && registry.role(run) == Role::Challenger);
    let of = |(challenger, champion): (&Known, &str)| {
        format!("champion {champion} scores; challenger {} waits for: perennial promote {task}", challenger.run_id)
    };
    Ok(challenger.zip(registry.champion(task)).map(of))
}

/// The tables `models.runs`, `models.champions` and `models.metrics`, as far as they speak of whole runs.
pub(crate) struct Registry {
    /// Newest first.
    runs: Vec<Known>,
    /// By task, oldest first.
    decisions: BTreeMap<String, Vec<Decision>>,
    /// By run.
    metrics: BTreeMap<String, Vec<Measured>>,
}

struct Known {
    task: String,
    run_id: String,
    finished_at: Option<i64>,
    best_epoch: Option<u64>,
    test_as_of: Option<i64>,
}

struct Decision {
    run_id: Option<String>,
    decided_at: i64,
    operation: Option<Operation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Promote,
    Rollback,
}

impl Operation {
    const ALL: [Operation; 2] = [Operation::Promote, Operation::Rollback];

    fn name(self) -> &'static str {
        match self {
            Operation::Promote => "promote",
            Operation::Rollback => "rollback",
        }
    }
}

impl Registry {
    pub(crate) async fn read(warehouse: &Warehouse) -> Result<Registry> {
        let snapshot = warehouse.store().snapshot().await?.id;
        let session = dataset::session(warehouse, snapshot, Spine::Default, None).await?;
        Ok(Registry {
            runs: known(&session).await?,
            decisions: decisions(&session).await?,
            metrics: metrics(&session).await?,
        })
    }

    pub(crate) fn champion(&self, task: &str) -> Option<&str> {
        self.standing(task).pop()
    }

    /// The run that scores a task.
    pub(crate) fn scoring(&self, task: &str) -> Option<&str> {
        let newest = || self.runs.iter().find(|run| run.task == task).map(|run| run.run_id.as_str());
        self.champion(task).or_else(newest)
    }

    /// What the newest evaluation said of a run.
    pub(crate) fn metrics(&self, run_id: &str) -> &[Measured] {
        self.metrics.get(run_id).map_or(&[], Vec::as_slice)
    }

    /// The runs promoted and not rolled back, the champion last.
    fn standing(&self, task: &str) -> Vec<&str> {
        let mut standing = Vec::new();
        for decision in self.decisions.get(task).into_iter().flatten() {
            match (decision.operation, &decision.run_id) {
                (Some(Operation::Promote), Some(run)) => standing.push(run.as_str()),
                (Some(Operation::Rollback), _) => drop(standing.pop()),
                _ => {}
            }
        }
        standing
    }

    fn role(&self, run: &Known) -> Role {
        let is_newest = self.runs.iter().find(|other| other.task == run.task).map(|newest| &newest.run_id);
        match (self.champion(&run.task), is_newest == Some(&run.run_id)) {
            (Some(champion), _) if champion == run.run_id => Role::Champion,
            (Some(_), true) => Role::Challenger,
            (None, true) => Role::Newest,
            (_, false) => Role::Past,
        }
    }

    fn main(&self, run_id: &str) -> Option<Measured> {
        let measured = self.metrics(run_id);
        MAIN_METRICS.iter().find_map(|main| measured.iter().find(|m| m.metric == *main)).cloned()
    }

    fn judgement(&self, run_id: &str) -> Judgement {
        let known = self.runs.iter().find(|run| run.run_id == run_id);
        let test_as_of = known.and_then(|run| run.test_as_of).map(date);
        Judgement { run_id: run_id.into(), test_as_of, metrics: self.metrics(run_id).to_vec() }
    }

    /// What comes of `champion` where until now it was as `self` says.
    fn promotion(&self, task: &str, champion: Option<String>, is_changed: bool) -> Promotion {
        let newest = self.runs.iter().find(|run| run.task == task).map(|run| run.run_id.clone());
        let scores = champion.clone().or(newest);
        let before = self.scoring(task).filter(|before| scores.as_deref() != Some(before));
        let before = before.map(|before| self.judgement(before));
        let scores = scores.map(|run| self.judgement(&run));
        Promotion { task: task.into(), champion, is_changed, scores, before }
    }

    async fn decide(
        &self,
        warehouse: &Warehouse,
        task: &str,
        run: Option<&str>,
        operation: Operation,
        reason: Option<&str>,
    ) -> Result<()> {
        // After the last decision, whatever the clock says.
        let last = self.decisions.get(task).and_then(|decisions| decisions.last());
        let at = last.map_or(now(), |last| now().max(last.decided_at + 1));
        let text = |value: Option<&str>| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
        let row = RecordBatch::try_from_iter_with_nullable([
            ("task", text(Some(task)), true),
            ("run_id", text(run), true),
            ("promoted_at", Arc::new(TimestampMicrosecondArray::from(vec![at]).with_timezone("UTC")) as ArrayRef, true),
            ("operation", text(Some(operation.name())), true),
            ("reason", text(reason), true),
        ])?;
        let transaction = format!("{}:{task}:{at}", operation.name());
        warehouse.append(vec![("models.champions", vec![row])], &transaction, operation.name()).await?;
        Ok(())
    }
}

async fn known(session: &Session) -> Result<Vec<Known>> {
    let query = "SELECT task, run_id, finished_at, best_epoch, test_as_of FROM models.runs \
        ORDER BY finished_at DESC, run_id DESC";
    let rows = dataset::rows(session, "models.runs", query).await?;
    let keys = texts(&rows, "task")?.into_iter().zip(texts(&rows, "run_id")?);
    let numbers = rows.numbers("best_epoch")?.into_iter().map(|epoch| epoch.map(|epoch| epoch as u64));
    let rest = rows.times("finished_at")?.into_iter().zip(numbers).zip(rows.times("test_as_of")?);
    let run = |((task, run_id), ((finished_at, best_epoch), test_as_of))| Known {
        task,
        run_id,
        finished_at,
        best_epoch,
        test_as_of,
    };
    Ok(keys.zip(rest).map(run).collect())
}

async fn decisions(session: &Session) -> Result<BTreeMap<String, Vec<Decision>>> {
    let query = "SELECT task, run_id, promoted_at, operation FROM models.champions ORDER BY promoted_at";
    let rows: Rows = dataset::rows(session, "models.champions", query).await?;
    let times = rows.required("promoted_at", rows.times("promoted_at")?, "time without NULL")?;
    let what = texts(&rows, "operation")?.into_iter().zip(rows.texts("run_id")?);
    let mut decisions: BTreeMap<String, Vec<Decision>> = BTreeMap::new();
    for ((task, decided_at), (operation, run_id)) in texts(&rows, "task")?.into_iter().zip(times).zip(what) {
        let operation = Operation::ALL.into_iter().find(|known| known.name() == operation);
        decisions.entry(task).or_default().push(Decision { run_id, decided_at, operation });
    }
    Ok(decisions)
}

async fn metrics(session: &Session) -> Result<BTreeMap<String, Vec<Measured>>> {
    let query = format!(
        "SELECT run_id, metric, value, low, high FROM models.metrics \
        WHERE split = 'test' AND slice IS NULL AND model = '{OURS}' \
        AND value IS NOT NULL AND low IS NOT NULL AND high IS NOT NULL \
        QUALIFY row_number() OVER (PARTITION BY run_id, metric ORDER BY recorded_at DESC) = 1 ORDER BY run_id, metric"
    );
    let rows = dataset::rows(session, "models.metrics", &query).await?;
    let number = |column| rows.required(column, rows.numbers(column)?, "number without NULL");
    let ends = number("low")?.into_iter().zip(number("high")?);
    let values = number("value")?.into_iter().zip(ends);
    let keys = texts(&rows, "run_id")?.into_iter().zip(texts(&rows, "metric")?);
    let mut metrics: BTreeMap<String, Vec<Measured>> = BTreeMap::new();
    for ((run_id, metric), (estimate, (low, high))) in keys.zip(values) {
        let value = Interval { estimate, low, high };
        metrics.entry(run_id).or_default().push(Measured { metric, value });
    }
    Ok(metrics)
}

fn texts(rows: &Rows, column: &str) -> Result<Vec<String>> {
    rows.required(column, rows.texts(column)?, "text without NULL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(decisions: &[(&str, Option<&str>)]) -> Registry {
        let decision = |(at, (operation, run)): (usize, &(&str, Option<&str>))| Decision {
            run_id: run.map(String::from),
            decided_at: at as i64,
            operation: Operation::ALL.into_iter().find(|known| known.name() == *operation),
        };
        let run = |run_id: &str| Known {
            task: "churn".into(),
            run_id: run_id.into(),
            finished_at: None,
            best_epoch: None,
            test_as_of: None,
        };
        let decisions = decisions.iter().enumerate().map(decision).collect();
        Registry {
            runs: ["c", "b", "a"].map(run).into(),
            decisions: [("churn".to_string(), decisions)].into(),
            metrics: BTreeMap::new(),
        }
    }

    fn roles(registry: &Registry) -> Vec<&'static str> {
        registry.runs.iter().map(|run| registry.role(run).name()).collect()
    }

    #[test]
    fn each_rollback_goes_one_champion_further_back() {
        let promotions = [("promote", Some("a")), ("promote", Some("b")), ("promote", Some("c"))];
        let back = [("rollback", Some("b")), ("rollback", Some("a")), ("rollback", None)];
        let champion = |decisions: &[(&str, Option<&str>)]| registry(decisions).champion("churn").map(String::from);
        let steps: Vec<Option<String>> =
            (0..=back.len()).map(|steps| champion(&[&promotions[..], &back[..steps]].concat())).collect();
        assert_eq!(steps, [Some("c".into()), Some("b".into()), Some("a".into()), None]);
        // A promotion after a rollback stands on what the rollback left.
        let again = [&promotions[..], &back[..1], &[("promote", Some("c")), ("rollback", Some("b"))]].concat();
        assert_eq!(champion(&again), Some("b".into()));
    }

    #[test]
    fn without_a_champion_the_newest_run_scores_and_with_one_it_waits() {
        assert_eq!(roles(&registry(&[])), ["newest", "", ""]);
        assert_eq!(registry(&[]).scoring("churn"), Some("c"));
        let promoted = registry(&[("promote", Some("a"))]);
        assert_eq!(roles(&promoted), ["challenger", "", "champion"]);
        assert_eq!(promoted.scoring("churn"), Some("a"));
        assert_eq!(roles(&registry(&[("promote", Some("c"))])), ["champion", "", ""]);
        assert_eq!(promoted.scoring("clv"), None);
    }
}
