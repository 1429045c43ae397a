//! `communities((SELECT customer_id, other_customer_id, weight FROM core.social_edges))`: groups of nodes with more edges
//! among them than chance would put there. An edge counts the same both ways. The modularity is that of all groups
//! together: 0 is what chance gives, 0.3 and more a clear structure.

use std::ops::Range;
use std::sync::Arc;

use analytics::graph::{CommunitySettings, communities};
use arrow::array::{Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::engine;
use super::edges::{self, Edges, real_field};
use super::{Algorithm, Problem, Shape};

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Communities {
    /// Above 1 for smaller communities, below for larger ones.
    resolution: f64,
    /// Of the order in which nodes are visited.
    seed: u64,
}

impl Default for Communities {
    fn default() -> Self {
        let CommunitySettings { resolution, seed } = CommunitySettings::default();
        Communities { resolution, seed }
    }
}

impl Algorithm for Communities {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        edges::shape(columns, [], [Field::new("community", DataType::Int64, false), real_field("modularity")])
    }

    fn needed(&self, columns: usize) -> Range<usize> {
        0..columns
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { resolution, seed } = *self;
        let edges = Edges::of(rows)?;
        let found = communities(&edges.graph(true)?, CommunitySettings { resolution, seed });
        let found = found.map_err(|e| e.to_string())?;
        let labels = Int64Array::from_iter_values(found.labels.iter().map(|label| i64::from(*label)));
        let modularity = Float64Array::from(vec![found.modularity; found.labels.len()]);
        let columns = vec![Arc::clone(edges.nodes()), Arc::new(labels), Arc::new(modularity)];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
