//! The architectures: what makes of a customer's tokens what each of them has seen. One file each, and a line here and in
//! [`crate::ArchitectureChoice`].

mod gru;
mod hstu;
mod transformer;

use std::fmt::Debug;

use tch::Tensor;

use crate::config::{ArchitectureChoice, RawModel};
use crate::inputs::Inputs;
use crate::layers::{Dropout, dimensions};
use crate::parameters::{Layout, Weights};

/// Tokens `[B, W, D]` → tokens of the same shape, none of which knows of a later one. What stands after an example's last
/// token is padding, whose results nobody reads.
pub(crate) trait Architecture: Debug + Send + Sync {
    /// All tokens.
    fn forward(&self, weights: &Weights, x: Tensor, inputs: &Inputs, dropout: Dropout) -> Tensor;

    /// Of each example the token to read, `[B, 1, D]`: what [`Architecture::forward`] gives there, for less where there is less
    /// to do.
    fn forward_read(&self, weights: &Weights, x: Tensor, inputs: &Inputs, dropout: Dropout) -> Tensor {
        pick(&self.forward(weights, x, inputs, dropout), inputs)
    }
}

/// The architecture that `model` names, its parameters added to the layout.
pub(crate) fn new(layout: &mut Layout, model: &RawModel) -> Box<dyn Architecture> {
    match model.architecture {
        ArchitectureChoice::Transformer => Box::new(transformer::Transformer::new(layout, model)),
        ArchitectureChoice::Hstu => Box::new(hstu::Hstu::new(layout, model)),
        ArchitectureChoice::Gru => Box::new(gru::Gru::new(layout, model)),
    }
}

/// Of each example the token to read, `[B, W, D]` → `[B, 1, D]`.
fn pick(x: &Tensor, inputs: &Inputs) -> Tensor {
    let [batch, _, width] = dimensions(x);
    x.reshape([-1, width]).index_select(0, &inputs.read_rows).view([batch, 1, width])
}
