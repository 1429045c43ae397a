//! `marketing_mix((SELECT week, sales, tv, radio, trend FROM …), controls => 1)`: what the spend of each channel brought in,
//! from how sales follow spend by week. The last `controls` columns are what else moves sales.

use std::sync::Arc;

use analytics::bootstrap::{Bootstrap, Interval};
use analytics::marketing_mix::{Channel, MixSettings, Saturation, Weeks, marketing_mix};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{Measure, at, engine, measured, names, reals, told};
use super::matrix::Matrix;
use super::{Algorithm, Problem, Shape};

const BEFORE: [&str; 2] = ["a week", "its sales"];

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MarketingMix {
    /// How many of the last columns are no spend.
    controls: usize,
    /// How an effect flattens as spend grows.
    saturation: SaturationName,
    /// Of the Hill curve.
    slope: Option<f64>,
    /// Share of its effect that spend may keep a week later at most, where it is known not to last.
    max_carried_over: f64,
    /// Ridge on the standardised channels.
    l2: f64,
    /// Coverage of the intervals.
    level: f64,
    /// Resamples that the intervals are made of.
    replicates: usize,
    /// Weeks that are resampled together.
    block: usize,
    /// Of the resamples.
    seed: u64,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum SaturationName {
    None,
    Log,
    Hill,
}

impl Default for MarketingMix {
    fn default() -> Self {
        let MixSettings { saturation, rates, scales: _, l2, bootstrap, block } = MixSettings::default();
        let Bootstrap { replicates, level, seed } = bootstrap;
        let (saturation, slope) = match saturation {
            Saturation::None => (SaturationName::None, None),
            Saturation::Log => (SaturationName::Log, None),
            Saturation::Hill { slope } => (SaturationName::Hill, Some(slope)),
        };
        let max_carried_over = rates.into_iter().fold(0.0, f64::max);
        MarketingMix { controls: 0, saturation, slope, max_carried_over, l2, level, replicates, block, seed }
    }
}

const MEASURES: [Measure<Channel>; 8] = [
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
    fn settings(&self) -> Result<MixSettings, Problem> {
        let Self { controls: _, saturation, slope, max_carried_over, l2, level, replicates, block, seed } = *self;
        let saturation = match (saturation, slope) {
            (SaturationName::None, None) => Saturation::None,
            (SaturationName::Log, None) => Saturation::Log,
            (SaturationName::Hill, Some(slope)) => Saturation::Hill { slope },
            (SaturationName::Hill, None) => {
                return Err("saturation => 'hill' needs slope => n, above 1 for an S".into());
            }
            (_, Some(_)) => return Err("slope is for saturation => 'hill'".into()),
        };
        let mut settings = MixSettings { saturation, l2, block, ..MixSettings::default() };
        settings.bootstrap = Bootstrap { replicates, level, seed };
        settings.rates.retain(|rate| *rate <= max_carried_over);
        if settings.rates.is_empty() {
            return Err(format!("max_carried_over is {max_carried_over}; valid is 0 or more"));
        }
        Ok(settings)
    }

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
        self.settings()?;
        let input = Matrix::types(columns, 1, &BEFORE[..1])?;
        let mut output = vec![Field::new("channel", DataType::Utf8, false)];
        output.extend(names(MEASURES).map(|name| Field::new(name, DataType::Float64, false)));
        Ok(Shape { input, sorted_by: 1, output: Arc::new(Schema::new(output)) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let channels = self.channels(rows.num_columns())?;
        let first_control = BEFORE.len() + channels;
        let (sales, spend) = (reals(rows, 1)?, Matrix::of(rows, BEFORE.len()..first_control)?.x);
        let controls = Matrix::of(rows, first_control..)?.x;
        let weeks = Weeks { sales: &sales, spend: &spend, channels, controls: &controls };
        let schema = rows.schema();
        let mix = marketing_mix(&weeks, &self.settings()?).map_err(|error| match error {
            // Of spend, not of a control.
            analytics::Error::Cell { row, column, value, valid }
                if column < channels && spend[row * channels + column] == value =>
            {
                let name = schema.field(BEFORE.len() + column).name();
                format!("{}: column \"{name}\" is {value}; valid is {valid}", at(rows, row))
            }
            error => told(rows, error),
        })?;
        let names = (BEFORE.len()..first_control).map(|column| schema.field(column).name());
        let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter_values(names))];
        columns.extend(measured(MEASURES, mix.channels.iter().map(Some)));
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
