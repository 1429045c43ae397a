//! Ids that stay: a new clustering numbers its clusters at random, so each is given the id of the earlier cluster that it
//! continues, and an id of its own when it continues none. Which continues which is decided for all at once, by the most
//! rows in common (or the nearest centres), so that two clusters never claim one id.

use super::compact;
use super::hungarian::assign;
use super::table::{Table, squared_distance};
use crate::error::{Error, Result, not_empty, same_length};

/// The id of each new cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StableIds {
    /// (label, id) of each new cluster, by ascending label.
    pub ids: Vec<(u32, u32)>,
    /// The first id that no cluster has had yet: what the next call gets, so that an id never comes back as another.
    pub unused_from: u32,
}

impl StableIds {
    /// By rows in common. `labels` and `previous` (ids) are of the same rows; `None` is noise, or a row that was not there
    /// before. A cluster with no row in common with the one left for it is new. New ids start at `unused_from`, or after
    /// the largest previous id if that is more.
    pub fn by_overlap(labels: &[Option<u32>], previous: &[Option<u32>], unused_from: u32) -> Result<Self> {
        not_empty("labels", labels.len())?;
        same_length("previous", labels.len(), previous.len())?;
        let known = |labels: &[Option<u32>]| compact(&labels.iter().flatten().copied().collect::<Vec<u32>>()).0;
        let (names, ids) = (known(labels), known(previous));
        let n = names.len().max(ids.len());
        let mut cost = vec![0.0; n * n];
        for (label, id) in labels.iter().zip(previous).filter_map(|(label, id)| label.zip(*id)) {
            cost[names.partition_point(|&l| l < label) * n + ids.partition_point(|&i| i < id)] -= 1.0;
        }
        let columns = assign(&cost, n);
        let matched = (0..names.len()).map(|i| (cost[i * n + columns[i]] < 0.0).then(|| ids[columns[i]])).collect();
        Self::new(names, matched, &ids, unused_from)
    }

    /// By nearness: labels 0, 1, … are the rows of `centres`, `ids` those of `previous`, both row-major with `columns`
    /// numbers a row. The squared distances of as many pairs as there can be are least in all.
    pub fn by_centres(
        centres: &[f64],
        previous: &[f64],
        columns: usize,
        ids: &[u32],
        unused_from: u32,
    ) -> Result<Self> {
        let (centres, previous) = (Table::new(centres, columns)?, Table::of_any_rows(previous, columns)?);
        same_length("ids", previous.rows(), ids.len())?;
        let n = centres.rows().max(previous.rows());
        let mut cost = vec![0.0; n * n];
        for i in 0..centres.rows() {
            for j in 0..previous.rows() {
                cost[i * n + j] = squared_distance(centres.row(i), previous.row(j));
            }
        }
        let matched = assign(&cost, n)[..centres.rows()].iter().map(|&column| ids.get(column).copied()).collect();
        Self::new((0..centres.rows() as u32).collect(), matched, ids, unused_from)
    }

    /// The rows' stable ids. A label that was not there when the ids were found has none.
    pub fn apply(&self, labels: &[Option<u32>]) -> Vec<Option<u32>> {
        let id = |label: u32| self.ids.binary_search_by_key(&label, |pair| pair.0).ok().map(|place| self.ids[place].1);
        labels.iter().map(|label| label.and_then(id)).collect()
    }

    fn new(labels: Vec<u32>, matched: Vec<Option<u32>>, before: &[u32], unused_from: u32) -> Result<Self> {
        let after = before.iter().max().map_or(0, |&most| u64::from(most) + 1);
        let mut next = after.max(u64::from(unused_from));
        let new = matched.iter().filter(|id| id.is_none()).count() as u64;
        let Ok(last) = u32::try_from(next + new) else {
            let valid = "low enough for the new ids to be at most 4294967295, as are previous ids";
            return Err(Error::Setting { name: "unused_from", value: next as f64, valid });
        };
        let ids = labels.into_iter().zip(matched).map(|(label, id)| {
            let id = id.unwrap_or_else(|| {
                next += 1;
                (next - 1) as u32
            });
            (label, id)
        });
        Ok(Self { ids: ids.collect(), unused_from: last })
    }
}
