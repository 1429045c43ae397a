//! What is explained as one thing: an input by itself, inputs that belong together, or all of a source.

use crate::dataset;
use crate::error::Result;
use crate::prior::is_of_prior;
use sequences::Example;
use serde::Serialize;
use std::collections::HashMap;
use trainer::{Input, Model};
use warehouse::{Spine, Warehouse};

/// How much is shuffled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// All events, all aggregates or all features.
    Source,
    /// A field of the events, or the features of one view.
    Group,
    /// An aggregate or a feature.
    Single,
}

impl Grouping {
    pub fn name(self) -> &'static str {
        match self {
            Grouping::Source => "source",
            Grouping::Group => "group",
            Grouping::Single => "single",
        }
    }
}

/// Inputs under one name.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) grouping: Grouping,
    /// The source of a group, the group of a single input.
    pub(crate) group: Option<String>,
    pub(crate) name: String,
    pub(crate) inputs: Vec<Input>,
}

impl Unit {
    fn new(grouping: Grouping, group: Option<&str>, name: &str, inputs: Vec<Input>) -> Unit {
        Unit { grouping, group: group.map(str::to_owned), name: name.to_owned(), inputs }
    }

    /// The one aggregate or feature that it is.
    pub(crate) fn column(&self) -> Option<Input> {
        match self.inputs[..] {
            [input] if self.grouping == Grouping::Single && !input.is_of_events() => Some(input),
            _ => None,
        }
    }
}

const EVENTS: &str = "events";
const AGGREGATES: &str = "aggregates";
const FEATURES: &str = "features";
/// What the model started from.
const PRIOR: &str = "prior";
/// Sine and cosine of a date's place in year and week: four numbers that mean one thing.
const CALENDAR: &str = "calendar";

/// Everything that is shuffled: sources, groups within them, and single inputs. `families` names the group of each feature.
pub(super) fn all(model: &Model, families: &[String]) -> Vec<Unit> {
    let of = |is: fn(&Input) -> bool| -> Vec<Input> { model.inputs().into_iter().filter(is).collect() };
    let sources = [
        (EVENTS, of(|input| input.is_of_events())),
        (AGGREGATES, of(|input| matches!(input, Input::Aggregate(_)))),
        (FEATURES, of(|input| matches!(input, Input::Feature(_)))),
    ];
    let sources = sources.into_iter().filter(|(_, inputs)| !inputs.is_empty());
    let mut units: Vec<Unit> = sources.map(|(name, all)| Unit::new(Grouping::Source, None, name, all)).collect();
    let (of_events, others): (Vec<Unit>, Vec<Unit>) =
        singles(model, families).into_iter().partition(|unit| unit.group.as_deref() == Some(EVENTS));
    units.extend(of_events.into_iter().map(|unit| Unit { grouping: Grouping::Group, ..unit }));
    for (nth, name) in families.iter().enumerate() {
        if !families[..nth].contains(name) {
            let inputs = families.iter().enumerate().filter(|(_, family)| *family == name);
            let inputs = inputs.map(|(place, _)| Input::Feature(place)).collect();
            units.push(Unit::new(Grouping::Group, Some(FEATURES), name, inputs));
        }
    }
    units.extend(others);
    units
}

/// Every input once, under the name that a reader knows it by: fields of events, aggregates, features.
pub(crate) fn singles(model: &Model, families: &[String]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (input, name) in model.inputs().into_iter().zip(model.input_names()) {
        let (group, name) = match input {
            Input::EventField(_) => (EVENTS, name),
            Input::EventFeature(_) => (EVENTS, plain(&name)),
            Input::Aggregate(_) => (AGGREGATES, plain(&name)),
            Input::Feature(place) => (families[place].as_str(), name),
        };
        match units.last_mut() {
            Some(last) if last.name == name && name == CALENDAR && last.group.as_deref() == Some(group) => {
                last.inputs.push(input);
            }
            _ => units.push(Unit::new(Grouping::Single, Some(group), &name, vec![input])),
        }
    }
    units
}

/// The name of what a number is made of.
fn plain(name: &str) -> String {
    let is_calendar = name.starts_with("year_") || name.starts_with("week_");
    if is_calendar { CALENDAR.to_owned() } else { name.to_owned() }
}

/// For each feature of a view the view that has it: the first of those that the view reads which has a column of that name,
/// else the view itself. What the prior says is a family of its own.
pub(crate) async fn families(
    warehouse: &Warehouse,
    snapshot: u64,
    view: Option<&str>,
    features: &[String],
) -> Result<Vec<String>> {
    let Some(view) = view else { return Ok(features.iter().map(|_| PRIOR.to_owned()).collect()) };
    let session = dataset::session(warehouse, snapshot, Spine::Default, None).await?;
    let schema = view.split('.').next().unwrap_or_default();
    let reads = warehouse.catalog().get(view).map(|definition| definition.reads.as_slice()).unwrap_or_default();
    let mut found: HashMap<String, String> = HashMap::new();
    for read in reads.iter().filter(|read| read.split('.').next() == Some(schema)) {
        // Planned, not run.
        let columns = session.sql(&format!("SELECT * FROM {read}")).await?.schema();
        for column in columns.fields() {
            found.entry(column.name().clone()).or_insert_with(|| read.clone());
        }
    }
    let family = |name: &String| match is_of_prior(name) {
        true => PRIOR.to_owned(),
        false => found.get(name).cloned().unwrap_or_else(|| view.to_owned()),
    };
    Ok(features.iter().map(family).collect())
}

/// An aggregate or a feature of an example; NaN where unknown.
pub(crate) fn value(example: &Example, input: Input) -> f32 {
    match input {
        Input::Aggregate(place) => example.context()[place],
        Input::Feature(place) => example.features()[place],
        Input::EventField(_) | Input::EventFeature(_) => f32::NAN,
    }
}
