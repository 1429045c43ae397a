use crate::error::{Error, Result, not_empty};

/// One customer's history at the end of observation, in the literature's letters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Repeat purchases: days with a purchase after the first.
    pub x: f64,
    /// Age at the last purchase: from the first purchase to the last; 0 without a repeat purchase.
    pub t_x: f64,
    /// Age at the end of observation.
    pub t: f64,
    /// Mean value of a repeat purchase; 0 without any.
    pub value: f64,
}

/// What one customer bought on one day; several on the same day are one purchase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transaction {
    /// Days since any fixed day.
    pub day: i32,
    /// Not negative: returns are left out or netted by the caller.
    pub value: f64,
}

impl Summary {
    /// Whether the numbers can belong to a customer; `customer` is the index to name in the error.
    pub fn check(&self, customer: usize) -> Result<()> {
        let wrong = |what, value, valid| Err(Error::Customer { customer, what, value, valid });
        if !(self.x >= 0.0 && self.x.is_finite() && self.x.fract() == 0.0) {
            return wrong("x, the number of repeat purchases,", self.x, "a whole number, 0 or more");
        }
        if !(self.t >= 0.0 && self.t.is_finite()) {
            return wrong("t, the age at the end of observation,", self.t, "0 or more and finite");
        }
        if !(self.t_x >= 0.0 && (self.t_x > 0.0) == (self.x > 0.0)) {
            return wrong(
                "t_x, the age at the last purchase,",
                self.t_x,
                "above 0 with repeat purchases (x > 0), else 0",
            );
        }
        if !(self.value >= 0.0 && self.value.is_finite()) {
            return wrong("the mean value of a repeat purchase", self.value, "0 or more and finite");
        }
        if self.t_x > self.t {
            return Err(Error::PurchaseAfterEnd { customer, t_x: self.t_x, t: self.t });
        }
        Ok(())
    }

    /// The same history after a further time without a purchase.
    pub(super) fn later(&self, time: f64) -> Self {
        Self { t: self.t + time, ..*self }
    }
}

pub(super) fn check_all(customers: &[Summary]) -> Result<()> {
    not_empty("customers", customers.len())?;
    customers.iter().enumerate().try_for_each(|(i, customer)| customer.check(i))
}

/// Summaries at the end of day `end` (that day included), one for each customer given; `None` for one who had not bought
/// by then. Each customer's transactions are sorted by day, those after `end` are not looked at. `days_per_unit` is 1 for
/// ages in days, 7 for weeks. Fails, naming customer and transaction, when they are not sorted or a value is negative.
pub fn summaries<'a>(
    customers: impl IntoIterator<Item = &'a [Transaction]>,
    end: i32,
    days_per_unit: f64,
) -> Result<Vec<Option<Summary>>> {
    check_unit(days_per_unit)?;
    customers.into_iter().enumerate().map(|(i, transactions)| summary(i, transactions, end, days_per_unit)).collect()
}

fn check_unit(days_per_unit: f64) -> Result<()> {
    if days_per_unit > 0.0 && days_per_unit.is_finite() {
        return Ok(());
    }
    Err(Error::Setting { name: "days_per_unit", value: days_per_unit, valid: "above 0 and finite" })
}

fn summary(customer: usize, transactions: &[Transaction], end: i32, days_per_unit: f64) -> Result<Option<Summary>> {
    for (row, pair) in transactions.windows(2).enumerate() {
        if pair[1].day < pair[0].day {
            return Err(Error::Unsorted { customer, row: row + 1, day: pair[1].day, previous: pair[0].day });
        }
    }
    if let Some(bad) = transactions.iter().find(|t| !(t.value >= 0.0 && t.value.is_finite())) {
        let what = "the value of a transaction";
        return Err(Error::Customer { customer, what, value: bad.value, valid: "0 or more and finite" });
    }
    let seen = &transactions[..transactions.partition_point(|t| t.day <= end)];
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return Ok(None) };
    let repeats = &seen[seen.partition_point(|t| t.day == first.day)..];
    let x = repeats.chunk_by(|a, b| a.day == b.day).count() as f64;
    let spent: f64 = repeats.iter().map(|t| t.value).sum();
    let age = |day: i32| f64::from(day - first.day) / days_per_unit;
    let value = if x > 0.0 { spent / x } else { 0.0 };
    Ok(Some(Summary { x, t_x: age(last.day), t: age(end), value }))
}
