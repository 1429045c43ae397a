//! What a model has to beat, each fitted only on what was known before its cut-off.

mod btyd;
mod products;
mod rfm;
mod trees;

use crate::dataset::{self, Labels, Outcome};
use crate::error::Result;
use crate::features::{EVERY_FEATURE, Features};
use crate::runs::Plan;
use warehouse::Warehouse;

pub(crate) use btyd::{BuyTillYouDie, buy_till_you_die};
pub(crate) use products::{Histories, buyers_recommenders, most_bought, product_rules, recommenders};
pub(crate) use rfm::logistic;
pub(crate) use trees::{TREES, boosted_trees};

/// What a model without sequences may learn from: features and outcomes before the test cut-off.
pub(crate) struct Known {
    train: Labelled,
    valid: Labelled,
}

struct Labelled {
    labels: Labels,
    features: Features,
}

/// Labels of a split that baselines learn from, at most: 500,000 rows of 80 columns take 160 MB. Of more, every n-th.
const MOST_LABELS: usize = 500_000;

/// What one number for everybody is called in reports.
pub(crate) const MEAN: &str = "mean of the training cut-offs";

impl Known {
    /// The mean of the outcomes, of a label the share of those that are true.
    pub(crate) fn mean(&self) -> f64 {
        let numbers = self.train.numbers();
        numbers.iter().sum::<f64>() / numbers.len() as f64
    }

    pub(crate) async fn read(warehouse: &Warehouse, plan: &Plan) -> Result<Known> {
        let train = Labelled::read(warehouse, plan, &plan.train).await?;
        Ok(Known { train, valid: Labelled::read(warehouse, plan, &[plan.valid]).await? })
    }
}

impl Labelled {
    async fn read(warehouse: &Warehouse, plan: &Plan, cutoffs: &[i64]) -> Result<Labelled> {
        let labels = dataset::labels(warehouse, plan.snapshot, &plan.task, cutoffs).await?.at_most(MOST_LABELS);
        let features = Features::read(warehouse, plan.snapshot, EVERY_FEATURE, &labels.keys).await?;
        Ok(Labelled { labels, features })
    }

    fn numbers(&self) -> Vec<f64> {
        self.labels.outcomes.iter().map(Outcome::number).collect()
    }
}
