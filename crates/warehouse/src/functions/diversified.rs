//! `diversified((SELECT customer_id, product_id, score, [category, brand] FROM …), count => 5)`: of each customer's scored
//! items those that are good and not all alike. The fourth column lists what an item is like; columns after it are kept.
//! Rows without one of the first three are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::recommend::{Candidate, DiversitySettings, diversified};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema, SchemaRef};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::columns::{Codes, and_more, engine, offsets, real, told};
use super::groups::rank;
use super::{Algorithm, Problem, Shape};
use crate::ddl::type_name;

const COLUMNS: [&str; 4] = ["whose list it is", "an item", "its score", "a list of what the item is like"];

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Diversified {
    /// Items for each customer at most.
    count: usize,
    /// From 0, as different as possible, to 1, by score alone.
    relevance: f64,
    /// Items of a list at most that share an attribute; any number if not given.
    most_alike: Option<usize>,
}

impl Default for Diversified {
    fn default() -> Self {
        let DiversitySettings { count, relevance, most_alike } = DiversitySettings::default();
        Diversified { count, relevance, most_alike }
    }
}

impl Algorithm for Diversified {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let ([customer, item, score, attributes], kept) =
            and_more(columns, COLUMNS, 0..=usize::MAX, "then any others")?;
        let own = [customer.data_type().clone(), item.data_type().clone(), real(&score)?, texts(&attributes)?];
        let input = own.into_iter().chain(kept.iter().map(|field| field.data_type().clone())).collect();
        let score = Arc::new(Field::new(score.name(), DataType::Float64, false));
        let output = [customer, rank(), item, score].into_iter().chain(kept).collect::<Vec<_>>();
        Ok(Shape { input, sorted_by: 2, output: Arc::new(Schema::new(output)) })
    }

    fn needed(&self, _: usize) -> Range<usize> {
        0..3
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { count, relevance, most_alike } = *self;
        let settings = DiversitySettings { count, relevance, most_alike };
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
        let mut columns =
            take_record_batch(rows, &UInt32Array::from(picked.concat())).map_err(engine)?.columns().to_vec();
        columns.remove(3);
        columns.insert(1, ranks);
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
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
