//! `attribution((SELECT path, touched_at, channel, conversions, value FROM …), model => 'markov')`: which channel earned the
//! conversions. A path is a row for each touch; what it led to stands in each of its rows. Touches without a path, time or
//! channel are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::attribution::{MODELS, Model, Paths, attribute};
use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use serde::{Deserialize, Serialize};

use super::columns::{Codes, at, engine, exactly, offsets, real, reals, time, told, with_reals};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 5] =
    ["a path, such as a customer", "when it was touched", "by which channel", "conversions of the path", "their value"];
const MICROS_PER_DAY: f64 = 86_400e6;

/// Settings; each but the first belongs to one model.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Attribution {
    /// `first`, `last`, `linear`, `time_decay`, `position`, `markov` or `shapley`; markov if not given.
    model: Option<String>,
    /// Days, of time_decay.
    half_life: Option<f64>,
    /// Share of the first touch, of position.
    first: Option<f64>,
    /// Share of the last touch, of position.
    last: Option<f64>,
    /// Touches that make a state of markov.
    order: Option<usize>,
}

impl Attribution {
    fn model(&self) -> Result<Model, Problem> {
        let name = self.model.as_deref().unwrap_or("markov");
        let Some((_, usual)) = MODELS.iter().find(|(known, _)| *known == name) else {
            let known = MODELS.map(|(known, _)| known).join(", ");
            return Err(format!("model is '{name}'; valid is one of {known}"));
        };
        let Attribution { model: _, half_life, first, last, order } = self;
        let (model, is_all_used) = match *usual {
            Model::TimeDecay { half_life: usual } => (
                Model::TimeDecay { half_life: half_life.unwrap_or(usual) },
                first.or(*last).is_none() && order.is_none(),
            ),
            Model::Position { first: usual, last: other } => {
                let model = Model::Position { first: first.unwrap_or(usual), last: last.unwrap_or(other) };
                (model, half_life.is_none() && order.is_none())
            }
            Model::Markov { order: usual } => {
                (Model::Markov { order: order.unwrap_or(usual) }, half_life.or(*first).or(*last).is_none())
            }
            other => (other, half_life.or(*first).or(*last).is_none() && order.is_none()),
        };
        match is_all_used {
            true => Ok(model),
            false => Err(format!(
                "{name} has no such setting: half_life is time_decay's, first and last are position's, order is markov's"
            )),
        }
    }
}

impl Algorithm for Attribution {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        self.model()?;
        let [path, touched_at, channel, conversions, value] = exactly(columns, COLUMNS)?;
        let touched_at = time(&touched_at, DataType::Timestamp(TimeUnit::Microsecond, None))?;
        let (conversions, value) = (real(&conversions)?, real(&value)?);
        let input = vec![path.data_type().clone(), touched_at, channel.data_type().clone(), conversions, value];
        Ok(Shape { input, sorted_by: 3, output: with_reals([channel], &["conversions", "value"]) })
    }

    fn needed(&self, _: usize) -> Range<usize> {
        0..3
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let (offsets, channels) = (offsets(rows.column(0))?, Codes::of(rows.column(2))?);
        let times = rows.column(1).as_primitive::<TimestampMicrosecondType>().values();
        let times: Vec<f64> = times.iter().map(|micros| *micros as f64 / MICROS_PER_DAY).collect();
        let conversions = of_paths(rows, &offsets, 3)?;
        let values = of_paths(rows, &offsets, 4)?;
        let nulls: Vec<f64> = conversions.iter().map(|conversions| f64::from(*conversions == 0.0)).collect();
        let paths = Paths {
            offsets: &offsets,
            channels: &channels.of_rows,
            times: &times,
            conversions: &conversions,
            values: &values,
            nulls: &nulls,
        };
        let first_of = |path: usize| offsets.get(path).copied();
        let credits = attribute(&paths, self.model()?).map_err(|e| match e.row().and_then(first_of) {
            Some(row) if row < rows.num_rows() => format!("{}: {e}", at(rows, row)),
            _ => told(&rows.slice(0, 0), e),
        })?;
        let columns: Vec<ArrayRef> = vec![
            channels.decode(credits.iter().map(|credit| credit.channel))?,
            Arc::new(Float64Array::from_iter_values(credits.iter().map(|credit| credit.conversions))),
            Arc::new(Float64Array::from_iter_values(credits.iter().map(|credit| credit.value))),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}

/// What stands in all rows of a path.
fn of_paths(rows: &RecordBatch, offsets: &[usize], column: usize) -> Result<Vec<f64>, Problem> {
    let values = reals(rows, column)?;
    let one = |path: &[usize]| match values[path[0]..path[1]].iter().all(|value| *value == values[path[0]]) {
        true => Ok(values[path[0]]),
        false => {
            let name = rows.schema().field(column).name().clone();
            Err(format!("the touches of {} differ in \"{name}\", which belongs to the path", at(rows, path[0])))
        }
    };
    offsets.windows(2).map(one).collect()
}
