//! `cluster_stability((SELECT customer_id, days_since_order, net_amount FROM …), count => 5)`: whether k-means finds the same
//! clusters again in resamples of the rows (mean adjusted Rand index: 1 for the same, 0 for chance).

use std::sync::Arc;

use analytics::clustering::agreement::Stability;
use analytics::clustering::kmeans::KMeans;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{engine, told};
use super::matrix::{Matrix, Scale};
use super::{Algorithm, Problem, Shape};

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClusterStability {
    /// Clusters.
    count: usize,
    /// How often rows are drawn anew.
    resamples: usize,
    /// What is done to the columns before distances are taken: `standard` gives each mean 0 and deviation 1.
    scale: Scale,
    /// Of the resamples.
    seed: u64,
}

impl Default for ClusterStability {
    fn default() -> Self {
        let KMeans { clusters, .. } = KMeans::default();
        let Stability { resamples, seed } = Stability::default();
        ClusterStability { count: clusters, resamples, scale: Scale::default(), seed }
    }
}

impl Algorithm for ClusterStability {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let input = Matrix::types(columns, 1, &["what is clustered, such as a customer"])?;
        let output = Schema::new(vec![
            Field::new("clusters", DataType::Int64, false),
            Field::new("agreement", DataType::Float64, false),
            Field::new("least_agreement", DataType::Float64, false),
        ]);
        Ok(Shape { input, sorted_by: 1, output: Arc::new(output) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { count, resamples, scale, seed } = *self;
        let points = Matrix::of(rows, 1..)?.scaled(scale);
        let kmeans = KMeans { clusters: count, seed, ..KMeans::default() };
        let agreement = kmeans
            .fit(&points.x, points.columns)
            .and_then(|found| Stability { resamples, seed }.measure(&points.x, &found, &kmeans))
            .map_err(|e| told(rows, e))?;
        let least = agreement.each.iter().copied().fold(1.0, f64::min);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![count as i64])),
            Arc::new(Float64Array::from(vec![agreement.mean])),
            Arc::new(Float64Array::from(vec![least])),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
