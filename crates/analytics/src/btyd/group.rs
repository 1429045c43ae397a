//! Customers with the same history have the same likelihood: dates repeat, so a tenth of a million customers may be a
//! few thousand histories. The fit counts them once and weighs them.

use rayon::prelude::*;

use super::{Summary, summary};
use crate::error::{Error, Result};

/// Histories evaluated by one thread at a time; fixed, because it fixes the order of addition.
const CHUNK: usize = 512;

/// Distinct histories of a population, with time divided by its mean age, so that a fit does not depend on the unit.
pub(super) struct Groups {
    pub(super) rows: Vec<Group>,
    /// Distinct purchase counts, ascending.
    pub(super) counts: Vec<f64>,
    /// Mean age in the caller's unit.
    pub(super) mean_age: f64,
    pub(super) mean_x: f64,
    customers: f64,
}

#[derive(Clone, Copy)]
pub(super) struct Group {
    pub(super) history: Summary,
    /// Place of the history's `x` in `counts`.
    pub(super) count: usize,
    pub(super) customers: f64,
}

impl Groups {
    /// Fails for an impossible history and when nobody bought twice.
    pub(super) fn new(customers: &[Summary]) -> Result<Self> {
        summary::check_all(customers)?;
        if customers.iter().all(|c| c.x == 0.0) {
            return Err(Error::NoRepeatPurchase { customers: customers.len(), what: "a second time" });
        }
        let n = customers.len() as f64;
        let mean_age = customers.iter().map(|c| c.t).sum::<f64>() / n;
        let mean_x = customers.iter().map(|c| c.x).sum::<f64>() / n;
        let scale = |c: &Summary| Summary { x: c.x, t_x: c.t_x / mean_age, t: c.t / mean_age, value: 0.0 };
        let mut histories: Vec<Summary> = customers.iter().map(scale).collect();
        let order =
            |a: &Summary, b: &Summary| a.x.total_cmp(&b.x).then(a.t_x.total_cmp(&b.t_x)).then(a.t.total_cmp(&b.t));
        histories.par_sort_unstable_by(order);
        let (mut rows, mut counts): (Vec<Group>, Vec<f64>) = Default::default();
        for same in histories.chunk_by(|a, b| a == b) {
            if counts.last() != Some(&same[0].x) {
                counts.push(same[0].x);
            }
            rows.push(Group { history: same[0], count: counts.len() - 1, customers: same.len() as f64 });
        }
        Ok(Self { rows, counts, mean_age, mean_x, customers: n })
    }

    /// About `size` of the histories, evenly over the sorted list: enough to find the neighbourhood of the optimum.
    pub(super) fn sample(&self, size: usize) -> Self {
        let rows: Vec<Group> = self.rows.iter().step_by(self.rows.len().div_ceil(size)).copied().collect();
        let customers = rows.iter().map(|g| g.customers).sum();
        Self { rows, counts: self.counts.clone(), customers, ..*self }
    }

    /// Mean over customers of a vector computed per history, added in a fixed order.
    pub(super) fn mean<const N: usize>(&self, of: impl Fn(&Group) -> [f64; N] + Sync) -> [f64; N] {
        let part = |rows: &[Group]| {
            let mut sum = [0.0; N];
            for row in rows {
                sum.iter_mut().zip(of(row)).for_each(|(sum, value)| *sum += row.customers * value);
            }
            sum
        };
        let parts: Vec<[f64; N]> = self.rows.par_chunks(CHUNK).map(part).collect();
        let mut mean = [0.0; N];
        for part in parts {
            mean.iter_mut().zip(part).for_each(|(mean, value)| *mean += value / self.customers);
        }
        mean
    }
}
