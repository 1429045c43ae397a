//! Random draws that cannot fail, for parameters that are ours.

use rand::Rng;
use rand_distr::{Distribution, Exp1};

use crate::parameters::Gamma;

pub(crate) fn chance(probability: f64, rng: &mut impl Rng) -> bool {
    rng.random::<f64>() < probability
}

pub(crate) fn exponential(mean: f64, rng: &mut impl Rng) -> f64 {
    mean * rng.sample::<f64, _>(Exp1)
}

pub(crate) fn gamma(Gamma { shape, rate }: Gamma, rng: &mut impl Rng) -> f64 {
    match rand_distr::Gamma::new(shape, 1.0 / rate) {
        Ok(gamma) => gamma.sample(rng),
        Err(error) => unreachable!("Gamma({shape}, {rate}): {error}"),
    }
}

/// Poisson by counting arrivals; for small means.
pub(crate) fn poisson(mean: f64, rng: &mut impl Rng) -> usize {
    let mut left = mean;
    let mut count = 0;
    loop {
        left -= rng.sample::<f64, _>(Exp1);
        if left < 0.0 {
            return count;
        }
        count += 1;
    }
}

/// Index drawn by its probability; the last one takes what rounding leaves.
pub(crate) fn index(probabilities: impl Iterator<Item = f64>, rng: &mut impl Rng) -> usize {
    let mut point = rng.random::<f64>();
    let mut last = 0;
    for (index, probability) in probabilities.enumerate() {
        point -= probability;
        last = index;
        if point < 0.0 {
            break;
        }
    }
    last
}

pub(crate) fn between((low, high): (f64, f64), rng: &mut impl Rng) -> f64 {
    rng.random_range(low..high)
}
