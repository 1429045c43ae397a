//! CUPED: what a customer did before the experiment explains part of what he does in it, and that part is noise that
//! can be taken off. The slope is pooled within the groups, not over all rows, so that an effect does not leak into it:
//! the difference of two adjusted means then equals the group's coefficient of least squares with the covariate. Deng,
//! Xu, Kohavi & Walker (WSDM 2013).

use super::pair::Pair;
use super::sample::{Sample, rounded};
use crate::error::{Result, not_empty};

/// Groups after the adjustment.
#[derive(Debug, Clone, PartialEq)]
pub struct Cuped {
    /// Change of the metric per unit of the covariate; 0 if the covariate never varies.
    pub slope: f64,
    /// In the order given, at the covariate's mean over all groups: ready for any test.
    pub groups: Vec<Sample>,
    /// Share of the variance within groups that is gone.
    pub variance_explained: f64,
}

/// Adjusts each group's metric (the first number) by its covariate (the second), which was known before the experiment.
pub fn cuped(groups: &[Pair]) -> Result<Cuped> {
    not_empty("groups", groups.len())?;
    groups.iter().try_for_each(Pair::check)?;
    let within = |moment: &dyn Fn(&Pair) -> f64| -> f64 {
        groups.iter().map(|group| (group.first.rows - 1) as f64 * moment(group)).sum()
    };
    let (y, x) = (within(&|group| group.first.variance), within(&|group| group.second.variance));
    let xy = within(&|group| group.covariance);
    let slope = if x > 0.0 { xy / x } else { 0.0 };
    let rows: f64 = groups.iter().map(|group| group.first.rows as f64).sum();
    let centre = groups.iter().map(|group| group.first.rows as f64 / rows * group.second.mean).sum::<f64>();
    let adjusted = |group: &Pair| {
        let variance = group.first.variance - 2.0 * slope * group.covariance + slope * slope * group.second.variance;
        let mean = group.first.mean - slope * (group.second.mean - centre);
        Sample::new(group.first.rows, mean, rounded(variance))
    };
    let variance_explained = if x > 0.0 && y > 0.0 { (slope * xy / y).min(1.0) } else { 0.0 };
    Ok(Cuped { slope, groups: groups.iter().map(adjusted).collect::<Result<_>>()?, variance_explained })
}
