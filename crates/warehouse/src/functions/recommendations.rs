//! `recommendations((SELECT customer_id, product_id, count(*) FROM core.order_lines GROUP BY 1, 2), count => 10)`: what each
//! customer is likely to buy of what he has not bought, from what all bought. With one column more before these, such as a
//! cut-off, each of its values is by itself. Rows without one of the three are left out.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use analytics::recommend::{Als, AlsSettings, Interactions, ItemNeighbours, KnnSettings};
use analytics::shown;
use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{Codes, at, engine, offsets, real, told};
use super::groups::{Groups, of_each, rank};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 3] = ["a customer", "an item", "how much that counts, such as times bought"];

/// What is above 0 and finite as a single, too.
const WEIGHTS: RangeInclusive<f64> = f32::MIN_POSITIVE as f64..=3e38;

/// Settings: of the result, of item neighbours, of factors.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Recommendations {
    /// Item neighbours or implicit alternating least squares.
    model: Model,
    /// Items for each customer at most.
    count: usize,
    /// Of an item at most, of item_knn.
    neighbours: usize,
    /// Common customers at which a similarity counts half, of item_knn.
    shrinkage: f64,
    /// Numbers to a customer and to an item, of als.
    factors: usize,
    /// Rounds over customers and items, of als.
    iterations: usize,
    /// Weight of the squared factors, of als.
    l2: f64,
    /// A weight w is trusted 1 + alpha · w times as much as an absence, of als.
    alpha: f64,
    /// Of the first factors, of als.
    seed: u64,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Model {
    ItemKnn,
    Als,
}

impl Default for Recommendations {
    fn default() -> Self {
        let KnnSettings { neighbours, shrinkage } = KnnSettings::default();
        let AlsSettings { factors, iterations, l2, alpha, seed, .. } = AlsSettings::default();
        Recommendations {
            model: Model::ItemKnn,
            count: 10,
            neighbours,
            shrinkage,
            factors,
            iterations,
            l2,
            alpha,
            seed,
        }
    }
}

impl Algorithm for Recommendations {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let groups = Groups::of(columns, COLUMNS)?;
        let [customer, item, weight] = &groups.columns;
        let output = Schema::new(vec![
            Arc::clone(customer),
            rank(),
            Arc::clone(item),
            Arc::new(Field::new("score", DataType::Float64, false)),
            Arc::new(Field::new("because", item.data_type().clone(), true)),
        ]);
        let input = vec![customer.data_type().clone(), item.data_type().clone(), real(weight)?];
        Ok(groups.shape(Shape { input, sorted_by: 2, output: Arc::new(output) }))
    }

    fn needed(&self, columns: usize) -> Range<usize> {
        columns - COLUMNS.len()..columns
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        of_each(rows, COLUMNS.len(), output, |rows, output| self.of(rows, output))
    }
}

impl Recommendations {
    fn of(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let (offsets, items) = (offsets(rows.column(0))?, Codes::of(rows.column(1))?);
        let weights = rows.column(2).as_primitive::<Float64Type>().values();
        if let Some(row) = weights.iter().position(|weight| !WEIGHTS.contains(weight)) {
            let weight = shown(weights[row]);
            return Err(format!("{}: weight is {weight}; valid is above 0 and at most 3e38", at(rows, row)));
        }
        let weights: Vec<f32> = weights.iter().map(|weight| *weight as f32).collect();
        let catalogue = items.values.len();
        let bought = Interactions { offsets: &offsets, items: &items.of_rows, weights: &weights, catalogue };
        let Self { model, count, neighbours, shrinkage, factors, iterations, l2, alpha, seed } = *self;
        let recommended = match model {
            Model::ItemKnn => ItemNeighbours::fit(&bought, &KnnSettings { neighbours, shrinkage })
                .and_then(|model| model.recommend(&bought, count)),
            Model::Als => {
                let settings = AlsSettings { factors, iterations, l2, alpha, seed, ..AlsSettings::default() };
                Als::fit(&bought, &settings).and_then(|model| model.recommend(&bought, count))
            }
        };
        let recommended = recommended.map_err(|e| told(rows, e))?;
        let firsts = recommended.iter().map(|one| offsets[one.user as usize] as u32);
        let ranks =
            recommended.chunk_by(|one, next| one.user == next.user).flat_map(|of_user| 1..=of_user.len() as i64);
        let because: UInt32Array = recommended.iter().map(|one| one.because).collect();
        let columns: Vec<ArrayRef> = vec![
            take(rows.column(0), &UInt32Array::from_iter_values(firsts), None).map_err(engine)?,
            Arc::new(Int64Array::from_iter_values(ranks)),
            items.decode(recommended.iter().map(|one| one.item))?,
            Arc::new(Float64Array::from_iter_values(recommended.iter().map(|one| one.score))),
            take(&items.values, &because, None).map_err(engine)?,
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
