//! What the models of tasks say of every customer of a cut-off.

use super::{Rows, ScoreOptions, Stamp, reasons};
use crate::dataset;
use crate::error::{Error, Result};
use crate::explaining::families;
use crate::features::Features;
use crate::judging::plan_over;
use crate::progress::Progress;
use crate::registry;
use crate::runs::Run;
use crate::task::Task;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use sequences::{Example, Head, Sequences};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use trainer::{Model, NextPurchase, Predictions, TimeToNext};
use warehouse::Warehouse;

/// Rows of a table.
type Table = (&'static str, RecordBatch);

/// Where a run's products go, once.
const PRODUCT_EMBEDDINGS: &str = "models.product_embeddings";
/// Where the probabilities of staying away for other times than a task's horizon go.
const HORIZONS: &str = "scores.churn_horizons";

/// The scores of each of the tasks, all of which have a model.
pub(super) async fn scores(
    warehouse: &Warehouse,
    tasks: &[&Task],
    options: &ScoreOptions,
    stamp: &Stamp,
    progress: &dyn Progress,
) -> Result<Vec<Rows>> {
    if options.reasons.is_some() {
        reasons::must_have_any(tasks)?;
    }
    if let (false, false, Some(task)) =
        (options.horizons.is_empty(), tasks.iter().any(|task| task.head == Some(Head::Churn)), tasks.first())
    {
        let problem = "its scores are of one time; those of churn can be of several horizons".into();
        return Err(Error::Task { task: task.name.clone(), problem });
    }
    let sequences = dataset::sequences(warehouse, stamp.snapshot, progress).await?;
    // Several models read the same features, so those of a view, or of none, are read once.
    let mut features: HashMap<Option<String>, Features> = HashMap::new();
    let mut rows = Vec::new();
    for task in tasks {
        let run = registry::scoring_run(warehouse, &task.name, options.run.as_deref()).await?;
        if run.plan.task.head == Some(Head::Churn) {
            options.horizons.iter().try_for_each(|&days| plan_over(&run.plan, Some(days)).map(drop))?;
        }
        progress.start(&format!("score {}", task.name), None);
        let scored = Scored { run: &run, stamp };
        let view = &run.plan.task.features;
        let read = match features.entry(view.clone()) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(unread) => {
                unread.insert(Features::of_task(warehouse, stamp.snapshot, &run.plan.task, &stamp.keys).await?)
            }
        };
        let model = run.model(warehouse).await?;
        let days = run.plan.task.horizon_days;
        let prior = run.plan.prior_features(warehouse, stamp.snapshot, &stamp.keys, days).await?;
        let features = Features::select(&[read, &prior], &model.features())?;
        let examples = dataset::examples(&sequences, &stamp.keys, &features, model.config().length())?;
        let batches = tokio::task::block_in_place(|| scored.tables(&model, &sequences, &examples, options))?;
        progress.finish(&format!("{} customers", stamp.keys.len()));
        // A run at a cut-off of the same core tables is one score, however often a kill or an idle night repeats it.
        let transaction = format!("score:{}:{}:{}:{}", stamp.core, stamp.as_of, options.top, run.run_id);
        rows.extend(batches.into_iter().map(|(table, batch)| {
            let transaction = match table {
                PRODUCT_EMBEDDINGS => format!("embed:{}", run.run_id),
                HORIZONS => format!("{transaction}:{:?}", options.horizons),
                _ => transaction.clone(),
            };
            scored.rows(table, batch, transaction)
        }));
        if let (Some(most), Some(table)) = (options.reasons, reasons::table(run.plan.task.head)) {
            progress.start(&format!("reasons {}", task.name), None);
            let families = families(warehouse, stamp.snapshot, view.as_deref(), &model.features()).await?;
            let found = || reasons::rows(&scored, &model, &sequences, &examples, &families, most);
            let batch = tokio::task::block_in_place(found)?;
            progress.finish(&format!("{} customers", stamp.keys.len()));
            rows.push(scored.rows(table, batch, reasons::transaction(stamp, &run.run_id, most)));
        }
    }
    Ok(rows)
}

/// The columns that every score row has.
pub(super) struct Scored<'a> {
    run: &'a Run,
    stamp: &'a Stamp,
}

impl Scored<'_> {
    fn rows(&self, table: &str, batch: RecordBatch, transaction: String) -> Rows {
        let Scored { run, .. } = self;
        let (task, run_id) = (run.task.clone(), Some(run.run_id.clone()));
        Rows { table: table.into(), task, run_id, view: None, batches: vec![batch], transaction }
    }

    fn tables(
        &self,
        model: &Model,
        sequences: &Sequences,
        examples: &[Example],
        options: &ScoreOptions,
    ) -> Result<Vec<Table>> {
        let mut tables = self.predictions(model, sequences, examples, options.top)?;
        if !options.horizons.is_empty() && self.run.plan.task.tells_when() {
            tables.push((HORIZONS, self.horizons(model, sequences, examples, &options.horizons)?));
        }
        if options.embeddings {
            tables.push(("scores.embeddings", self.embeddings(model, sequences, examples)?));
        }
        if options.embeddings && model.config().head().ranks_products() {
            tables.push((PRODUCT_EMBEDDINGS, self.product_embeddings(model)?));
        }
        Ok(tables)
    }

    fn predictions(
        &self,
        model: &Model,
        sequences: &Sequences,
        examples: &[Example],
        top: usize,
    ) -> Result<Vec<Table>> {
        let predictions = model.predict(sequences, examples, top)?;
        let is_own = self.run.plan.task.head()?.is_of_ones_own();
        let every: Vec<usize> = (0..self.stamp.keys.len()).collect();
        let number = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
        let horizon = i64::from(self.run.plan.task.horizon_days);
        let horizon: ArrayRef = Arc::new(Int64Array::from_value(horizon, self.stamp.keys.len()));
        Ok(match predictions {
            Predictions::Probability(p) if is_own => {
                let none: ArrayRef = Arc::new(Float64Array::new_null(p.len()));
                vec![self.outcomes(horizon, number(p), none)?]
            }
            Predictions::Value(values) if is_own => {
                let (expected, p) = values.iter().map(|value| (value.expected, 1.0 - value.p_zero)).unzip();
                vec![self.outcomes(horizon, number(p), number(expected))?]
            }
            Predictions::Probability(p) => {
                vec![("scores.churn", self.batch(&every, [("horizon_days", horizon), ("p_churn", number(p))])?)]
            }
            Predictions::Value(values) => {
                let (expected, p_zero) = values.iter().map(|value| (value.expected, value.p_zero)).unzip();
                let columns =
                    [("horizon_days", horizon), ("expected_value", number(expected)), ("p_zero", number(p_zero))];
                vec![("scores.clv", self.batch(&every, columns)?)]
            }
            Predictions::NextPurchase(next) => {
                let mut tables = vec![("scores.next_purchase", self.products(model, &next)?)];
                if let Some(times) = next.iter().map(|next| next.time).collect::<Option<Vec<_>>>() {
                    let column = |of: fn(&TimeToNext) -> f64| number(times.iter().map(of).collect());
                    let columns = [
                        ("median_days", column(|time| time.median_days)),
                        ("p10_days", column(|time| time.p10_days)),
                        ("p90_days", column(|time| time.p90_days)),
                        ("p_within_horizon", column(|time| time.p_within_horizon)),
                        ("horizon_days", horizon),
                    ];
                    tables.push(("scores.next_purchase_time", self.batch(&every, columns)?));
                }
                tables
            }
        })
    }

    /// What a model of a label of one's own says.
    fn outcomes(&self, horizon: ArrayRef, p: ArrayRef, expected: ArrayRef) -> Result<(&'static str, RecordBatch)> {
        let every: Vec<usize> = (0..self.stamp.keys.len()).collect();
        let columns = [("horizon_days", horizon), ("p", p), ("expected", expected)];
        Ok(("scores.outcomes", self.batch(&every, columns)?))
    }

    /// A row per customer and rank.
    fn products(&self, model: &Model, next: &[NextPurchase]) -> Result<RecordBatch> {
        let (mut of, mut rank, mut product, mut probability) = (vec![], vec![], vec![], vec![]);
        for (row, next) in next.iter().enumerate() {
            for ((place, p), nth) in next.products.iter().zip(1i64..) {
                of.push(row);
                rank.push(nth);
                product.push(model.products()[*place].as_str());
                probability.push(*p);
            }
        }
        let columns = [
            ("rank", Arc::new(Int64Array::from(rank)) as ArrayRef),
            ("product_id", Arc::new(StringArray::from(product))),
            ("probability", Arc::new(Float64Array::from(probability))),
        ];
        self.batch(&of, columns)
    }

    /// A row per customer and number of days.
    fn horizons(
        &self,
        model: &Model,
        sequences: &Sequences,
        examples: &[Example],
        horizons: &[u32],
    ) -> Result<RecordBatch> {
        let absences = model.absences(sequences, examples, horizons)?.concat();
        let of: Vec<usize> = (0..absences.len()).map(|place| place / horizons.len()).collect();
        let days = horizons.iter().cycle().take(absences.len()).map(|&days| i64::from(days));
        let columns = [
            ("horizon_days", Arc::new(Int64Array::from_iter_values(days)) as ArrayRef),
            ("p_churn", Arc::new(Float64Array::from(absences))),
        ];
        self.batch(&of, columns)
    }

    /// A row per customer and component.
    fn embeddings(&self, model: &Model, sequences: &Sequences, examples: &[Example]) -> Result<RecordBatch> {
        let (of, columns) = long(&model.embeddings(sequences, examples)?, model.config().width());
        self.batch(&of, columns)
    }

    /// A row per product and component.
    fn product_embeddings(&self, model: &Model) -> Result<RecordBatch> {
        let (of, columns) = long(&model.product_embeddings(), model.config().width());
        let text = |of: &mut dyn Iterator<Item = &str>| -> ArrayRef { Arc::new(StringArray::from_iter_values(of)) };
        let key = [
            ("task", text(&mut of.iter().map(|_| self.run.task.as_str()))),
            ("run_id", text(&mut of.iter().map(|_| self.run.run_id.as_str()))),
            ("product_id", text(&mut of.iter().map(|&place| model.products()[place].as_str()))),
        ];
        Ok(RecordBatch::try_from_iter(key.into_iter().chain(columns))?)
    }

    /// Columns of scores after those of the key; row `i` is of customer `of[i]`.
    pub(super) fn batch<const N: usize>(
        &self,
        of: &[usize],
        columns: [(&'static str, ArrayRef); N],
    ) -> Result<RecordBatch> {
        let time = |value: i64| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from_value(value, of.len()).with_timezone("UTC"))
        };
        let customers = StringArray::from_iter_values(of.iter().map(|&row| self.stamp.keys[row].0.as_str()));
        let tasks = StringArray::from_iter_values(of.iter().map(|_| self.run.task.as_str()));
        let runs = StringArray::from_iter_values(of.iter().map(|_| self.run.run_id.as_str()));
        let key: [(&str, ArrayRef); 6] = [
            ("customer_id", Arc::new(customers)),
            ("task", Arc::new(tasks)),
            ("run_id", Arc::new(runs)),
            ("snapshot", Arc::new(Int64Array::from_value(self.stamp.snapshot as i64, of.len()))),
            ("as_of", time(self.stamp.as_of)),
            ("scored_at", time(self.stamp.scored_at)),
        ];
        Ok(RecordBatch::try_from_iter(key.into_iter().chain(columns))?)
    }
}

/// A matrix of so many columns as rows of tables, which hold no lists: of each number the row it is in, its column from 1,
/// and itself.
fn long(matrix: &[f32], width: usize) -> (Vec<usize>, [(&'static str, ArrayRef); 2]) {
    let of = (0..matrix.len()).map(|place| place / width).collect();
    let component = Int64Array::from_iter_values((0..matrix.len()).map(|place| (place % width) as i64 + 1));
    let value = Float64Array::from_iter_values(matrix.iter().map(|x| f64::from(*x)));
    (of, [("component", Arc::new(component)), ("value", Arc::new(value))])
}
