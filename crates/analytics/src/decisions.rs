//! Defines [`decide`]: which of the actions that could be taken for customers are taken. Greedy by expected gain, because that
//! order is what a marketer can check by hand: whatever is refused, something with at least its gain stood in its way. With one
//! price per action it also fills that action's budget with the most gain that fits.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use crate::error::{Error, Result, all_finite, same_length};

/// What could be done at one time, one entry per customer, channel and action (or several, of which at most one is taken).
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a> {
    pub customers: &'a [u32],
    pub channels: &'a [u32],
    pub actions: &'a [u32],
    /// Expected gain, cost already taken off.
    pub gains: &'a [f64],
    /// 0 or more.
    pub costs: &'a [f64],
    /// How often the customer may still be contacted over all channels; `u32::MAX` for no limit.
    pub contacts_left: &'a [u32],
    /// Whether the customer is in the action's holdout.
    pub held_out: &'a [bool],
}

/// What may be spent: 0 or more, infinite for no limit.
#[derive(Debug, Clone, Copy)]
pub struct Budgets<'a> {
    /// Of action `a` at index `a`.
    pub of_actions: &'a [f64],
    pub total: f64,
}

/// What becomes of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    Act,
    /// It would be acted on, but the customer is held out, so that the action's effect can be measured: costs nothing, is no
    /// contact, and keeps the channel free of anything else.
    HoldOut,
    /// The gain is not above 0.
    NoGain,
    /// Another action with at least this gain has the customer's channel.
    Outranked,
    /// The customer's contacts are used up by actions with at least this gain.
    ContactLimit,
    /// The action's or the whole budget is used up, so far that this cost does not fit, by actions with at least this gain.
    OverBudget,
}

/// Decides on each candidate, in descending order of gain and, of equal gains, in the order given.
///
/// # Errors
/// Columns of different length; a gain that is not finite; a cost or budget that is negative or NaN; an action without a budget.
pub fn decide(candidates: &Candidates<'_>, budgets: &Budgets<'_>) -> Result<Vec<Decision>> {
    check(candidates, budgets)?;
    let Candidates { customers, channels, actions, gains, costs, contacts_left, held_out } = *candidates;
    let mut order: Vec<usize> = (0..gains.len()).collect();
    order.sort_by(|a, b| gains[*b].total_cmp(&gains[*a]));
    let mut taken: HashSet<(u32, u32), FixedState> = HashSet::default();
    let mut contacts: HashMap<u32, u32, FixedState> = HashMap::default();
    let mut spent = vec![0.0; budgets.of_actions.len()];
    let mut spent_in_all = 0.0;
    let mut decisions = vec![Decision::NoGain; gains.len()];
    for row in order.into_iter().take_while(|row| gains[*row] > 0.0) {
        let (customer, action, cost) = (customers[row], actions[row] as usize, costs[row]);
        let slot = (customer, channels[row]);
        let fits = |spent: f64, budget: f64| spent + cost <= budget * (1.0 + ROUNDING);
        decisions[row] = if taken.contains(&slot) {
            Decision::Outranked
        } else if contacts.get(&customer).copied().unwrap_or(0) >= contacts_left[row] {
            Decision::ContactLimit
        } else if !fits(spent[action], budgets.of_actions[action]) || !fits(spent_in_all, budgets.total) {
            Decision::OverBudget
        } else {
            taken.insert(slot);
            match held_out[row] {
                true => Decision::HoldOut,
                false => {
                    *contacts.entry(customer).or_default() += 1;
                    spent[action] += cost;
                    spent_in_all += cost;
                    Decision::Act
                }
            }
        };
    }
    Ok(decisions)
}

/// By which sums of costs may miss a budget that they fill exactly.
const ROUNDING: f64 = 1e-9;

fn check(candidates: &Candidates<'_>, budgets: &Budgets<'_>) -> Result<()> {
    let Candidates { customers, channels, actions, gains, costs, contacts_left, held_out } = *candidates;
    let rows = gains.len();
    same_length("customers", rows, customers.len())?;
    same_length("channels", rows, channels.len())?;
    same_length("actions", rows, actions.len())?;
    same_length("costs", rows, costs.len())?;
    same_length("contacts_left", rows, contacts_left.len())?;
    same_length("held_out", rows, held_out.len())?;
    all_finite("gain", gains)?;
    all_finite("cost", costs)?;
    let valid = "0 or more";
    if let Some(row) = costs.iter().position(|cost| *cost < 0.0) {
        return Err(Error::Value { what: "cost", row, value: costs[row], valid });
    }
    let mut all = budgets.of_actions.iter().chain([&budgets.total]);
    if let Some(&value) = all.find(|budget| budget.is_nan() || **budget < 0.0) {
        return Err(Error::Setting { name: "budget", value, valid });
    }
    match actions.iter().position(|action| *action as usize >= budgets.of_actions.len()) {
        Some(row) => {
            let value = f64::from(actions[row]);
            Err(Error::Value { what: "action", row, value, valid: "one that has a budget" })
        }
        None => Ok(()),
    }
}
