//! What a task's model reads: every customer's sequence, and examples with their outcome at given cut-offs.

use crate::columns::Rows;
use crate::error::{Error, Result};
use crate::features::Features;
use crate::label;
use crate::progress::Progress;
use crate::task::Task;
use crate::time::utc;
use futures::StreamExt;
use rayon::prelude::*;
use sequences::{Example, Field, LabelledExample, Sequences, SequencesBuilder, Target};
use warehouse::{DEFAULT_HORIZON_DAYS, Session, SessionOptions, Spine, Warehouse};

/// Every customer's events in the order that sequences are packed in. An order's largest line, which decides what comes next,
/// is its last; the keys after it only make equal times repeatable.
pub const TIMELINE: &str = "SELECT customer_id, event_time, known_time, superseded_at, kind, product_id, category, channel, \
    amount FROM core.timeline WHERE customer_id IS NOT NULL \
    ORDER BY customer_id, event_time, known_time, kind, amount, product_id, channel";

/// Every customer's sequence as of a snapshot.
pub(crate) async fn sequences(warehouse: &Warehouse, snapshot: u64, progress: &dyn Progress) -> Result<Sequences> {
    progress.start("sequences", None);
    let session = session(warehouse, snapshot, Spine::Default, None).await?;
    let mut stream = session.sql(TIMELINE).await?.stream().await?;
    let mut builder = SequencesBuilder::new();
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        builder.push(&batch)?;
        progress.at(rows);
    }
    let sequences = builder.finish();
    progress.finish(&format!("{rows} events of {} customers", sequences.customers().len()));
    Ok(sequences)
}

/// A session that reads the same numbers whenever it is run again.
pub(crate) async fn session(
    warehouse: &Warehouse,
    snapshot: u64,
    spine: Spine,
    horizon_days: Option<u32>,
) -> Result<Session> {
    let horizon_days = horizon_days.unwrap_or(DEFAULT_HORIZON_DAYS);
    // One thread: sums of labels come out the same bit for bit, and with them the trained weights.
    let threads = Some(1);
    let options =
        SessionOptions { snapshot: Some(snapshot), spine, horizon_days, threads, ..SessionOptions::default() };
    Ok(warehouse.session(options).await?)
}

/// All rows of a query.
pub(crate) async fn rows(session: &Session, what: &str, query: &str) -> Result<Rows> {
    let batches = session.sql(query).await?.collect().await?;
    Ok(Rows { what: what.into(), batches })
}

/// The task's labels at some cut-offs: one row per customer and cut-off whose label is known, in that order.
pub(crate) async fn labels(warehouse: &Warehouse, snapshot: u64, task: &Task, cutoffs: &[i64]) -> Result<Labels> {
    let session = session(warehouse, snapshot, cut_offs(cutoffs), Some(task.horizon_days)).await?;
    let label = task.label()?;
    let query = session.sql(&format!("SELECT * FROM {label} ORDER BY as_of, customer_id")).await?;
    let schema = query.schema();
    let rows = Rows { what: label.into(), batches: query.collect().await? };
    let keys = rows.keys()?;
    label::check_keys(task, &keys, cutoffs)?;
    let outcomes = label::outcomes(task, &schema, &rows)?;
    let known = keys.into_iter().zip(outcomes).filter_map(|(key, outcome)| Some((key, outcome?)));
    let (keys, outcomes) = known.unzip();
    Ok(Labels { keys, outcomes })
}

pub(crate) fn cut_offs(micros: &[i64]) -> Spine {
    Spine::CutOffs(micros.iter().map(|&at| utc(at)).collect())
}

/// Outcomes by (customer, cut-off).
pub(crate) struct Labels {
    pub(crate) keys: Vec<(String, i64)>,
    pub(crate) outcomes: Vec<Outcome>,
}

/// What the label view says of one customer and cut-off.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Whether it happened.
    Label(bool),
    /// Days to the next purchase; None: none within the horizon, the customer has left.
    Absence {
        days: Option<f64>,
    },
    /// Product and days of the next purchase; None: none within the horizon.
    Next {
        product: Option<String>,
        days: Option<f64>,
    },
    Value(f64),
}

impl Labels {
    /// All of them, or of more than `most` every n-th.
    pub(crate) fn at_most(self, most: usize) -> Labels {
        let step = self.keys.len().div_ceil(most).max(1);
        let Labels { keys, outcomes } = self;
        Labels {
            keys: keys.into_iter().step_by(step).collect(),
            outcomes: outcomes.into_iter().step_by(step).collect(),
        }
    }

    /// Each label with the customer's history before its cut-off, at most `max_length` events long, and its features.
    pub(crate) fn examples(
        &self,
        sequences: &Sequences,
        features: &Features,
        max_length: usize,
    ) -> Result<Vec<LabelledExample>> {
        let examples = examples(sequences, &self.keys, features, max_length)?;
        let target = |outcome: &Outcome| outcome.target(sequences);
        let labelled = examples.into_iter().zip(&self.outcomes);
        Ok(labelled.map(|(example, outcome)| LabelledExample { example, target: target(outcome) }).collect())
    }
}

impl Outcome {
    /// Days to the next purchase, the horizon's length where there was none in it.
    pub(crate) fn restricted_days(&self, horizon: f64) -> f64 {
        match self {
            Outcome::Next { days: Some(days), .. } => days.min(horizon),
            _ => horizon,
        }
    }

    /// Whether the label is true, or the customer bought nothing.
    pub(crate) fn has_happened(&self) -> bool {
        matches!(self, Outcome::Label(true) | Outcome::Absence { days: None })
    }

    /// The value; of a label 1 where it happened and 0 where not.
    pub(crate) fn number(&self) -> f64 {
        match self {
            Outcome::Label(_) | Outcome::Absence { .. } => f64::from(u8::from(self.has_happened())),
            Outcome::Value(value) => *value,
            Outcome::Next { .. } => 0.0,
        }
    }

    fn target(&self, sequences: &Sequences) -> Target {
        match self {
            Outcome::Label(happened) => Target::Label(*happened),
            Outcome::Absence { days } => Target::Absence { days: days.map(|d| d as f32) },
            Outcome::Value(value) => Target::Value(*value as f32),
            Outcome::Next { product, days } => Target::NextPurchase {
                product: product.as_deref().map(|p| sequences.code_of(Field::Product, p)),
                days: days.map(|d| d as f32),
            },
        }
    }
}

/// Histories of customers before their cut-offs, with the features of each.
pub(crate) fn examples(
    sequences: &Sequences,
    keys: &[(String, i64)],
    features: &Features,
    max_length: usize,
) -> Result<Vec<Example>> {
    let example = |(place, (customer, as_of)): (usize, &(String, i64))| {
        let number = sequences.customer(customer).ok_or_else(|| Error::NoEvents { customer: customer.clone() })?;
        Ok(Example::at(sequences, number, *as_of, max_length).with_features(features.row(place)))
    };
    keys.par_iter().enumerate().map(example).collect()
}
