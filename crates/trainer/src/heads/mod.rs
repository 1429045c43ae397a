//! What is read off the encoder: per head one file with its output's starting point, its loss and its forecast.

pub(crate) mod amount;
pub(crate) mod binary;
pub(crate) mod count;
pub(crate) mod hazard;
pub(crate) mod next;

use sequences::CONTEXT_FEATURES;
use tch::{Kind, Tensor};

use crate::{Head, TargetKind};

use crate::inputs::Inputs;
use crate::layers::Linear;
use crate::parameters::{Layout, Weights};

/// State of the token read → a few numbers per example.
///
/// The aggregates and the customer's features have a short way of their own to the output: a plain model of recency,
/// frequency and value is a strong baseline, and the encoder then only has to learn what the order of events adds. All of it starts at the
/// training set's base rate, or at what the example brings as an offset.
#[derive(Debug)]
pub(crate) struct Readout {
    hidden: Linear,
    output: Linear,
    direct: Linear,
    /// Of the customer's features, to the hidden layer and to the output; none where the model reads none.
    customer: Option<[Linear; 2]>,
}

impl Readout {
    pub(crate) fn new(layout: &mut Layout, path: &str, width: i64, customer: usize, start: Vec<f32>) -> Self {
        let zeros = vec![0.0; start.len()];
        let customer = (customer > 0).then(|| {
            let inputs = customer as i64;
            [
                Linear::without_bias(layout, &format!("{path}.customer_hidden"), inputs, width),
                Linear::starting_at(layout, &format!("{path}.customer"), inputs, zeros.clone()),
            ]
        });
        Self {
            hidden: Linear::new(layout, &format!("{path}.hidden"), width, width),
            output: Linear::starting_at(layout, &format!("{path}.output"), width, start),
            direct: Linear::starting_at(layout, &format!("{path}.direct"), CONTEXT_FEATURES.len() as i64, zeros),
            customer,
        }
    }

    /// `[B, D]` → `[B, outputs]`.
    pub(crate) fn forward(&self, weights: &Weights, state: &Tensor, inputs: &Inputs) -> Tensor {
        let mut hidden = self.hidden.forward_exact(weights, &state.to_kind(Kind::Float));
        let mut direct = self.direct.forward_exact(weights, &inputs.context);
        if let (Some([to_hidden, to_output]), Some(customer)) = (&self.customer, inputs.features_of_customers()) {
            hidden += to_hidden.forward_exact(weights, &customer);
            direct += to_output.forward_exact(weights, &customer);
        }
        if let Some(offsets) = inputs.offsets() {
            let others = direct.size()[1] - offsets.size()[1];
            direct += offsets.constant_pad_nd([0, others]);
        }
        self.output.forward_exact(weights, &hidden.gelu("none")) + direct
    }
}

/// How many of a head's outputs, from the first, may have an offset: see [`crate::Offsets`].
pub(crate) fn most_offsets(head: Head) -> usize {
    match head.target_kind() {
        TargetKind::Label | TargetKind::Count => 1,
        TargetKind::Amount => 2,
        TargetKind::Next => 0,
    }
}

/// The logit of a share, kept finite for shares of 0 and 1.
fn logit(share: f32) -> f32 {
    const MARGIN: f32 = 1e-3;
    let share = share.clamp(MARGIN, 1.0 - MARGIN);
    (share / (1.0 - share)).ln()
}
