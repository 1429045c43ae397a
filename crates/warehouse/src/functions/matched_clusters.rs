//! `matched_clusters((SELECT customer_id, cluster_id, id_before FROM …))`: each cluster gets the number of the earlier one
//! that it has most rows in common with, and a new number if it continues none.

use std::sync::Arc;

use analytics::clustering::stable::StableIds;
use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{at, engine, exactly, whole};
use super::{Algorithm, Problem, Shape};

/// Settings.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MatchedClusters {
    /// New clusters are numbered from here, or after the largest earlier number.
    unused_from: u32,
}

impl Algorithm for MatchedClusters {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let [key, now, before] = exactly(columns, ["what was clustered", "its cluster", "its cluster before, if any"])?;
        let input = vec![key.data_type().clone(), whole(&now)?, whole(&before)?];
        let cluster = Arc::new(Field::new("cluster_id", DataType::Int64, true));
        Ok(Shape { input, sorted_by: 1, output: Arc::new(Schema::new(vec![key, cluster])) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let labels = |column: usize| -> Result<Vec<Option<u32>>, Problem> {
            let values = rows.column(column).as_primitive::<Int64Type>();
            let label = |(row, value): (usize, Option<i64>)| match value.map(u32::try_from).transpose() {
                Ok(label) => Ok(label),
                Err(_) => Err(format!("the cluster of {} is below 0 or above {}", at(rows, row), u32::MAX)),
            };
            values.iter().enumerate().map(label).collect()
        };
        let (now, before) = (labels(1)?, labels(2)?);
        let ids = StableIds::by_overlap(&now, &before, self.unused_from).map_err(|e| e.to_string())?;
        let cluster: Int64Array = ids.apply(&now).into_iter().map(|id| id.map(i64::from)).collect();
        RecordBatch::try_new(Arc::clone(output), vec![Arc::clone(rows.column(0)), Arc::new(cluster)]).map_err(engine)
    }
}
