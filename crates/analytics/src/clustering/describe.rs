//! What tells clusters apart, in words that a reader can check: a small decision tree that predicts the cluster, read as
//! one rule for each leaf, such as "recency_days > 90 and amount <= 12". Splits lower Gini's impurity most, as in CART
//! (Breiman, Friedman, Olshen & Stone 1984); of equal splits the first column and the lowest threshold win.

use rayon::prelude::*;

use super::compact;
use super::table::Table;
use crate::error::{Error, Result, same_length};

/// How long and how narrow rules may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Describe {
    /// Most splits above a leaf, and so most conditions of a rule.
    pub max_depth: usize,
    /// Least rows of a leaf; 1 or more.
    pub min_leaf_rows: usize,
}

impl Default for Describe {
    fn default() -> Self {
        Self { max_depth: 3, min_leaf_rows: 5 }
    }
}

/// All clusters, by ascending label.
#[derive(Debug, Clone, PartialEq)]
pub struct Descriptions {
    pub clusters: Vec<Description>,
    /// Share of rows that are in the cluster of the rule they satisfy; every row satisfies one rule.
    pub accuracy: f64,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    pub label: u32,
    pub rows: usize,
    /// The leaves in which this cluster has the most rows, by falling coverage; none for a cluster that never has.
    pub rules: Vec<Rule>,
}

/// All conditions together.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// At most two for a column: one from above and one from below.
    pub conditions: Vec<Condition>,
    /// Rows that satisfy the rule, of any cluster.
    pub rows: usize,
    /// Share of the cluster's rows that satisfy the rule.
    pub coverage: f64,
    /// Share of the rows that satisfy the rule which are in the cluster.
    pub purity: f64,
}

/// `column <= threshold`, or `column > threshold`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    pub column: usize,
    pub is_at_most: bool,
    pub threshold: f64,
}

impl Describe {
    /// `x` is row-major with `columns` numbers a row, best in the units a reader knows. Fails for no rows and a number
    /// that is not finite, naming its row and column.
    pub fn fit(&self, x: &[f64], columns: usize, labels: &[u32]) -> Result<Descriptions> {
        let table = Table::new(x, columns)?;
        same_length("labels", table.rows(), labels.len())?;
        if self.min_leaf_rows == 0 {
            return Err(Error::Setting { name: "min_leaf_rows", value: 0.0, valid: "1 or more" });
        }
        let (distinct, places) = compact(labels);
        let tree = Tree { table, places: &places, clusters: distinct.len(), settings: self };
        let mut leaves = vec![];
        tree.grow((0..labels.len()).collect(), &mut vec![], &mut leaves);
        let totals = tree.counts(&(0..labels.len()).collect::<Vec<_>>());
        let right: usize = leaves.iter().map(|leaf| leaf.counts[leaf.majority]).sum();
        let describe = |(place, &label): (usize, &u32)| {
            let mut rules: Vec<Rule> =
                leaves.iter().filter(|leaf| leaf.majority == place).map(|leaf| leaf.rule(totals[place])).collect();
            rules.sort_by(|a, b| b.coverage.total_cmp(&a.coverage));
            Description { label, rows: totals[place], rules }
        };
        let clusters = distinct.iter().enumerate().map(describe).collect();
        Ok(Descriptions { clusters, accuracy: right as f64 / labels.len() as f64 })
    }
}

impl Descriptions {
    /// The cluster of the rule that each row of `x` satisfies; `x` is row-major with as many `columns` as in the fit.
    pub fn predict(&self, x: &[f64], columns: usize) -> Result<Vec<u32>> {
        let table = Table::new(x, columns)?;
        let holds = |rule: &Rule, row: &[f64]| rule.conditions.iter().all(|condition| condition.holds(row));
        let cluster = |row: usize| {
            let holding = |cluster: &&Description| cluster.rules.iter().any(|rule| holds(rule, table.row(row)));
            self.clusters.iter().find(holding).map_or(0, |cluster| cluster.label)
        };
        Ok((0..table.rows()).map(cluster).collect())
    }
}

impl Condition {
    fn holds(&self, row: &[f64]) -> bool {
        (row[self.column] <= self.threshold) == self.is_at_most
    }
}

struct Leaf {
    path: Vec<Condition>,
    counts: Vec<usize>,
    majority: usize,
}

impl Leaf {
    fn rule(&self, cluster_rows: usize) -> Rule {
        let mut conditions: Vec<Condition> = vec![];
        for condition in &self.path {
            let same = |c: &&mut Condition| c.column == condition.column && c.is_at_most == condition.is_at_most;
            match conditions.iter_mut().find(same) {
                // Further down the tree is nearer.
                Some(wider) => wider.threshold = condition.threshold,
                None => conditions.push(*condition),
            }
        }
        let (rows, inside) = (self.counts.iter().sum(), self.counts[self.majority] as f64);
        Rule { conditions, rows, coverage: inside / cluster_rows as f64, purity: inside / rows as f64 }
    }
}

struct Tree<'a> {
    table: Table<'a>,
    /// Each row's cluster.
    places: &'a [usize],
    clusters: usize,
    settings: &'a Describe,
}

struct Split {
    /// Σ over both sides of Σ counts² / rows: the larger, the purer.
    purity: f64,
    column: usize,
    threshold: f64,
}

impl Tree<'_> {
    fn grow(&self, rows: Vec<usize>, path: &mut Vec<Condition>, leaves: &mut Vec<Leaf>) {
        let counts = self.counts(&rows);
        let majority = (1..counts.len()).fold(0, |most, c| if counts[c] > counts[most] { c } else { most });
        let may_split = counts[majority] < rows.len() && path.len() < self.settings.max_depth;
        let Some(Split { column, threshold, .. }) = may_split.then(|| self.best_split(&rows, &counts)).flatten() else {
            leaves.push(Leaf { path: path.clone(), counts, majority });
            return;
        };
        let (low, high) = rows.into_iter().partition(|&row| self.table.row(row)[column] <= threshold);
        for (rows, is_at_most) in [(low, true), (high, false)] {
            path.push(Condition { column, is_at_most, threshold });
            self.grow(rows, path, leaves);
            path.pop();
        }
    }

    fn counts(&self, rows: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.clusters];
        rows.iter().for_each(|&row| counts[self.places[row]] += 1);
        counts
    }

    fn best_split(&self, rows: &[usize], counts: &[usize]) -> Option<Split> {
        let columns = (0..self.table.columns).into_par_iter();
        let each: Vec<Option<Split>> = columns.map(|column| self.split_column(rows, counts, column)).collect();
        each.into_iter().flatten().reduce(|a, b| if b.purity > a.purity { b } else { a })
    }

    fn split_column(&self, rows: &[usize], counts: &[usize], column: usize) -> Option<Split> {
        let mut sorted: Vec<(f64, usize)> =
            rows.iter().map(|&row| (self.table.row(row)[column], self.places[row])).collect();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut low, mut high) = (vec![0; counts.len()], counts.to_vec());
        let (mut low_squares, mut high_squares) = (0, high.iter().map(|c| c * c).sum::<usize>());
        let mut best: Option<Split> = None;
        for (i, pair) in sorted.windows(2).enumerate() {
            let (value, place) = pair[0];
            low_squares += 2 * low[place] + 1;
            high_squares -= 2 * high[place] - 1;
            low[place] += 1;
            high[place] -= 1;
            let (below, above) = (i + 1, rows.len() - i - 1);
            if below.min(above) < self.settings.min_leaf_rows || pair[1].0 <= value {
                continue;
            }
            let purity = low_squares as f64 / below as f64 + high_squares as f64 / above as f64;
            if best.as_ref().is_none_or(|best| purity > best.purity) {
                let middle = value / 2.0 + pair[1].0 / 2.0;
                // Two numbers next to each other have none between them.
                let threshold = if middle >= pair[1].0 || middle < value { value } else { middle };
                best = Some(Split { purity, column, threshold });
            }
        }
        best
    }
}
