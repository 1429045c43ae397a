//! The assignment of least cost, by the Hungarian method with potentials in O(n³): exact, and of a hundred clusters a
//! matter of milliseconds. Kuhn (1955), Munkres (1957).

/// For each row of a row-major n × n matrix of finite costs its column, each column once, so that the costs add up to the
/// least.
pub(super) fn assign(cost: &[f64], n: usize) -> Vec<usize> {
    // Rows and columns count from 1; column 0 holds the row that is looking for a column.
    let (mut of_row, mut of_column) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    let mut holder = vec![0; n + 1];
    for row in 1..=n {
        holder[0] = row;
        let mut slack = vec![f64::INFINITY; n + 1];
        let mut came_from = vec![0; n + 1];
        let mut seen = vec![false; n + 1];
        let mut at = 0;
        while holder[at] != 0 {
            seen[at] = true;
            let from = holder[at];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for column in (1..=n).filter(|&column| !seen[column]) {
                let reduced = cost[(from - 1) * n + column - 1] - of_row[from] - of_column[column];
                if reduced < slack[column] {
                    slack[column] = reduced;
                    came_from[column] = at;
                }
                if slack[column] < step {
                    step = slack[column];
                    next = column;
                }
            }
            for column in 0..=n {
                if seen[column] {
                    of_row[holder[column]] += step;
                    of_column[column] -= step;
                } else {
                    slack[column] -= step;
                }
            }
            at = next;
        }
        while at != 0 {
            holder[at] = holder[came_from[at]];
            at = came_from[at];
        }
    }
    let mut columns = vec![0; n];
    (1..=n).for_each(|column| columns[holder[column] - 1] = column - 1);
    columns
}
