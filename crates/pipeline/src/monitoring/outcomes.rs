//! Scores beside what then happened: the same metrics as an evaluation, of what was written rather than of what a model
//! says now.

use super::Scoring;
use crate::columns::Rows;
use crate::dataset::{self, Labels, Outcome};
use crate::error::{Error, Result};
use crate::evaluation::{Answers, Judged, Row, SHOWN, compare};
use crate::metrics_table::OURS;
use crate::runs::Plan;
use analytics::metrics::NOT_RANKED;
use sequences::{Head, TargetKind};
use std::collections::HashMap;
use warehouse::{Session, Spine, Warehouse};

/// Each run's scores at each cut-off, by cut-off, task and run.
pub(super) async fn scorings(session: &Session) -> Result<Vec<Scoring>> {
    let query = "WITH scored AS ( \
            SELECT task, run_id, as_of, scored_at FROM scores.churn \
            UNION ALL SELECT task, run_id, as_of, scored_at FROM scores.clv \
            UNION ALL SELECT task, run_id, as_of, scored_at FROM scores.next_purchase \
            UNION ALL SELECT task, run_id, as_of, scored_at FROM scores.outcomes \
        ) \
        SELECT s.task, s.run_id, s.as_of, max(s.scored_at) AS scored_at, r.test_as_of \
        FROM scored AS s JOIN models.runs AS r ON r.run_id = s.run_id \
        GROUP BY s.task, s.run_id, s.as_of, r.test_as_of ORDER BY s.as_of, s.task, s.run_id";
    let rows = dataset::rows(session, "scores", query).await?;
    let text = |column| rows.required(column, rows.texts(column)?, "text without NULL");
    let time = |column| rows.required(column, rows.times(column)?, "time without NULL");
    let times = time("as_of")?.into_iter().zip(time("scored_at")?).zip(time("test_as_of")?);
    let keys = text("task")?.into_iter().zip(text("run_id")?).zip(times);
    let scoring = |((task, run_id), ((as_of, scored_at), test))| Scoring { task, run_id, as_of, scored_at, test };
    Ok(keys.map(scoring).collect())
}

/// Every metric of scores whose horizon is over, and how many customers it is of.
///
/// # Errors
/// [`Error::NobodyToJudge`] where nobody who was scored has a label.
pub(super) async fn judged(
    warehouse: &Warehouse,
    snapshot: u64,
    scoring: &Scoring,
    plan: &Plan,
) -> Result<Vec<(usize, Row)>> {
    let labels = dataset::labels(warehouse, snapshot, &plan.task, &[scoring.as_of]).await?;
    let session = dataset::session(warehouse, snapshot, Spine::Default, None).await?;
    let scores = Scores { session: &session, scoring };
    let head = plan.task.head()?;
    let (table, column) = match head {
        Head::Churn => ("scores.churn", "p_churn"),
        Head::Clv => ("scores.clv", "expected_value"),
        Head::Binary => ("scores.outcomes", "p"),
        Head::Count | Head::Amount => ("scores.outcomes", "expected"),
        Head::NextPurchase | Head::NextItem => ("scores.next_purchase_time", "median_days"),
    };
    let scored = scores.numbers(table, column).await?;
    match head.target_kind() {
        TargetKind::Label => {
            let pairs = pairs(&labels, &scored, Outcome::has_happened);
            let (happened, p): (Vec<bool>, Vec<f64>) = pairs.into_iter().unzip();
            metrics(happened.len(), Answers::Labels(happened.into(), p.into()))
        }
        kind @ (TargetKind::Amount | TargetKind::Count) => {
            let (actual, expected): (Vec<f64>, Vec<f64>) = pairs(&labels, &scored, Outcome::number).into_iter().unzip();
            metrics(actual.len(), Answers::numbers(kind, actual, expected))
        }
        TargetKind::Next => {
            let horizon = f64::from(plan.task.horizon_days);
            let pairs = pairs(&labels, &scored, |outcome| outcome.restricted_days(horizon));
            let (actual, median): (Vec<f64>, Vec<f64>) =
                pairs.into_iter().map(|(days, median)| (days, median.min(horizon))).unzip();
            let ranks = scores.ranks(&labels).await?;
            let mut rows =
                if ranks.is_empty() { Vec::new() } else { metrics(ranks.len(), Answers::Ranks(ranks.into()))? };
            if rows.is_empty() || !actual.is_empty() {
                rows.extend(metrics(actual.len(), Answers::Days(actual.into(), median.into()))?);
            }
            Ok(rows)
        }
    }
}

/// What happened to whoever was scored, with the score.
fn pairs<T>(labels: &Labels, scored: &HashMap<String, f64>, of: impl Fn(&Outcome) -> T) -> Vec<(T, f64)> {
    let both = labels.keys.iter().zip(&labels.outcomes);
    both.filter_map(|((customer, _), outcome)| Some((of(outcome), *scored.get(customer)?))).collect()
}

fn metrics(customers: usize, answers: Answers) -> Result<Vec<(usize, Row)>> {
    if customers == 0 {
        return Err(Error::NobodyToJudge);
    }
    let rows = compare(&Judged::new(OURS, [answers])?, &[])?;
    Ok(rows.into_iter().map(|row| (customers, row)).collect())
}

/// The score tables' rows of one run and cut-off; of several scorings each customer's last.
struct Scores<'a> {
    session: &'a Session,
    scoring: &'a Scoring,
}

impl Scores<'_> {
    async fn rows(&self, table: &str, columns: &str) -> Result<Rows> {
        let Scoring { task, run_id, as_of, .. } = self.scoring;
        let query = format!(
            "SELECT customer_id, {columns} FROM {table} WHERE task = '{task}' AND run_id = '{run_id}' \
            AND as_of = arrow_cast({as_of}, 'Timestamp(Microsecond, Some(\"UTC\"))') \
            QUALIFY rank() OVER (PARTITION BY customer_id ORDER BY scored_at DESC) = 1"
        );
        dataset::rows(self.session, table, &query).await
    }

    async fn numbers(&self, table: &str, column: &str) -> Result<HashMap<String, f64>> {
        let rows = self.rows(table, column).await?;
        let customers = rows.required("customer_id", rows.texts("customer_id")?, "text without NULL")?;
        Ok(customers.into_iter().zip(rows.required(column, rows.numbers(column)?, "number without NULL")?).collect())
    }

    /// Rank of what each scored buyer of the horizon bought first. Empty where the lists are too short to tell.
    async fn ranks(&self, labels: &Labels) -> Result<Vec<u32>> {
        let rows = self.rows("scores.next_purchase", "product_id, rank").await?;
        let ranks = rows.required("rank", rows.numbers("rank")?, "number without NULL")?;
        let mut lists: HashMap<String, HashMap<String, u32>> = HashMap::new();
        let keys = rows.texts("customer_id")?.into_iter().zip(rows.texts("product_id")?);
        for ((customer, product), rank) in keys.zip(&ranks) {
            lists.entry(customer.unwrap_or_default()).or_default().insert(product.unwrap_or_default(), *rank as u32);
        }
        if ranks.iter().all(|rank| *rank < f64::from(SHOWN)) {
            return Ok(Vec::new());
        }
        let rank = |((customer, _), outcome): (&(String, i64), &Outcome)| match outcome {
            Outcome::Next { product: Some(product), .. } => {
                Some(lists.get(customer)?.get(product).copied().unwrap_or(NOT_RANKED))
            }
            _ => None,
        };
        Ok(labels.keys.iter().zip(&labels.outcomes).filter_map(rank).collect())
    }
}
