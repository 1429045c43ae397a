//! How far two distributions lie apart, from counts of the values or bins that both have: each pair of counts is given
//! once, so that neither distribution is ever held.

/// Share that counts in place of 0 in a [`PopulationStability`], whose logarithm would be infinite.
const LEAST_SHARE: f64 = 1e-4;

/// The population stability index, Σ (aᵢ − eᵢ) ln(aᵢ / eᵢ) over the shares of each bin in the expected and the actual
/// rows; a share of 0 counts as 0.0001. Below 0.1 little has changed, above 0.25 much (N. Siddiqi, Credit Risk
/// Scorecards, 2006, where bins are deciles of the expected values).
#[derive(Debug, Clone)]
pub struct PopulationStability {
    totals: (u64, u64),
    index: f64,
}

impl PopulationStability {
    /// Above this much has changed.
    pub const MUCH: f64 = 0.25;

    /// Of so many expected and actual rows.
    pub fn new(expected: u64, actual: u64) -> Self {
        PopulationStability { totals: (expected, actual), index: 0.0 }
    }

    /// The rows of one bin.
    pub fn add(&mut self, expected: u64, actual: u64) {
        let of = |count, total| share(count, total).max(LEAST_SHARE);
        let (e, a) = (of(expected, self.totals.0), of(actual, self.totals.1));
        self.index += (a - e) * (a / e).ln();
    }

    /// The index of the bins so far.
    pub fn value(&self) -> f64 {
        self.index
    }
}

/// The two-sample Kolmogorov–Smirnov statistic D: the largest distance between two empirical distribution functions (W. J.
/// Conover, Practical Nonparametric Statistics, 1999, section 6.3). 1 if one sample is empty and the other is not.
#[derive(Debug, Clone)]
pub struct KolmogorovSmirnov {
    totals: (u64, u64),
    below: (u64, u64),
    distance: f64,
}

impl KolmogorovSmirnov {
    /// Of two samples of so many rows.
    pub fn new(one: u64, other: u64) -> Self {
        KolmogorovSmirnov { totals: (one, other), below: (0, 0), distance: 0.0 }
    }

    /// How often each sample has the next greater value.
    pub fn add(&mut self, one: u64, other: u64) {
        self.below = (self.below.0 + one, self.below.1 + other);
        let distance = share(self.below.0, self.totals.0) - share(self.below.1, self.totals.1);
        self.distance = self.distance.max(distance.abs());
    }

    /// The statistic of the values so far.
    pub fn value(&self) -> f64 {
        self.distance
    }
}

fn share(count: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { count as f64 / total as f64 }
}
