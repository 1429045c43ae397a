//! `association_rules((SELECT order_id, product_id FROM core.order_lines), min_support => 0.01)`: who buys this also buys
//! that. Rows without a basket or an item are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::baskets::{ItemsetSettings, Rule, RuleSettings, association_rules};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{Measure, engine, exactly, list_of, measured, names};
use super::frequent_itemsets::{self, Baskets};
use super::{Algorithm, Problem, Shape};

/// Settings: those of the itemsets, and those of the rules.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AssociationRules {
    /// Share of the baskets that have all items of the rule.
    min_support: f64,
    /// Items of a rule at most; any number if not given.
    max_length: Option<usize>,
    /// Items of a basket at most, its most frequent ones; any number if not given.
    max_width: Option<usize>,
    /// Share of the baskets with the antecedent that have the consequent, too.
    min_confidence: f64,
    /// 1 leaves out what is bought together less often than by chance.
    min_lift: f64,
    /// Items of a consequent at most; any number if not given.
    max_consequent: Option<usize>,
}

impl Default for AssociationRules {
    fn default() -> Self {
        let ItemsetSettings { max_length, max_width, .. } = ItemsetSettings::default();
        let RuleSettings { min_confidence, min_lift, max_consequent, .. } = RuleSettings::default();
        let min_support = frequent_itemsets::MIN_SUPPORT;
        AssociationRules { min_support, max_length, max_width, min_confidence, min_lift, max_consequent }
    }
}

const MEASURES: [Measure<Rule>; 8] = [
    ("antecedent_support", |rule| rule.antecedent_support),
    ("consequent_support", |rule| rule.consequent_support),
    ("support", |rule| rule.support),
    ("confidence", |rule| rule.confidence),
    ("lift", |rule| rule.lift),
    ("leverage", |rule| rule.leverage),
    ("conviction", |rule| rule.conviction),
    ("zhang", |rule| rule.zhang),
];

impl Algorithm for AssociationRules {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let [basket, item] = exactly(columns, frequent_itemsets::COLUMNS)?;
        let mut output = vec![list_of("antecedent", &item), list_of("consequent", &item)];
        output.push(Arc::new(Field::new("baskets", DataType::Int64, false)));
        output.extend(names(MEASURES).map(|name| Arc::new(Field::new(name, DataType::Float64, false))));
        let input = vec![basket.data_type().clone(), item.data_type().clone()];
        Ok(Shape { input, sorted_by: 1, output: Arc::new(Schema::new(output)) })
    }

    fn needed(&self, _: usize) -> Range<usize> {
        0..frequent_itemsets::COLUMNS.len()
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { min_support, max_length, max_width, min_confidence, min_lift, max_consequent } = *self;
        let baskets = Baskets::of(rows)?;
        let itemsets = baskets.itemsets(min_support, max_length, max_width)?;
        let settings = RuleSettings { min_confidence, min_lift, max_consequent, ..RuleSettings::default() };
        let rules = association_rules(&itemsets, &settings).map_err(|e| e.to_string())?;
        let mut columns: Vec<ArrayRef> = vec![
            baskets.items.decode_lists(rules.iter().map(|rule| rule.antecedent.as_slice()))?,
            baskets.items.decode_lists(rules.iter().map(|rule| rule.consequent.as_slice()))?,
            Arc::new(rules.iter().map(|rule| Some(i64::from(rule.count))).collect::<Int64Array>()),
        ];
        columns.extend(measured(MEASURES, rules.iter().map(Some)));
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
