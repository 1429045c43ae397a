//! Factorial experiments: several factors, and every customer has one level of each. A main effect is what a level changes
//! on average over all combinations of the other factors, each counted alike however many customers it has; an
//! interaction is what two levels change together beyond what each changes alone. Every combination of levels is a cell
//! with a mean and a variance of its own, so that cells need not be of one size: the standard error is the one that HC2
//! gives a regression on all combinations, its degrees of freedom are Satterthwaite's, and for one factor the test is
//! Welch's.

use super::correction::{Correction, adjust};
use super::effect::{Difference, Effect};
use super::sample::Sample;
use super::welch::{degrees, student};
use crate::error::{Error, Result, not_empty, same_length, valid_level};

/// The levels of a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor {
    pub levels: usize,
    /// The level that the others are compared with, counted from 0.
    pub base: usize,
}

/// A level of a factor, both counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    pub factor: usize,
    pub level: usize,
}

/// What a level does beside its factor's base, or two levels of different factors together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FactorialEffect {
    pub of: Term,
    /// The other level of an interaction; none of a main effect.
    pub with: Option<Term>,
    /// Customers of the cells that are compared.
    pub rows: u64,
    /// None where no cell of them varies, so that there is nothing to test by.
    pub tested: Option<Tested>,
}

/// An effect with the p value that counts for all of them together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    pub effect: Effect,
    /// After the correction.
    pub adjusted_p: f64,
}

/// All main effects and then all interactions of two factors, with one correction over all of them. The cells come with
/// the last factor's level changing fastest; `level` is the coverage of the intervals, of all together under Bonferroni.
/// Fails for no factor, a factor of one level, and a cell that is missing.
pub fn factorial(
    cells: &[Sample],
    factors: &[Factor],
    level: f64,
    correction: Correction,
) -> Result<Vec<FactorialEffect>> {
    check(cells, factors)?;
    valid_level(level)?;
    let contrasts: Vec<Contrast> = pairs(factors).map(|(of, with)| Contrast::of(cells, factors, of, with)).collect();
    let tests = contrasts.iter().filter(|contrast| contrast.test.is_some()).count();
    let level = correction.level_of_each(level, tests);
    let effect = |contrast: &Contrast| {
        contrast.test.map(|(difference, degrees)| student(&difference, degrees, level)).transpose()
    };
    let effects: Vec<Option<Effect>> = contrasts.iter().map(effect).collect::<Result<_>>()?;
    let p_values: Vec<f64> = effects.iter().flatten().map(|effect| effect.p_value).collect();
    let mut adjusted = adjust(&p_values, correction)?.into_iter();
    let tested = |(contrast, effect): (Contrast, Option<Effect>)| {
        let Contrast { of, with, rows, test: _ } = contrast;
        let tested = effect.and_then(|effect| Some(Tested { effect, adjusted_p: adjusted.next()? }));
        FactorialEffect { of, with, rows, tested }
    };
    Ok(contrasts.into_iter().zip(effects).map(tested).collect())
}

fn check(cells: &[Sample], factors: &[Factor]) -> Result<()> {
    not_empty("factors", factors.len())?;
    for &Factor { levels, base } in factors {
        if levels < 2 {
            let name = "the number of levels of a factor";
            return Err(Error::Setting { name, value: levels as f64, valid: "2 or more" });
        }
        if base >= levels {
            let name = "the base of a factor";
            return Err(Error::Setting { name, value: base as f64, valid: "one of its levels" });
        }
    }
    let expected = factors.iter().fold(1, |cells: usize, factor| cells.saturating_mul(factor.levels));
    same_length("the list of cells", expected, cells.len())?;
    cells.iter().try_for_each(Sample::check)
}

/// What there is to test: each level but its factor's base, then each two of different factors.
fn pairs(factors: &[Factor]) -> impl Iterator<Item = (Term, Option<Term>)> {
    let terms = |factor: usize| {
        let Factor { levels, base } = factors[factor];
        (0..levels).filter(move |level| *level != base).map(move |level| Term { factor, level })
    };
    let count = factors.len();
    let main = (0..count).flat_map(move |factor| terms(factor).map(|of| (of, None)));
    let two = (0..count).flat_map(move |first| (first + 1..count).map(move |second| (first, second)));
    main.chain(two.flat_map(move |(first, second)| {
        terms(first).flat_map(move |of| terms(second).map(move |with| (of, Some(with))))
    }))
}

/// A weighted sum of cell means, before any choice of a level.
struct Contrast {
    of: Term,
    with: Option<Term>,
    rows: u64,
    /// With its degrees of freedom.
    test: Option<(Difference, f64)>,
}

impl Contrast {
    fn of(cells: &[Sample], factors: &[Factor], of: Term, with: Option<Term>) -> Contrast {
        let sides: Vec<Side> = std::iter::once(of).chain(with).map(|term| Side::of(factors, term)).collect();
        // Combinations of the other factors.
        let others = sides.iter().fold(cells.len(), |cells, side| cells / side.levels) as f64;
        let weighted: Vec<(f64, &Sample)> = (0..cells.len())
            .map(|cell| (sides.iter().map(|side| side.sign(cell)).product::<f64>(), &cells[cell]))
            .filter(|(sign, _)| *sign != 0.0)
            .collect();
        let parts = weighted.iter().map(|(_, cell)| (cell.variance_of_mean(), cell.rows));
        let difference = Difference {
            estimate: weighted.iter().map(|(sign, cell)| sign * cell.mean).sum::<f64>() / others,
            variance: parts.clone().map(|(variance, _)| variance).sum::<f64>() / others / others,
        };
        let is_testable = |difference: &Difference| difference.standard_error().is_ok();
        let test = difference.finite().ok().filter(is_testable).map(|difference| (difference, degrees(parts)));
        Contrast { of, with, rows: weighted.iter().map(|(_, cell)| cell.rows).sum(), test }
    }
}

/// Which cells have a level, and which its base.
struct Side {
    term: Term,
    base: usize,
    levels: usize,
    /// Cells from one level of the factor to the next.
    stride: usize,
}

impl Side {
    fn of(factors: &[Factor], term: Term) -> Side {
        let Factor { levels, base } = factors[term.factor];
        let stride = factors[term.factor + 1..].iter().map(|factor| factor.levels).product();
        Side { term, base, levels, stride }
    }

    fn sign(&self, cell: usize) -> f64 {
        match cell / self.stride % self.levels {
            level if level == self.term.level => 1.0,
            level if level == self.base => -1.0,
            _ => 0.0,
        }
    }
}
