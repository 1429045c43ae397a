//! The questions that a model answers about an example; [`crate::Target`] holds what then happened.

use serde::{Deserialize, Serialize};

/// What is predicted from a customer's history: the part of a model that reads the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// The probability that nothing is bought in the horizon.
    Churn,
    /// The product bought next, and when.
    NextPurchase,
    /// The item that comes next, trained after every event and with no look at the cut-off: the next-item benchmarks.
    NextItem,
    /// The net value bought in the horizon.
    Clv,
}

impl Head {
    /// The head's name in task files.
    pub fn name(self) -> &'static str {
        match self {
            Head::Churn => "churn",
            Head::NextPurchase => "next_purchase",
            Head::NextItem => "next_item",
            Head::Clv => "clv",
        }
    }

    /// Whether the head ranks products.
    pub fn ranks_products(self) -> bool {
        matches!(self, Head::NextPurchase | Head::NextItem)
    }
}
