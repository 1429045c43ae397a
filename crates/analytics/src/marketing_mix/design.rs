//! The columns that may explain sales: each channel's spend, carried over and saturated in every way of the grid, less what
//! the controls say of it. All products of two columns are taken once, so that a fit of any choice of columns costs no
//! pass over the weeks.

use rayon::prelude::*;

use super::non_negative::non_negative;
use super::{MixSettings, Saturation, Weeks};

/// A deviation this small relative to the size of a column is rounding.
const CONSTANT: f64 = 1e-10;

/// A way that a channel's spend may work.
pub(super) struct Column {
    pub(super) rate: f64,
    /// In the unit of spend.
    pub(super) scale: f64,
    /// Of the saturated spend over all weeks.
    pub(super) sum: f64,
    /// 1 / deviation over the weeks; 0 for a constant column.
    pub(super) inverse: f64,
    /// Standardised, less its projection on the controls.
    rest: Vec<f64>,
}

pub(super) struct Design {
    channels: usize,
    /// Columns of each channel; those of channel c begin at c · choices.
    choices: usize,
    pub(super) columns: Vec<Column>,
    /// Intercept and controls as columns at right angles, each of length 1.
    controls: Vec<Vec<f64>>,
    products: Vec<f64>,
    l2: f64,
}

/// One column for each channel, and its weight.
#[derive(Clone)]
pub(super) struct Fit {
    pub(super) chosen: Vec<usize>,
    /// Of the standardised columns.
    pub(super) weights: Vec<f64>,
    /// How far the weights lower the penalised sum of squares.
    gain: f64,
}

impl Design {
    pub(super) fn new(weeks: &Weeks, settings: &MixSettings) -> Self {
        let rows = weeks.sales.len();
        let controls = basis(weeks.controls, weeks.control_columns(), rows);
        let scales: &[f64] = if settings.saturation == Saturation::None { &[1.0] } else { &settings.scales };
        let grid: Vec<(usize, f64, f64)> = (0..weeks.channels)
            .flat_map(|channel| settings.rates.iter().map(move |&rate| (channel, rate)))
            .flat_map(|(channel, rate)| scales.iter().map(move |&scale| (channel, rate, scale)))
            .collect();
        let column = |&(channel, rate, scale): &(usize, f64, f64)| {
            let spend = weeks.spend.iter().skip(channel).step_by(weeks.channels).copied();
            let scale = scale * spend.clone().sum::<f64>() / rows as f64;
            Column::new(spend, rate, scale, settings.saturation, &controls)
        };
        let columns: Vec<Column> = grid.par_iter().map(column).collect();
        let row = |a: &Column| columns.iter().map(|b| dot(&a.rest, &b.rest)).collect::<Vec<f64>>();
        let products = columns.par_iter().flat_map_iter(row).collect();
        let choices = settings.rates.len() * scales.len();
        Self { channels: weeks.channels, choices, columns, controls, products, l2: settings.l2 }
    }

    /// How many numbers a fit finds.
    pub(super) fn parameters(weeks: &Weeks, settings: &MixSettings) -> usize {
        let is_saturated = settings.saturation != Saturation::None && settings.scales.len() > 1;
        let of_channel = 1 + usize::from(settings.rates.len() > 1) + usize::from(is_saturated);
        1 + weeks.control_columns() + weeks.channels * of_channel
    }

    /// The best columns for `sales`, one channel's at a time until none can be bettered: from the `start` given, or else
    /// from several.
    pub(super) fn search(&self, sales: &[f64], start: Option<&[usize]>) -> Fit {
        let right: Vec<f64> = self.columns.iter().map(|column| dot(&column.rest, sales)).collect();
        let starts = match start {
            Some(chosen) => vec![chosen.to_vec()],
            None => {
                [1, 3, 5].map(|sixth| (0..self.channels).map(|c| (6 * c + sixth) * self.choices / 6).collect()).into()
            }
        };
        let fits = starts.into_iter().map(|chosen| self.descend(&right, chosen));
        let better = |best: Fit, fit: Fit| if fit.gain > best.gain { fit } else { best };
        fits.reduce(better).unwrap_or(Fit { chosen: vec![], weights: vec![], gain: 0.0 })
    }

    fn descend(&self, right: &[f64], chosen: Vec<usize>) -> Fit {
        let mut best = self.fit(right, chosen);
        loop {
            let before = best.gain;
            for channel in 0..self.channels {
                for choice in 0..self.choices {
                    let mut chosen = best.chosen.clone();
                    chosen[channel] = channel * self.choices + choice;
                    let fit = self.fit(right, chosen);
                    if fit.gain > best.gain {
                        best = fit;
                    }
                }
            }
            // A gain within rounding could go round in circles.
            if best.gain <= before * (1.0 + 1e-9) {
                return best;
            }
        }
    }

    /// Ridge regression on the chosen columns with weights of 0 or more.
    fn fit(&self, right: &[f64], chosen: Vec<usize>) -> Fit {
        let all = self.columns.len();
        let mut matrix: Vec<f64> = chosen
            .iter()
            .flat_map(|&i| chosen.iter().map(move |&j| (i, j)))
            .map(|(i, j)| self.products[i * all + j])
            .collect();
        (0..chosen.len()).for_each(|i| matrix[i * chosen.len() + i] += self.l2);
        let right: Vec<f64> = chosen.iter().map(|&j| right[j]).collect();
        let weights = non_negative(&matrix, &right);
        let gain = dot(&weights, &right);
        Fit { chosen, weights, gain }
    }

    /// What a fit says of the sales that it was made for.
    pub(super) fn fitted(&self, sales: &[f64], fit: &Fit) -> Vec<f64> {
        let mut fitted = vec![0.0; sales.len()];
        for control in &self.controls {
            let length = dot(control, sales);
            fitted.iter_mut().zip(control).for_each(|(fitted, c)| *fitted += length * c);
        }
        for (&chosen, weight) in fit.chosen.iter().zip(&fit.weights) {
            fitted.iter_mut().zip(&self.columns[chosen].rest).for_each(|(fitted, c)| *fitted += weight * c);
        }
        fitted
    }
}

impl Column {
    fn new(
        spend: impl Iterator<Item = f64>,
        rate: f64,
        scale: f64,
        saturation: Saturation,
        controls: &[Vec<f64>],
    ) -> Self {
        let mut stock = 0.0;
        let values: Vec<f64> = spend
            .map(|spend| {
                stock = spend + rate * stock;
                saturation.of(stock, scale)
            })
            .collect();
        let rows = values.len() as f64;
        let sum: f64 = values.iter().sum();
        let mean = sum / rows;
        let deviation = (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / rows).sqrt();
        let inverse = if deviation > CONSTANT * mean { 1.0 / deviation } else { 0.0 };
        let mut rest: Vec<f64> = values.iter().map(|v| (v - mean) * inverse).collect();
        controls.iter().for_each(|control| take_out(&mut rest, control));
        Self { rate, scale, sum, inverse, rest }
    }
}

/// Intercept and controls, each less what those before it say: Gram & Schmidt, twice over against rounding. A column that
/// says nothing new (the last of a full set of dummies) is left out.
fn basis(controls: &[f64], columns: usize, rows: usize) -> Vec<Vec<f64>> {
    let intercept = vec![1.0 / (rows as f64).sqrt(); rows];
    (0..columns).fold(vec![intercept], |mut basis, column| {
        let mut rest: Vec<f64> = controls.iter().skip(column).step_by(columns).copied().collect();
        let before = dot(&rest, &rest).sqrt();
        for _ in 0..2 {
            basis.iter().for_each(|other| take_out(&mut rest, other));
        }
        let length = dot(&rest, &rest).sqrt();
        if length > CONSTANT * before {
            basis.push(rest.iter().map(|v| v / length).collect());
        }
        basis
    })
}

/// Removes from `values` its part along `unit`, of length 1.
fn take_out(values: &mut [f64], unit: &[f64]) {
    let length = dot(values, unit);
    values.iter_mut().zip(unit).for_each(|(v, u)| *v -= length * u);
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
