//! What happens to logits between the two multiplications, in one pass instead of libtorch's three.

use std::f32::consts::LOG2_E;

/// Takes each column's `largest` off a matrix of logits and makes exponentials of them; gives the columns' sums.
pub(super) fn exponentiate(logits: &mut [f32], largest: &[f32]) -> Vec<f32> {
    #[cfg(target_arch = "x86_64")]
    if let Some(sums) = wide::exponentiate(logits, largest) {
        return sums;
    }
    plain(logits, largest)
}

/// The same with instructions that most x86 processors have since 2013, for which the program as a whole is not built.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod wide {
    /// None where this one has not.
    pub(super) fn exponentiate(logits: &mut [f32], largest: &[f32]) -> Option<Vec<f32>> {
        let has_them = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        // SAFETY: the processor was asked for both.
        has_them.then(|| unsafe { compiled_for_them(logits, largest) })
    }

    #[target_feature(enable = "avx2,fma")]
    fn compiled_for_them(logits: &mut [f32], largest: &[f32]) -> Vec<f32> {
        super::plain(logits, largest)
    }
}

#[inline(always)]
fn plain(logits: &mut [f32], largest: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; largest.len()];
    for row in logits.chunks_exact_mut(largest.len()) {
        for ((x, largest), sum) in row.iter_mut().zip(largest).zip(&mut sums) {
            *x = exp(*x - largest);
            *sum += *x;
        }
    }
    sums
}

/// e^x for x of at most 0, within 2 units of the last place; below -87 it stays at the least that is not denormal. As in
/// Cephes: x = k ln 2 + r, and 2^k times a polynomial of r.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const LEAST: f32 = -87.0;
    // ln 2 in two parts, of which k times the first is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // Added to a number of few digits, it leaves the nearest whole number in the last bits.
    const ROUND: f32 = 12_582_912.0;
    const POLYNOMIAL: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    let x = if x > LEAST { x } else { LEAST };
    let rounded = x.mul_add(LOG2_E, ROUND);
    let k = rounded - ROUND;
    let r = k.mul_add(-LN_2[1], k.mul_add(-LN_2[0], x));
    let mut y = POLYNOMIAL[0];
    for c in &POLYNOMIAL[1..] {
        y = y.mul_add(r, *c);
    }
    let y = y.mul_add(r * r, r) + 1.0;
    y * f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exp() {
        for i in 0..870_000 {
            let x = -(i as f32) / 1e4;
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 2.5e-7, "exp({x}) is off by {error}");
        }
        assert!(exp(f32::NEG_INFINITY) > 0.0 && exp(f32::NEG_INFINITY) < 2e-38);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn columns_are_exponentiated() {
        for width in [1, 7, 8, 33, 100] {
            let logit = |i: usize| ((i * 7919) % 1013) as f32 / 20.0 - 25.0;
            let before: Vec<f32> = (0..width * 57).map(logit).collect();
            let column = |column: usize| before[column..].iter().step_by(width).copied();
            let largest: Vec<f32> = (0..width).map(|i| column(i).fold(f32::NEG_INFINITY, f32::max)).collect();
            let mut matrix = before.clone();
            let sums = exponentiate(&mut matrix, &largest);
            for (i, most) in largest.into_iter().enumerate() {
                let by_hand = column(i).map(|x| f64::from(x - most).exp());
                let got = matrix[i..].iter().step_by(width);
                assert!(got.zip(by_hand.clone()).all(|(got, by_hand)| (f64::from(*got) - by_hand).abs() < 1e-6));
                let (sum, by_hand): (f64, f64) = (f64::from(sums[i]), by_hand.sum());
                assert!((sum - by_hand).abs() < 1e-5 * by_hand, "{sum} is not {by_hand}");
            }
        }
    }
}
