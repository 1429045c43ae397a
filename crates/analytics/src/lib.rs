//! Algorithms and statistics that SQL cannot say: metrics and their intervals, models of buying, segments, baskets,
//! recommenders, attribution, experiments, graphs, forecasts, texts, and how far two distributions lie apart. Numbers in,
//! numbers out: the crate knows neither Arrow nor torch, so that `warehouse`, `trainer` and `pipeline` can all call it.
//! Sums over rows are added in a fixed order, so that the same input gives the same bits on any number of threads.

pub mod assortment;
pub mod attribution;
pub mod bandits;
pub mod baskets;
pub mod boosting;
pub mod bootstrap;
pub mod btyd;
mod cholesky;
pub mod clustering;
pub mod deciles;
pub mod decisions;
mod distributions;
pub mod drift;
mod error;
pub mod experiments;
pub mod graph;
pub mod linear;
pub mod logistic;
pub mod marketing_mix;
pub mod metrics;
mod quadrature;
pub mod recommend;
pub mod series;
mod sparse;
mod statistic;
pub mod survival;
pub mod text;
pub mod uplift;
pub mod voice;
mod wide;

pub use error::{Error, IN_BOUNDS, Result, is_in_bounds, shown};
pub use statistic::{Mean, Statistic};
