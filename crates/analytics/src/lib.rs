//! Algorithms and statistics that SQL cannot say: metrics and their bootstrap intervals, buy-till-you-die models,
//! logistic regression, how far two distributions lie apart, what is bought together, and recommenders. Numbers in,
//! numbers out: the crate knows neither Arrow nor torch, so that `warehouse`, `trainer` and `pipeline` can all call it.
//! Sums over rows are added in a fixed order, so that the same input gives the same bits on any number of threads.

pub mod baskets;
pub mod bootstrap;
pub mod btyd;
pub mod drift;
mod error;
pub mod logistic;
pub mod metrics;
pub mod recommend;
mod statistic;

pub use error::{Error, Result};
pub use statistic::{Mean, Statistic};
