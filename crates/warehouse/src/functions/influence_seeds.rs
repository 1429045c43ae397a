//! `influence_seeds((SELECT customer_id, other_customer_id FROM core.social_edges), count => 10)`: whom to tell first so
//! that word of mouth reaches most. An edge leads from who tells to who listens. A seed's gain is the number of nodes that
//! it adds to those the seeds before it reach on average, itself included; by degree it is only a score.

use std::ops::Range;
use std::sync::Arc;

use analytics::graph::{SeedMethod, SeedSettings, seeds};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::engine;
use super::edges::{self, Edges, real_field};
use super::{Algorithm, Problem, Shape};

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct InfluenceSeeds {
    /// Seeds.
    count: usize,
    /// Chance that telling over an edge of weight 1 succeeds.
    probability: f64,
    /// `greedy` simulates who is reached, `degree_discount` counts edges.
    method: Method,
    /// Of greedy.
    simulations: usize,
    /// Of the simulations of greedy.
    seed: u64,
    /// Whether edges lead one way.
    directed: bool,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Greedy,
    DegreeDiscount,
}

impl Default for InfluenceSeeds {
    fn default() -> Self {
        let SeedSettings { count, probability, method } = SeedSettings::default();
        let (method, simulations, seed) = match method {
            SeedMethod::Greedy { simulations, seed } => (Method::Greedy, simulations, seed),
            SeedMethod::DegreeDiscount => (Method::DegreeDiscount, 0, 0),
        };
        InfluenceSeeds { count, probability, method, simulations, seed, directed: true }
    }
}

impl Algorithm for InfluenceSeeds {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        edges::shape(columns, [Field::new("rank", DataType::Int64, false)], [real_field("gain")])
    }

    fn needed(&self, columns: usize) -> Range<usize> {
        0..columns
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { count, probability, method, simulations, seed, directed } = *self;
        let method = match method {
            Method::Greedy => SeedMethod::Greedy { simulations, seed },
            Method::DegreeDiscount => SeedMethod::DegreeDiscount,
        };
        let edges = Edges::of(rows)?;
        let chosen = seeds(&edges.graph(directed)?, SeedSettings { count, probability, method });
        let chosen = chosen.map_err(|e| e.to_string())?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(1..=chosen.len() as i64)),
            edges.decode(chosen.iter().map(|seed| seed.node))?,
            Arc::new(Float64Array::from_iter_values(chosen.iter().map(|seed| seed.gain))),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
