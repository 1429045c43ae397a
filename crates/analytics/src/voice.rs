//! What customers say of a shop: the net promoter score and customer satisfaction, each with its interval. Both are
//! counts of answers, so that a GROUP BY is all they need; a customer counts once.

use crate::distributions::normal_quantile;
use crate::error::{Error, Result, not_empty, valid_level};
use crate::experiments::{Rate, wilson};

/// A score and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

/// The net promoter score, promoters − detractors as a share of all answers, −1 to 1. On the question's scale from 0 to
/// 10, promoters gave 9 or 10 and detractors 0 to 6 (Reichheld, Harvard Business Review 81, 2003). Its interval of
/// coverage `level` is the adjusted Wald interval with three quarters of an answer for promoters and for detractors and
/// one and a half in between: Rocks, Interval estimation for the Net Promoter Score (The American Statistician 70,
/// 2016).
pub fn net_promoter(promoters: u64, passives: u64, detractors: u64, level: f64) -> Result<Score> {
    valid_level(level)?;
    let [p, n, d] = [promoters, passives, detractors].map(|count| count as f64);
    not_empty("answers", usize::from(p + n + d > 0.0))?;
    let estimate = (p - d) / (p + n + d);
    let rows = p + n + d + 3.0;
    let (p, d) = ((p + 0.75) / rows, (d + 0.75) / rows);
    let width = -normal_quantile((1.0 - level) / 2.0) * ((p + d - (p - d) * (p - d)) / rows).sqrt();
    let (low, high) = ((p - d - width).max(-1.0), (p - d + width).min(1.0));
    Ok(Score { estimate, low: low.min(estimate), high: high.max(estimate) })
}

/// Customer satisfaction: the share of answers that are satisfied (4 or 5 of 5), with Wilson's score interval.
pub fn satisfaction(satisfied: u64, answers: u64, level: f64) -> Result<Score> {
    valid_level(level)?;
    if satisfied > answers {
        let valid = "at most the number of answers";
        return Err(Error::Setting { name: "satisfied", value: satisfied as f64, valid });
    }
    let rate = Rate::new(satisfied, answers)?;
    let (low, high) = wilson(rate, -normal_quantile((1.0 - level) / 2.0));
    Ok(Score { estimate: satisfied as f64 / answers as f64, low, high })
}
