//! Models that look at one path at a time: each touch has a share, and the shares of a path add up to 1.

use super::{Checked, Credit, Model};
use crate::error::{Error, Result, all_finite, same_length};

pub(super) fn credits(checked: &Checked<'_>, model: Model) -> Result<Vec<Credit>> {
    check(checked, model)?;
    let mut earned = vec![(0.0, 0.0); checked.channels.len()];
    let mut shares = Vec::new();
    for p in 0..checked.len() {
        let (conversions, value) = (checked.paths.conversions[p], checked.paths.values[p]);
        let times = checked.paths.times.get(checked.paths.offsets[p]..checked.paths.offsets[p + 1]).unwrap_or(&[]);
        share(model, checked.path(p).len(), times, &mut shares);
        for (&channel, share) in checked.path(p).iter().zip(&shares) {
            let earned = &mut earned[channel as usize];
            *earned = (earned.0 + conversions * share, earned.1 + value * share);
        }
    }
    Ok(checked.credits(|channel| earned[channel]))
}

fn check(checked: &Checked<'_>, model: Model) -> Result<()> {
    match model {
        Model::TimeDecay { half_life } if !(half_life > 0.0 && half_life.is_finite()) => {
            Err(Error::Setting { name: "half_life", value: half_life, valid: "above 0 and finite, in days" })
        }
        Model::TimeDecay { .. } => check_times(checked),
        Model::Position { first, last } => {
            for (name, value) in [("first", first), ("last", last), ("first + last", first + last)] {
                if !(0.0..=1.0).contains(&value) {
                    return Err(Error::Setting { name, value, valid: "between 0 and 1" });
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_times(checked: &Checked<'_>) -> Result<()> {
    let times = checked.paths.times;
    same_length("touch times", checked.touches.len(), times.len())?;
    all_finite("touch time", times)?;
    for path in checked.paths.offsets.windows(2) {
        if let Some(row) = (path[0] + 1..path[1]).find(|&row| times[row] < times[row - 1]) {
            let valid = "not before the touch it follows; sort each path by time";
            return Err(Error::Value { what: "touch time", row, value: times[row], valid });
        }
    }
    Ok(())
}

/// Shares of `touches` touches, in their order.
fn share(model: Model, touches: usize, times: &[f64], shares: &mut Vec<f64>) {
    let last = touches - 1;
    shares.clear();
    shares.resize(touches, 0.0);
    match model {
        Model::First => shares[0] = 1.0,
        Model::Last => shares[last] = 1.0,
        Model::TimeDecay { half_life } => {
            for (share, time) in shares.iter_mut().zip(times) {
                *share = ((time - times[last]) / half_life).exp2();
            }
            let total: f64 = shares.iter().sum();
            shares.iter_mut().for_each(|share| *share /= total);
        }
        Model::Position { first, last: of_last } if touches > 1 => {
            let between = 1.0 - first - of_last;
            // Without a touch between them, the ends share what was meant for it.
            let (middle, ends) = if touches > 2 { (between / (last - 1) as f64, 0.0) } else { (0.0, between / 2.0) };
            shares.fill(middle);
            shares[0] = first + ends;
            shares[last] = of_last + ends;
        }
        _ => shares.fill(1.0 / touches as f64),
    }
}
