//! The fit of exponential smoothing. Given the smoothing parameters, residuals are linear in the initial state, which
//! least squares finds at once; so the search is over four numbers at most, however long the season is.

use super::ets::{Ets, Form, Smoothing, State, Trend, filter};
use super::simplex::minimise;
use crate::logistic::solve_positive;

/// How far α, β/α and γ/(1 − α) stay from 0 and 1.
const MARGIN: f64 = 1e-4;
const PHI: (f64, f64) = (0.8, 0.98);
/// Places in the unit cube where a search may begin: α, then β/α and γ/(1 − α), then φ.
const ALPHAS: [f64; 3] = [0.1, 0.5, 0.9];
const SHARES: [f64; 2] = [0.05, 0.4];
const PHIS: [f64; 2] = [0.5, 0.95];
/// Edges of the first simplex, and of the one that looks again from where it arrived.
const SIZES: [f64; 2] = [0.15, 0.05];

/// Of values that are enough for the form. A `start` near the optimum saves the search for one.
pub(super) fn fit(values: &[f64], form: Form, start: Option<Smoothing>) -> Ets {
    let search = Search::new(values, form);
    let objective = |at: &[f64]| search.solve(smoothing(form, at)).0;
    let mut at = match start {
        Some(start) => place(form, start),
        None => {
            let starts = starts(form).into_iter().map(|at| (objective(&at), at));
            starts.min_by(|a, b| a.0.total_cmp(&b.0)).map(|best| best.1).unwrap_or_default()
        }
    };
    for size in SIZES {
        at = minimise(objective, &at, size).0;
    }
    let smoothing = smoothing(form, &at);
    let state = search.in_units(search.solve(smoothing).1);
    Ets::run(values, smoothing, state, form.parameters())
}

/// The series about its mean, in units of its largest deviation.
struct Search {
    mean: f64,
    unit: f64,
    values: Vec<f64>,
    /// Initial states of which any other is a sum, the season of each summing to 0.
    basis: Vec<State>,
}

impl Search {
    fn new(values: &[f64], form: Form) -> Self {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let unit = values.iter().fold(0.0f64, |most, v| most.max((v - mean).abs()));
        let unit = if unit > 0.0 { unit } else { 1.0 };
        let empty = State { level: 0.0, trend: 0.0, season: vec![0.0; if form.season > 1 { form.season } else { 0 }] };
        let mut basis = vec![State { level: 1.0, ..empty.clone() }];
        if form.trend != Trend::None {
            basis.push(State { trend: 1.0, ..empty.clone() });
        }
        for step in 1..empty.season.len() {
            let mut season = empty.season.clone();
            (season[0], season[step]) = (-1.0, 1.0);
            basis.push(State { season, ..empty });
        }
        Self { mean, unit, values: values.iter().map(|v| (v - mean) / unit).collect(), basis }
    }

    /// The least sum of squares for given parameters, and the initial state that has it.
    fn solve(&self, smoothing: Smoothing) -> (f64, State) {
        let n = self.basis.len();
        let zeros = || std::iter::repeat_n(0.0, self.values.len());
        let columns: Vec<Vec<f64>> =
            self.basis.iter().map(|state| filter(zeros(), smoothing, &mut state.clone())).collect();
        let mut sum = self.sum(&vec![0.0; n]);
        let residuals = filter(self.values.iter().copied(), smoothing, &mut sum.clone());
        let mut matrix = vec![0.0; n * n];
        for i in 0..n {
            (0..=i).for_each(|j| matrix[i * n + j] = dot(&columns[i], &columns[j]));
        }
        let right: Vec<f64> = columns.iter().map(|column| -dot(column, &residuals)).collect();
        sum = self.sum(&solve_positive(matrix, &right));
        let left = filter(self.values.iter().copied(), smoothing, &mut sum.clone());
        (dot(&left, &left), sum)
    }

    fn sum(&self, weights: &[f64]) -> State {
        let mut sum = State { level: 0.0, trend: 0.0, season: vec![0.0; self.basis[0].season.len()] };
        for (state, weight) in self.basis.iter().zip(weights) {
            sum.level += weight * state.level;
            sum.trend += weight * state.trend;
            sum.season.iter_mut().zip(&state.season).for_each(|(sum, season)| *sum += weight * season);
        }
        sum
    }

    fn in_units(&self, mut state: State) -> State {
        state.level = self.mean + self.unit * state.level;
        state.trend *= self.unit;
        state.season.iter_mut().for_each(|season| *season *= self.unit);
        state
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The parameters at a place of the unit cube, which has one side for each that the form leaves open.
fn smoothing(form: Form, at: &[f64]) -> Smoothing {
    let mut sides = at.iter();
    let mut side = || sides.next().copied().unwrap_or(0.0);
    let inner = |u: f64| MARGIN + u * (1.0 - 2.0 * MARGIN);
    let alpha = inner(side());
    let beta = if form.trend == Trend::None { 0.0 } else { alpha * inner(side()) };
    let gamma = if form.season > 1 { (1.0 - alpha) * inner(side()) } else { 0.0 };
    let phi = if form.trend == Trend::Damped { PHI.0 + side() * (PHI.1 - PHI.0) } else { 1.0 };
    Smoothing { alpha, beta, gamma, phi }
}

/// Where in the unit cube parameters lie.
fn place(form: Form, smoothing: Smoothing) -> Vec<f64> {
    let Smoothing { alpha, beta, gamma, phi } = smoothing;
    let outer = |share: f64| ((share - MARGIN) / (1.0 - 2.0 * MARGIN)).clamp(0.0, 1.0);
    let mut at = vec![outer(alpha)];
    if form.trend != Trend::None {
        at.push(outer(beta / alpha));
    }
    if form.season > 1 {
        at.push(outer(gamma / (1.0 - alpha)));
    }
    if form.trend == Trend::Damped {
        at.push(((phi - PHI.0) / (PHI.1 - PHI.0)).clamp(0.0, 1.0));
    }
    at
}

fn starts(form: Form) -> Vec<Vec<f64>> {
    let mut starts: Vec<Vec<f64>> = ALPHAS.iter().map(|&alpha| vec![alpha]).collect();
    let mut cross = |choices: &[f64]| {
        starts = starts.iter().flat_map(|at| choices.iter().map(|&c| [at.as_slice(), &[c]].concat())).collect();
    };
    if form.trend != Trend::None {
        cross(&SHARES);
    }
    if form.season > 1 {
        cross(&SHARES);
    }
    if form.trend == Trend::Damped {
        cross(&PHIS);
    }
    starts
}
