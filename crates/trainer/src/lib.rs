//! Deep sequence models of customers: training, run folders, predictions. The only crate that links libtorch.
//!
//! A [`Config`] (checked from a task file's [`RawConfig`]) builds everything: the network, its optimiser, the loop.
//! [`train`] fits it to a [`Dataset`] of labelled examples into a self-contained run folder; [`Model::load`] brings it
//! back to score anyone, customers and products unseen in training included.
//!
//! A causal encoder reads a customer's events (a Transformer, HSTU or GRU: [`ArchitectureChoice`]). One token more than there
//! are events stands for the moment of asking: it carries the time since the last event, the calendar and the aggregates at the
//! cut-off, and the heads ([`Head`]) read it. So a prediction is about a customer *at a date*, not after an event.

mod ahead;
mod architectures;
mod checkpoint;
mod config;
mod dataset;
mod device;
mod earlier;
mod encoder;
mod error;
mod evaluate;
mod explain;
mod fit;
mod heads;
mod inputs;
mod layers;
mod losses;
mod mean_loss;
mod memory;
mod network;
mod optimizer;
mod parameters;
mod piecewise;
mod predict;
mod run;
mod scaling;
mod softmax;

pub use config::{ArchitectureChoice, Config, DeviceChoice, LossChoice, Precision, RawConfig, RawModel, RawTraining};
pub use dataset::{Dataset, Offsets};
pub use earlier::check_earlier;
pub use error::{Error, Result};
pub use explain::{Importance, Importances, Input, Reasons};
pub use fit::{Progress, TrainOptions, Trained, train};
pub use predict::{Model, NextPurchase, Predictions, TimeToNext, Value};
pub use run::{EpochMetrics, has_checkpoint};
pub use sequences::{Head, TargetKind};
