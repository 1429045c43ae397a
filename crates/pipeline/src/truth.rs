//! A simulated shop's attainable truth: what the best possible model would say of each customer.

use crate::error::{Error, Result};
use crate::runs::Plan;
use crate::time::date;
use analytics::metrics::NOT_RANKED;
use std::collections::HashMap;
use std::path::Path;

pub(crate) struct Truth {
    outlook: HashMap<String, simulate::CustomerTruth>,
    /// The most probable next products, best first.
    next: HashMap<String, Vec<String>>,
}

impl Truth {
    pub(crate) const NAME: &str = "attainable truth";

    /// Reads the truth; it must speak of the run's test cut-off and horizon.
    pub(crate) fn read(folder: &Path, plan: &Plan) -> Result<Truth> {
        if plan.task.head()?.is_of_ones_own() {
            let problem = "a simulated shop's truth is of churn, value and next purchases, not of a label of one's own: \
                leave --truth out";
            return Err(Error::Task { task: plan.task.name.clone(), problem: problem.into() });
        }
        let truth = simulate::read_attainable(folder)?;
        if truth.as_of != plan.test || truth.horizon_days != i64::from(plan.task.horizon_days) {
            let problem = format!(
                "the truth in {} is of {} and {} days, the run's test of {} and {} days; simulate with --horizon {}",
                folder.display(),
                date(truth.as_of),
                truth.horizon_days,
                date(plan.test),
                plan.task.horizon_days,
                plan.task.horizon_days
            );
            return Err(Error::Task { task: plan.task.name.clone(), problem });
        }
        Ok(Truth { outlook: truth.customers, next: truth.next_products })
    }

    pub(crate) fn churn(&self, keys: &[(String, i64)]) -> Result<Vec<f64>> {
        keys.iter().map(|(customer, _)| Ok(self.of(customer)?.p_churn)).collect()
    }

    pub(crate) fn value(&self, keys: &[(String, i64)]) -> Result<Vec<f64>> {
        keys.iter().map(|(customer, _)| Ok(self.of(customer)?.expected_value)).collect()
    }

    /// Rank of what each customer bought, among the products that the truth lists.
    pub(crate) fn ranks(&self, keys: &[(String, i64)], products: &[String]) -> Result<Vec<u32>> {
        let rank = |((customer, _), product): (&(String, i64), &String)| {
            let listed = self.next.get(customer).ok_or_else(|| Error::NoTruth { customer: customer.clone() })?;
            Ok(listed.iter().zip(1..).find(|(p, _)| *p == product).map_or(NOT_RANKED, |(_, rank)| rank))
        };
        keys.iter().zip(products).map(rank).collect()
    }

    fn of(&self, customer: &str) -> Result<&simulate::CustomerTruth> {
        self.outlook.get(customer).ok_or_else(|| Error::NoTruth { customer: customer.into() })
    }
}
