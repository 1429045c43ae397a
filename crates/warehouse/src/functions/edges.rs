//! How functions read a graph: one row is an edge, from one node to another and with a weight if there is a third column.
//! A node is any value; both ends are of one type. Rows without an end or a weight are left out.

use std::sync::Arc;

use analytics::graph::Graph;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema};

use super::columns::{Codes, and_more, engine, one_type, real, reals, told};
use super::{Problem, Shape};

const COLUMNS: [&str; 2] = ["a node", "a node that an edge leads to from there"];
const WEIGHT: &str = "and maybe the weight of that edge";
/// What nodes are called in results.
const NODE: &str = "node";

/// Edges by the numbers of their nodes.
pub(super) struct Edges {
    rows: RecordBatch,
    nodes: Codes,
    weights: Vec<f64>,
}

/// What comes of a query of edges: some columns before the node, some after.
pub(super) fn shape<const B: usize, const A: usize>(
    columns: &Schema,
    before: [Field; B],
    after: [Field; A],
) -> Result<Shape, Problem> {
    let ([from, to], weight) = and_more(columns, COLUMNS, 0..=1, WEIGHT)?;
    let node = one_type(&from, &to)?;
    let mut input = vec![node.clone(), node.clone()];
    for weight in weight {
        input.push(real(&weight)?);
    }
    let output: Vec<Field> = before.into_iter().chain([Field::new(NODE, node, false)]).chain(after).collect();
    // All columns, because sums depend on the order.
    Ok(Shape { sorted_by: input.len(), input, output: Arc::new(Schema::new(output)) })
}

/// A column of reals.
pub(super) fn real_field(name: &str) -> Field {
    Field::new(name, DataType::Float64, false)
}

impl Edges {
    pub(super) fn of(rows: &RecordBatch) -> Result<Edges, Problem> {
        let nodes = Codes::of(&concat(&[rows.column(0), rows.column(1)]).map_err(engine)?)?;
        let weights = match rows.num_columns() {
            3 => reals(rows, 2)?,
            _ => Vec::new(),
        };
        Ok(Edges { rows: rows.clone(), nodes, weights })
    }

    pub(super) fn graph(&self, is_directed: bool) -> Result<Graph, Problem> {
        let (from, to) = self.nodes.of_rows.split_at(self.rows.num_rows());
        let graph = if is_directed { Graph::directed } else { Graph::undirected };
        graph(self.nodes.values.len(), from, to, &self.weights).map_err(|e| told(&self.rows, e))
    }

    /// Every node, in the order of the graph.
    pub(super) fn nodes(&self) -> &ArrayRef {
        &self.nodes.values
    }

    pub(super) fn decode(&self, nodes: impl IntoIterator<Item = u32>) -> Result<ArrayRef, Problem> {
        self.nodes.decode(nodes)
    }
}
