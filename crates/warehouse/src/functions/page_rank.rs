//! `page_rank((SELECT other_customer_id, customer_id, weight FROM core.social_edges))`: how much of all attention each node
//! gets. An edge passes attention on to the node that it leads to.

use std::ops::Range;
use std::sync::Arc;

use analytics::graph::{PageRankSettings, page_rank};
use arrow::array::{Float64Array, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::engine;
use super::edges::{self, Edges, real_field};
use super::{Algorithm, Problem, Shape};

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PageRank {
    /// Chance of following an edge, at most 0.999.
    damping: f64,
    /// Error of all ranks together at most.
    tolerance: f64,
    /// Whether edges lead one way.
    directed: bool,
}

impl Default for PageRank {
    fn default() -> Self {
        let PageRankSettings { damping, tolerance } = PageRankSettings::default();
        PageRank { damping, tolerance, directed: true }
    }
}

impl Algorithm for PageRank {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        edges::shape(columns, [], [real_field("page_rank")])
    }

    fn needed(&self, columns: usize) -> Range<usize> {
        0..columns
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { damping, tolerance, directed } = *self;
        let edges = Edges::of(rows)?;
        let ranks = page_rank(&edges.graph(directed)?, PageRankSettings { damping, tolerance });
        let ranks = Float64Array::from(ranks.map_err(|e| e.to_string())?);
        let columns = vec![Arc::clone(edges.nodes()), Arc::new(ranks)];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
