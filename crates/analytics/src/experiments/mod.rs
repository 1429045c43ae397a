//! Experiments: who gets which variant, how many customers it takes, and what came of it. Every test here needs only
//! the size, mean and variance of each group (`Sample`), because that is what a GROUP BY gives for any number of
//! customers; CUPED and ratio metrics (`Pair`) are no tests of their own but lead to the same three numbers. A row is
//! one customer, the unit that was randomised.

mod assignment;
mod bayes;
mod compare;
mod correction;
mod cuped;
mod effect;
mod factorial;
mod pair;
mod posterior;
mod power;
mod proportions;
mod sample;
mod sample_ratio;
mod sequential;
mod welch;

pub use assignment::{Assigner, Assignment};
pub use bayes::{Bayes, Verdict, bayes_means, bayes_rates};
pub use compare::{Compared, Comparison, Method, compare_means, compare_rates};
pub use correction::{Correction, adjust};
pub use cuped::{Cuped, cuped};
pub use effect::{Effect, Scale};
pub use factorial::{Factor, FactorialEffect, Term, Tested, factorial};
pub use pair::Pair;
pub use power::Design;
pub use proportions::proportions;
pub(crate) use proportions::wilson;
pub use sample::{Rate, Sample};
pub use sample_ratio::{SampleRatio, sample_ratio};
pub use sequential::sequential;
pub use welch::welch;
