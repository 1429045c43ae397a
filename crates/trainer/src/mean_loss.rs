//! The mean of a loss over many batches. Its values stay on the device until they are asked for: to read one waits for
//! everything that the device was told before.

use tch::{Kind, Tensor};

use crate::losses::Loss;

/// The mean of each of a loss's terms over batches.
#[derive(Debug, Default)]
pub(crate) struct MeanLoss {
    /// Per batch that was not read yet: the values of its terms, `[terms]`, and over how much each is a mean.
    unread: Vec<(Tensor, Vec<i64>)>,
    /// Per term the sum of what was averaged, and how much that was.
    totals: Vec<(f64, i64)>,
}

impl MeanLoss {
    /// Adds a batch's terms.
    pub(crate) fn add(&mut self, terms: &[Loss]) {
        let values: Vec<&Tensor> = terms.iter().map(|term| &term.value).collect();
        self.unread.push((Tensor::stack(&values, 0), terms.iter().map(|term| term.count).collect()));
    }

    /// The batches' losses since the last call, each the sum of its terms.
    pub(crate) fn read(&mut self) -> Vec<f64> {
        if self.unread.is_empty() {
            return Vec::new();
        }
        let (values, counts): (Vec<Tensor>, Vec<Vec<i64>>) = self.unread.drain(..).unzip();
        let values = Tensor::cat(&values, 0).to_device(tch::Device::Cpu).to_kind(Kind::Double);
        let values = Vec::<f64>::try_from(values).unwrap_or_default();
        let terms = counts[0].len();
        self.totals.resize(terms, (0.0, 0));
        for (values, counts) in values.chunks(terms).zip(&counts) {
            for ((total, all), (value, count)) in self.totals.iter_mut().zip(values.iter().zip(counts)) {
                *total += value * *count as f64;
                *all += count;
            }
        }
        values.chunks(terms).map(|terms| terms.iter().sum()).collect()
    }

    /// The sum of the terms' means over all batches.
    pub(crate) fn mean(mut self) -> f64 {
        self.read();
        self.totals.iter().map(|(total, count)| total / (*count).max(1) as f64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_averaged_over_what_they_count() {
        let term = |value: f64, count| Loss::of(Tensor::from(value as f32), count);
        let mut mean = MeanLoss::default();
        assert!(mean.read().is_empty());
        mean.add(&[term(2.0, 3), term(10.0, 1)]);
        mean.add(&[term(4.0, 1), term(20.0, 0)]);
        assert_eq!(mean.read(), [12.0, 24.0]);
        mean.add(&[term(5.5, 4), term(30.0, 1)]);
        assert_eq!(mean.mean(), (2.0 * 3.0 + 4.0 + 5.5 * 4.0) / 8.0 + 20.0);
    }
}
