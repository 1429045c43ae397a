//! Gradient-boosted trees on every numeric column of a feature view: what a good analyst gets from the same warehouse
//! without a sequence model. Squared error, not Tweedie, for value, which returns can make negative. The number of trees is
//! the best at the validation cut-off, like the number of a model's epochs.

use crate::error::Result;
use crate::features::Features;
use analytics::boosting::{Boosting, BoostingSettings, Examples, Loss};

use super::Known;

/// What the trees are called in reports.
pub(crate) const TREES: &str = "boosted trees on all features";

/// The probability or the value of each row of `test`, as the outcomes say.
pub(crate) fn boosted_trees(known: &Known, loss: Loss, test: &Features) -> Result<Vec<f64>> {
    let (train, valid) = (known.train.numbers(), known.valid.numbers());
    let (train_x, valid_x) = (known.train.features.columns(), known.valid.features.columns());
    let (train, valid) = (Examples { x: &train_x, y: &train }, Examples { x: &valid_x, y: &valid });
    let model = Boosting::fit(&train, &valid, loss, &BoostingSettings::default())?;
    Ok(model.predict(&test.columns())?)
}
