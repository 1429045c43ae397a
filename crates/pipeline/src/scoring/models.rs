//! What the models of tasks say of every customer of a cut-off.

use super::parts::{Part, Parts};
use super::{Appended, SCORE, ScoreOptions, ScoredTable, Stamp, reasons};
use crate::dataset;
use crate::error::{Error, Result};
use crate::explaining::families;
use crate::progress::Progress;
use crate::registry;
use crate::runs::{Plan, Run};
use crate::task::Task;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use futures::channel::mpsc::{Sender, channel};
use futures::future::{try_join, try_join_all};
use futures::{SinkExt, StreamExt};
use sequences::{Example, Head, Sequences};
use std::sync::Arc;
use trainer::{Model, NextPurchase, Predictions, TimeToNext};
use warehouse::Warehouse;

/// Rows of a table.
type Table = (&'static str, RecordBatch);

/// Where a run's products go, once.
const PRODUCT_EMBEDDINGS: &str = "models.product_embeddings";
/// Where the probabilities of staying away for other times than a task's horizon go.
const HORIZONS: &str = "scores.churn_horizons";

/// The scores of each of the tasks, all of which have a model. Customers are read, scored and written part by part; each table has
/// all of its scores at once, or none.
pub(super) async fn scores(
    warehouse: &Warehouse,
    tasks: &[&Task],
    options: &ScoreOptions,
    stamp: &Stamp,
    progress: &dyn Progress,
) -> Result<Vec<Appended>> {
    check(tasks, options)?;
    let mut scorers = Vec::new();
    for task in tasks {
        scorers.push(Scorer::open(warehouse, task, options, stamp).await?);
    }
    let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    progress.start(&format!("score {}", names.join(", ")), Some(stamp.customers));
    let plans: Vec<&Plan> = scorers.iter().map(|scorer| &scorer.run.plan).collect();
    let mut parts = Parts::open(warehouse, stamp, &plans, options.customers_at_once).await?;
    let scoring = Scoring { scorers, options, stamp, progress };
    let first = parts.next().await?.ok_or(Error::NoFacts)?;
    // The first part tells which tables there are.
    let scored = scoring.tables(&first, true)?;
    let (outlets, writers): (Vec<Outlet>, Vec<_>) = scored
        .iter()
        .map(|&(scorer, (table, _))| {
            let (sender, receiver) = channel(0);
            let transaction = scoring.scorers[scorer].transaction(table, options, stamp);
            let writer = async move { warehouse.append_stream(table, receiver.boxed(), &transaction, SCORE).await };
            (Outlet { scorer, table, sender, rows: 0 }, writer)
        })
        .unzip();
    // Whoever fails ends the others before they commit anything.
    let written = async { Ok(try_join_all(writers).await?) };
    let (rows, versions) = try_join(scoring.produce(parts, first.keys.len(), scored, outlets), written).await?;
    progress.finish(&format!("{} customers", stamp.customers));
    let appended = |((scorer, table, rows), version): ((usize, &str, u64), u64)| {
        let Run { task, run_id, .. } = &scoring.scorers[scorer].run;
        let scored =
            ScoredTable { table: table.into(), task: task.clone(), run_id: Some(run_id.clone()), view: None, rows };
        Appended { scored, version }
    };
    Ok(rows.into_iter().zip(versions).map(appended).collect())
}

/// The models of a call, at work.
struct Scoring<'a> {
    scorers: Vec<Scorer>,
    options: &'a ScoreOptions,
    stamp: &'a Stamp,
    progress: &'a dyn Progress,
}

/// Where the scores of a table go while it is written.
struct Outlet {
    scorer: usize,
    table: &'static str,
    sender: Sender<warehouse::Result<RecordBatch>>,
    rows: u64,
}

impl Scoring<'_> {
    /// What each model says of a part; of products with the first.
    fn tables(&self, part: &Part, is_first: bool) -> Result<Vec<(usize, Table)>> {
        let mut found = Vec::new();
        for (place, scorer) in self.scorers.iter().enumerate() {
            let tables = tokio::task::block_in_place(|| scorer.tables(part, self.options, self.stamp, is_first))?;
            found.extend(tables.into_iter().map(|table| (place, table)));
        }
        Ok(found)
    }

    /// Sends what was said of the first part, and then of all others, to the tables; how many rows each came to.
    async fn produce(
        &self,
        mut parts: Parts,
        first: usize,
        mut scored: Vec<(usize, Table)>,
        mut outlets: Vec<Outlet>,
    ) -> Result<Vec<(usize, &'static str, u64)>> {
        let mut customers = first;
        loop {
            for (scorer, (table, batch)) in scored {
                let is_own = |outlet: &&mut Outlet| outlet.scorer == scorer && outlet.table == table;
                let Some(outlet) = outlets.iter_mut().find(is_own) else { continue };
                outlet.rows += batch.num_rows() as u64;
                // A table that has these scores already listens to none.
                let _ = outlet.sender.send(Ok(batch)).await;
            }
            self.progress.at(customers as u64);
            let Some(part) = parts.next().await? else { break };
            customers += part.keys.len();
            scored = self.tables(&part, false)?;
        }
        Ok(outlets.into_iter().map(|outlet| (outlet.scorer, outlet.table, outlet.rows)).collect())
    }
}

/// Whether any of the tasks has what is asked for beside scores.
fn check(tasks: &[&Task], options: &ScoreOptions) -> Result<()> {
    if options.reasons.is_some() {
        reasons::must_have_any(tasks)?;
    }
    match tasks.first() {
        Some(task) if !options.horizons.is_empty() && tasks.iter().all(|task| task.head != Some(Head::Churn)) => {
            let problem = "its scores are of one time; those of churn can be of several horizons".into();
            Err(Error::Task { task: task.name.clone(), problem })
        }
        _ => Ok(()),
    }
}

/// A task's model.
struct Scorer {
    run: Run,
    model: Model,
    /// Of the features that it reads, where reasons are asked for.
    families: Vec<String>,
}

impl Scorer {
    async fn open(warehouse: &Warehouse, task: &Task, options: &ScoreOptions, stamp: &Stamp) -> Result<Scorer> {
        let run = registry::scoring_run(warehouse, &task.name, options.run.as_deref()).await?;
        if run.plan.task.head == Some(Head::Churn) {
            options.horizons.iter().try_for_each(|&days| run.plan.over(Some(days)).map(drop))?;
        }
        let model = run.model(warehouse).await?;
        let view = run.plan.task.features.as_deref();
        let families = match options.reasons.and(reasons::table(run.plan.task.head)) {
            Some(_) => families(warehouse, stamp.snapshot, view, &model.features()).await?,
            None => Vec::new(),
        };
        Ok(Scorer { run, model, families })
    }

    /// A run at a cut-off of the same core tables is one score, however often a kill or an idle night repeats it.
    fn transaction(&self, table: &str, options: &ScoreOptions, stamp: &Stamp) -> String {
        let (Stamp { core, as_of, .. }, run_id) = (stamp, &self.run.run_id);
        let scores = format!("score:{core}:{as_of}:{}:{run_id}", options.top);
        match table {
            PRODUCT_EMBEDDINGS => format!("embed:{run_id}"),
            HORIZONS => format!("{scores}:{:?}", options.horizons),
            _ if reasons::table(self.run.plan.task.head) == Some(table) => {
                format!("reasons:{core}:{as_of}:{}:{run_id}", options.reasons.unwrap_or_default())
            }
            _ => scores,
        }
    }

    /// All that is said of a part; of products with the first.
    fn tables(&self, part: &Part, options: &ScoreOptions, stamp: &Stamp, is_first: bool) -> Result<Vec<Table>> {
        let Scorer { run, model, families } = self;
        let features = part.features(&run.plan, &model.features())?;
        let examples = dataset::examples(&part.sequences, &part.keys, &features, model.config().length())?;
        let scored = Scored { run, stamp, keys: &part.keys };
        let mut tables = scored.predictions(model, &part.sequences, &examples, options.top)?;
        if !options.horizons.is_empty() && run.plan.task.tells_when() {
            tables.push((HORIZONS, scored.horizons(model, &part.sequences, &examples, &options.horizons)?));
        }
        if options.embeddings {
            tables.push(("scores.embeddings", scored.embeddings(model, &part.sequences, &examples)?));
        }
        if options.embeddings && is_first && model.config().head().ranks_products() {
            tables.push((PRODUCT_EMBEDDINGS, scored.product_embeddings(model)?));
        }
        if let (Some(most), Some(table)) = (options.reasons, reasons::table(run.plan.task.head)) {
            tables.push((table, reasons::rows(&scored, model, &part.sequences, &examples, families, most)?));
        }
        Ok(tables)
    }
}

/// The columns that every score row has.
pub(super) struct Scored<'a> {
    run: &'a Run,
    stamp: &'a Stamp,
    keys: &'a [(String, i64)],
}

impl Scored<'_> {
    fn predictions(
        &self,
        model: &Model,
        sequences: &Sequences,
        examples: &[Example],
        top: usize,
    ) -> Result<Vec<Table>> {
        let predictions = model.predict(sequences, examples, top)?;
        let is_own = self.run.plan.task.head()?.is_of_ones_own();
        let every: Vec<usize> = (0..self.keys.len()).collect();
        let number = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
        let horizon = i64::from(self.run.plan.task.horizon_days);
        let horizon: ArrayRef = Arc::new(Int64Array::from_value(horizon, self.keys.len()));
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
        let every: Vec<usize> = (0..self.keys.len()).collect();
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
        let customers = StringArray::from_iter_values(of.iter().map(|&row| self.keys[row].0.as_str()));
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
