//! [`Sparse`]: numbers of which most are 0, such as who bought what or which text has which word.

/// A matrix by rows, columns ascending, each at most once in a row.
pub(crate) struct Sparse {
    pub(crate) columns: usize,
    offsets: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

/// Inverse document frequency, smoothed: 1 + ln((1 + rows) / (1 + rows that have it)) (Salton & Buckley 1988, as in
/// scikit-learn's `TfidfVectorizer`). What few rows have says more of them than what many have.
pub(crate) fn rarity(rows: usize, having: usize) -> f64 {
    1.0 + ((1.0 + rows as f64) / (1.0 + having as f64)).ln()
}

impl Sparse {
    pub(crate) fn new(columns: usize) -> Self {
        Self { columns, offsets: vec![0], entries: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        self.entries.extend(row);
        self.offsets.push(self.entries.len());
    }

    pub(crate) fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    pub(crate) fn row(&self, row: usize) -> &[(u32, f32)] {
        &self.entries[self.offsets[row]..self.offsets[row + 1]]
    }

    /// The same with the values of each column times that column's factor.
    pub(crate) fn scaled(mut self, factors: &[f64]) -> Self {
        self.entries
            .iter_mut()
            .for_each(|(column, value)| *value = (f64::from(*value) * factors[*column as usize]) as f32);
        self
    }

    pub(crate) fn transposed(&self) -> Self {
        let mut offsets = vec![0; self.columns + 1];
        self.entries.iter().for_each(|&(column, _)| offsets[column as usize + 1] += 1);
        (0..self.columns).for_each(|column| offsets[column + 1] += offsets[column]);
        let mut next = offsets.clone();
        let mut entries = vec![(0, 0.0); self.entries.len()];
        for row in 0..self.rows() {
            for &(column, weight) in self.row(row) {
                let place = &mut next[column as usize];
                entries[*place] = (row as u32, weight);
                *place += 1;
            }
        }
        Self { columns: self.rows(), offsets, entries }
    }
}
