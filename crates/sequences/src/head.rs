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
    /// The probability that a label of one's own is true.
    Binary,
    /// A whole number of one's own, not below 0: how often something happens in the horizon.
    Count,
    /// A number of one's own that is often 0 and otherwise of any size: what something comes to in the horizon.
    Amount,
}

/// What a head's targets are. Heads of one kind are trained and judged alike; only what their answers mean differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// True or false.
    Label,
    /// A number, where one below 0 counts as 0.
    Amount,
    /// A whole number, not below 0.
    Count,
    /// A product and a time.
    Next,
}

impl Head {
    /// The head's name in task files.
    pub fn name(self) -> &'static str {
        match self {
            Head::Churn => "churn",
            Head::NextPurchase => "next_purchase",
            Head::NextItem => "next_item",
            Head::Clv => "clv",
            Head::Binary => "binary",
            Head::Count => "count",
            Head::Amount => "amount",
        }
    }

    /// What its targets are.
    pub fn target_kind(self) -> TargetKind {
        match self {
            Head::Churn | Head::Binary => TargetKind::Label,
            Head::Clv | Head::Amount => TargetKind::Amount,
            Head::Count => TargetKind::Count,
            Head::NextPurchase | Head::NextItem => TargetKind::Next,
        }
    }

    /// Whether the head ranks products.
    pub fn ranks_products(self) -> bool {
        self.target_kind() == TargetKind::Next
    }

    /// Whether the label view alone says what the answers mean.
    pub fn is_of_ones_own(self) -> bool {
        matches!(self, Head::Binary | Head::Count | Head::Amount)
    }
}
