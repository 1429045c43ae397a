//! A statistic of rows that may count several times. A metric prepares itself once (sorts, takes logarithms) and is
//! then read under any integer weights: a bootstrap replicate costs one pass and no sort, and a plain value is the
//! replicate in which every row counts once, so that each metric has one implementation.

use crate::error::{Error, Result};

/// A number computed from `rows()` rows, row `i` counted `weights[i]` times.
pub trait Statistic: Sync {
    fn rows(&self) -> usize;

    /// `None` where the weights leave it undefined, for example an AUC without positives. `weights` has `rows()` entries.
    fn weighted(&self, weights: &[u32]) -> Option<f64>;

    /// Every row counted once.
    fn value(&self) -> Option<f64> {
        self.weighted(&vec![1; self.rows()])
    }
}

impl<S: Statistic + ?Sized + Send> Statistic for Box<S> {
    fn rows(&self) -> usize {
        (**self).rows()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        (**self).weighted(weights)
    }
}

/// The mean of one number per row: log loss, Brier score, absolute error, NDCG of one user each.
#[derive(Debug, Clone)]
pub struct Mean {
    values: Vec<f64>,
}

impl Mean {
    /// Fails for no rows and for a value that is not finite.
    pub fn new(what: &'static str, values: Vec<f64>) -> Result<Self> {
        crate::error::not_empty(what, values.len())?;
        crate::error::all_finite(what, &values)?;
        Ok(Self { values })
    }
}

impl Statistic for Mean {
    fn rows(&self) -> usize {
        self.values.len()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0u64);
        for (value, &weight) in self.values.iter().zip(weights) {
            sum += value * f64::from(weight);
            count += u64::from(weight);
        }
        (count > 0).then(|| sum / count as f64)
    }
}

/// The plain value of a metric, or why it has none.
pub(crate) fn defined(statistic: &impl Statistic, metric: &'static str, why: &'static str) -> Result<f64> {
    statistic.value().filter(|v| v.is_finite()).ok_or(Error::Undefined { metric, why })
}

/// Rows in ascending order of a value, cut into groups of equal values.
#[derive(Debug, Clone)]
pub(crate) struct Ordered {
    rows: Vec<usize>,
    /// End of each group in `rows`, ascending.
    ends: Vec<usize>,
}

impl Ordered {
    pub(crate) fn by(values: &[f64]) -> Self {
        let mut rows: Vec<usize> = (0..values.len()).collect();
        rows.sort_unstable_by(|&i, &j| values[i].total_cmp(&values[j]).then(i.cmp(&j)));
        let ends = (1..=rows.len()).filter(|&k| k == rows.len() || values[rows[k]] != values[rows[k - 1]]).collect();
        Self { rows, ends }
    }

    pub(crate) fn groups(&self) -> impl DoubleEndedIterator<Item = &[usize]> {
        self.ends.iter().enumerate().map(|(g, &end)| {
            let start = if g == 0 { 0 } else { self.ends[g - 1] };
            &self.rows[start..end]
        })
    }
}

/// Sum of the weights, and of weight times value, of some rows.
pub(crate) fn weigh(rows: &[usize], weights: &[u32], values: &[f64]) -> (f64, f64) {
    rows.iter().fold((0.0, 0.0), |(count, sum), &row| {
        let weight = f64::from(weights[row]);
        (count + weight, sum + weight * values[row])
    })
}

/// One of the parts that [`parts`] cuts rows into: its weight, and the sums of weight times value of each column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<const N: usize> {
    pub(crate) weight: f64,
    pub(crate) sums: [f64; N],
}

/// Cuts weighted rows into `count` parts in ascending order: part k ends at the whole number at or below (k + 1) / count
/// of the weight, so that sizes differ by one at most and the last part is never the smaller. Equal values on both sides
/// of a cut share what they hold evenly, so that the order of rows does not matter.
pub(crate) fn parts<const N: usize>(
    order: &Ordered,
    weights: &[u32],
    columns: [&[f64]; N],
    count: u64,
) -> Vec<Part<N>> {
    let weigh_all = |rows: &[usize]| rows.iter().map(|&row| u64::from(weights[row])).sum::<u64>();
    let total: u64 = order.groups().map(weigh_all).sum();
    let end = |part: usize| total * (part as u64 + 1) / count;
    let mut parts = vec![Part { weight: 0.0, sums: [0.0; N] }; count as usize];
    let (mut part, mut taken) = (0, 0);
    for rows in order.groups() {
        let weight = weigh_all(rows);
        let held = columns.map(|column| weigh(rows, weights, column).1);
        let until = taken + weight;
        while taken < until {
            while end(part) <= taken {
                part += 1;
            }
            let here = end(part).min(until) - taken;
            let share = here as f64 / weight as f64;
            parts[part].weight += here as f64;
            parts[part].sums.iter_mut().zip(held).for_each(|(sum, held)| *sum += share * held);
            taken += here;
        }
    }
    parts
}
