//! What this crate promises, by module; oracle numbers lie in `data/`.

mod attribution;
mod bandits;
mod baskets;
mod bootstrap;
mod btyd;
mod cdnow;
mod clustering;
mod drift;
mod experiments;
mod graph;
mod logistic;
mod metrics;
mod recommend;
mod support;
mod uplift;
mod voice;
