//! What this crate promises, by module; oracle numbers lie in `data/`.

mod attribution;
mod baskets;
mod bandits;
mod bootstrap;
mod btyd;
mod cdnow;
mod clustering;
mod drift;
mod graph;
mod experiments;
mod logistic;
mod metrics;
mod recommend;
mod support;
mod uplift;
mod voice;
