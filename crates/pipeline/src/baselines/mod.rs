//! What a model has to beat, each fitted only on what was known before its cut-off.

mod btyd;
mod products;
mod rfm;
mod trees;

pub(crate) use btyd::{BuyTillYouDie, buy_till_you_die};
pub(crate) use products::{Histories, buyers_recommenders, most_bought, product_rules, recommenders};
pub(crate) use rfm::logistic;
pub(crate) use trees::{TREES, boosted_trees};
