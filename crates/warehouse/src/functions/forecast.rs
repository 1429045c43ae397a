//! `forecast((SELECT channel, month, revenue FROM insights.monthly_kpis WHERE is_complete), horizon => 6)`: what comes next in
//! each segment's series, by exponential smoothing or by the same step of the last season, whichever forecast it better.

use std::sync::Arc;

use analytics::series::{Ahead, ForecastSettings, forecast};
use arrow::array::{ArrayRef, Date32Array, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::engine;
use super::series::{SeriesColumns, Steps};
use super::{Algorithm, Problem, Shape};

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Forecast {
    /// Steps of the series.
    every: Steps,
    /// Steps ahead.
    horizon: usize,
    /// Steps in a season, 1 for none; the calendar's if not given.
    season: Option<usize>,
    /// Coverage of the intervals.
    level: f64,
    /// From how many of the last steps each model forecasts the rest, to choose between them.
    origins: usize,
}

impl Default for Forecast {
    fn default() -> Self {
        let ForecastSettings { horizon, season, level, origins } = ForecastSettings::default();
        Forecast { every: Steps::default(), horizon, season, level, origins }
    }
}

impl Algorithm for Forecast {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let real = |name: &str| Field::new(name, DataType::Float64, false);
        let method = Field::new("method", DataType::Utf8, false);
        SeriesColumns::shape(columns, vec![real("forecast"), real("low"), real("high"), method])
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { every, horizon, season, level, origins } = *self;
        let found = SeriesColumns::of(rows, every)?;
        let settings = ForecastSettings { horizon, season, level, origins };
        let outlooks = forecast(&found.series, &settings).map_err(|e| found.told(e))?;
        let ahead: Vec<(&Ahead, String)> = outlooks
            .iter()
            .flat_map(|outlook| outlook.ahead.iter().map(|ahead| (ahead, outlook.method.to_string())))
            .collect();
        let real = |of: fn(&Ahead) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(ahead.iter().map(|(ahead, _)| of(ahead))))
        };
        let columns = vec![
            found.segments(outlooks.iter().map(|outlook| outlook.ahead.len()))?,
            Arc::new(Date32Array::from_iter_values(ahead.iter().map(|(ahead, _)| ahead.day))),
            real(|ahead| ahead.mean),
            real(|ahead| ahead.low),
            real(|ahead| ahead.high),
            Arc::new(StringArray::from_iter_values(ahead.iter().map(|(_, method)| method))),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
