//! `diversified((SELECT customer_id, product_id, score, [category, brand] FROM …), count => 5)`: of each customer's scored
//! items those that are good and not all alike. The last column lists what an item is like; with one column more before
//! these, each of its values is by itself. Rows without one of the first three are left out.

use std::sync::Arc;

use analytics::recommend::{Candidate, DiversitySettings, diversified};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema, SchemaRef};
use rayon::prelude::*;
use serde::Deserialize;

use super::columns::{Codes, engine, offsets, real, told, without_nulls};
use super::groups::{Groups, of_each, rank};
use super::{Algorithm, Problem, Shape};
use crate::ddl::type_name;

const COLUMNS: [&str; 4] = ["a customer", "an item", "its score", "a list of what the item is like"];

/// Settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Diversified {
    /// Items for each customer at most.
    count: usize,
    relevance: f64,
}

impl Default for Diversified {
    fn default() -> Self {
        let DiversitySettings { count, relevance } = DiversitySettings::default();
        Diversified { count, relevance }
    }
}

impl Algorithm for Diversified {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let groups = Groups::of(columns, COLUMNS)?;
        let [customer, item, score, attributes] = &groups.columns;
        let input = vec![customer.data_type().clone(), item.data_type().clone(), real(score)?, texts(attributes)?];
        let score = Arc::new(Field::new(score.name(), DataType::Float64, false));
        let output = Schema::new(vec![Arc::clone(customer), rank(), Arc::clone(item), score]);
        Ok(groups.shape(Shape { input, sorted_by: 2, output: Arc::new(output) }))
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let first = rows.num_columns() - COLUMNS.len();
        of_each(&without_nulls(rows, first..first + 3)?, COLUMNS.len(), output, |rows, output| self.of(rows, output))
    }
}

/// The type of a list of texts.
fn texts(field: &FieldRef) -> Result<DataType, Problem> {
    match field.data_type() {
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))))
        }
        other => Err(format!(
            "column \"{}\" is {}; it must be a list, as in [category, brand]",
            field.name(),
            type_name(other)
        )),
    }
}

impl Diversified {
    fn of(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { count, relevance } = *self;
        let settings = DiversitySettings { count, relevance };
        let ends = offsets(rows.column(0))?;
        let candidates = candidates(rows)?;
        let picked = ends.par_windows(2).map(|pair| {
            let picked = diversified(&candidates[pair[0]..pair[1]], &settings);
            let picked = picked.map_err(|e| told(&rows.slice(pair[0], pair[1] - pair[0]), e))?;
            Ok(picked.into_iter().map(|one| (pair[0] + one) as u32).collect())
        });
        let picked: Vec<Vec<u32>> = picked.collect::<Result<_, Problem>>()?;
        let ranks = picked.iter().flat_map(|of_customer| 1..=of_customer.len() as i64);
        let ranks: ArrayRef = Arc::new(Int64Array::from_iter_values(ranks));
        let kept = take_record_batch(rows, &UInt32Array::from(picked.concat())).map_err(engine)?;
        let column = |at: usize| Arc::clone(kept.column(at));
        RecordBatch::try_new(Arc::clone(output), vec![column(0), ranks, column(1), column(2)]).map_err(engine)
    }
}

/// One of each row.
fn candidates(rows: &RecordBatch) -> Result<Vec<Candidate>, Problem> {
    let lists = rows.column(3).as_list::<i32>();
    let codes = present_codes(lists.values())?;
    let scores = rows.column(2).as_primitive::<Float64Type>().values();
    let candidate = |(row, score): (usize, &f64)| {
        let ends = lists.value_offsets();
        let range = if lists.is_null(row) { 0..0 } else { ends[row] as usize..ends[row + 1] as usize };
        let mut attributes: Vec<u32> = codes[range].iter().filter_map(|code| *code).collect();
        attributes.sort_unstable();
        attributes.dedup();
        Candidate { score: *score, attributes }
    };
    Ok(scores.iter().enumerate().map(candidate).collect())
}

/// A number for each different value; none for NULL.
fn present_codes(values: &ArrayRef) -> Result<Vec<Option<u32>>, Problem> {
    let codes = Codes::of(values)?.of_rows;
    Ok(codes.into_iter().enumerate().map(|(row, code)| values.is_valid(row).then_some(code)).collect())
}
