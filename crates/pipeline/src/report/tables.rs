//! An evaluation's tables as text, for the terminal and for the page alike, so that both show the same numbers.

use crate::evaluation::{Evaluation, Interval};
use std::fmt;

/// Cells under a header.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub header: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Whether a cell is read as a number, and so set to the right.
    pub fn is_number(cell: &str) -> bool {
        cell.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+')
    }
}

impl Evaluation {
    /// A line for each metric and model, the difference to ours with its interval and what it says.
    pub fn metrics(&self) -> Table {
        let row = |row: &crate::evaluation::Row| {
            let difference = row.difference.map_or(String::new(), |difference| difference.to_string());
            vec![row.metric.clone(), row.model.clone(), row.value.to_string(), difference, row.verdict.clone()]
        };
        let header = vec!["metric", "model", "value [95 %]", "ours minus it [95 %]", "verdict"];
        Table { header, rows: self.rows.iter().map(row).collect() }
    }

    /// A line for each tenth of the customers.
    pub fn deciles(&self) -> Table {
        let optional = |value: Option<f64>| value.map_or(String::new(), number);
        let row = |decile: &crate::evaluation::Decile| {
            vec![
                decile.decile.to_string(),
                decile.customers.to_string(),
                number(decile.mean_predicted),
                number(decile.mean_actual),
                optional(decile.lift),
                optional(decile.gains),
            ]
        };
        let header = vec!["decile", "customers", "mean predicted", "mean actual", "lift", "cumulative share"];
        Table { header, rows: self.deciles.iter().map(row).collect() }
    }

    /// A line for each part of the customers and metric, ours beside the best baseline there.
    pub fn slices(&self) -> Table {
        let row = |slice: &crate::slices::Slice| {
            let mut row =
                vec![slice.slice.clone(), slice.customers.to_string(), slice.metric.clone(), slice.value.to_string()];
            row.extend(match &slice.baseline {
                Some(best) => [best.model.clone(), best.difference.to_string(), best.verdict.clone()],
                None => Default::default(),
            });
            row
        };
        let header =
            vec!["slice", "customers", "metric", "ours [95 %]", "best baseline", "ours minus it [95 %]", "verdict"];
        Table { header, rows: self.slices.iter().map(row).collect() }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Interval { estimate, low, high } = self;
        write!(f, "{} [{}, {}]", number(*estimate), number(*low), number(*high))
    }
}

/// Four decimals for rates, none for sums.
pub fn number(value: f64) -> String {
    if value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.4}") }
}
