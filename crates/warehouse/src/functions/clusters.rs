//! `clusters((SELECT customer_id, days_since_order, count_orders, net_amount FROM features.customer), count => 5)`: rows
//! that lie close together get the same number, 1 for the largest cluster.

use std::cmp::Reverse;
use std::sync::Arc;

use analytics::clustering::dbscan::Dbscan;
use analytics::clustering::kmeans::KMeans;
use analytics::clustering::mini_batch::MiniBatch;
use analytics::clustering::mixture::Mixture;
use analytics::clustering::silhouette::Silhouette;
use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{engine, told};
use super::matrix::{Matrix, Scale};
use super::{Algorithm, Problem, Shape};

/// Clusters tried if no number is asked for.
const MOST_TRIED: usize = 10;

/// Settings; `eps` and `min_points` are DBSCAN's.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Clusters {
    /// How clusters are found.
    method: Method,
    /// Chosen by silhouette if not given; DBSCAN finds its own.
    count: Option<usize>,
    /// What is done to the columns before distances are taken: `standard` gives each mean 0 and deviation 1.
    scale: Scale,
    /// Distance between neighbours at most, of dbscan.
    eps: f64,
    /// Rows within `eps` that make a row a core row, itself included, of dbscan.
    min_points: usize,
    /// Of the starts and samples.
    seed: u64,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Kmeans,
    MiniBatch,
    Mixture,
    Dbscan,
}

impl Default for Clusters {
    fn default() -> Self {
        let Dbscan { eps, min_points } = Dbscan::default();
        Clusters { method: Method::Kmeans, count: None, scale: Scale::default(), eps, min_points, seed: 0 }
    }
}

impl Clusters {
    fn labels(&self, points: &Matrix) -> analytics::Result<Vec<Option<u32>>> {
        let Clusters { method, count, eps, min_points, seed, .. } = *self;
        let (x, columns) = (points.x.as_slice(), points.columns);
        let kmeans = |clusters| KMeans { clusters, seed, ..KMeans::default() };
        let chosen = || {
            let rows = x.len() / columns;
            let (most, one) = (MOST_TRIED.min(rows), vec![0; rows]);
            if most < 2 {
                return Ok(one);
            }
            let silhouette = Silhouette { seed, ..Silhouette::default() };
            match silhouette.choose(x, columns, 2..=most, &kmeans(most)) {
                // No two of them differ.
                Err(analytics::Error::Undefined { .. }) => Ok(one),
                found => found.map(|choice| choice.clusters.labels),
            }
        };
        let all = |labels: Vec<u32>| labels.into_iter().map(Some).collect();
        match (method, count) {
            (Method::Dbscan, _) => Dbscan { eps, min_points }.fit(x, columns).map(|found| found.labels),
            (Method::Kmeans, None) => chosen().map(all),
            (Method::Kmeans, Some(count)) => kmeans(count).fit(x, columns).map(|found| all(found.labels)),
            (Method::MiniBatch, count) => {
                let defaults = MiniBatch::default();
                let clusters = count.unwrap_or(defaults.clusters);
                MiniBatch { clusters, seed, ..defaults }.fit(x, columns).map(|found| all(found.labels))
            }
            (Method::Mixture, count) => {
                let defaults = Mixture::default();
                let components = count.unwrap_or(defaults.components);
                Mixture { components, seed, ..defaults }.fit(x, columns).map(|found| all(found.labels))
            }
        }
    }
}

impl Algorithm for Clusters {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let input = Matrix::types(columns, 1, &["what is clustered, such as a customer"])?;
        let cluster = Arc::new(Field::new("cluster_id", DataType::Int64, true));
        let output = Arc::new(Schema::new(vec![Arc::clone(&columns.fields()[0]), cluster]));
        Ok(Shape { input, sorted_by: 1, output })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let points = Matrix::of(rows, 1..)?.scaled(self.scale);
        let labels = self.labels(&points).map_err(|e| told(rows, e))?;
        let numbers = by_size(&labels);
        let cluster: Int64Array = labels.iter().map(|label| label.map(|label| numbers[label as usize])).collect();
        RecordBatch::try_new(Arc::clone(output), vec![Arc::clone(rows.column(0)), Arc::new(cluster)]).map_err(engine)
    }
}

/// The number of each label, 1 for the one with most rows; of equal ones the first row's comes first.
fn by_size(labels: &[Option<u32>]) -> Vec<i64> {
    let most = labels.iter().flatten().max().map_or(0, |most| *most as usize + 1);
    let mut sizes = vec![(0usize, usize::MAX); most];
    for (row, label) in labels.iter().enumerate() {
        if let Some(label) = label {
            let (rows, first) = &mut sizes[*label as usize];
            (*rows, *first) = (*rows + 1, row.min(*first));
        }
    }
    let mut order: Vec<usize> = (0..most).collect();
    order.sort_by_key(|label| (Reverse(sizes[*label].0), sizes[*label].1));
    let mut numbers = vec![0; most];
    (1..).zip(order).for_each(|(number, label)| numbers[label] = number);
    numbers
}
