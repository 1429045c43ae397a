//! `anomalies((SELECT channel, month, revenue FROM insights.monthly_kpis WHERE is_complete))`: the steps of each segment's series
//! with how far each lies from what was expected of it, in robust deviations.

use std::sync::Arc;

use analytics::series::{AnomalySettings, Scored, anomalies};
use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::engine;
use super::series::{SeriesColumns, Steps};
use super::{Algorithm, Problem, Shape};

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Anomalies {
    /// Steps of the series.
    every: Steps,
    /// Steps in a season, 1 for none; the calendar's if not given.
    season: Option<usize>,
    /// Deviations from which a step is an anomaly.
    threshold: f64,
    /// Last steps on which models compete to forecast the next one.
    origins: usize,
}

impl Default for Anomalies {
    fn default() -> Self {
        let AnomalySettings { season, threshold, origins } = AnomalySettings::default();
        Anomalies { every: Steps::default(), season, threshold, origins }
    }
}

impl Algorithm for Anomalies {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let real = |name: &str| Field::new(name, DataType::Float64, false);
        let is_anomaly = Field::new("is_anomaly", DataType::Boolean, false);
        SeriesColumns::shape(columns, vec![real("value"), real("expected"), real("score"), is_anomaly])
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { every, season, threshold, origins } = *self;
        let found = SeriesColumns::of(rows, every)?;
        let settings = AnomalySettings { season, threshold, origins };
        let watched = anomalies(&found.series, &settings).map_err(|e| found.told(e))?;
        let steps: Vec<&Scored> = watched.iter().flat_map(|watch| &watch.steps).collect();
        let real = |of: fn(&Scored) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(steps.iter().map(|step| of(step))))
        };
        let columns = vec![
            found.segments(watched.iter().map(|watch| watch.steps.len()))?,
            Arc::new(Date32Array::from_iter_values(steps.iter().map(|step| step.day))),
            real(|step| step.value),
            real(|step| step.expected),
            real(|step| step.score),
            Arc::new(steps.iter().map(|step| Some(step.is_anomaly)).collect::<BooleanArray>()),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
