//! `marketing_mix((SELECT week, sales, tv, radio, trend FROM …), controls => 1)`: what the spend of each channel brought in,
//! from how sales follow spend by week. The last `controls` columns are what else moves sales.

use std::sync::Arc;

use analytics::bootstrap::{Bootstrap, Interval};
use analytics::marketing_mix::{Channel, MixSettings, Weeks, marketing_mix};
use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::Deserialize;

use super::columns::{engine, reals, told};
use super::matrix::Matrix;
use super::{Algorithm, Problem, Shape};

const BEFORE: [&str; 2] = ["a week", "its sales"];

/// Settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MarketingMix {
    controls: usize,
    seed: u64,
}

/// A column of the result, and how it is told.
type Measure = (&'static str, fn(&Channel) -> f64);

const MEASURES: [Measure; 8] = [
    ("spend", |channel| channel.spend),
    ("contribution", |channel| channel.contribution.estimate),
    ("contribution_low", |channel| channel.contribution.low),
    ("contribution_high", |channel| channel.contribution.high),
    ("roi", |channel| channel.roi.estimate),
    ("roi_low", |Channel { roi: Interval { low, .. }, .. }| *low),
    ("roi_high", |Channel { roi: Interval { high, .. }, .. }| *high),
    ("carried_over", |channel| channel.rate),
];

impl MarketingMix {
    /// Channels of a query with so many columns.
    fn channels(&self, columns: usize) -> Result<usize, Problem> {
        let channels = columns.checked_sub(BEFORE.len() + self.controls).filter(|channels| *channels > 0);
        channels.ok_or_else(|| {
            let (before, controls) = (BEFORE.join(", "), self.controls);
            format!("its query has {columns} columns; it needs {before}, the spend of a channel or more, {controls} controls")
        })
    }
}

impl Algorithm for MarketingMix {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        self.channels(columns.fields().len())?;
        let input = Matrix::types(columns, 1, &BEFORE[..1])?;
        let mut output = vec![Field::new("channel", DataType::Utf8, false)];
        output.extend(MEASURES.map(|(name, _)| Field::new(name, DataType::Float64, false)));
        Ok(Shape { input, sorted_by: 1, output: Arc::new(Schema::new(output)) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let channels = self.channels(rows.num_columns())?;
        let first_control = BEFORE.len() + channels;
        let table = |columns: std::ops::Range<usize>| -> Result<Vec<f64>, Problem> {
            let columns = columns.map(|column| reals(rows, column)).collect::<Result<Vec<_>, _>>()?;
            Ok((0..rows.num_rows()).flat_map(|row| columns.iter().map(move |column| column[row])).collect())
        };
        let (sales, spend) = (reals(rows, 1)?, table(BEFORE.len()..first_control)?);
        let controls = table(first_control..rows.num_columns())?;
        let weeks = Weeks { sales: &sales, spend: &spend, channels, controls: &controls };
        let defaults = MixSettings::default();
        let bootstrap = Bootstrap { seed: self.seed, ..defaults.bootstrap };
        let mix = marketing_mix(&weeks, &MixSettings { bootstrap, ..defaults }).map_err(|e| told(rows, e))?;
        let schema = rows.schema();
        let names = (BEFORE.len()..first_control).map(|column| schema.field(column).name());
        let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter_values(names))];
        columns.extend(MEASURES.map(|(_, measure)| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(mix.channels.iter().map(measure)))
        }));
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
