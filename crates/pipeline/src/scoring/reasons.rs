//! Why each customer's score is what it is: the inputs that moved it most, as rows beside the scores.

use super::models::Scored;
use crate::error::{Error, Result};
use crate::explaining::{Unit, singles, value};
use crate::task::Task;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use sequences::{Example, Head, Sequences};
use std::sync::Arc;
use trainer::Model;

/// The table of a head's reasons; None for one that has none.
pub(super) fn table(head: Option<Head>) -> Option<&'static str> {
    match head {
        Some(Head::Churn) => Some("scores.churn_reasons"),
        Some(Head::Clv) => Some("scores.clv_reasons"),
        Some(Head::Binary | Head::Count | Head::Amount) => Some("scores.outcome_reasons"),
        Some(Head::NextPurchase | Head::NextItem) | None => None,
    }
}

/// Whether any of the tasks has reasons.
///
/// # Errors
/// None does.
pub(super) fn must_have_any(tasks: &[&Task]) -> Result<()> {
    match tasks.iter().any(|task| table(task.head).is_some()) {
        true => Ok(()),
        false => {
            let problem = "there are no reasons for its scores: those of labels, amounts and counts have some".into();
            let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
            Err(Error::Task { task: names.join(", "), problem })
        }
    }
}

/// The `most` largest contributions to each customer's score, a row each.
pub(super) fn rows(
    scored: &Scored,
    model: &Model,
    sequences: &Sequences,
    examples: &[Example],
    families: &[String],
    most: usize,
) -> Result<RecordBatch> {
    let units: Vec<Unit> = singles(model, families);
    let groups: Vec<_> = units.iter().map(|unit| unit.inputs.clone()).collect();
    let reasons = model.reasons(sequences, examples, &groups, most)?;
    let (mut of, mut rank, mut unit, mut contribution) = (vec![], vec![], vec![], vec![]);
    for (row, reasons) in reasons.iter().enumerate() {
        for ((place, added), nth) in reasons.contributions.iter().zip(1i64..) {
            of.push(row);
            rank.push(nth);
            unit.push(&units[*place]);
            contribution.push(*added);
        }
    }
    let own = |(row, unit): (&usize, &&Unit)| {
        let value = value(&examples[*row], unit.column()?);
        (!value.is_nan()).then_some(f64::from(value))
    };
    let groups = StringArray::from_iter(unit.iter().map(|unit| unit.group.as_deref()));
    let names = StringArray::from_iter_values(unit.iter().map(|unit| unit.name.as_str()));
    let end = |of_reasons: fn(&trainer::Reasons) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(of.iter().map(|row| of_reasons(&reasons[*row]))))
    };
    let columns: [(&str, ArrayRef); 7] = [
        ("rank", Arc::new(Int64Array::from(rank))),
        ("input_group", Arc::new(groups)),
        ("input", Arc::new(names)),
        ("contribution", Arc::new(Float64Array::from(contribution))),
        ("value", Arc::new(Float64Array::from_iter(of.iter().zip(&unit).map(own)))),
        ("baseline", end(|reasons| reasons.baseline)),
        ("output", end(|reasons| reasons.output)),
    ];
    scored.batch(&of, columns)
}
