use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::matrix::matrix;
use super::top::{at_least_one, keep_top};
use super::vector::{add_scaled, dot};
use super::{Interactions, Recommendation};
use crate::error::{Error, Result, same_length};
use crate::sparse::Sparse;
use crate::wide::wide;

/// Rows of factors that one thread adds up at a time; fixed, because it fixes the order of addition.
const CHUNK: usize = 1024;
/// First factors are uniform between 0 and this.
const FIRST: f32 = 0.01;
/// Squared length of a residual that counts as none: of its own, and relative to the first.
const SOLVED: f32 = 1e-20;
const SMALLER: f32 = 1e-13;

/// How factors are learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlsSettings {
    /// Numbers to a user and to an item, 1 or more.
    pub factors: usize,
    /// Rounds over users and items, 1 or more.
    pub iterations: usize,
    /// Weight of the squared factors in the loss, above 0.
    pub l2: f64,
    /// A weight w is trusted 1 + alpha · w times as much as an absence. Above 0.
    pub alpha: f64,
    /// Steps of conjugate gradient towards each user's or item's best factors, 1 or more; as many as factors are exact.
    pub steps: usize,
    pub seed: u64,
}

impl Default for AlsSettings {
    fn default() -> Self {
        Self { factors: 64, iterations: 15, l2: 1.0, alpha: 1.0, steps: 3, seed: 0 }
    }
}

/// Factors of users and items whose products are near 1 where there was an interaction and near 0 elsewhere, by
/// alternating least squares (Hu, Koren and Volinsky 2008) with conjugate gradient (Takács, Pilászy and Tikk 2011). They
/// minimise Σ c · (p − x · y)² + l2 · (Σ x² + Σ y²) over all pairs of a user and an item: p is 1 with confidence
/// c = 1 + alpha · weight where there is a weight, else 0 with confidence 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Als {
    pub settings: AlsSettings,
    /// User-major, `settings.factors` each; 0 for a user without items.
    pub user_factors: Vec<f32>,
    /// Item-major, `settings.factors` each; 0 for an item that nobody bought.
    pub item_factors: Vec<f32>,
}

impl Als {
    /// Fails where weights or settings are so large that the factors overflow.
    pub fn fit(interactions: &Interactions, settings: &AlsSettings) -> Result<Self> {
        check_settings(settings)?;
        let users = matrix(interactions)?;
        let items = users.transposed();
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
        let mut first =
            |rows: usize| -> Vec<f32> { (0..rows * settings.factors).map(|_| rng.random::<f32>() * FIRST).collect() };
        let (mut user_factors, mut item_factors) = (first(users.rows()), first(items.rows()));
        for _ in 0..settings.iterations {
            improve(&mut user_factors, &users, &item_factors, settings)?;
            improve(&mut item_factors, &items, &user_factors, settings)?;
        }
        Ok(Self { settings: *settings, user_factors, item_factors })
    }

    /// Factors of each history, given the items': what a user of the fit would have after one more exact half-round. The
    /// histories may be of other users, with the same catalogue.
    pub fn fold_in(&self, histories: &Interactions) -> Result<Vec<f32>> {
        same_length("the catalogue", self.item_factors.len() / self.settings.factors, histories.catalogue)?;
        self.factors_of(&matrix(histories)?)
    }

    /// The `n` items with the highest product of factors for each history, by user, the best first, bought ones left out;
    /// none for an empty history. The histories' factors are those of `fold_in`.
    pub fn recommend(&self, histories: &Interactions, n: usize) -> Result<Vec<Recommendation>> {
        at_least_one("count", n)?;
        let factors = self.fold_in(histories)?;
        let users = matrix(histories)?;
        let size = self.settings.factors;
        let best = |scored: &mut Vec<(u32, f64)>, user: usize| {
            let history = users.row(user);
            scored.clear();
            if history.is_empty() {
                return vec![];
            }
            let x = &factors[user * size..(user + 1) * size];
            let mut bought = history.iter().map(|&(item, _)| item).peekable();
            for (y, item) in self.item_factors.chunks_exact(size).zip(0u32..) {
                if bought.next_if_eq(&item).is_none() {
                    scored.push((item, f64::from(dot(x, y))));
                }
            }
            keep_top(scored, n);
            let recommendation = |&(item, score)| Recommendation { user: user as u32, item, score, because: None };
            scored.iter().map(recommendation).collect::<Vec<_>>()
        };
        let each: Vec<Vec<Recommendation>> = (0..users.rows()).into_par_iter().map_init(Vec::new, best).collect();
        Ok(each.concat())
    }

    fn factors_of(&self, users: &Sparse) -> Result<Vec<f32>> {
        // Rounding keeps conjugate gradient from being exact after `factors` steps, so it gets twice as many.
        let exact = AlsSettings { steps: 2 * self.settings.factors, ..self.settings };
        let mut factors = vec![0.0; users.rows() * exact.factors];
        improve(&mut factors, users, &self.item_factors, &exact)?;
        Ok(factors)
    }
}

fn check_settings(settings: &AlsSettings) -> Result<()> {
    at_least_one("factors", settings.factors)?;
    at_least_one("iterations", settings.iterations)?;
    at_least_one("steps", settings.steps)?;
    for (name, value) in [("l2", settings.l2), ("alpha", settings.alpha)] {
        if !(value as f32 > 0.0 && (value as f32).is_finite()) {
            return Err(Error::Setting { name, value, valid: "above 0 and finite" });
        }
    }
    Ok(())
}

/// Moves the factors of each row of `weights` towards their best, given those of its columns.
fn improve(of_rows: &mut [f32], weights: &Sparse, of_columns: &[f32], settings: &AlsSettings) -> Result<()> {
    let size = settings.factors;
    let problem = Problem { gram: gram(of_columns, settings), of_columns, alpha: settings.alpha as f32 };
    let solve = |scratch: &mut [Vec<f32>; 3], (row, x): (usize, &mut [f32])| match weights.row(row) {
        [] => x.fill(0.0),
        entries => descend(&problem, entries, x, scratch, settings.steps),
    };
    of_rows.par_chunks_mut(size).enumerate().for_each_init(|| [(); 3].map(|()| vec![0.0; size]), solve);
    if of_rows.par_iter().all(|factor| factor.is_finite()) {
        return Ok(());
    }
    Err(Error::Undefined { metric: "ALS", why: "its factors overflow; take smaller weights or a smaller alpha" })
}

/// Σ y yᵀ + l2 · I, row-major.
fn gram(factors: &[f32], settings: &AlsSettings) -> Vec<f32> {
    let size = settings.factors;
    let part = |rows: &[f32]| {
        let mut sum = vec![0.0f32; size * size];
        for y in rows.chunks_exact(size) {
            for (to, &scale) in sum.chunks_exact_mut(size).zip(y) {
                add_scaled(to, scale, y);
            }
        }
        sum
    };
    let parts: Vec<Vec<f32>> = factors.par_chunks(CHUNK * size).map(part).collect();
    let mut sum = vec![0.0f64; size * size];
    for part in parts {
        sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += f64::from(value));
    }
    (0..size).for_each(|i| sum[i * size + i] += settings.l2);
    sum.into_iter().map(|value| value as f32).collect()
}

/// One row's least squares: (gram + Σ alpha w y yᵀ) x = Σ (1 + alpha w) y over its columns.
struct Problem<'a> {
    gram: Vec<f32>,
    of_columns: &'a [f32],
    alpha: f32,
}

wide! {
    /// Steps of conjugate gradient from `x`.
    fn descend(problem: &Problem, entries: &[(u32, f32)], x: &mut [f32], scratch: &mut [Vec<f32>; 3], steps: usize)
        = Problem::descend;
}

impl Problem<'_> {
    #[inline(always)]
    fn descend(&self, entries: &[(u32, f32)], x: &mut [f32], scratch: &mut [Vec<f32>; 3], steps: usize) {
        let [residual, direction, product] = scratch;
        self.multiply(entries, x, product);
        residual.iter_mut().zip(&*product).for_each(|(r, product)| *r = -product);
        for &(column, weight) in entries {
            add_scaled(residual, 1.0 + self.alpha * weight, self.column(column, x.len()));
        }
        direction.copy_from_slice(residual);
        let mut left = dot(residual, residual);
        let enough = SOLVED.max(SMALLER * left);
        for _ in 0..steps {
            if left < enough {
                break;
            }
            self.multiply(entries, direction, product);
            let length = left / dot(direction, product);
            add_scaled(x, length, direction);
            add_scaled(residual, -length, product);
            let next = dot(residual, residual);
            let kept = next / left;
            direction.iter_mut().zip(&*residual).for_each(|(d, r)| *d = r + kept * *d);
            left = next;
        }
    }

    /// The left side's matrix times `x`.
    #[inline(always)]
    fn multiply(&self, entries: &[(u32, f32)], x: &[f32], product: &mut [f32]) {
        product.iter_mut().zip(self.gram.chunks_exact(x.len())).for_each(|(p, row)| *p = dot(row, x));
        for &(column, weight) in entries {
            let y = self.column(column, x.len());
            add_scaled(product, self.alpha * weight * dot(y, x), y);
        }
    }

    #[inline(always)]
    fn column(&self, column: u32, size: usize) -> &[f32] {
        &self.of_columns[column as usize * size..(column as usize + 1) * size]
    }
}
