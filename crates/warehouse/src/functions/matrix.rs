//! [`Matrix`]: the numbers of a query's rows, for algorithms that see rows as points.

use std::ops::RangeBounds;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::columns::{real, reals};

/// Numbers, row by row.
pub(super) struct Matrix {
    pub(super) x: Vec<f64>,
    pub(super) columns: usize,
}

/// What is done to columns of different units before distances are taken.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scale {
    /// Each column gets mean 0 and deviation 1; a constant one becomes 0.
    #[default]
    Standard,
    None,
}

impl Matrix {
    /// The types of a query's columns, of which those from `first` on are the numbers, at least one.
    pub(super) fn types(columns: &Schema, first: usize, before: &[&str]) -> Result<Vec<DataType>, Problem> {
        let fields = columns.fields();
        if fields.len() <= first {
            let before = before.join(", ");
            return Err(format!("its query has {} columns; it needs {before}, then one number or more", fields.len()));
        }
        let own = fields[..first].iter().map(|field| Ok(field.data_type().clone()));
        own.chain(fields[first..].iter().map(|field| real(field))).collect()
    }

    /// Of these columns, or those of them that there are.
    pub(super) fn of(rows: &RecordBatch, columns: impl RangeBounds<usize>) -> Result<Matrix, Problem> {
        let columns = (0..rows.num_columns()).filter(|column| columns.contains(column));
        let columns = columns.map(|column| reals(rows, column)).collect::<Result<Vec<_>, _>>()?;
        let x = (0..rows.num_rows()).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
        Ok(Matrix { x, columns: columns.len() })
    }

    pub(super) fn scaled(mut self, scale: Scale) -> Matrix {
        if matches!(scale, Scale::None) {
            return self;
        }
        let (rows, columns) = ((self.x.len() / self.columns).max(1) as f64, self.columns);
        let column = |column: usize| self.x.iter().skip(column).step_by(columns);
        let scales: Vec<(f64, f64)> = (0..columns)
            .map(|j| {
                let mean = column(j).sum::<f64>() / rows;
                let variance = column(j).map(|x| (x - mean).powi(2)).sum::<f64>() / rows;
                (mean, if variance > 0.0 { variance.sqrt().recip() } else { 0.0 })
            })
            .collect();
        self.x.par_chunks_mut(columns).for_each(|row| {
            row.iter_mut().zip(&scales).for_each(|(x, (mean, inverse))| *x = (*x - mean) * inverse);
        });
        self
    }
}
