//! Explaining a run: how much its model needs each input at its test cut-off, and which features it could do without.
//!
//! Importance is measured where the metrics are, on customers that training did not see. It is what the *model* loses, not
//! what the world would: two features that say the same stand in for each other, and each alone looks needless. So the report
//! names the pairs, and groups of features that belong together are shuffled together as well.

mod selection;
mod table;
mod units;

use crate::dataset;
use crate::error::Result;
use crate::features::Features;
use crate::progress::Progress;
use crate::runs::Run;
use crate::task::Task;
use crate::time::{date, now};
use sequences::{Example, LabelledExample};
use serde::Serialize;
use trainer::Importances;
use warehouse::Warehouse;

pub use selection::Redundancy;
pub use units::Grouping;
pub(crate) use units::{Unit, families, singles, value};

/// Which run is explained, and how carefully.
#[derive(Clone, Debug)]
pub struct ExplainOptions {
    /// The run; the task's newest without it.
    pub run: Option<String>,
    /// How often each group of inputs is shuffled; at least 2, so that luck can be told.
    pub repeats: usize,
    /// Customers of the test cut-off to measure on; of more, every n-th.
    pub customers: usize,
}

/// Shuffles of each group of inputs, unless asked otherwise.
pub const DEFAULT_REPEATS: usize = 5;
/// Customers measured on, unless asked otherwise.
pub const DEFAULT_EXPLAINED: usize = 2000;

impl Default for ExplainOptions {
    fn default() -> ExplainOptions {
        ExplainOptions { run: None, repeats: DEFAULT_REPEATS, customers: DEFAULT_EXPLAINED }
    }
}

/// What a run's model goes by.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub task: String,
    pub run_id: String,
    /// The test cut-off.
    pub as_of: String,
    pub customers: usize,
    pub repeats: usize,
    /// The main metric and the loss, with every input in its place.
    pub metrics: [MetricValue; 2],
    /// Sources, groups, single inputs; of each kind the most important first, by the loss.
    pub inputs: Vec<ExplainedInput>,
    #[serde(skip)]
    test: i64,
}

/// A metric and its value.
#[derive(Clone, Debug, Serialize)]
pub struct MetricValue {
    pub metric: String,
    pub value: f64,
}

/// How much one input, or a group of them, is needed.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedInput {
    pub grouping: Grouping,
    /// The source of a group, the group of a single input.
    pub group: Option<String>,
    pub input: String,
    /// What the metric loses and the loss gains, in the order of [`Explanation::metrics`].
    pub importance: [Needed; 2],
    /// Whether the model does as well without it, as far as can be told; only of single aggregates and features.
    pub is_useless: Option<bool>,
    /// The more important input that says the same.
    pub redundancy: Option<Redundancy>,
}

/// Mean and standard deviation over the shuffles.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Needed {
    pub mean: f64,
    pub deviation: f64,
}

impl Needed {
    /// Whether luck explains it: within this many deviations of 0, or below.
    const DEVIATIONS: f64 = 2.0;

    fn is_luck(self) -> bool {
        self.mean <= Needed::DEVIATIONS * self.deviation
    }
}

/// Measures what a run's model loses without each of its inputs and appends that to `models.importance`.
pub async fn explain(
    warehouse: &Warehouse,
    task: &Task,
    options: &ExplainOptions,
    progress: &dyn Progress,
) -> Result<Explanation> {
    task.head()?;
    let run = Run::find(warehouse, &task.name, options.run.as_deref()).await?;
    let plan = &run.plan;
    let sequences = dataset::sequences(warehouse, plan.snapshot, progress).await?;
    let labels = dataset::labels(warehouse, plan.snapshot, &plan.task, &[plan.test]).await?;
    let labels = labels.at_most(options.customers.max(1));
    let model = run.model(warehouse).await?;
    let features = Features::of_task(warehouse, plan.snapshot, &plan.task, &labels.keys).await?;
    let prior = plan.prior_features(warehouse, plan.snapshot, &labels.keys, plan.task.horizon_days).await?;
    let features = Features::select(&[&features, &prior], &model.features())?;
    let families = families(warehouse, plan.snapshot, plan.task.features.as_deref(), &model.features()).await?;
    let units = units::all(&model, &families);
    let examples = labels.examples(&sequences, &features, model.config().length())?;
    progress.start(&format!("explain {}", task.name), Some(units.len() as u64));
    let groups: Vec<_> = units.iter().map(|unit| unit.inputs.clone()).collect();
    let importances = tokio::task::block_in_place(|| {
        let mut done = |groups| progress.at(groups as u64);
        model.importances(&sequences, &examples, &groups, options.repeats.max(2), plan.seed, &mut done)
    })?;
    let explanation = explanation(&run, options, &units, &examples, &importances)?;
    progress.finish(&format!("{} inputs and groups on {} customers", units.len(), examples.len()));
    let recorded_at = now();
    let rows = table::batch(&explanation, recorded_at)?;
    let transaction = format!("explain:{}:{recorded_at}", run.run_id);
    warehouse.append(vec![("models.importance", vec![rows])], &transaction, "explain").await?;
    Ok(explanation)
}

fn explanation(
    run: &Run,
    options: &ExplainOptions,
    units: &[Unit],
    examples: &[LabelledExample],
    importances: &Importances,
) -> Result<Explanation> {
    let needed = |[metric, loss]: [trainer::Importance; 2]| {
        [metric, loss].map(|found| Needed { mean: found.mean, deviation: found.deviation })
    };
    let mut found: Vec<(&Unit, [Needed; 2])> =
        units.iter().zip(importances.groups.iter().copied().map(needed)).collect();
    // The order of the model's inputs stays where two are as important.
    found.sort_by(|(a, [_, left]), (b, [_, right])| a.grouping.cmp(&b.grouping).then(right.mean.total_cmp(&left.mean)));
    let ordered: Vec<&Unit> = found.iter().map(|(unit, _)| *unit).collect();
    let shown: Vec<&Example> = examples.iter().map(|labelled| &labelled.example).collect();
    let redundancies = selection::redundancies(&ordered, &shown)?;
    let inputs = found.iter().zip(redundancies).map(|((unit, importance), redundancy)| ExplainedInput {
        grouping: unit.grouping,
        group: unit.group.clone(),
        input: unit.name.clone(),
        importance: *importance,
        is_useless: unit.column().map(|_| importance[1].is_luck()),
        redundancy,
    });
    let metric =
        |place: usize| MetricValue { metric: importances.metrics[place].to_string(), value: importances.values[place] };
    Ok(Explanation {
        task: run.task.clone(),
        run_id: run.run_id.clone(),
        as_of: date(run.plan.test),
        customers: examples.len(),
        repeats: options.repeats.max(2),
        metrics: [0, 1].map(metric),
        inputs: inputs.collect(),
        test: run.plan.test,
    })
}
