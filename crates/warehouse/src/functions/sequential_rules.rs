//! `sequential_rules((SELECT customer_id, cast(event_time AS DATE), product_id FROM core.order_lines), within_days => 60)`:
//! who buys this buys that on a later day. Rows without a customer, day or item are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::baskets::{MinSupport, Purchases, SequentialSettings, sequential_rules};
use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{Codes, engine, exactly, time, told};
use super::frequent_itemsets::MIN_SUPPORT;
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 3] = ["a customer", "a day", "an item bought then"];

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SequentialRules {
    /// Days from the first item to the second at most.
    within_days: u32,
    /// Share of the customers.
    min_support: f64,
    /// Share of those with the first item who buy the second in time.
    min_confidence: f64,
    /// 1 leaves out what follows less often than by chance.
    min_lift: f64,
}

impl Default for SequentialRules {
    fn default() -> Self {
        let SequentialSettings { within_days, min_confidence, min_lift, .. } = SequentialSettings::default();
        SequentialRules { within_days, min_support: MIN_SUPPORT, min_confidence, min_lift }
    }
}

impl Algorithm for SequentialRules {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let [customer, day, item] = exactly(columns, COLUMNS)?;
        let real = |name: &str| Arc::new(Field::new(name, DataType::Float64, false));
        let output = Schema::new(vec![
            Arc::new(item.as_ref().clone().with_name("antecedent")),
            Arc::new(item.as_ref().clone().with_name("consequent")),
            Arc::new(Field::new("customers", DataType::Int64, false)),
            real("support"),
            real("confidence"),
            real("lift"),
            real("median_days"),
        ]);
        let input = vec![customer.data_type().clone(), time(&day, DataType::Date32)?, item.data_type().clone()];
        Ok(Shape { input, sorted_by: 2, output: Arc::new(output) })
    }

    fn needed(&self, _: usize) -> Range<usize> {
        0..COLUMNS.len()
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { within_days, min_support, min_confidence, min_lift } = *self;
        let customers: Vec<u64> = Codes::of(rows.column(0))?.of_rows.into_iter().map(u64::from).collect();
        let days = rows.column(1).as_primitive::<Date32Type>().values();
        let items = Codes::of(rows.column(2))?;
        let min_support = MinSupport::Share(min_support);
        let defaults = SequentialSettings::default();
        let settings = SequentialSettings { within_days, min_support, min_confidence, min_lift, ..defaults };
        let purchases = Purchases { customers: &customers, days, items: &items.of_rows };
        let rules = sequential_rules(&purchases, &settings).map_err(|e| told(rows, e))?;
        let real = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
        let columns = vec![
            items.decode(rules.iter().map(|rule| rule.antecedent))?,
            items.decode(rules.iter().map(|rule| rule.consequent))?,
            Arc::new(rules.iter().map(|rule| Some(i64::from(rule.customers))).collect::<Int64Array>()),
            real(rules.iter().map(|rule| rule.support).collect()),
            real(rules.iter().map(|rule| rule.confidence).collect()),
            real(rules.iter().map(|rule| rule.lift).collect()),
            real(rules.iter().map(|rule| rule.median_gap).collect()),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
