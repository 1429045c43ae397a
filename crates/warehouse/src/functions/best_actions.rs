//! `best_actions((SELECT as_of, customer_id, channel, action, rule, probability, value, cost, budget, total_budget,
//! contacts_left, is_held_out, refusal, … FROM …))`: at most one action for each customer and channel at each cut-off, by
//! expected gain. Every row comes back, with its gain and what became of it; columns after those named are left as they are.

use std::sync::Arc;

use analytics::decisions::{Budgets, Candidates, Decision, decide};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use serde::{Deserialize, Serialize};

use super::columns::{Codes, all_present, and_more, engine, offsets, real, real_or_null, whole};
use super::{Algorithm, Problem, Shape};
use crate::ddl::type_name;

const COLUMNS: [&str; 13] = [
    "a cut-off",
    "a customer",
    "the channel",
    "the action",
    "the rule that proposes it",
    "the probability that it works",
    "what it is worth then",
    "what it costs",
    "the action's budget",
    "the whole budget",
    "how often the customer may still be contacted",
    "whether the customer is held out",
    "why it must not be done",
];
const MORE: &str = "and any others";
/// The columns that a row can't be without.
const KEY: usize = 5;
const PROBABILITY: usize = 5;
const VALUE: usize = 6;
const COST: usize = 7;
const BUDGET: usize = 8;
const TOTAL_BUDGET: usize = 9;
const CONTACTS_LEFT: usize = 10;
const HELD_OUT: usize = 11;
const REFUSAL: usize = 12;
/// Of a row whose probability, value or cost is not known.
const UNKNOWN_GAIN: &str = "unknown_gain";

/// No settings: whatever differs from rule to rule is a column.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BestActions {}

impl Algorithm for BestActions {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let (named, more) = and_more(columns, COLUMNS, 0..=usize::MAX, MORE)?;
        let mut input = Vec::new();
        for (place, column) in named.iter().enumerate() {
            input.push(match place {
                0 | 1 => column.data_type().clone(),
                CONTACTS_LEFT => whole(column)?,
                HELD_OUT if *column.data_type() == DataType::Boolean => DataType::Boolean,
                HELD_OUT => {
                    let (name, data_type) = (column.name(), type_name(column.data_type()));
                    return Err(format!("column \"{name}\" is {data_type}; it must be BOOLEAN"));
                }
                BUDGET | TOTAL_BUDGET => real_or_null(column)?,
                PROBABILITY..=COST => real(column)?,
                _ => DataType::Utf8,
            });
        }
        input.extend(more.iter().map(|column| column.data_type().clone()));
        let typed = columns.fields().iter().zip(&input);
        let mut output: Vec<Field> =
            typed.map(|(field, is)| field.as_ref().clone().with_data_type(is.clone())).collect();
        output.push(Field::new("gain", DataType::Float64, true));
        output.push(Field::new("decision", DataType::Utf8, false));
        Ok(Shape { input, sorted_by: KEY, output: Arc::new(Schema::new(output)) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        (0..KEY).try_for_each(|column| all_present(rows, column))?;
        let gains = gains(rows)?;
        let mut decisions = vec![UNKNOWN_GAIN; rows.num_rows()];
        let ends = offsets(rows.column(0))?;
        let refusals = rows.column(REFUSAL).as_string::<i32>();
        let named = rows.project(&(0..COLUMNS.len()).collect::<Vec<_>>()).map_err(engine)?;
        for cut_off in ends.windows(2) {
            let open = (cut_off[0]..cut_off[1]).filter(|row| refusals.is_null(*row));
            let (open, gains): (Vec<usize>, Vec<f64>) = open.filter_map(|row| Some((row, gains[row]?))).unzip();
            let indices = UInt32Array::from_iter_values(open.iter().map(|row| *row as u32));
            let decided = decide_at(&take_record_batch(&named, &indices).map_err(engine)?, &gains)?;
            open.iter().zip(decided).for_each(|(row, decision)| decisions[*row] = name(decision));
        }
        let decided = decisions.iter().enumerate();
        let decided = decided.map(|(row, decision)| if refusals.is_null(row) { decision } else { refusals.value(row) });
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(Float64Array::from(gains)) as ArrayRef);
        columns.push(Arc::new(StringArray::from_iter_values(decided)));
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}

/// Expected gain of each row; `None` where a part of it is not known.
fn gains(rows: &RecordBatch) -> Result<Vec<Option<f64>>, Problem> {
    let [probability, value, cost] =
        [PROBABILITY, VALUE, COST].map(|column| rows.column(column).as_primitive::<Float64Type>());
    let checked = |row: usize| {
        let number = |of: &Float64Array, what: &str, valid: &str, holds: fn(f64) -> bool| match of.value(row) {
            number if holds(number) => Ok(number),
            other => Err(wrong(rows, row, &format!("{what} is {other}; it must be {valid}"))),
        };
        if [probability, value, cost].iter().any(|of| of.is_null(row)) {
            return Ok(None);
        }
        let probability = number(probability, "the probability", "between 0 and 1", |p| (0.0..=1.0).contains(&p))?;
        let value = number(value, "the value", "a finite number", f64::is_finite)?;
        let cost = number(cost, "the cost", "0 or more and finite", |cost| cost >= 0.0 && cost.is_finite())?;
        Ok(Some(probability * value - cost))
    };
    (0..rows.num_rows()).map(checked).collect()
}

/// Decides on the rows of one cut-off that may be acted on.
fn decide_at(open: &RecordBatch, gains: &[f64]) -> Result<Vec<Decision>, Problem> {
    let [customers, channels, actions] = [1, 2, 3].map(|column| Codes::of(open.column(column)));
    let (customers, channels, actions) = (customers?, channels?, actions?);
    let mut budgets = vec![f64::INFINITY; actions.values.len()];
    let mut total = f64::INFINITY;
    for (row, action) in actions.of_rows.iter().enumerate() {
        let of_action = &mut budgets[*action as usize];
        *of_action = of_action.min(budget(open, BUDGET, row)?);
        total = total.min(budget(open, TOTAL_BUDGET, row)?);
    }
    let left = open.column(CONTACTS_LEFT).as_primitive::<Int64Type>().iter();
    let left = left.map(|left| left.map_or(u32::MAX, |left| left.clamp(0, i64::from(u32::MAX)) as u32));
    let candidates = Candidates {
        customers: &customers.of_rows,
        channels: &channels.of_rows,
        actions: &actions.of_rows,
        gains,
        costs: open.column(COST).as_primitive::<Float64Type>().values(),
        contacts_left: &left.collect::<Vec<_>>(),
        held_out: &open.column(HELD_OUT).as_boolean().iter().map(|is| is == Some(true)).collect::<Vec<_>>(),
    };
    decide(&candidates, &Budgets { of_actions: &budgets, total }).map_err(|e| e.to_string())
}

/// No limit for NULL.
fn budget(rows: &RecordBatch, column: usize, row: usize) -> Result<f64, Problem> {
    let budgets = rows.column(column).as_primitive::<Float64Type>();
    match budgets.is_null(row) {
        true => Ok(f64::INFINITY),
        false if budgets.value(row) >= 0.0 => Ok(budgets.value(row)),
        false => Err(wrong(rows, row, &format!("a budget is {}; it must be 0 or more", budgets.value(row)))),
    }
}

fn name(decision: Decision) -> &'static str {
    match decision {
        Decision::Act => "act",
        Decision::HoldOut => "hold_out",
        Decision::NoGain => "no_gain",
        Decision::Outranked => "outranked",
        Decision::ContactLimit => "contact_limit",
        Decision::OverBudget => "over_budget",
    }
}

/// A complaint about a row, with who and by which rule.
fn wrong(rows: &RecordBatch, row: usize, problem: &str) -> Problem {
    let [customer, rule] = [1, 4].map(|column| array_value_to_string(rows.column(column), row).unwrap_or_default());
    format!("rule {rule:?}, {} {customer}: {problem}", rows.schema().field(1).name())
}
