//! What a chain that ends for certain earns on its way: x = Qx + r, solved over sparse rows. Elimination fills in (a few
//! thousand states would already be a dense matrix), so the solution is approached by Gauss–Seidel sweeps from below and
//! from above at once. Both are monotone, hence the solution lies between them, and the error is known, not guessed.

use crate::error::{Error, Result};

/// Conversions and value, each from below and from above.
type Lanes = [f64; 4];

/// Transitions between states, and what a state earns by ending.
pub(super) struct Chain {
    /// Moves of state `s` are `moves[offsets[s]..offsets[s + 1]]`: to another state, with its probability.
    pub(super) offsets: Vec<usize>,
    pub(super) moves: Vec<(u32, f64)>,
    /// Probability that a state does not move to itself; above 0.
    pub(super) leave: Vec<f64>,
    /// Conversions and value earned where a path ends in each state.
    pub(super) earned: Vec<(f64, f64)>,
    /// Where paths start, with the probability.
    pub(super) starts: Vec<(u32, f64)>,
    /// No state earns more value than this per path.
    pub(super) most_value: f64,
}

/// Distance of the two bounds, relative to the upper one, at which they count as one number.
const CLOSE: f64 = 1e-13;
/// Moves looked at before giving up: minutes of work.
const MOST_WORK: usize = 20_000_000_000;

impl Chain {
    /// Conversions and value expected of one path when every path is lost that comes to a blocked state.
    pub(super) fn expected(&self, blocked: impl Fn(usize) -> bool) -> Result<(f64, f64)> {
        let open: Vec<usize> = (0..self.leave.len()).filter(|&state| !blocked(state)).collect();
        let mut bounds = vec![[0.0; 4]; self.leave.len()];
        open.iter().for_each(|&state| bounds[state] = [0.0, 1.0, 0.0, self.most_value]);
        let mut work = 0;
        loop {
            let mut moved = false;
            for &state in open.iter().rev().chain(&open) {
                let next = self.update(state, &bounds);
                moved |= next != bounds[state];
                bounds[state] = next;
            }
            let [low, high, low_value, high_value] = sum(&self.starts, &bounds);
            if !moved || (high - low <= CLOSE * high && high_value - low_value <= CLOSE * high_value) {
                return Ok(((low + high) / 2.0, (low_value + high_value) / 2.0));
            }
            work += 2 * self.moves.len();
            if work > MOST_WORK {
                let why = "its paths come back to the same channels too often to be solved; shorten the longest paths";
                return Err(Error::Undefined { metric: "the removal effect", why });
            }
        }
    }

    /// The state's bounds by those of the others; rounding never widens them.
    fn update(&self, state: usize, bounds: &[Lanes]) -> Lanes {
        let [low, high, low_value, high_value] = sum(&self.moves[self.offsets[state]..self.offsets[state + 1]], bounds);
        let ((conversions, value), leave) = (self.earned[state], self.leave[state]);
        let old = bounds[state];
        [
            old[0].max((low + conversions) / leave),
            old[1].min((high + conversions) / leave),
            old[2].max((low_value + value) / leave),
            old[3].min((high_value + value) / leave),
        ]
    }
}

fn sum(moves: &[(u32, f64)], bounds: &[Lanes]) -> Lanes {
    moves.iter().fold([0.0; 4], |mut sum, &(to, probability)| {
        sum.iter_mut().zip(bounds[to as usize]).for_each(|(sum, bound)| *sum += probability * bound);
        sum
    })
}
