//! `text_classes((SELECT feedback_id, text, label FROM …))`: the label of each text as those with a label teach it. Where a
//! label is given, its own text had no part in the answer, so that `avg(label = predicted)` is the accuracy to expect of the
//! others. Rows without a text are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::text::{ClassSettings, classify};
use arrow::array::{AsArray, Float64Array, ListBuilder, RecordBatch, StringBuilder};
use arrow::compute::{filter_record_batch, is_not_null};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{Codes, engine, exactly, list_of, text, told};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 3] =
    ["what has a text, such as an answer's id", "its text", "its label, NULL where it is not known"];

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TextClasses {
    /// Penalty of the squared weights; more trusts single words less.
    l2: f64,
    /// Parts that the texts with a label fall into.
    folds: usize,
    /// Of the parts.
    seed: u64,
}

impl Default for TextClasses {
    fn default() -> Self {
        let ClassSettings { l2, folds, seed } = ClassSettings::default();
        TextClasses { l2, folds, seed }
    }
}

impl Algorithm for TextClasses {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let [id, said, label] = exactly(columns, COLUMNS)?;
        let input = vec![id.data_type().clone(), text(&said)?, label.data_type().clone()];
        let predicted = Field::new("predicted", label.data_type().clone(), false);
        let probability = Field::new("probability", DataType::Float64, false);
        let reasons = list_of("reasons", &Field::new("reason", DataType::Utf8, true));
        let output = vec![id, label, Arc::new(predicted), Arc::new(probability), reasons];
        Ok(Shape { input, sorted_by: 2, output: Arc::new(Schema::new(output)) })
    }

    fn needed(&self, _: usize) -> Range<usize> {
        1..2
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let given = is_not_null(rows.column(2)).map_err(engine)?;
        let taught = filter_record_batch(rows, &given).map_err(engine)?;
        let codes = Codes::of(taught.column(2))?;
        let mut next = codes.of_rows.iter().copied();
        let labels: Vec<Option<u32>> =
            given.values().iter().map(|given| if given { next.next() } else { None }).collect();
        let texts: Vec<&str> = rows.column(1).as_string::<i32>().iter().map(Option::unwrap_or_default).collect();
        let Self { l2, folds, seed } = *self;
        let found = classify(&texts, &labels, &ClassSettings { l2, folds, seed }).map_err(|e| told(rows, e))?;
        let mut reasons = ListBuilder::new(StringBuilder::new());
        found.iter().for_each(|found| reasons.append_value(found.reasons.iter().map(Some)));
        let columns = vec![
            Arc::clone(rows.column(0)),
            Arc::clone(rows.column(2)),
            codes.decode(found.iter().map(|found| found.label))?,
            Arc::new(Float64Array::from_iter_values(found.iter().map(|found| found.probability))),
            Arc::new(reasons.finish()),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
