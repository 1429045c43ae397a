//! Uplift: what a treatment (a mail, a coupon) changes, per customer. `curve` says how good a ranking by estimated effect
//! is, on rows of an experiment; `UpliftModel` estimates the effect. Both take the treatment as given at random: with
//! chosen targets, a difference between the arms is not an effect.

mod curve;
mod model;

pub use curve::{Point, UpliftCurve, auc, curve, prepare};
pub use model::{Method, UpliftModel, UpliftSettings};

use crate::error::{Error, Result, same_length};

fn check_arms(what: &'static str, rows: usize, treated: &[bool]) -> Result<()> {
    same_length("treated", rows, treated.len())?;
    match treated.first() {
        None => Err(Error::Empty { what }),
        Some(&arm) if treated.iter().all(|&t| t == arm) => {
            Err(Error::Undefined { metric: what, why: "all rows are of one arm; it needs treated and control rows" })
        }
        Some(_) => Ok(()),
    }
}
