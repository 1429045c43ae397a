//! Weights and checkpoints as safetensors files.
//!
//! What belongs to the numbers travels in the same file, as JSON in the header: so no kill can leave weights beside
//! another run's scaling, or an optimiser's moments beside another epoch's history.
//!
//! Other programs may read weights: `weights.safetensors` holds little-endian F32 tensors by name, which are listed with
//! what is computed from them in `network.rs`, and in its header under `__metadata__.perennial` this JSON as text:
//!
//! | key | what |
//! |---|---|
//! | `epoch` | of these weights, from 1 |
//! | `scaling.features` | `mean` and `deviation` of each of [`sequences::EVENT_FEATURES`] |
//! | `scaling.context` | the same of each of [`sequences::CONTEXT_FEATURES`] |
//! | `scaling.customer_features` | per feature of the examples `name`, `cuts`, `may_be_unknown`, `means`: see `piecewise.rs`; none in older runs |
//! | `scaling.offsets` | `name` and `mean` of each offset, see [`crate::Offsets`]; absent without any |
//! | `scaling.horizon_days` | how far the targets looked ahead |
//! | `scaling.log_largest` | the logarithm of the largest target, which no expected value exceeds |
//! | `scaling.rate`, `scaling.log_target` | where the output layer started; predictions do not need them |
//!
//! `tests/perennial_model.py` is such a program; a test compares its predictions with ours.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::optimizer::{AdamW, Restored};
use crate::parameters::Layout;
use crate::run::{EpochMetrics, write_whole};
use crate::scaling::Scaling;
use crate::{Error, Result};

/// The header's key under which our JSON stands.
const HEADER: &str = "perennial";
const PARAMETERS: &str = "parameters";
const FIRST_MOMENT: &str = "first_moment";
const SECOND_MOMENT: &str = "second_moment";
const AVERAGE: &str = "average";

/// What a weights file says beside the weights.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeightsHeader {
    /// The epoch of these weights.
    pub(crate) epoch: usize,
    pub(crate) scaling: Scaling,
}

/// What a checkpoint says beside the optimiser's tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Steps taken.
    pub(crate) step: usize,
    /// How many examples were trained on.
    pub(crate) examples: usize,
    pub(crate) scaling: Scaling,
    pub(crate) history: Vec<EpochMetrics>,
}

/// Writes each parameter under its name.
pub(crate) fn save_weights(path: &Path, layout: &Layout, flat: &Tensor, header: &WeightsHeader) -> Result<()> {
    let weights = layout.split(&flat.detach(), Kind::Float);
    let tensors = layout.shapes().zip(weights.iter()).map(|((name, _), tensor)| (name, tensor));
    save(path, tensors, header)
}

/// Reads a weights file; its tensors are asked for once the layout is known.
pub(crate) fn read_weights(path: &Path) -> Result<(WeightsHeader, Saved)> {
    read(path)
}

/// Writes the optimiser's whole state.
pub(crate) fn save_checkpoint(path: &Path, optimizer: &AdamW, state: &State) -> Result<()> {
    let AdamW { parameters, first_moment, second_moment, average, .. } = optimizer;
    let tensors = [(PARAMETERS, parameters), (FIRST_MOMENT, first_moment), (SECOND_MOMENT, second_moment)];
    save(path, tensors.into_iter().chain(average.as_ref().map(|average| (AVERAGE, average))), state)
}

/// Reads a checkpoint; its tensors are asked for once the layout is known.
pub(crate) fn read_checkpoint(path: &Path) -> Result<(State, Saved)> {
    read(path)
}

/// The tensors of a file, by name.
pub(crate) struct Saved {
    path: std::path::PathBuf,
    tensors: HashMap<String, (Vec<i64>, Vec<f32>)>,
}

impl Saved {
    /// All parameters of a layout, flat, on the CPU.
    pub(crate) fn parameters(mut self, layout: &Layout) -> Result<Tensor> {
        let mut parts = Vec::new();
        for (name, shape) in layout.shapes() {
            parts.push(self.take(name, shape)?);
        }
        match self.tensors.keys().next() {
            Some(name) => Err(self.corrupt(format!("it holds `{name}`, which the configured network has not"))),
            None => Ok(Tensor::cat(&parts, 0)),
        }
    }

    /// A checkpoint's parameters, both moments and, where `is_averaged`, the average of the parameters, flat, on the CPU.
    pub(crate) fn state(mut self, layout: &Layout, is_averaged: bool) -> Result<Restored> {
        let shape = [layout.len()];
        Ok(Restored {
            parameters: self.take(PARAMETERS, &shape)?,
            first_moment: self.take(FIRST_MOMENT, &shape)?,
            second_moment: self.take(SECOND_MOMENT, &shape)?,
            average: if is_averaged { Some(self.take(AVERAGE, &shape)?) } else { None },
        })
    }

    fn take(&mut self, name: &str, shape: &[i64]) -> Result<Tensor> {
        match self.tensors.remove(name) {
            None => Err(self.corrupt(format!("`{name}` is missing"))),
            Some((found, _)) if found != shape => {
                Err(self.corrupt(format!("`{name}` has the shape {found:?}, the configured network needs {shape:?}")))
            }
            Some((_, values)) => Ok(Tensor::from_slice(&values)),
        }
    }

    fn corrupt(&self, reason: String) -> Error {
        Error::Corrupt { path: self.path.clone(), reason }
    }
}

fn save<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    header: &impl Serialize,
) -> Result<()> {
    let corrupt = |reason: String| Error::Corrupt { path: path.to_owned(), reason };
    let mut bytes: Vec<(&str, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, tensor) in tensors {
        let shape = tensor.size().iter().map(|&n| n as usize).collect();
        let flat = tensor.detach().to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous().view([-1]);
        let values = Vec::<f32>::try_from(flat).map_err(|error| corrupt(error.to_string()))?;
        bytes.push((name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect()));
    }
    let mut views = Vec::new();
    for (name, shape, bytes) in &bytes {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|error| corrupt(error.to_string()))?;
        views.push((*name, view));
    }
    let header = serde_json::to_string(header).map_err(|error| corrupt(error.to_string()))?;
    let header = HashMap::from([(HEADER.to_owned(), header)]);
    let file = serialize(views, Some(header)).map_err(|error| corrupt(error.to_string()))?;
    write_whole(path, &file)
}

fn read<H: DeserializeOwned>(path: &Path) -> Result<(H, Saved)> {
    let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let corrupt = |reason: String| Error::Corrupt { path: path.to_owned(), reason };
    let broken = |error: safetensors::SafeTensorError| corrupt(format!("it is no whole safetensors file ({error})"));
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(broken)?;
    let header = metadata.metadata().as_ref().and_then(|header| header.get(HEADER));
    let header = header.ok_or_else(|| corrupt(format!("its header has no `{HEADER}`; was it written by a run?")))?;
    let header = serde_json::from_str(header).map_err(|error| corrupt(format!("its header is wrong: {error}")))?;
    let mut tensors = HashMap::new();
    for (name, view) in SafeTensors::deserialize(&bytes).map_err(broken)?.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(corrupt(format!("`{name}` is {:?}; runs hold F32", view.dtype())));
        }
        let shape = view.shape().iter().map(|&n| n as i64).collect();
        let (values, _) = view.data().as_chunks::<4>();
        tensors.insert(name, (shape, values.iter().map(|&value| f32::from_le_bytes(value)).collect()));
    }
    Ok((header, Saved { path: path.to_owned(), tensors }))
}
