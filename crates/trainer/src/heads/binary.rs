//! Whether something happens in the horizon: churn, or a label of one's own. One logit, binary cross-entropy.

use tch::{Kind, Tensor};

use super::logit;
use crate::losses::{Loss, binary_cross_entropy};
use crate::scaling::Scaling;

pub(crate) fn start(scaling: &Scaling) -> Vec<f32> {
    vec![logit(scaling.rate)]
}

/// `raw` `[B, 1]`, `has_happened` `[B]` of 0 and 1.
pub(crate) fn loss(raw: &Tensor, has_happened: &Tensor) -> Loss {
    Loss::of(binary_cross_entropy(&raw.squeeze_dim(1), has_happened), has_happened.size()[0])
}

/// The log-odds that it happens, `[B]`.
pub(crate) fn log_odds(raw: &Tensor) -> Tensor {
    raw.squeeze_dim(1).to_kind(Kind::Double)
}
