//! What became of past scores: how well they foretold what followed, once the horizon is over, and before that how far
//! customers have moved since the model was tested.
//!
//! Of each run and calendar month the first cut-off that was scored speaks for the month: those of its other nights are
//! nearly the same customers again, and would make intervals too narrow. A cut-off before the run's test cut-off is no
//! test of it, because training saw what followed.

mod drift;
mod outcomes;
mod table;

use crate::dataset;
use crate::error::{Error, Result};
use crate::evaluation::{Interval, MAIN_METRICS};
use crate::progress::Progress;
use crate::registry::Registry;
use crate::runs::Run;
use crate::time::{MICROS_PER_DAY, date, now};
use chrono::{DateTime, Datelike};
use serde::Serialize;
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use table::{Kind, Measurement};
use warehouse::{Spine, Warehouse};

/// Everything that was ever measured of the scores, and what can't be yet.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MonitorReport {
    /// The newest of each number, by task and cut-off.
    pub lines: Vec<MonitorLine>,
    /// Scores whose horizon is not over.
    pub pending: Vec<Pending>,
    /// Scores that can't be judged, and why.
    pub unjudged: Vec<Unjudged>,
    /// Scored cut-offs that lie before their run's test cut-off.
    pub seen_in_training: usize,
    /// Rows of `models.monitoring` that are new.
    pub added: usize,
    /// Tasks whose main metric decayed at the newest cut-off judged of the run that scores, in words.
    pub alarms: Vec<String>,
}

/// A number of `models.monitoring`.
#[derive(Clone, Debug, Serialize)]
pub struct MonitorLine {
    pub task: String,
    pub run_id: String,
    pub as_of: String,
    pub metric: String,
    /// The feature that a psi is of.
    pub feature: Option<String>,
    pub customers: u64,
    pub value: f64,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub test_value: Option<f64>,
    /// decay or drift.
    pub flag: Option<String>,
}

/// Scores of a cut-off whose horizon is not over.
#[derive(Clone, Debug, Serialize)]
pub struct Pending {
    pub task: String,
    pub run_id: String,
    pub as_of: String,
    /// Data must reach until here.
    pub known_from: String,
}

/// Scores of a cut-off that no metric is defined for.
#[derive(Clone, Debug, Serialize)]
pub struct Unjudged {
    pub task: String,
    pub run_id: String,
    pub as_of: String,
    pub problem: String,
}

/// A run's scores at a cut-off.
#[derive(Clone, Debug)]
struct Scoring {
    task: String,
    run_id: String,
    as_of: i64,
    /// When they were computed last.
    scored_at: i64,
    /// The run's test cut-off.
    test: i64,
}

/// Measures what is not in `models.monitoring` yet, of the given tasks or else of all that a model scored.
///
/// # Errors
/// [`Error::NoScores`] for a given task that no model scored.
pub async fn monitor(warehouse: &Warehouse, tasks: &[String], progress: &dyn Progress) -> Result<MonitorReport> {
    let snapshot = warehouse.store().snapshot().await?;
    let session = dataset::session(warehouse, snapshot.id, Spine::Default, None).await?;
    let scorings = outcomes::scorings(&session).await?;
    if let Some(task) = tasks.iter().find(|task| scorings.iter().all(|scoring| scoring.task != **task)) {
        return Err(Error::NoScores { task: task.clone() });
    }
    let is_asked = |task: &str| tasks.is_empty() || tasks.iter().any(|asked| asked == task);
    let (tested, seen): (Vec<Scoring>, Vec<Scoring>) =
        scorings.into_iter().filter(|s| is_asked(&s.task)).partition(|s| s.as_of >= s.test);
    let mut report = MonitorReport { seen_in_training: seen.len(), ..MonitorReport::default() };
    let clock = warehouse.clock(&snapshot).await?.ok_or(Error::NoFacts)?;
    let registry = Registry::read(warehouse).await?;
    let watch = Watch {
        warehouse,
        snapshot: snapshot.id,
        observed_until: clock.observed_until.timestamp_micros(),
        registry: &registry,
        measured: table::measured(&session).await?,
        recorded_at: now(),
    };
    let rows = watch.all(&first_of_months(tested), &mut report, progress).await?;
    report.added = rows.len();
    if !rows.is_empty() {
        let transaction = format!("monitor:{}", watch.recorded_at);
        let batch = table::batch(&rows, watch.recorded_at)?;
        warehouse.append(vec![("models.monitoring", vec![batch])], &transaction, "monitor").await?;
    }
    let lines = table::lines(warehouse).await?;
    report.lines = lines.into_iter().filter(|line| is_asked(&line.task)).collect();
    report.alarms = alarms(&report.lines, |task| registry.scoring(task).map(String::from));
    Ok(report)
}

/// Fails where the main metric of a run that scores has decayed.
pub fn must_not_decay(report: &MonitorReport) -> Result<()> {
    match report.alarms.is_empty() {
        true => Ok(()),
        false => Err(Error::Decayed { alarms: report.alarms.join("; ") }),
    }
}

/// What measuring needs, and what was measured before.
struct Watch<'a> {
    warehouse: &'a Warehouse,
    snapshot: u64,
    /// Labels see until here.
    observed_until: i64,
    registry: &'a Registry,
    measured: BTreeSet<(String, i64, Kind)>,
    recorded_at: i64,
}

impl Watch<'_> {
    async fn all(
        &self,
        scorings: &[Scoring],
        report: &mut MonitorReport,
        progress: &dyn Progress,
    ) -> Result<Vec<Measurement>> {
        progress.start("monitor", Some(scorings.len() as u64));
        // Customers are the same for every task.
        let mut drifts = BTreeMap::new();
        let mut rows = Vec::new();
        for (scoring, done) in scorings.iter().zip(1..) {
            let key = |kind| (scoring.run_id.clone(), scoring.as_of, kind);
            if scoring.as_of > scoring.test && !self.measured.contains(&key(Kind::Drift)) {
                let cut_offs = (scoring.test, scoring.as_of);
                let drifts = match drifts.entry(cut_offs) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(drift::drifts(self.warehouse, self.snapshot, cut_offs).await?),
                };
                rows.extend(drifts.iter().map(|drift| Measurement::drift(scoring, drift)));
            }
            rows.extend(self.outcomes(scoring, report).await?);
            progress.at(done);
        }
        progress.finish(&format!("{} cut-offs, {} new numbers", scorings.len(), rows.len()));
        Ok(rows)
    }

    /// The metrics of scores whose horizon is over, unless they were measured before.
    async fn outcomes(&self, scoring: &Scoring, report: &mut MonitorReport) -> Result<Vec<Measurement>> {
        let Scoring { task, run_id, as_of, scored_at, test: _ } = scoring;
        let at_test = self.registry.metrics(run_id);
        // Scores of a run that was judged only after them are measured again, now that there is something to compare with.
        let kind = Kind::Outcome { scored_at: *scored_at, is_compared: !at_test.is_empty() };
        if self.measured.contains(&(run_id.clone(), *as_of, kind)) {
            return Ok(Vec::new());
        }
        let plan = Run::find(self.warehouse, task, Some(run_id)).await?.plan;
        let known_from = as_of + i64::from(plan.task.horizon_days) * MICROS_PER_DAY;
        let (task, run_id, as_of) = (task.clone(), run_id.clone(), date(*as_of));
        if known_from > self.observed_until {
            report.pending.push(Pending { task, run_id, as_of, known_from: date(known_from) });
            return Ok(Vec::new());
        }
        match outcomes::judged(self.warehouse, self.snapshot, scoring, &plan).await {
            Ok(judged) => {
                let of = |(customers, row): &(usize, crate::evaluation::Row)| {
                    let test = at_test.iter().find(|measured| measured.metric == row.metric);
                    Measurement::outcome(scoring, row, *customers, test.map(|measured| measured.value.estimate))
                };
                Ok(judged.iter().map(of).collect())
            }
            // Everybody stayed, say, so that there is no AUC: the other scores are judged all the same.
            Err(error @ (Error::Analytics(_) | Error::NotJudged { .. } | Error::NobodyToJudge)) => {
                report.unjudged.push(Unjudged { task, run_id, as_of, problem: error.to_string() });
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }
}

/// Of each run and calendar month (UTC) the first cut-off; `scorings` are ordered by cut-off.
fn first_of_months(scorings: Vec<Scoring>) -> Vec<Scoring> {
    let mut seen = BTreeSet::new();
    let month = |micros| DateTime::from_timestamp_micros(micros).map(|time| (time.year(), time.month()));
    scorings.into_iter().filter(|s| seen.insert((s.run_id.clone(), month(s.as_of)))).collect()
}

/// Whether a metric is worse than at the test, and not by chance.
fn decays(value: Interval, at_test: f64, higher_is_better: bool) -> bool {
    if higher_is_better { value.high < at_test } else { value.low > at_test }
}

/// Of each task the decay of its main metric, by the newest cut-off judged of the run that scores; `lines` are ordered by
/// cut-off.
fn alarms(lines: &[MonitorLine], scoring: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let tasks: BTreeSet<&str> = lines.iter().map(|line| line.task.as_str()).collect();
    let alarm = |task: &str| {
        let run = scoring(task)?;
        let of_run = |line: &&MonitorLine| line.task == task && line.run_id == run;
        let of = |metric: &&str| lines.iter().filter(of_run).rfind(|line| line.metric == **metric);
        let newest = MAIN_METRICS.iter().find_map(of)?;
        let MonitorLine { metric, as_of, value, test_value, flag, .. } = newest;
        flag.as_ref()?;
        Some(format!("{task}: {metric} {value:.4} at {as_of}, {:.4} at the test of run {run}", (*test_value)?))
    };
    tasks.into_iter().filter_map(alarm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_interval_on_the_worse_side_is_decay() {
        let value = Interval { estimate: 0.8, low: 0.7, high: 0.9 };
        for (at_test, higher_is_better, expected) in
            [(0.95, true, true), (0.9, true, false), (0.6, true, false), (0.6, false, true), (0.95, false, false)]
        {
            assert_eq!(decays(value, at_test, higher_is_better), expected, "{at_test} {higher_is_better}");
        }
    }

    #[test]
    fn the_first_cut_off_of_a_month_speaks_for_it() {
        let scoring = |run: &str, day: &str| {
            let as_of = crate::parse_time(day).unwrap().timestamp_micros();
            Scoring { task: "churn".into(), run_id: run.into(), as_of, scored_at: 0, test: 0 }
        };
        let scorings =
            [("a", "2024-01-02"), ("a", "2024-01-31"), ("b", "2024-01-31"), ("a", "2024-02-01"), ("a", "2025-01-01")];
        let kept = first_of_months(scorings.map(|(run, day)| scoring(run, day)).into());
        let kept: Vec<(&str, String)> = kept.iter().map(|s| (s.run_id.as_str(), date(s.as_of))).collect();
        let expected = [("a", "2024-01-02"), ("b", "2024-01-31"), ("a", "2024-02-01"), ("a", "2025-01-01")];
        assert_eq!(kept, expected.map(|(run, day)| (run, day.to_string())));
    }

    #[test]
    fn a_decay_alarms_only_for_the_run_that_scores_at_its_newest_cut_off() {
        let line = |run: &str, as_of: &str, metric: &str, flag: Option<&str>| MonitorLine {
            task: "churn".into(),
            run_id: run.into(),
            as_of: as_of.into(),
            metric: metric.into(),
            feature: None,
            customers: 9,
            value: 0.7,
            low: None,
            high: None,
            test_value: Some(0.8),
            flag: flag.map(String::from),
        };
        let decay = Some("decay");
        let of = |lines: &[MonitorLine]| alarms(lines, |_| Some("a".into()));
        assert_eq!(of(&[line("a", "2024-01-01", "auc", decay), line("a", "2024-02-01", "auc", None)]).len(), 0);
        assert_eq!(of(&[line("b", "2024-01-01", "auc", decay)]).len(), 0);
        assert_eq!(of(&[line("a", "2024-01-01", "brier", decay)]).len(), 0);
        let alarm = of(&[line("a", "2024-01-01", "auc", None), line("a", "2024-02-01", "auc", decay)]);
        assert_eq!(alarm, ["churn: auc 0.7000 at 2024-02-01, 0.8000 at the test of run a"]);
    }
}
