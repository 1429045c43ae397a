//! How a training went, from the losses of its epochs. Judged by direction alone: the training loss is a mean over an
//! epoch with dropout, the validation loss comes after it without, so that a gap between them is shown and proves nothing.

use crate::error::{Error, Result};
use crate::run_folder;
use crate::runs::Run;
use serde::Serialize;
use std::fmt;
use trainer::EpochMetrics;
use warehouse::Warehouse;

/// The losses of a training, and what they say.
#[derive(Clone, Debug, Serialize)]
pub struct Learning {
    /// Its weights were kept.
    pub best_epoch: usize,
    pub epochs: Vec<Epoch>,
    /// Validation minus training loss at the best epoch.
    pub gap: f64,
    pub fit: Fit,
}

/// The losses of one epoch.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    pub train_loss: f64,
    pub valid_loss: f64,
}

/// Whether a training was long enough, or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// The best epoch is the last one: more of them may be better still.
    Improving,
    /// By its last epoch the validation loss was above the best epoch's and the training loss below it.
    Overfitting,
    /// Neither: the last epochs brought nothing.
    Settled,
}

/// In a run folder.
const HISTORY: &str = "history.json";

impl Learning {
    /// `None` for a history that lacks its best epoch.
    pub(crate) fn new(best_epoch: usize, history: &[EpochMetrics]) -> Option<Learning> {
        let epoch = |m: &EpochMetrics| Epoch { epoch: m.epoch, train_loss: m.train_loss, valid_loss: m.valid_loss };
        let epochs: Vec<Epoch> = history.iter().map(epoch).collect();
        let best = *epochs.iter().find(|epoch| epoch.epoch == best_epoch)?;
        let last = *epochs.last()?;
        let fit = match () {
            () if best.epoch == last.epoch => Fit::Improving,
            () if last.valid_loss > best.valid_loss && last.train_loss < best.train_loss => Fit::Overfitting,
            () => Fit::Settled,
        };
        Some(Learning { best_epoch, epochs, gap: best.valid_loss - best.train_loss, fit })
    }

    /// Of a finished run; `None` where its history is gone.
    pub(crate) async fn read(warehouse: &Warehouse, run: &Run) -> Result<Option<Learning>> {
        let bytes = match warehouse.store().get_file(&format!("{}/{HISTORY}", run_folder::place(&run.run_id))).await {
            Err(store::Error::Missing { .. }) => return Ok(None),
            bytes => bytes?,
        };
        let history: Vec<EpochMetrics> = serde_json::from_slice(&bytes).map_err(|e| Error::Task {
            task: run.task.clone(),
            problem: format!("run {} has a damaged {HISTORY}: {e}", run.run_id),
        })?;
        Ok(Learning::new(run.best_epoch, &history))
    }
}

impl fmt::Display for Learning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Learning { best_epoch, epochs, gap, fit } = self;
        write!(f, "epoch {best_epoch} of {} is the best", epochs.len())?;
        if let Some(best) = epochs.iter().find(|epoch| epoch.epoch == *best_epoch) {
            write!(f, ", loss {:.4} in training, {:.4} in validation ({gap:+.4})", best.train_loss, best.valid_loss)?;
        }
        match (fit, epochs.last()) {
            (Fit::Improving, _) => write!(f, ": still improving, more epochs may be better"),
            (Fit::Overfitting, Some(last)) => {
                write!(f, ": overfitting after it, to {:.4} and {:.4}", last.train_loss, last.valid_loss)
            }
            (Fit::Overfitting | Fit::Settled, _) => write!(f, ": settled"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learning(best: usize, losses: &[(f64, f64)]) -> Learning {
        let epoch = |(epoch, &(train_loss, valid_loss)): (usize, &(f64, f64))| EpochMetrics {
            epoch,
            train_loss,
            valid_loss,
            metrics: Default::default(),
        };
        Learning::new(best, &(1..).zip(losses).map(epoch).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn directions_of_the_losses_say_how_it_fits() {
        let improving = learning(2, &[(0.7, 0.6), (0.5, 0.52)]);
        assert_eq!(improving.fit, Fit::Improving);
        assert_eq!(
            improving.to_string(),
            "epoch 2 of 2 is the best, loss 0.5000 in training, 0.5200 in validation (+0.0200): still improving, more \
             epochs may be better"
        );
        let overfitting = learning(2, &[(0.7, 0.6), (0.5, 0.5), (0.3, 0.7)]);
        assert_eq!(overfitting.fit, Fit::Overfitting);
        assert!(overfitting.to_string().ends_with("overfitting after it, to 0.3000 and 0.7000"), "{overfitting}");
        // The training loss fell no more.
        assert_eq!(learning(1, &[(0.5, 0.5), (0.5, 0.6)]).fit, Fit::Settled);
        // Where another metric than the loss chose the epoch, the loss may fall after it.
        assert_eq!(learning(1, &[(0.5, 0.5), (0.4, 0.4)]).fit, Fit::Settled);
    }

    #[test]
    fn a_history_without_its_best_epoch_says_nothing() {
        assert!(Learning::new(3, &[]).is_none());
    }
}
