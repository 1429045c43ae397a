//! `cluster_quality((SELECT customer_id, cluster_id, days_since_order, net_amount FROM …))`: how far the clusters, or segments
//! of any kind, lie apart (silhouette: 1 well apart, 0 on a border, below 0 mixed), and whether rules learned from resampled
//! rows put the others into them again (stability: 1 for all, 0 for no better than chance). Both are NULL where there is one
//! cluster. Rows without a cluster are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::clustering::agreement::Stability;
use analytics::clustering::describe::Describe;
use analytics::clustering::silhouette::Silhouette;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{Codes, engine, told};
use super::groups::{Groups, of_each};
use super::matrix::{Matrix, Scale};
use super::{Algorithm, Problem, Shape};

/// What comes before the numbers.
pub(super) const BEFORE: [&str; 2] = ["what was clustered, such as a customer", "its cluster"];
/// Rules that are as fine as segments are: nobody reads them.
const RULES: Describe = Describe { max_depth: 8, min_leaf_rows: 1 };

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClusterQuality {
    /// Whether a column of groups comes before the others, such as a cut-off; each group is measured by itself.
    grouped: bool,
    /// What is done to the columns before distances are taken: `standard` gives each mean 0 and deviation 1.
    scale: Scale,
    /// Rows that are measured at most, drawn at random from more.
    sample: usize,
    /// How often rows are drawn anew for the stability.
    resamples: usize,
    /// Of the sample and the resamples.
    seed: u64,
}

impl Default for ClusterQuality {
    fn default() -> Self {
        let (Silhouette { exact_up_to, seed }, Stability { resamples, .. }) = Default::default();
        ClusterQuality { grouped: false, scale: Scale::default(), sample: exact_up_to, resamples, seed }
    }
}

impl ClusterQuality {
    fn of_one(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let clusters = Codes::of(rows.column(1))?;
        let points = Matrix::of(rows, BEFORE.len()..)?.scaled(self.scale);
        let measured = self.measure(&points, &clusters.of_rows).map_err(|e| told(rows, e))?;
        let mut counts = vec![0i64; clusters.values.len()];
        clusters.of_rows.iter().for_each(|code| counts[*code as usize] += 1);
        let mut of: Vec<Option<Quality>> = counts.iter().map(|_| None).collect();
        measured.into_iter().for_each(|(code, quality)| of[code as usize] = Some(quality));
        let columns: Vec<ArrayRef> = vec![
            Arc::clone(&clusters.values),
            Arc::new(Int64Array::from(counts)),
            Arc::new(of.iter().map(|of| Some(of.as_ref()?.silhouette)).collect::<Float64Array>()),
            Arc::new(of.iter().map(|of| of.as_ref()?.stability).collect::<Float64Array>()),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }

    /// Of the clusters that rows of the sample are in, by their labels; none where that is only one.
    fn measure(&self, points: &Matrix, labels: &[u32]) -> analytics::Result<Vec<(u32, Quality)>> {
        let Self { grouped: _, scale: _, sample, resamples, seed } = *self;
        let found = match (Silhouette { exact_up_to: sample, seed }).measure(&points.x, points.columns, labels) {
            Err(analytics::Error::Undefined { .. }) => return Ok(vec![]),
            found => found?,
        };
        let labels: Vec<u32> = found.rows.iter().map(|row| labels[*row]).collect();
        let x: Vec<f64> =
            found.rows.iter().flat_map(|row| &points.x[row * points.columns..][..points.columns]).copied().collect();
        let stability = Stability { resamples, seed }.of_rules(&x, points.columns, &labels, &RULES)?;
        let quality = |(label, stability): (u32, Option<f64>)| {
            let of_cluster = labels.iter().zip(&found.values).filter(|(of, _)| **of == label);
            let (sum, rows) = of_cluster.fold((0.0, 0.0), |(sum, rows), (_, value)| (sum + value, rows + 1.0));
            (label, Quality { silhouette: sum / rows, stability })
        };
        Ok(stability.into_iter().map(quality).collect())
    }
}

/// Of one cluster.
struct Quality {
    silhouette: f64,
    /// `None` where no resample could tell.
    stability: Option<f64>,
}

impl Algorithm for ClusterQuality {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        if self.sample < 2 {
            return Err(format!("sample is {}; valid is 2 or more", self.sample));
        }
        let skipped = usize::from(self.grouped).min(columns.fields().len());
        let (group, own) = columns.fields().split_at(skipped);
        let own = Schema::new(own.to_vec());
        let input = Matrix::types(&own, BEFORE.len(), &BEFORE)?;
        let output = Schema::new(vec![
            Arc::clone(&own.fields()[1]),
            Arc::new(Field::new("rows", DataType::Int64, false)),
            Arc::new(Field::new("silhouette", DataType::Float64, true)),
            Arc::new(Field::new("stability", DataType::Float64, true)),
        ]);
        let own = Shape { input, sorted_by: 1, output: Arc::new(output) };
        Ok(Groups { group: group.first().cloned(), columns: [] }.shape(own))
    }

    fn needed(&self, _: usize) -> Range<usize> {
        let cluster = 1 + usize::from(self.grouped);
        cluster..cluster + 1
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let own = rows.num_columns() - usize::from(self.grouped);
        of_each(rows, own, output, |rows, output| self.of_one(rows, output))
    }
}
