//! The gain of treating the customers of highest estimated effect first, and the area under it. There are several
//! definitions of each; these are scikit-uplift's, with a perfect model that may also save customers from harm. Rows of
//! equal score are treated together, so the order of rows is of no account.

use super::check_arms;
use crate::error::{Result, all_finite, same_length};
use crate::metrics::Prepared;
use crate::statistic::{Ordered, Statistic, defined};

/// Which gain a curve draws, of the n rows of highest score, n_t of them treated and n_c control, with y_t and y_c positive
/// outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpliftCurve {
    /// y_t − y_c · n_t / n_c: positive outcomes won among the treated (Radcliffe 2007).
    Qini,
    /// (y_t / n_t − y_c / n_c) · n: positive outcomes won if all n were treated.
    Uplift,
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Rows up to here, by descending score.
    pub rows: f64,
    /// Positive outcomes won. A term of an arm without rows up to here counts as 0.
    pub gain: f64,
}

/// The curve from (0, 0), with a point at the end of each group of equal scores. `outcomes` are good where true; `scores`
/// are estimated effects. Fails without both arms, and for a score that is not finite.
pub fn curve(kind: UpliftCurve, outcomes: &[bool], scores: &[f64], treated: &[bool]) -> Result<Vec<Point>> {
    let area = Area::new(kind, outcomes, scores, treated)?;
    let mut points = vec![Point { rows: 0.0, gain: 0.0 }];
    let weights = vec![1; outcomes.len()];
    area.trace(&area.by_score, &weights, |point| points.push(point));
    Ok(points)
}

/// Area between the curve and the straight line to its end, as a share of the same area of a perfect ranking: the Qini
/// coefficient, or the uplift AUC. 1 is perfect, 0 no better than chance, below 0 worse. The perfect ranking puts treated
/// positives first and control positives last (Qini), or orders by the outcome that proves an effect (uplift). Fails like
/// `curve`, and where even a perfect ranking wins nothing over chance.
pub fn auc(kind: UpliftCurve, outcomes: &[bool], scores: &[f64], treated: &[bool]) -> Result<f64> {
    let why = "a perfect ranking of these rows is no better than chance";
    defined(&Area::new(kind, outcomes, scores, treated)?, kind.name(), why)
}

/// The same number made ready for resampling, see `bootstrap`.
pub fn prepare(kind: UpliftCurve, outcomes: &[bool], scores: &[f64], treated: &[bool]) -> Result<Prepared> {
    Ok(Box::new(Area::new(kind, outcomes, scores, treated)?))
}

impl UpliftCurve {
    fn name(self) -> &'static str {
        match self {
            UpliftCurve::Qini => "the Qini coefficient",
            UpliftCurve::Uplift => "the uplift AUC",
        }
    }
}

/// Rows of each arm, and positive outcomes among them.
#[derive(Default)]
struct Seen {
    treated: u64,
    control: u64,
    treated_positives: u64,
    control_positives: u64,
}

struct Area {
    kind: UpliftCurve,
    outcomes: Vec<bool>,
    treated: Vec<bool>,
    by_score: Ordered,
    /// Perfect rankings; for uplift the second serves where control positives outnumber treated negatives.
    perfect: [Ordered; 2],
}

impl Area {
    fn new(kind: UpliftCurve, outcomes: &[bool], scores: &[f64], treated: &[bool]) -> Result<Self> {
        same_length("scores", outcomes.len(), scores.len())?;
        check_arms(kind.name(), outcomes.len(), treated)?;
        all_finite("score", scores)?;
        let (outcomes, treated) = (outcomes.to_vec(), treated.to_vec());
        let perfect = |tie_by_outcome: bool| {
            let rank = |(&good, &treated): (&bool, &bool)| match kind {
                UpliftCurve::Qini => f64::from(u8::from(good)) * if treated { 1.0 } else { -1.0 },
                UpliftCurve::Uplift => {
                    let tie = if tie_by_outcome { good } else { treated };
                    2.0 * f64::from(u8::from(good == treated)) + f64::from(u8::from(tie))
                }
            };
            Ordered::by(&outcomes.iter().zip(&treated).map(rank).collect::<Vec<f64>>())
        };
        let perfect = [perfect(false), perfect(true)];
        Ok(Self { kind, outcomes, treated, by_score: Ordered::by(scores), perfect })
    }

    /// Calls `at` for the end of each group of a ranking that has any weight, and returns all that was seen.
    fn trace(&self, ranking: &Ordered, weights: &[u32], mut at: impl FnMut(Point)) -> Seen {
        let mut seen = Seen::default();
        for rows in ranking.groups().rev() {
            let before = seen.treated + seen.control;
            for &row in rows {
                let weight = u64::from(weights[row]);
                let positives = if self.outcomes[row] { weight } else { 0 };
                if self.treated[row] {
                    seen.treated += weight;
                    seen.treated_positives += positives;
                } else {
                    seen.control += weight;
                    seen.control_positives += positives;
                }
            }
            if seen.treated + seen.control > before {
                at(self.kind.point(&seen));
            }
        }
        seen
    }

    /// Area between the curve of a ranking and the line to its end.
    fn above_chance(&self, ranking: &Ordered, weights: &[u32]) -> (f64, Seen) {
        let (mut area, mut last) = (0.0, Point { rows: 0.0, gain: 0.0 });
        let seen = self.trace(ranking, weights, |point| {
            area += (point.rows - last.rows) * (point.gain + last.gain) / 2.0;
            last = point;
        });
        (area - last.rows * last.gain / 2.0, seen)
    }
}

impl Statistic for Area {
    fn rows(&self) -> usize {
        self.outcomes.len()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        let (area, seen) = self.above_chance(&self.by_score, weights);
        let by_outcome = seen.control_positives > seen.treated - seen.treated_positives;
        let (perfect, _) = self.above_chance(&self.perfect[usize::from(by_outcome)], weights);
        // An area of 0 comes out of a difference, as rounding.
        let rows = (seen.treated + seen.control) as f64;
        let has_both = seen.treated > 0 && seen.control > 0;
        (has_both && perfect.abs() > 1e-12 * rows * rows).then(|| area / perfect)
    }
}

impl UpliftCurve {
    fn point(self, seen: &Seen) -> Point {
        let ratio = |a: u64, b: u64| if b == 0 { 0.0 } else { a as f64 / b as f64 };
        let rows = (seen.treated + seen.control) as f64;
        let gain = match self {
            UpliftCurve::Qini => {
                seen.treated_positives as f64 - seen.control_positives as f64 * ratio(seen.treated, seen.control)
            }
            UpliftCurve::Uplift => {
                (ratio(seen.treated_positives, seen.treated) - ratio(seen.control_positives, seen.control)) * rows
            }
        };
        Point { rows, gain }
    }
}
