//! [`SeriesColumns`]: metric series in a query's rows, one for each value of its first column.

use std::sync::Arc;

use analytics::Error;
use analytics::series::{Every, Series};
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Field, FieldRef, Schema};
use arrow::util::display::array_value_to_string;
use serde::{Deserialize, Serialize};

use super::columns::{Codes, all_present, exactly, real, reals, time};
use super::{Problem, Shape};

const COLUMNS: [&str; 3] = ["a segment", "the day on which a step begins", "the metric"];

/// Steps of a series.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Steps {
    Day,
    Week,
    #[default]
    Month,
}

/// The series, and the segment of each.
pub(super) struct SeriesColumns {
    pub(super) series: Vec<Series>,
    segments: Codes,
}

impl SeriesColumns {
    /// What a function of series gives: the segment, the step, then these.
    pub(super) fn shape(columns: &Schema, results: Vec<Field>) -> Result<Shape, Problem> {
        let [segment, day, metric] = exactly(columns, COLUMNS)?;
        let input = vec![segment.data_type().clone(), time(&day, DataType::Date32)?, real(&metric)?];
        let day: FieldRef = Arc::new(Field::new(day.name(), DataType::Date32, false));
        let output = [segment, day].into_iter().chain(results.into_iter().map(Arc::new)).collect::<Vec<_>>();
        Ok(Shape { input, sorted_by: 2, output: Arc::new(Schema::new(output)) })
    }

    pub(super) fn of(rows: &RecordBatch, steps: Steps) -> Result<SeriesColumns, Problem> {
        (0..2).try_for_each(|column| all_present(rows, column))?;
        let segments = Codes::of(rows.column(0))?;
        let codes: Vec<usize> = segments.of_rows.iter().map(|code| *code as usize).collect();
        let every = match steps {
            Steps::Day => Every::Day,
            Steps::Week => Every::Week,
            Steps::Month => Every::Month,
        };
        let days = rows.column(1).as_primitive::<Date32Type>().values();
        let series = Series::by_segment(every, &codes, days, &reals(rows, 2)?);
        let found = SeriesColumns { series: Vec::new(), segments };
        let series = series.map_err(|e| found.told(e))?;
        Ok(SeriesColumns { series, ..found })
    }

    /// The segment in each row of a result that has so many rows for each.
    pub(super) fn segments(&self, rows: impl IntoIterator<Item = usize>) -> Result<ArrayRef, Problem> {
        self.segments.decode((0..).zip(rows).flat_map(|(code, rows)| std::iter::repeat_n(code, rows)))
    }

    /// An algorithm's complaint, with the segment that it speaks of.
    pub(super) fn told(&self, error: Error) -> Problem {
        match error {
            Error::Segment { segment, error } => {
                format!("{}: {error}", array_value_to_string(&self.segments.values, segment).unwrap_or_default())
            }
            other => other.to_string(),
        }
    }
}
