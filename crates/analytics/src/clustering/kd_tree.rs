//! A k-d tree for the question of DBSCAN: which rows lie within a radius? Nodes lie in an array, the children of node i
//! at 2i + 1 and 2i + 2, and each knows the box around its rows. A search visits only nodes that its caller still calls
//! open, so that DBSCAN pays nothing for rows it is done with: a thousand equal rows cost one visit, not a thousand.

use super::table::{Table, squared_distance};

/// Rows in a leaf, at most.
const LEAF: usize = 16;

pub(super) struct KdTree {
    columns: usize,
    /// Original row of each place; a node owns a range of places.
    rows: Vec<usize>,
    /// The rows by place, row-major: neighbours lie together.
    x: Vec<f64>,
    ranges: Vec<(usize, usize)>,
    /// For each node the least and then the largest number of each column.
    boxes: Vec<f64>,
    /// The leaf of each place.
    leaves: Vec<usize>,
}

impl KdTree {
    pub(super) fn new(table: &Table) -> Self {
        let mut levels = 0;
        while table.rows() >> levels > LEAF {
            levels += 1;
        }
        let nodes = (2 << levels) - 1;
        let mut rows: Vec<usize> = (0..table.rows()).collect();
        let mut ranges = vec![(0, 0); nodes];
        let mut boxes = vec![0.0; nodes * 2 * table.columns];
        ranges[0] = (0, rows.len());
        for node in 0..nodes {
            let (start, end) = ranges[node];
            let bounds = &mut boxes[node * 2 * table.columns..][..2 * table.columns];
            let widest = surround(table, &rows[start..end], bounds);
            if 2 * node + 2 < nodes {
                let middle = (end - start) / 2;
                let key = |row: usize| table.x[row * table.columns + widest];
                rows[start..end].select_nth_unstable_by(middle, |&a, &b| key(a).total_cmp(&key(b)).then(a.cmp(&b)));
                ranges[2 * node + 1] = (start, start + middle);
                ranges[2 * node + 2] = (start + middle, end);
            }
        }
        let mut leaves = vec![0; rows.len()];
        for (leaf, &(start, end)) in ranges.iter().enumerate().skip(nodes / 2) {
            leaves[start..end].fill(leaf);
        }
        Self { columns: table.columns, x: table.gather(rows.iter().copied()), rows, ranges, boxes, leaves }
    }

    pub(super) fn nodes(&self) -> usize {
        self.ranges.len()
    }

    /// The original row at `place`.
    pub(super) fn row(&self, place: usize) -> usize {
        self.rows[place]
    }

    /// The nodes that hold `place`, from its leaf up to the root.
    pub(super) fn nodes_of(&self, place: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(self.leaves[place]), |&node| (node > 0).then(|| (node - 1) / 2))
    }

    /// Calls `found` with each place whose row lies within the root of `squared` of that at `place`, itself included, in
    /// nodes that are `open`; ends when it returns false.
    pub(super) fn within(
        &self,
        place: usize,
        squared: f64,
        open: impl Fn(usize) -> bool,
        mut found: impl FnMut(usize) -> bool,
    ) {
        let point = self.point(place);
        let mut waiting = vec![0];
        while let Some(node) = waiting.pop() {
            if !open(node) || self.distance_to_box(node, point) > squared {
                continue;
            }
            if 2 * node + 2 < self.ranges.len() {
                waiting.extend([2 * node + 2, 2 * node + 1]);
                continue;
            }
            let (start, end) = self.ranges[node];
            for other in start..end {
                if squared_distance(point, self.point(other)) <= squared && !found(other) {
                    return;
                }
            }
        }
    }

    fn point(&self, place: usize) -> &[f64] {
        &self.x[place * self.columns..][..self.columns]
    }

    /// Slightly too small, because it is rounded otherwise than the distance of a row on the box's edge.
    fn distance_to_box(&self, node: usize, point: &[f64]) -> f64 {
        let (least, largest) = self.boxes[node * 2 * self.columns..][..2 * self.columns].split_at(self.columns);
        let outside = |((v, least), largest): ((&f64, &f64), &f64)| (least - v).max(v - largest).max(0.0).powi(2);
        point.iter().zip(least).zip(largest).map(outside).sum::<f64>() * (1.0 - 1e-12)
    }
}

/// Writes the box around `rows` and returns its widest column.
fn surround(table: &Table, rows: &[usize], bounds: &mut [f64]) -> usize {
    let (least, largest) = bounds.split_at_mut(table.columns);
    least.fill(f64::INFINITY);
    largest.fill(f64::NEG_INFINITY);
    for &row in rows {
        for (j, v) in table.row(row).iter().enumerate() {
            least[j] = least[j].min(*v);
            largest[j] = largest[j].max(*v);
        }
    }
    let width = |j: &usize| largest[*j] - least[*j];
    (0..table.columns).max_by(|a, b| width(a).total_cmp(&width(b))).unwrap_or(0)
}
