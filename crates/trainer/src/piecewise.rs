//! Customer features as a network can read them: piecewise linear encoding (Gorishniy, Rubachev, Babenko 2022, "On
//! Embeddings for Numerical Features in Tabular Deep Learning").
//!
//! A feature may be a count, an amount or a share, with most values at 0 and a few far out; trees do not mind, a linear layer
//! does. So the range is cut at quantiles of the training set, and a value becomes one number per bin: 1 in the bins below
//! it, 0 in those above, in its own how far through it is. A linear layer of that is any continuous line with kinks at the
//! cuts.

use serde::{Deserialize, Serialize};

/// A feature's cuts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Feature {
    pub(crate) name: String,
    /// Ascending quantiles of the training set, no two the same: one more than there are bins, or none.
    cuts: Vec<f32>,
    /// Whether training saw unknown values, which then have a number of their own, the last one.
    may_be_unknown: bool,
    /// Training means of the numbers, which are taken off: what all customers share is no news.
    means: Vec<f32>,
}

/// Bins of a feature, at most.
const BINS: usize = 16;

impl Feature {
    /// Cuts for the values of the training set, NaN where unknown.
    pub(crate) fn fit(name: &str, values: impl Iterator<Item = f32> + Clone) -> Self {
        let mut known: Vec<f32> = values.clone().filter(|value| value.is_finite()).collect();
        known.sort_unstable_by(f32::total_cmp);
        let last = known.len().saturating_sub(1);
        let mut cuts: Vec<f32> = match known.is_empty() {
            true => Vec::new(),
            false => (0..=BINS).map(|bin| known[bin * last / BINS]).collect(),
        };
        cuts.dedup();
        let count = values.clone().count();
        let mut feature = Self { name: name.to_owned(), cuts, may_be_unknown: known.len() < count, means: Vec::new() };
        let mut sums = vec![0.0f64; feature.width()];
        let mut encoded = Vec::with_capacity(feature.width());
        for value in values {
            encoded.clear();
            feature.encode(value, &mut encoded);
            sums.iter_mut().zip(&encoded).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        feature.means = sums.iter().map(|sum| (sum / count.max(1) as f64) as f32).collect();
        feature
    }

    /// How many numbers a value becomes.
    pub(crate) fn width(&self) -> usize {
        self.cuts.len().saturating_sub(1) + usize::from(self.may_be_unknown)
    }

    /// Adds the numbers of a value. What is unknown, and was never so in training, is like the least.
    pub(crate) fn encode(&self, value: f32, to: &mut Vec<f32>) {
        let means = || self.means.iter().copied().chain(std::iter::repeat(0.0));
        let is_known = value.is_finite();
        let bins = self.cuts.windows(2).map(|bin| match is_known {
            true => ((value - bin[0]) / (bin[1] - bin[0])).clamp(0.0, 1.0),
            false => 0.0,
        });
        let unknown = self.may_be_unknown.then_some(f32::from(u8::from(!is_known)));
        to.extend(bins.chain(unknown).zip(means()).map(|(x, mean)| x - mean));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(feature: &Feature, value: f32) -> Vec<f32> {
        let mut to = Vec::new();
        feature.encode(value, &mut to);
        to.iter().zip(&feature.means).map(|(x, mean)| x + mean).collect()
    }

    #[test]
    fn a_value_fills_the_bins_below_it() {
        // As in the paper's figure: bins 0 to 1, 1 to 3.
        let feature = Feature::fit("x", [0.0, 1.0, 3.0].into_iter());
        assert_eq!(feature.cuts, [0.0, 1.0, 3.0]);
        assert_eq!(encoded(&feature, 0.5), [0.5, 0.0]);
        assert_eq!(encoded(&feature, 2.0), [1.0, 0.5]);
        // Beyond what training saw nothing is extrapolated.
        assert_eq!((encoded(&feature, -9.0), encoded(&feature, 9.0)), (vec![0.0, 0.0], vec![1.0, 1.0]));
        assert_eq!(encoded(&feature, f32::NAN), [0.0, 0.0]);
    }

    #[test]
    fn most_values_may_be_the_same_and_some_unknown() {
        let values: Vec<f32> = (0..1000).map(|i| if i < 700 { 0.0 } else { i as f32 }).chain([f32::NAN; 10]).collect();
        let feature = Feature::fit("x", values.iter().copied());
        assert!(feature.cuts.len() > 4 && feature.cuts.windows(2).all(|pair| pair[0] < pair[1]), "{feature:?}");
        let (last, width) = (feature.width() - 1, feature.width());
        assert_eq!((encoded(&feature, f32::NAN)[last], encoded(&feature, 5.0)[last]), (1.0, 0.0));
        // What the network gets is 0 on average.
        let mut all = Vec::new();
        values.iter().for_each(|value| feature.encode(*value, &mut all));
        for column in 0..width {
            let mean = all.iter().skip(column).step_by(width).sum::<f32>() / values.len() as f32;
            assert!(mean.abs() < 1e-4, "{mean}");
        }
    }

    #[test]
    fn what_never_differs_says_nothing() {
        for values in [vec![2.0; 9], vec![]] {
            let feature = Feature::fit("x", values.into_iter());
            assert_eq!((feature.width(), encoded(&feature, 7.0)), (0, vec![]));
        }
        assert_eq!(Feature::fit("x", [f32::NAN; 3].into_iter()).width(), 1);
    }
}
