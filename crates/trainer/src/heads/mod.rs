//! What is read off the encoder: per head one file with its output's starting point, its loss and its forecast.

pub(crate) mod churn;
pub(crate) mod clv;
pub(crate) mod next;

use sequences::CONTEXT_FEATURES;
use tch::{Kind, Tensor};

use crate::inputs::Inputs;
use crate::layers::Linear;
use crate::parameters::{Layout, Weights};

/// State of the token read → a few numbers per example.
///
/// The aggregates have a short way of their own to the output: a plain log-linear model on recency, frequency and value
/// is a strong baseline, and the encoder then only has to learn what the order of events adds. All of it starts at the
/// training set's base rate.
#[derive(Debug)]
pub(crate) struct Readout {
    hidden: Linear,
    output: Linear,
    direct: Linear,
}

impl Readout {
    pub(crate) fn new(layout: &mut Layout, path: &str, width: i64, start: Vec<f32>) -> Self {
        let zeros = vec![0.0; start.len()];
        Self {
            hidden: Linear::new(layout, &format!("{path}.hidden"), width, width),
            output: Linear::starting_at(layout, &format!("{path}.output"), width, start),
            direct: Linear::starting_at(layout, &format!("{path}.direct"), CONTEXT_FEATURES.len() as i64, zeros),
        }
    }

    /// `[B, D]` → `[B, outputs]`.
    pub(crate) fn forward(&self, weights: &Weights, state: &Tensor, inputs: &Inputs) -> Tensor {
        let hidden = self.hidden.forward_exact(weights, &state.to_kind(Kind::Float)).gelu("none");
        self.output.forward_exact(weights, &hidden) + self.direct.forward_exact(weights, &inputs.context)
    }
}

/// The logit of a share, kept finite for shares of 0 and 1.
fn logit(share: f32) -> f32 {
    const MARGIN: f32 = 1e-3;
    let share = share.clamp(MARGIN, 1.0 - MARGIN);
    (share / (1.0 - share)).ln()
}
