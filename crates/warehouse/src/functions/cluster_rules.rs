//! `cluster_rules((SELECT customer_id, cluster_id, days_since_order, net_amount FROM …))`: what tells the clusters apart, in
//! rules that a person can read, found by a decision tree. Rows without a cluster are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::clustering::describe::{Condition, Describe, Rule};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::cluster_quality::BEFORE;
use super::columns::{Codes, engine, told};
use super::matrix::Matrix;
use super::{Algorithm, Problem, Shape};

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClusterRules {
    /// Conditions of a rule at most.
    max_depth: usize,
    /// Rows that a rule must hold for.
    min_leaf_rows: usize,
}

impl Default for ClusterRules {
    fn default() -> Self {
        let Describe { max_depth, min_leaf_rows } = Describe::default();
        ClusterRules { max_depth, min_leaf_rows }
    }
}

impl Algorithm for ClusterRules {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let input = Matrix::types(columns, BEFORE.len(), &BEFORE)?;
        let output = Schema::new(vec![
            Arc::clone(&columns.fields()[1]),
            Arc::new(Field::new("rule", DataType::Utf8, false)),
            Arc::new(Field::new("rows", DataType::Int64, false)),
            Arc::new(Field::new("coverage", DataType::Float64, false)),
            Arc::new(Field::new("purity", DataType::Float64, false)),
        ]);
        Ok(Shape { input, sorted_by: 1, output: Arc::new(output) })
    }

    fn needed(&self, _: usize) -> Range<usize> {
        1..BEFORE.len()
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let clusters = Codes::of(rows.column(1))?;
        let points = Matrix::of(rows, BEFORE.len()..)?;
        let describe = Describe { max_depth: self.max_depth, min_leaf_rows: self.min_leaf_rows };
        let found = describe.fit(&points.x, points.columns, &clusters.of_rows).map_err(|e| told(rows, e))?;
        let rules: Vec<(u32, &Rule)> =
            found.clusters.iter().flat_map(|of| of.rules.iter().map(|rule| (of.label, rule))).collect();
        let schema = rows.schema();
        let columns: Vec<ArrayRef> = vec![
            clusters.decode(rules.iter().map(|(cluster, _)| *cluster))?,
            Arc::new(StringArray::from_iter_values(rules.iter().map(|(_, rule)| shown(rule, &schema)))),
            Arc::new(Int64Array::from_iter_values(rules.iter().map(|(_, rule)| rule.rows as i64))),
            Arc::new(Float64Array::from_iter_values(rules.iter().map(|(_, rule)| rule.coverage))),
            Arc::new(Float64Array::from_iter_values(rules.iter().map(|(_, rule)| rule.purity))),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}

fn shown(rule: &Rule, schema: &Schema) -> String {
    let condition = |Condition { column, is_at_most, threshold }: &Condition| {
        let name = schema.field(BEFORE.len() + column).name();
        format!("{name} {} {}", if *is_at_most { "<=" } else { ">" }, readable(*threshold))
    };
    match rule.conditions.as_slice() {
        [] => "any".to_string(),
        conditions => conditions.iter().map(condition).collect::<Vec<_>>().join(" and "),
    }
}

/// A threshold lies halfway between two values: four digits tell it, and more only look exact.
fn readable(threshold: f64) -> String {
    let digits = threshold.abs().max(1.0).log10() as usize;
    let text = format!("{threshold:.*}", 3usize.saturating_sub(digits));
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}
