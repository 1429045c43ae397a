//! Many tests at once: p values adjusted so that each can be held against the same threshold. Bonferroni and Holm keep
//! the chance of any false finding, Benjamini and Hochberg the share of false ones among the findings.

use crate::error::{Result, all_within};

/// What is kept small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Correction {
    None,
    Bonferroni,
    /// Never less powerful than Bonferroni (Scandinavian Journal of Statistics 6, 1979).
    #[default]
    Holm,
    /// False discovery rate of independent or positively dependent tests (JRSS B 57, 1995).
    BenjaminiHochberg,
}

impl Correction {
    /// Coverage of the interval of each of so many tests. Under Bonferroni they hold all together; otherwise each on its
    /// own.
    pub(super) fn level_of_each(self, level: f64, tests: usize) -> f64 {
        match self {
            Correction::Bonferroni => 1.0 - (1.0 - level) / tests as f64,
            Correction::None | Correction::Holm | Correction::BenjaminiHochberg => level,
        }
    }
}

/// The adjusted p values, in the order given. Fails for one outside 0..1.
pub fn adjust(p_values: &[f64], correction: Correction) -> Result<Vec<f64>> {
    all_within("p value", p_values, 0.0..=1.0, "0 to 1")?;
    let tests = p_values.len() as f64;
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&i, &j| p_values[i].total_cmp(&p_values[j]));
    let mut adjusted = vec![0.0; p_values.len()];
    match correction {
        Correction::None => adjusted.copy_from_slice(p_values),
        Correction::Bonferroni => p_values.iter().zip(&mut adjusted).for_each(|(p, a)| *a = (p * tests).min(1.0)),
        Correction::Holm => {
            order.iter().enumerate().fold(0.0f64, |most, (rank, &i)| {
                adjusted[i] = most.max((p_values[i] * (tests - rank as f64)).min(1.0));
                adjusted[i]
            });
        }
        Correction::BenjaminiHochberg => {
            order.iter().enumerate().rev().fold(1.0f64, |least, (rank, &i)| {
                adjusted[i] = least.min(p_values[i] * tests / (rank as f64 + 1.0));
                adjusted[i]
            });
        }
    }
    Ok(adjusted)
}
