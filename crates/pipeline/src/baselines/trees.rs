//! Gradient-boosted trees on every numeric column of `features.customer`: what a good analyst gets from the same
//! warehouse without a sequence model. Squared error, not Tweedie, for value, which returns can make negative. The number
//! of trees is the best at the validation cut-off, like the number of a model's epochs.

use crate::columns::Rows;
use crate::dataset::{self, Labels, Outcome};
use crate::error::{Error, Result};
use crate::runs::Plan;
use analytics::boosting::{self, Boosting, BoostingSettings, Loss};
use arrow::datatypes::DataType;
use futures::StreamExt;
use sequences::Head;
use std::collections::HashMap;
use warehouse::Warehouse;

/// What the trees are called in reports.
pub(crate) const TREES: &str = "boosted trees on all features";

const FEATURES: &str = "features.customer";
/// Labels learned from, and labels validated on, at most: 500,000 rows of 80 columns take 400 MB. Of more, every n-th.
const MOST_LABELS: usize = 500_000;

/// The churn probability or the value of each test label, as the task's head says.
pub(crate) async fn boosted_trees(warehouse: &Warehouse, plan: &Plan, test: &Labels) -> Result<Vec<f64>> {
    let columns = numeric_columns(warehouse, plan).await?;
    let train = Examples::read(warehouse, plan, &plan.train, &columns).await?;
    let valid = Examples::read(warehouse, plan, &[plan.valid], &columns).await?;
    let model = tokio::task::block_in_place(|| fit(plan, &train, &valid))?;
    drop((train, valid));
    let all = Sample { labels: test, step: 1 };
    let values = all.features(warehouse, plan, &[plan.test], &columns).await?;
    Ok(tokio::task::block_in_place(|| model.predict(&values))?)
}

fn fit(plan: &Plan, train: &Examples, valid: &Examples) -> Result<Boosting> {
    let loss = match plan.task.head()? {
        Head::Churn => Loss::Log,
        Head::Clv => Loss::Squared,
        Head::NextPurchase | Head::NextItem => {
            let problem = format!("{TREES} predict churn and value, not products");
            return Err(Error::Task { task: plan.task.name.clone(), problem });
        }
    };
    Ok(Boosting::fit(&train.rows(), &valid.rows(), loss, &BoostingSettings::default())?)
}

/// Features and outcomes of a sample of labels.
struct Examples {
    /// Column-major, NaN where unknown.
    values: Vec<f64>,
    /// 1 and 0 for churned or not, or the value.
    targets: Vec<f64>,
}

impl Examples {
    async fn read(warehouse: &Warehouse, plan: &Plan, cutoffs: &[i64], columns: &[String]) -> Result<Examples> {
        let labels = dataset::labels(warehouse, plan.snapshot, &plan.task, cutoffs).await?;
        let sample = Sample { labels: &labels, step: labels.keys.len().div_ceil(MOST_LABELS).max(1) };
        let targets = sample.places().map(|place| target(&labels.outcomes[place])).collect();
        Ok(Examples { values: sample.features(warehouse, plan, cutoffs, columns).await?, targets })
    }

    fn rows(&self) -> boosting::Examples<'_> {
        boosting::Examples { x: &self.values, y: &self.targets }
    }
}

/// Every `step`-th label, from the first.
struct Sample<'a> {
    labels: &'a Labels,
    step: usize,
}

impl Sample<'_> {
    fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.labels.keys.len()).step_by(self.step)
    }

    /// Column-major values of each label; NaN for NULL and for a number that is not finite.
    async fn features(
        &self,
        warehouse: &Warehouse,
        plan: &Plan,
        cutoffs: &[i64],
        columns: &[String],
    ) -> Result<Vec<f64>> {
        let rows: HashMap<&(String, i64), usize> =
            self.places().map(|place| &self.labels.keys[place]).zip(0..).collect();
        let mut values = vec![f64::NAN; rows.len() * columns.len()];
        let session = dataset::session(warehouse, plan.snapshot, dataset::cut_offs(cutoffs), None).await?;
        let mut stream = session.sql(&format!("SELECT * FROM {FEATURES}")).await?.stream().await?;
        while let Some(batch) = stream.next().await {
            let batch = Rows { what: FEATURES.into(), batches: vec![batch?] };
            let places: Vec<Option<usize>> = batch.keys()?.iter().map(|key| rows.get(key).copied()).collect();
            for (column, to) in columns.iter().zip(values.chunks_exact_mut(rows.len().max(1))) {
                for (value, place) in batch.numbers(column)?.into_iter().zip(&places) {
                    if let (Some(value), Some(place)) = (value.filter(|value| value.is_finite()), place) {
                        to[*place] = value;
                    }
                }
            }
        }
        Ok(values)
    }
}

/// Numbers and flags of the view, in its order.
async fn numeric_columns(warehouse: &Warehouse, plan: &Plan) -> Result<Vec<String>> {
    let session = dataset::session(warehouse, plan.snapshot, dataset::cut_offs(&[plan.test]), None).await?;
    let schema = session.sql(&format!("SELECT * FROM {FEATURES}")).await?.schema();
    let is_number = |kind: &DataType| kind.is_numeric() || *kind == DataType::Boolean;
    let numbers = schema.fields().iter().filter(|field| is_number(field.data_type()));
    Ok(numbers.map(|field| field.name().clone()).collect())
}

fn target(outcome: &Outcome) -> f64 {
    match outcome {
        Outcome::Churned(churned) => f64::from(u8::from(*churned)),
        Outcome::Value(value) => *value,
        Outcome::Next { .. } => 0.0,
    }
}
