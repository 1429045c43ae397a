//! Next purchase: which product, by a softmax over the whole catalogue with the embeddings that also read it, and when,
//! by a mixture of lognormals of days, right-censored at the horizon.

use tch::{Kind, Tensor};

use crate::config::{LossChoice, RawTraining};
use crate::losses::{Loss, Mixture, generalised_binary_cross_entropy, raw_sigma};
use crate::scaling::Scaling;
use crate::softmax::{Beside, softmax_cross_entropy};

/// Lognormals in the mixture: one for those who come back at once, one for the rhythm, one for the long tail.
const COMPONENTS: usize = 3;

/// Where the time's output starts: the components side by side over the training set's logarithms of days.
pub(crate) fn start(scaling: &Scaling) -> Vec<f32> {
    let moments = scaling.log_target;
    let place = |k: usize| moments.mean + (k as f32 - (COMPONENTS - 1) as f32 / 2.0) * moments.deviation;
    let mut start = vec![0.0; COMPONENTS];
    start.extend((0..COMPONENTS).map(place));
    start.extend([raw_sigma(moments.deviation); COMPONENTS]);
    start
}

/// How the right product is told from others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProductLoss {
    loss: LossChoice,
    negatives: i64,
    calibration: f64,
}

impl ProductLoss {
    pub(crate) fn new(training: &RawTraining) -> Self {
        let RawTraining { loss, negatives, calibration, .. } = *training;
        Self { loss, negatives: negatives as i64, calibration }
    }

    /// `states` `[N, D]` of the tokens with a known next product, `targets` `[N]` its place in `products` `[P, D]`; where the
    /// catalogue is larger than `negatives`, that many are drawn; `beside` is what a softmax's answers are mixed with.
    pub(crate) fn of(&self, states: &Tensor, products: &Tensor, targets: &Tensor, beside: Option<&Beside>) -> Loss {
        let count = targets.size()[0];
        if count == 0 {
            // Nothing to learn here, yet the graph must hang together.
            return Loss::of(states.sum(Kind::Float) * 0.0, 0);
        }
        let catalogue = products.size()[0];
        let options = (Kind::Int64, states.device());
        let drawn = (catalogue > self.negatives).then(|| Tensor::randint(catalogue, [self.negatives], options));
        match self.loss {
            LossChoice::Softmax => softmax_cross_entropy(states, products, targets, drawn.as_ref(), beside),
            LossChoice::Gbce => {
                let drawn = drawn.unwrap_or_else(|| Tensor::arange(catalogue, options));
                let loss = generalised_binary_cross_entropy(states, products, targets, &drawn, self.calibration);
                Loss::of(loss, count)
            }
        }
    }
}

/// `raw` `[B, 3 K]`; `days` `[B]` to the next purchase, or the horizon where `is_observed` `[B]` is 0.
pub(crate) fn time_loss(raw: &Tensor, days: &Tensor, is_observed: &Tensor) -> Loss {
    Loss::of(Mixture::new(raw).loss(days, is_observed), days.size()[0])
}

/// When the next purchase comes: the days before which it falls with probability .5, .1 and .9, and the probability
/// that it falls into the horizon; `[B]` each.
pub(crate) fn time_forecast(raw: &Tensor, scaling: &Scaling) -> [Tensor; 4] {
    let mixture = Mixture::new(&raw.to_kind(Kind::Double));
    let horizon = raw.select(1, 0).to_kind(Kind::Double).full_like(f64::from(scaling.horizon_days));
    let within = 1.0 - mixture.log_survival(&horizon).exp();
    [mixture.quantile(0.5), mixture.quantile(0.1), mixture.quantile(0.9), within]
}
