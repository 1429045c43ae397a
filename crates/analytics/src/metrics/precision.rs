use super::{Metric, Prepare};
use crate::error::{Result, all_finite, not_empty, same_length};
use crate::statistic::{Statistic, defined};

pub(super) const METRIC: Metric = Metric {
    name: "precision",
    unit: "share of the rows called",
    higher_is_better: true,
    prepare: Prepare::Decisions(|labels, scores, threshold| {
        Ok(Box::new(Decisions::new(METRIC.name, labels, scores, threshold, Decisions::precision)?))
    }),
};

/// Share of those with a score of at least the threshold to whom it happened. Undefined where nobody has.
pub fn precision(labels: &[bool], scores: &[f64], threshold: f64) -> Result<f64> {
    let decisions = Decisions::new(METRIC.name, labels, scores, threshold, Decisions::precision)?;
    defined(&decisions, METRIC.name, "no score reaches the threshold")
}

/// Who is called, by a score of at least a threshold, and to whom it happened.
pub(super) struct Decisions {
    rows: Vec<(bool, bool)>,
    of: fn(&Counts) -> Option<f64>,
}

/// Rows by what they were called and what happened.
pub(super) struct Counts {
    called_rightly: f64,
    called_wrongly: f64,
    missed: f64,
}

impl Decisions {
    pub(super) fn new(
        metric: &'static str,
        labels: &[bool],
        scores: &[f64],
        threshold: f64,
        of: fn(&Counts) -> Option<f64>,
    ) -> Result<Self> {
        same_length("scores", labels.len(), scores.len())?;
        not_empty(metric, labels.len())?;
        all_finite("score", scores)?;
        let called = scores.iter().map(|score| *score >= threshold);
        Ok(Self { rows: called.zip(labels.iter().copied()).collect(), of })
    }

    pub(super) fn precision(counts: &Counts) -> Option<f64> {
        ratio(counts.called_rightly, counts.called_wrongly)
    }

    pub(super) fn recall(counts: &Counts) -> Option<f64> {
        ratio(counts.called_rightly, counts.missed)
    }

    /// The harmonic mean of both.
    pub(super) fn f1(counts: &Counts) -> Option<f64> {
        ratio(2.0 * counts.called_rightly, counts.called_wrongly + counts.missed)
    }
}

/// The share of `these` among both.
fn ratio(these: f64, others: f64) -> Option<f64> {
    (these + others > 0.0).then(|| these / (these + others))
}

impl Statistic for Decisions {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        let mut counts = Counts { called_rightly: 0.0, called_wrongly: 0.0, missed: 0.0 };
        for (decision, weight) in self.rows.iter().zip(weights) {
            let weight = f64::from(*weight);
            match decision {
                (true, true) => counts.called_rightly += weight,
                (true, false) => counts.called_wrongly += weight,
                (false, true) => counts.missed += weight,
                (false, false) => {}
            }
        }
        (self.of)(&counts)
    }
}
