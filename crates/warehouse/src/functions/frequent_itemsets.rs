//! `frequent_itemsets((SELECT order_id, product_id FROM core.order_lines), min_support => 0.01)`: what is bought together.
//! Rows without a basket or an item are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::baskets::{ItemsetSettings, Itemsets, MinSupport, frequent_itemsets};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{Codes, engine, exactly, list_of, offsets};
use super::{Algorithm, Problem, Shape};

/// Share of the baskets that an itemset must be in, if nothing else is asked for.
pub(super) const MIN_SUPPORT: f64 = 0.01;
/// Columns of the query.
pub(super) const COLUMNS: [&str; 2] = ["a basket", "an item in it"];

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FrequentItemsets {
    /// Share of the baskets that have all items.
    min_support: f64,
    /// Items of an itemset at most; any number if not given.
    max_length: Option<usize>,
    /// Items of a basket at most, its most frequent ones; any number if not given.
    max_width: Option<usize>,
}

impl Default for FrequentItemsets {
    fn default() -> Self {
        let ItemsetSettings { max_length, max_width, .. } = ItemsetSettings::default();
        FrequentItemsets { min_support: MIN_SUPPORT, max_length, max_width }
    }
}

/// The baskets of a query's rows, which come basket by basket.
pub(super) struct Baskets {
    offsets: Vec<usize>,
    pub(super) items: Codes,
}

impl Baskets {
    pub(super) fn of(rows: &RecordBatch) -> Result<Baskets, Problem> {
        Ok(Baskets { offsets: offsets(rows.column(0))?, items: Codes::of(rows.column(1))? })
    }

    pub(super) fn itemsets(
        &self,
        min_support: f64,
        max_length: Option<usize>,
        max_width: Option<usize>,
    ) -> Result<Itemsets, Problem> {
        let min_support = MinSupport::Share(min_support);
        let settings = ItemsetSettings { min_support, max_length, max_width, ..ItemsetSettings::default() };
        frequent_itemsets(&self.offsets, &self.items.of_rows, &settings).map_err(|e| e.to_string())
    }
}

impl Algorithm for FrequentItemsets {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let [basket, item] = exactly(columns, COLUMNS)?;
        let output = Schema::new(vec![
            list_of("items", &item),
            Arc::new(Field::new("baskets", DataType::Int64, false)),
            Arc::new(Field::new("support", DataType::Float64, false)),
        ]);
        let input = vec![basket.data_type().clone(), item.data_type().clone()];
        Ok(Shape { input, sorted_by: 1, output: Arc::new(output) })
    }

    fn needed(&self, _: usize) -> Range<usize> {
        0..COLUMNS.len()
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let baskets = Baskets::of(rows)?;
        let found = baskets.itemsets(self.min_support, self.max_length, self.max_width)?;
        let columns: Vec<ArrayRef> = vec![
            baskets.items.decode_lists((0..found.len()).map(|i| found.items(i)))?,
            Arc::new((0..found.len()).map(|i| Some(i64::from(found.count(i)))).collect::<Int64Array>()),
            Arc::new((0..found.len()).map(|i| Some(found.support(i))).collect::<Float64Array>()),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
