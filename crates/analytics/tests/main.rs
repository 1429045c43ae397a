//! What this crate promises, by module; oracle numbers lie in `data/`.

mod attribution;
mod bandits;
mod baskets;
mod boosting;
mod bootstrap;
mod btyd;
mod cdnow;
mod clustering;
mod deciles;
mod decisions;
mod drift;
mod experiments;
mod factorial;
mod graph;
mod logistic;
mod marketing_mix;
mod metrics;
mod recommend;
mod series;
mod support;
mod survival;
mod text;
mod uplift;
mod voice;
