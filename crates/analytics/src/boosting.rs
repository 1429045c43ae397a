//! Gradient-boosted trees (Friedman 2001) on histograms, grown best leaf first as LightGBM does (Ke et al. 2017): values
//! become at most 255 bins, a leaf's sums are found for its smaller child and subtracted for the other, and missing values
//! go to the side where they cost less. The number of trees is the best one on rows that the trees were not grown on.
//!
//! No crate was taken: those on crates.io panic on bad input, want a nightly compiler, or change the features of what the
//! whole workspace is built with.

use rayon::prelude::*;

use crate::error::{Error, Result, both_classes, same_length};

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Of labels 0 and 1; scores are log-odds.
    Log,
    /// Of numbers; scores are numbers.
    Squared,
}

/// LightGBM's defaults, with its early stopping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoostingSettings {
    /// Leaves of a tree at most.
    pub leaves: usize,
    /// Share of each tree that counts.
    pub learning_rate: f64,
    /// Rows of a leaf at least.
    pub leaf_rows: u32,
    /// Trees at most.
    pub trees: usize,
    /// Trees without a better loss on the validation rows after which no more are grown.
    pub patience: usize,
}

impl Default for BoostingSettings {
    fn default() -> Self {
        Self { leaves: 31, learning_rate: 0.1, leaf_rows: 20, trees: 1000, patience: 30 }
    }
}

/// Rows by column, NaN where unknown, with what is to be predicted.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    /// Column-major: the first column's values, then the second's.
    pub x: &'a [f64],
    pub y: &'a [f64],
}

/// A fitted model: a score is the base and the sum of one leaf of each tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Boosting {
    loss: Loss,
    columns: usize,
    base: f64,
    trees: Vec<Tree>,
}

/// Nodes, the root first.
#[derive(Debug, Clone, PartialEq)]
struct Tree(Vec<Node>);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Leaf(f64),
    /// What is at most the threshold goes to the left node, more to the right one.
    Split {
        column: usize,
        threshold: f64,
        is_missing_left: bool,
        left: usize,
        right: usize,
    },
}

/// Bins of known values; the one after them has what is unknown.
const BINS: usize = 255;
const MISSING: u8 = BINS as u8;
/// The least sum of second derivatives in a leaf, as LightGBM's.
const LEAF_HESSIAN: f64 = 1e-3;
/// Rows one thread scores at a time.
const CHUNK: usize = 4096;

impl Boosting {
    /// Grows trees on `train` until `valid` has not become better for a while, and keeps those of the best loss there.
    ///
    /// # Errors
    /// No rows or columns, an infinite value, a target that is no number, log loss of labels that are all the same.
    pub fn fit(train: &Examples, valid: &Examples, loss: Loss, settings: &BoostingSettings) -> Result<Self> {
        let columns = train.columns(loss)?;
        if valid.columns(loss)? != columns {
            return Err(Error::Length {
                what: "validation x",
                expected: columns * valid.y.len(),
                found: valid.x.len(),
            });
        }
        let BoostingSettings { leaves, learning_rate, patience, .. } = *settings;
        if leaves < 2 {
            return Err(Error::Setting { name: "leaves", value: leaves as f64, valid: "2 or more" });
        }
        if !(learning_rate > 0.0 && learning_rate <= 1.0) {
            return Err(Error::Setting { name: "learning_rate", value: learning_rate, valid: "above 0 and at most 1" });
        }
        let binned = Binned::of(train.x, columns);
        let mut model = Self { loss, columns, base: loss.base(train.y)?, trees: Vec::new() };
        let mut scores = vec![model.base; train.y.len()];
        let mut valid_scores = vec![model.base; valid.y.len()];
        let mut best = (loss.mean(valid.y, &valid_scores), 0);
        while model.trees.len() < settings.trees && model.trees.len() < best.1 + patience {
            let slopes: Vec<Slope> = train.y.par_iter().zip(&scores).map(|(y, score)| loss.slope(*y, *score)).collect();
            let tree = Growth::new(&binned, &slopes, settings).tree(&mut scores);
            if matches!(tree.0[..], [Node::Leaf(_)]) {
                break;
            }
            let rows = valid.y.len();
            valid_scores.par_iter_mut().enumerate().for_each(|(row, score)| *score += tree.score(valid.x, rows, row));
            model.trees.push(tree);
            let now = loss.mean(valid.y, &valid_scores);
            if now < best.0 {
                best = (now, model.trees.len());
            }
        }
        model.trees.truncate(best.1);
        Ok(model)
    }

    /// Trees that were kept.
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Of each row of `x`, column-major with as many columns as in the fit: the probability of a 1, or the number.
    pub fn predict(&self, x: &[f64]) -> Result<Vec<f64>> {
        let rows = x.len() / self.columns;
        same_length("x", rows * self.columns, x.len())?;
        let mut predicted = vec![0.0; rows];
        predicted.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, predicted)| {
            for (row, predicted) in (chunk * CHUNK..).zip(predicted) {
                let score = self.base + self.trees.iter().map(|tree| tree.score(x, rows, row)).sum::<f64>();
                *predicted = self.loss.answer(score);
            }
        });
        Ok(predicted)
    }
}

impl Examples<'_> {
    fn columns(&self, loss: Loss) -> Result<usize> {
        let rows = self.y.len();
        if rows == 0 {
            return Err(Error::Empty { what: "boosted trees" });
        }
        let columns = self.x.len() / rows;
        if columns == 0 {
            return Err(Error::Empty { what: "columns" });
        }
        same_length("x", columns * rows, self.x.len())?;
        if let Some(at) = self.x.iter().position(|value| value.is_infinite()) {
            let (row, column) = (at % rows, at / rows);
            return Err(Error::Cell { row, column, value: self.x[at], valid: "a finite number, or NaN where unknown" });
        }
        let (is_valid, valid): (fn(&f64) -> bool, _) = match loss {
            Loss::Log => (|y| [0.0, 1.0].contains(y), "0 or 1"),
            Loss::Squared => (|y| y.is_finite(), "a finite number"),
        };
        match self.y.iter().position(|y| !is_valid(y)) {
            Some(row) => Err(Error::Value { what: "y", row, value: self.y[row], valid }),
            None => Ok(columns),
        }
    }
}

/// First and second derivative of the loss at a row's score.
#[derive(Debug, Clone, Copy, Default)]
struct Slope {
    gradient: f64,
    hessian: f64,
}

impl Loss {
    /// The best score that is the same for all.
    fn base(self, y: &[f64]) -> Result<f64> {
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        if self == Loss::Squared {
            return Ok(mean);
        }
        both_classes("boosted trees", &y.iter().map(|y| *y == 1.0).collect::<Vec<_>>())?;
        Ok((mean / (1.0 - mean)).ln())
    }

    fn slope(self, y: f64, score: f64) -> Slope {
        match self {
            Loss::Squared => Slope { gradient: score - y, hessian: 1.0 },
            Loss::Log => {
                let p = self.answer(score);
                Slope { gradient: p - y, hessian: p * (1.0 - p) }
            }
        }
    }

    fn answer(self, score: f64) -> f64 {
        match self {
            Loss::Squared => score,
            Loss::Log => 1.0 / (1.0 + (-score).exp()),
        }
    }

    fn mean(self, y: &[f64], scores: &[f64]) -> f64 {
        let loss = |(y, score): (&f64, &f64)| match self {
            Loss::Squared => (score - y).powi(2),
            // ln(1 + exp(±score)), stable for large scores.
            Loss::Log => {
                let against = if *y == 1.0 { -score } else { *score };
                against.max(0.0) + (-against.abs()).exp().ln_1p()
            }
        };
        y.iter().zip(scores).map(loss).sum::<f64>() / y.len() as f64
    }
}

impl Tree {
    fn score(&self, x: &[f64], rows: usize, row: usize) -> f64 {
        let mut at = 0;
        loop {
            match self.0[at] {
                Node::Leaf(score) => return score,
                Node::Split { column, threshold, is_missing_left, left, right } => {
                    let value = x[column * rows + row];
                    let is_left = if value.is_nan() { is_missing_left } else { value <= threshold };
                    at = if is_left { left } else { right };
                }
            }
        }
    }
}

/// The training rows' bins, column by column.
struct Binned {
    rows: usize,
    bins: Vec<Vec<u8>>,
    /// Of each column the value up to which a bin reaches; the last bin has what is above.
    bounds: Vec<Vec<f64>>,
}

impl Binned {
    fn of(x: &[f64], columns: usize) -> Self {
        let rows = x.len() / columns;
        let column = |values: &[f64]| {
            let bounds = bounds(values);
            let bin = |value: &f64| match value.is_nan() {
                true => MISSING,
                false => bounds.partition_point(|bound| bound < value) as u8,
            };
            (values.iter().map(bin).collect(), bounds)
        };
        let (bins, bounds) = x.par_chunks(rows).map(column).unzip();
        Self { rows, bins, bounds }
    }
}

/// Halfway between neighbouring values; of more values than bins, at equal counts of rows.
fn bounds(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut distinct: Vec<(f64, usize)> = Vec::new();
    for value in sorted {
        match distinct.last_mut() {
            Some((last, count)) if *last == value => *count += 1,
            _ => distinct.push((value, 1)),
        }
    }
    let (mut bounds, mut count, mut left) = (Vec::new(), 0, distinct.iter().map(|(_, count)| count).sum::<usize>());
    for (place, pair) in distinct.windows(2).enumerate() {
        let [(below, here), (above, _)] = [pair[0], pair[1]];
        count += here;
        let free = BINS - bounds.len();
        // Each bin has its share of what is left, unless there is one for each of the values.
        if distinct.len() - place <= free || count * free >= left {
            let middle = below + (above - below) / 2.0;
            bounds.push(if middle < above { middle } else { below });
            left -= count;
            count = 0;
            if bounds.len() == BINS - 1 {
                break;
            }
        }
    }
    bounds
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    gradient: f64,
    hessian: f64,
    rows: u32,
}

impl Sums {
    fn add(&mut self, other: Sums) {
        self.gradient += other.gradient;
        self.hessian += other.hessian;
        self.rows += other.rows;
    }

    fn less(self, other: Sums) -> Sums {
        Sums {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows - other.rows,
        }
    }

    /// Twice what the loss falls by, to the second order, with the best score for these rows.
    fn gain(self) -> f64 {
        self.gradient * self.gradient / self.hessian
    }

    fn is_leaf(self, settings: &BoostingSettings) -> bool {
        self.rows >= settings.leaf_rows && self.hessian >= LEAF_HESSIAN
    }
}

/// Of a leaf the sums of each bin, column by column.
type Histogram = Vec<Sums>;

const SLOTS: usize = BINS + 1;

/// A leaf that may be split.
struct Leaf {
    node: usize,
    rows: Vec<u32>,
    sums: Sums,
    histogram: Histogram,
    split: Option<Split>,
}

#[derive(Debug, Clone, Copy)]
struct Split {
    gain: f64,
    column: usize,
    /// The last bin of the left side.
    bin: u8,
    is_missing_left: bool,
    left: Sums,
}

/// One tree as it grows.
struct Growth<'a> {
    binned: &'a Binned,
    slopes: &'a [Slope],
    settings: &'a BoostingSettings,
}

impl<'a> Growth<'a> {
    fn new(binned: &'a Binned, slopes: &'a [Slope], settings: &'a BoostingSettings) -> Self {
        Self { binned, slopes, settings }
    }

    /// Splits the leaf that gains most until there are enough, and adds the leaves to the rows' scores.
    fn tree(&self, scores: &mut [f64]) -> Tree {
        let rows: Vec<u32> = (0..self.binned.rows as u32).collect();
        let histogram = self.histogram(&rows);
        let mut sums = Sums::default();
        histogram[..SLOTS].iter().for_each(|bin| sums.add(*bin));
        let mut leaves = vec![self.leaf(0, rows, sums, histogram)];
        let mut nodes = vec![Node::Leaf(0.0)];
        while leaves.len() < self.settings.leaves {
            let gain = |leaf: &Leaf| leaf.split.map_or(0.0, |split| split.gain);
            // The first of equals.
            let best = (0..leaves.len()).rev().max_by(|a, b| gain(&leaves[*a]).total_cmp(&gain(&leaves[*b])));
            let Some((best, split)) = best.and_then(|best| Some((best, leaves[best].split?))) else { break };
            let parent = leaves.swap_remove(best);
            let (left, right) = (nodes.len(), nodes.len() + 1);
            let Split { column, bin, is_missing_left, .. } = split;
            // The last bin has no bound: all known values go one way, those missing the other.
            let threshold = self.binned.bounds[column].get(usize::from(bin)).copied().unwrap_or(f64::MAX);
            nodes[parent.node] = Node::Split { column, threshold, is_missing_left, left, right };
            nodes.extend([Node::Leaf(0.0), Node::Leaf(0.0)]);
            leaves.extend(self.children(parent, split, [left, right]));
        }
        for leaf in leaves {
            let score = -self.settings.learning_rate * leaf.sums.gradient / leaf.sums.hessian;
            leaf.rows.iter().for_each(|row| scores[*row as usize] += score);
            nodes[leaf.node] = Node::Leaf(score);
        }
        Tree(nodes)
    }

    fn children(&self, parent: Leaf, split: Split, nodes: [usize; 2]) -> [Leaf; 2] {
        let bins = &self.binned.bins[split.column];
        let is_left = |row: &u32| match bins[*row as usize] {
            MISSING => split.is_missing_left,
            bin => bin <= split.bin,
        };
        let (left, right): (Vec<u32>, Vec<u32>) = parent.rows.into_iter().partition(is_left);
        let is_left_smaller = left.len() <= right.len();
        let smaller = self.histogram(if is_left_smaller { &left } else { &right });
        let larger = parent.histogram.into_iter().zip(&smaller).map(|(all, one)| all.less(*one)).collect();
        let (of_left, of_right) = if is_left_smaller { (smaller, larger) } else { (larger, smaller) };
        let sums = parent.sums.less(split.left);
        [self.leaf(nodes[0], left, split.left, of_left), self.leaf(nodes[1], right, sums, of_right)]
    }

    fn leaf(&self, node: usize, rows: Vec<u32>, sums: Sums, histogram: Histogram) -> Leaf {
        let split = self.split(sums, &histogram);
        Leaf { node, rows, sums, histogram, split }
    }

    fn histogram(&self, rows: &[u32]) -> Histogram {
        let slopes: Vec<Slope> = rows.iter().map(|row| self.slopes[*row as usize]).collect();
        let column = |bins: &Vec<u8>| {
            let mut sums = vec![Sums::default(); SLOTS];
            for (row, Slope { gradient, hessian }) in rows.iter().zip(&slopes) {
                let bin = &mut sums[usize::from(bins[*row as usize])];
                bin.gradient += gradient;
                bin.hessian += hessian;
                bin.rows += 1;
            }
            sums
        };
        self.binned.bins.par_iter().flat_map_iter(column).collect()
    }

    /// The split that gains most; of equals that of the first column and bin.
    fn split(&self, sums: Sums, histogram: &Histogram) -> Option<Split> {
        let of_column = |(column, bins): (usize, &[Sums])| self.split_by(column, sums, bins);
        let splits: Vec<Option<Split>> = histogram.par_chunks(SLOTS).enumerate().map(of_column).collect();
        splits.into_iter().flatten().reduce(|best, split| if split.gain > best.gain { split } else { best })
    }

    fn split_by(&self, column: usize, sums: Sums, bins: &[Sums]) -> Option<Split> {
        let missing = bins[BINS];
        let sides: &[bool] = if missing.rows == 0 { &[false] } else { &[false, true] };
        let mut best: Option<Split> = None;
        for &is_missing_left in sides {
            let mut left = if is_missing_left { missing } else { Sums::default() };
            let last = self.binned.bounds[column].len();
            // Without any on the left, missing values may be a side of their own.
            let ends = if missing.rows > 0 && !is_missing_left { last + 1 } else { last };
            for (bin, here) in bins[..ends].iter().enumerate() {
                left.add(*here);
                let right = sums.less(left);
                if here.rows == 0 || !left.is_leaf(self.settings) || !right.is_leaf(self.settings) {
                    continue;
                }
                let gain = left.gain() + right.gain() - sums.gain();
                if gain > best.map_or(0.0, |best| best.gain) {
                    // Where none is missing here, one that is later goes with most.
                    let goes_left = if missing.rows == 0 { left.rows > right.rows } else { is_missing_left };
                    best = Some(Split { gain, column, bin: bin as u8, is_missing_left: goes_left, left });
                }
            }
        }
        best
    }
}
