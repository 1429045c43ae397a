//! How often, how lately and for how much customers bought before their cut-offs: what buy-till-you-die models read.

use crate::columns::Rows;
use crate::dataset;
use crate::error::Result;
use analytics::btyd::Summary;
use std::collections::HashMap;
use warehouse::Warehouse;

/// The view of it.
pub(crate) const BUYING: &str = "insights.buying_summary";

/// BTYD models are fitted in weeks, as published.
pub(crate) const DAYS_PER_WEEK: f64 = 7.0;

/// Each customer's purchases before his cut-off, ages in weeks; None for one who had not bought by then.
pub(crate) async fn summaries(
    warehouse: &Warehouse,
    snapshot: u64,
    keys: &[(String, i64)],
) -> Result<Vec<Option<Summary>>> {
    let cutoffs: Vec<i64> = keys.iter().map(|key| key.1).collect();
    of_keys(&rows(warehouse, snapshot, cutoffs).await?, keys)
}

/// The same of rows of the view.
pub(crate) fn of_keys(rows: &Rows, keys: &[(String, i64)]) -> Result<Vec<Option<Summary>>> {
    let known: HashMap<(String, i64), Summary> = read(rows)?.into_iter().collect();
    Ok(keys.iter().map(|key| known.get(key).copied()).collect())
}

/// Those of everybody who had bought before a cut-off.
pub(crate) async fn buyers(warehouse: &Warehouse, snapshot: u64, cutoff: i64) -> Result<Vec<Summary>> {
    Ok(read(&rows(warehouse, snapshot, vec![cutoff]).await?)?.into_iter().map(|(_, summary)| summary).collect())
}

/// By customer and cut-off, in that order.
async fn rows(warehouse: &Warehouse, snapshot: u64, mut cutoffs: Vec<i64>) -> Result<Rows> {
    cutoffs.sort_unstable();
    cutoffs.dedup();
    let session = dataset::session(warehouse, snapshot, dataset::cut_offs(&cutoffs), None).await?;
    let query = format!("SELECT * FROM {BUYING} ORDER BY customer_id, as_of");
    dataset::rows(&session, BUYING, &query).await
}

fn read(rows: &Rows) -> Result<Vec<((String, i64), Summary)>> {
    let column = |name: &str| rows.required(name, rows.numbers(name)?, "number without NULL");
    let [x, t_x, t, value] = ["repeat_days", "recency_days", "age_days", "repeat_amount"].map(column);
    let (x, t_x, t, value) = (x?, t_x?, t?, value?);
    let summary =
        |row: usize| Summary { x: x[row], t_x: t_x[row] / DAYS_PER_WEEK, t: t[row] / DAYS_PER_WEEK, value: value[row] };
    Ok(rows.keys()?.into_iter().enumerate().map(|(row, key)| (key, summary(row))).collect())
}
