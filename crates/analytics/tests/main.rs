//! What this crate promises, by module; oracle numbers lie in `data/`.

mod baskets;
mod bootstrap;
mod btyd;
mod cdnow;
mod drift;
mod logistic;
mod metrics;
mod recommend;
mod support;
