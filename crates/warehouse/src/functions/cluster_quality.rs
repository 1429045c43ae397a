//! `cluster_quality((SELECT customer_id, cluster_id, days_since_order, net_amount FROM …))`: how far the clusters, or segments
//! of any kind, lie apart. Rows without a cluster are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::clustering::silhouette::Silhouette;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{Codes, engine, told};
use super::matrix::{Matrix, Scale};
use super::{Algorithm, Problem, Shape};

/// What comes before the numbers.
pub(super) const BEFORE: [&str; 2] = ["what was clustered, such as a customer", "its cluster"];

/// Settings.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClusterQuality {
    /// What is done to the columns before distances are taken: `standard` gives each mean 0 and deviation 1.
    scale: Scale,
    /// For the sample of which silhouettes are taken where there are many rows.
    seed: u64,
}

impl Algorithm for ClusterQuality {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let input = Matrix::types(columns, BEFORE.len(), &BEFORE)?;
        let output = Schema::new(vec![
            Arc::clone(&columns.fields()[1]),
            Arc::new(Field::new("rows", DataType::Int64, false)),
            Arc::new(Field::new("silhouette", DataType::Float64, true)),
        ]);
        Ok(Shape { input, sorted_by: 1, output: Arc::new(output) })
    }

    fn needed(&self, _: usize) -> Range<usize> {
        1..BEFORE.len()
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let clusters = Codes::of(rows.column(1))?;
        let points = Matrix::of(rows, BEFORE.len()..)?.scaled(self.scale);
        let measure = Silhouette { seed: self.seed, ..Silhouette::default() };
        let found = measure.measure(&points.x, points.columns, &clusters.of_rows).map_err(|e| told(rows, e))?;
        let mut sums = vec![(0i64, 0.0, 0.0); clusters.values.len()];
        clusters.of_rows.iter().for_each(|cluster| sums[*cluster as usize].0 += 1);
        for (row, silhouette) in found.rows.iter().zip(&found.values) {
            let (_, measured, sum) = &mut sums[clusters.of_rows[*row] as usize];
            (*measured, *sum) = (*measured + 1.0, *sum + silhouette);
        }
        let mean = |(_, measured, sum): &(i64, f64, f64)| (*measured > 0.0).then(|| sum / measured);
        let columns: Vec<ArrayRef> = vec![
            Arc::clone(&clusters.values),
            Arc::new(Int64Array::from_iter_values(sums.iter().map(|sum| sum.0))),
            Arc::new(sums.iter().map(mean).collect::<Float64Array>()),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
