//! What a trained model goes by: which inputs it needs to tell customers apart ([`Model::importances`]), and which of them
//! moved one customer's prediction ([`Model::reasons`]).
//!
//! Both name the same [`Input`]s, in the order of [`Model::inputs`]: the texts and numbers of events, the aggregates, and the
//! features that examples bring. They are asked of the model as it is, by other inputs and by its gradient; a second, simpler
//! model that imitates it would explain itself.

mod importance;
mod quadrature;
mod reasons;

use sequences::{CONTEXT_FEATURES, EVENT_FEATURES, Field};

pub use importance::{Importance, Importances};
pub use reasons::Reasons;

use crate::inputs::feature_count;
use crate::{Error, Head, Model, Result};

/// One of the things that a model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// A text of the events.
    EventField(Field),
    /// A number of the events, by its place in [`EVENT_FEATURES`].
    EventFeature(usize),
    /// An aggregate, by its place in [`CONTEXT_FEATURES`].
    Aggregate(usize),
    /// What the examples bring, by its place in [`Model::features`].
    Feature(usize),
}

impl Input {
    /// Whether it is one of the events.
    pub fn is_of_events(self) -> bool {
        matches!(self, Input::EventField(_) | Input::EventFeature(_))
    }
}

impl Model {
    /// Everything that the model reads: of events first, then the aggregates, then the features.
    pub fn inputs(&self) -> Vec<Input> {
        let fields = Field::ALL.into_iter().map(Input::EventField);
        let numbers = (0..feature_count(self.head())).map(Input::EventFeature);
        let aggregates = (0..CONTEXT_FEATURES.len()).map(Input::Aggregate);
        let features = (0..self.features().len()).map(Input::Feature);
        fields.chain(numbers).chain(aggregates).chain(features).collect()
    }

    /// The name of each of [`Model::inputs`]; an aggregate and a feature may have the same.
    pub fn input_names(&self) -> Vec<String> {
        let features = self.features();
        let name = |input| match input {
            Input::EventField(field) => field.column().to_owned(),
            Input::EventFeature(place) => EVENT_FEATURES[place].to_owned(),
            Input::Aggregate(place) => CONTEXT_FEATURES[place].to_owned(),
            Input::Feature(place) => features[place].clone(),
        };
        self.inputs().into_iter().map(name).collect()
    }
}

fn not_explained<T>(head: Head) -> Result<T> {
    Err(Error::NotExplained { head: head.name(), valid: "labels, amounts and counts" })
}
