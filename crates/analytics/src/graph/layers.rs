//! Opinion leaders, active and silent members of a network: a rule on how much a member does and how many listen. A rank
//! has no unit, so the leaders are a share of the active members, not those above a number.

use crate::error::{Error, Result, all_finite, same_length};

/// What part a member plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Does less than the least activity, whatever the rank.
    Silent,
    Active,
    /// Active, and among those of highest rank.
    OpinionLeader,
}

/// Where the layers part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerSettings {
    /// Share of the active members who lead, between 0 and 1; rounded to a number of members, and 1 at least unless it is 0.
    pub leaders: f64,
    /// Activity (posts, reviews, invitations …) from which a member is active.
    pub least_activity: f64,
}

impl Default for LayerSettings {
    fn default() -> Self {
        Self { leaders: 0.05, least_activity: 1.0 }
    }
}

/// Layer of each member, from rank and activity. Members of equal rank are on one side: those at the edge lead only if
/// all of them fit, so where all ranks are equal nobody leads (one member alone does).
pub fn layers(ranks: &[f64], activity: &[f64], settings: LayerSettings) -> Result<Vec<Layer>> {
    let LayerSettings { leaders, least_activity } = settings;
    same_length("activity", ranks.len(), activity.len())?;
    all_finite("rank", ranks)?;
    all_finite("activity", activity)?;
    if !(0.0..=1.0).contains(&leaders) {
        return Err(Error::Setting { name: "leaders", value: leaders, valid: "between 0 and 1" });
    }
    if !least_activity.is_finite() {
        return Err(Error::Setting { name: "least_activity", value: least_activity, valid: "a finite number" });
    }
    let is_active = |member: usize| activity[member] >= least_activity;
    let mut active: Vec<f64> = (0..ranks.len()).filter(|&m| is_active(m)).map(|m| ranks[m]).collect();
    active.sort_unstable_by(|a, b| b.total_cmp(a));
    let most = ((leaders * active.len() as f64).round() as usize).max(usize::from(leaders > 0.0));
    // Leaders rank above the first one who does not fit.
    let beyond = active.get(most).copied();
    let layer = |member: usize| match is_active(member) {
        false => Layer::Silent,
        true if beyond.is_none_or(|rank| ranks[member] > rank) => Layer::OpinionLeader,
        true => Layer::Active,
    };
    Ok((0..ranks.len()).map(layer).collect())
}
