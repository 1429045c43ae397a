//! Published and recomputed numbers on CDNOW: 39 weeks to fit, 39 weeks to judge.

use std::collections::BTreeMap;
use std::fs;

use crate::support::{assert_close, assert_relative, shared};
use analytics::btyd::{BgNbd, GammaGamma, ParetoNbd, PurchaseModel, Summary, Transaction, summaries};
use analytics::metrics::{auc, mae, normalised_gini, pearson, rmse, spearman};

/// 1997-09-30, days since 1970-01-01.
const END: i32 = 10_134;
const DAYS_PER_WEEK: f64 = 7.0;
const HORIZON: f64 = 39.0;

#[test]
fn bg_nbd_on_the_published_sample() {
    let Some(customers) = sample() else { return };
    // The published summary rounds ages to two decimals (t_x 30.43), which moves the log likelihood by .004.
    let round = |age: f64| (age * 100.0).round() / 100.0;
    let customers: Vec<Summary> =
        customers.iter().map(|c| Summary { t_x: round(c.t_x), t: round(c.t), ..*c }).collect();
    let model = BgNbd::fit(&customers).unwrap();
    assert_close("r", model.r, 0.2426, 0.0001);
    assert_close("alpha", model.alpha, 4.4135, 0.0002);
    assert_close("a", model.a, 0.7929, 0.0001);
    assert_close("b", model.b, 2.4258, 0.0002);
    assert_close("log likelihood", model.total_log_likelihood(&customers).unwrap(), -9582.4256, 0.0001);
    // The published spreadsheet cuts the series of 2F1 short, which shows in the fourth digit of the last.
    for (duration, expected) in
        [(0.1429, 0.0078), (1.0, 0.0532), (3.0, 0.1506), (31.8571, 1.0405), (32.0, 1.0437), (78.0, 1.8576)]
    {
        assert_close("E[X(t)]", model.expected_of_new(duration), expected, 5e-5 + 2e-4 * expected);
    }
}

#[test]
fn pareto_nbd_on_the_published_sample() {
    let Some(customers) = sample() else { return };
    let model = ParetoNbd::fit(&customers).unwrap();
    assert_close("r", model.r, 0.5533, 0.0002);
    assert_close("alpha", model.alpha, 10.577, 0.003);
    assert_close("s", model.s, 0.6062, 0.0003);
    assert_close("beta", model.beta, 11.669, 0.01);
    assert_close("log likelihood", model.total_log_likelihood(&customers).unwrap(), -9594.976, 0.0006);
}

#[test]
fn gamma_gamma_on_the_published_sample() {
    let Some(customers) = sample() else { return };
    let model = GammaGamma::fit(&customers).unwrap();
    assert_close("p", model.p, 6.25, 0.006);
    assert_close("q", model.q, 3.74, 0.006);
    assert_close("v", model.v, 15.45, 0.02);
    let total: f64 = customers.iter().map(|c| model.log_likelihood(c)).sum();
    assert_close("log likelihood", total, -4055.918, 0.01);
}

/// Numbers of `lifetimes` 0.11.3 on the same protocol.
struct Holdout {
    transactions: f64,
    correlation: f64,
    mae: f64,
    rmse: f64,
    auc: f64,
    value: f64,
    value_mae: f64,
    value_correlation: f64,
    spearman: f64,
    gini: f64,
}

#[test]
fn bg_nbd_foretells_all_customers() {
    let expected = Holdout {
        transactions: 16_874.0,
        correlation: 0.6688,
        mae: 0.8187,
        rmse: 1.733,
        auc: 0.7630,
        value: 642e3,
        value_mae: 32.68,
        value_correlation: 0.6687,
        spearman: 0.4208,
        gini: 0.6721,
    };
    check_holdout(BgNbd::fit, &expected);
}

#[test]
fn pareto_nbd_foretells_all_customers() {
    let expected = Holdout {
        transactions: 17_153.0,
        correlation: 0.6708,
        mae: 0.7938,
        rmse: 1.726,
        auc: 0.7687,
        value: 654e3,
        value_mae: 31.99,
        value_correlation: 0.6687,
        spearman: 0.4418,
        gini: 0.6845,
    };
    check_holdout(ParetoNbd::fit, &expected);
}

/// BG/NBD's P(alive) is 1 for one-time buyers, so it ranks who comes back worse than chance; P(purchase) does not.
#[test]
fn p_zero_and_not_p_alive_ranks_churn() {
    let Some(all) = everybody() else { return };
    let model = BgNbd::fit(&all.before).unwrap();
    let forecasts = model.forecast(&all.before, HORIZON).unwrap();
    let active: Vec<bool> = all.orders_after.iter().map(|&n| n > 0.0).collect();
    let alive: Vec<f64> = forecasts.iter().map(|f| f.p_alive).collect();
    let returns: Vec<f64> = forecasts.iter().map(|f| 1.0 - f.p_zero).collect();
    assert_close("AUC of P(alive)", auc(&active, &alive).unwrap(), 0.32, 0.005);
    assert!(auc(&active, &returns).unwrap() > 0.74);
}

fn check_holdout<M: PurchaseModel>(fit: fn(&[Summary]) -> analytics::Result<M>, oracle: &Holdout) {
    let Some(all) = everybody() else { return };
    assert_eq!(all.before.len(), 23_570);
    let forecasts = fit(&all.before).unwrap().forecast(&all.before, HORIZON).unwrap();
    let spend = GammaGamma::fit(&all.before).unwrap();
    let orders: Vec<f64> = forecasts.iter().map(|f| f.expected).collect();
    let value: Vec<f64> = orders.iter().zip(&all.before).map(|(n, c)| n * spend.expected_value(c)).collect();
    let active: Vec<bool> = all.orders_after.iter().map(|&n| n > 0.0).collect();
    let (after, value_after) = (&all.orders_after, &all.value_after);
    assert_eq!(after.iter().sum::<f64>(), 19_684.0);
    assert_relative("actual value", value_after.iter().sum(), 777e3, 0.01);
    let one_percent = |what: &str, found: f64, expected: f64| {
        assert_relative(what, found, expected, 0.01);
    };
    one_percent("transactions", orders.iter().sum(), oracle.transactions);
    one_percent("correlation", pearson(after, &orders).unwrap(), oracle.correlation);
    one_percent("MAE", mae(after, &orders).unwrap(), oracle.mae);
    one_percent("RMSE", rmse(after, &orders).unwrap(), oracle.rmse);
    one_percent("AUC", auc(&active, &orders).unwrap(), oracle.auc);
    one_percent("value", value.iter().sum(), oracle.value);
    one_percent("value MAE", mae(value_after, &value).unwrap(), oracle.value_mae);
    one_percent("value correlation", pearson(value_after, &value).unwrap(), oracle.value_correlation);
    one_percent("value Spearman", spearman(value_after, &value).unwrap(), oracle.spearman);
    one_percent("value Gini", normalised_gini(value_after, &value).unwrap(), oracle.gini);
}

struct Everybody {
    before: Vec<Summary>,
    orders_after: Vec<f64>,
    value_after: Vec<f64>,
}

fn everybody() -> Option<Everybody> {
    let customers = transactions("cdnow/CDNOW_master.txt", 1, [0, 1, 3])?;
    let before = summaries(customers.iter().map(Vec::as_slice), END, DAYS_PER_WEEK).unwrap();
    let after = |c: &Vec<Transaction>| c.iter().filter(|t| t.day > END).copied().collect::<Vec<_>>();
    let days = |c: &Vec<Transaction>| after(c).chunk_by(|a, b| a.day == b.day).count() as f64;
    Some(Everybody {
        before: before.into_iter().map(Option::unwrap).collect(),
        orders_after: customers.iter().map(days).collect(),
        value_after: customers.iter().map(|c| after(c).iter().map(|t| t.value).sum()).collect(),
    })
}

fn sample() -> Option<Vec<Summary>> {
    let customers = transactions("cdnow/CDNOW_sample.txt", 0, [1, 2, 4])?;
    assert_eq!(customers.len(), 2357);
    let summaries = summaries(customers.iter().map(Vec::as_slice), END, DAYS_PER_WEEK).unwrap();
    Some(summaries.into_iter().map(Option::unwrap).collect())
}

/// Transactions of each customer by day; `columns` are the places of id, date and value.
fn transactions(file: &str, headers: usize, columns: [usize; 3]) -> Option<Vec<Vec<Transaction>>> {
    let text = fs::read_to_string(shared(file)?).unwrap();
    let mut customers: BTreeMap<&str, Vec<Transaction>> = BTreeMap::new();
    for line in text.lines().skip(headers) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [id, date, value] = columns.map(|column| fields[column]);
        let transaction = Transaction { day: day(date), value: value.parse().unwrap() };
        customers.entry(id).or_default().push(transaction);
    }
    let mut customers: Vec<Vec<Transaction>> = customers.into_values().collect();
    customers.iter_mut().for_each(|c| c.sort_by_key(|t| t.day));
    Some(customers)
}

/// Days from 1970-01-01 to a yyyymmdd date of 1997 or 1998.
fn day(date: &str) -> i32 {
    let starts = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let (year, month, day): (i32, usize, i32) =
        (date[..4].parse().unwrap(), date[4..6].parse().unwrap(), date[6..].parse().unwrap());
    assert!(year == 1997 || year == 1998, "{date}");
    9862 + 365 * (year - 1997) + starts[month - 1] + day - 1
}
