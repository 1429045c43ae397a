//! `similar_items((SELECT product_id, brand, 1 FROM core.products))`: the items that are described most like each item. A row
//! of the query says one thing about one item; with one column more before these, each of its values is a catalogue of its
//! own. Rows without one of the three are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::recommend::{Interactions, similar_items};
use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{Codes, engine, offsets, real, told};
use super::groups::{Groups, of_each, rank};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 3] = ["an item", "an attribute of it, such as a word of its name", "how much that counts"];

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SimilarItems {
    /// Items for each item at most.
    count: usize,
}

impl Default for SimilarItems {
    fn default() -> Self {
        SimilarItems { count: 10 }
    }
}

impl Algorithm for SimilarItems {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let groups = Groups::of(columns, COLUMNS)?;
        let [item, attribute, weight] = &groups.columns;
        let output = Schema::new(vec![
            Arc::clone(item),
            rank(),
            Arc::new(Field::new("similar", item.data_type().clone(), false)),
            Arc::new(Field::new("similarity", DataType::Float64, false)),
        ]);
        let input = vec![item.data_type().clone(), attribute.data_type().clone(), real(weight)?];
        Ok(groups.shape(Shape { input, sorted_by: 2, output: Arc::new(output) }))
    }

    fn needed(&self, columns: usize) -> Range<usize> {
        columns - COLUMNS.len()..columns
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        of_each(rows, COLUMNS.len(), output, |rows, output| self.of(rows, output))
    }
}

impl SimilarItems {
    fn of(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let (offsets, items, attributes) =
            (offsets(rows.column(0))?, Codes::of(rows.column(0))?, Codes::of(rows.column(1))?);
        let weights = rows.column(2).as_primitive::<Float64Type>().values();
        let weights: Vec<f32> = weights.iter().map(|weight| *weight as f32).collect();
        let catalogue = attributes.values.len();
        let described = Interactions { offsets: &offsets, items: &attributes.of_rows, weights: &weights, catalogue };
        let model = similar_items(&described, self.count).map_err(|e| told(rows, e))?;
        let near =
            |item: u32| (1..).zip(model.of(item)).map(move |(rank, &(similar, cosine))| (item, rank, similar, cosine));
        let found: Vec<(u32, i64, u32, f64)> = (0..model.catalogue() as u32).flat_map(near).collect();
        let columns: Vec<ArrayRef> = vec![
            items.decode(found.iter().map(|one| one.0))?,
            Arc::new(Int64Array::from_iter_values(found.iter().map(|one| one.1))),
            items.decode(found.iter().map(|one| one.2))?,
            Arc::new(Float64Array::from_iter_values(found.iter().map(|one| one.3))),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
