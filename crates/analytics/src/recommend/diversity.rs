use super::top::at_least_one;
use crate::error::{Error, Result};

/// An item that may go on a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// 0 or more and finite.
    pub score: f64,
    /// Ascending, each once; two items are alike as far as they share these.
    pub attributes: Vec<u32>,
}

/// How a list is picked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiversitySettings {
    /// Length of the list at most, 1 or more.
    pub count: usize,
    /// From 0 (as different as possible) to 1 (by score alone).
    pub relevance: f64,
    /// So many of the list at most have an attribute, such as one category; 1 or more. None: any number.
    pub most_alike: Option<usize>,
}

impl Default for DiversitySettings {
    fn default() -> Self {
        Self { count: 10, relevance: 0.7, most_alike: None }
    }
}

/// The candidates picked, by place in `candidates`, in order: each next one has the largest maximal marginal relevance
/// (Carbonell and Goldstein 1998), relevance · score − (1 − relevance) · similarity to the most similar one picked before.
/// Scores count relative to the largest, similarity is the cosine of the two sets of attributes, so that both lie between 0
/// and 1. Of equally good candidates the first is picked; those with an attribute that `most_alike` have are passed over.
pub fn diversified(candidates: &[Candidate], settings: &DiversitySettings) -> Result<Vec<usize>> {
    let DiversitySettings { count, relevance, most_alike } = *settings;
    at_least_one("count", count)?;
    let most_alike = most_alike.unwrap_or(usize::MAX);
    at_least_one("most_alike", most_alike)?;
    if !(0.0..=1.0).contains(&relevance) {
        return Err(Error::Setting { name: "relevance", value: relevance, valid: "from 0 to 1" });
    }
    if let Some(row) = candidates.iter().position(|one| !(one.score >= 0.0 && one.score.is_finite())) {
        let (value, valid) = (candidates[row].score, "0 or more and finite");
        return Err(Error::Value { what: "score", row, value, valid });
    }
    let largest = candidates.iter().map(|one| one.score).fold(0.0, f64::max);
    let scores: Vec<f64> = candidates.iter().map(|one| if largest > 0.0 { one.score / largest } else { 0.0 }).collect();
    let mut left: Vec<usize> = (0..candidates.len()).collect();
    // The similarity of each candidate to the most similar one picked.
    let mut nearest = vec![0.0f64; candidates.len()];
    let mut picked = Vec::with_capacity(count.min(candidates.len()));
    while picked.len() < count && !left.is_empty() {
        let marginal = |one: usize| relevance * scores[one] - (1.0 - relevance) * nearest[one];
        let best =
            (1..left.len()).fold(0, |best, at| if marginal(left[at]) > marginal(left[best]) { at } else { best });
        let one = left.remove(best);
        if relevance < 1.0 {
            for &other in &left {
                nearest[other] = nearest[other].max(cosine(&candidates[one].attributes, &candidates[other].attributes));
            }
        }
        picked.push(one);
        let has = |attribute: &u32, of: usize| candidates[of].attributes.binary_search(attribute).is_ok();
        for attribute in &candidates[one].attributes {
            if picked.iter().filter(|of| has(attribute, **of)).count() >= most_alike {
                left.retain(|of| !has(attribute, *of));
            }
        }
    }
    Ok(picked)
}

/// Of two ascending sets; 0 where one is empty.
fn cosine(a: &[u32], b: &[u32]) -> f64 {
    let common = a.iter().filter(|value| b.binary_search(value).is_ok()).count() as f64;
    if common == 0.0 { 0.0 } else { common / (a.len() as f64 * b.len() as f64).sqrt() }
}
