//! `factorial_effects((SELECT subject, colour, spent FROM …))`: what each level of several factors changes, and what two of
//! them change together. A row is one customer: a column for each factor, with his level, then his value; yes and no count as
//! 1 and 0. The base of a factor is its level called control or holdout, else its first. A main effect is the difference
//! from the base, on average over all combinations of the other factors, each of them counted alike; an interaction is how
//! much more a level changes beside another factor's level than beside that factor's base. Each combination of levels has a
//! variance of its own, as in Welch's test, and needs two customers. An effect is NULL where no combination that it is made
//! of varies.

use std::sync::Arc;

use analytics::experiments::{Comparison, Correction, Factor, FactorialEffect, Sample, Term, Tested, factorial};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use serde::{Deserialize, Serialize};

use super::columns::{Codes, Measure, all_present, engine, measured, names, real, reals};
use super::compare_arms::CorrectionName;
use super::{Algorithm, Problem, Shape};

/// More are no design: a key was given as a factor.
const MOST_CELLS: usize = 4096;

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FactorialEffects {
    /// Coverage of the intervals.
    level: f64,
    /// Of the p values, over all effects.
    #[serde(with = "CorrectionName")]
    correction: Correction,
}

impl Default for FactorialEffects {
    fn default() -> Self {
        let Comparison { level, correction, .. } = Comparison::default();
        FactorialEffects { level, correction }
    }
}

/// What an effect has none of where nothing can be tested.
const MEASURES: [Measure<Tested>; 5] = [
    ("effect", |tested| tested.effect.estimate),
    ("low", |tested| tested.effect.low),
    ("high", |tested| tested.effect.high),
    ("p_value", |tested| tested.effect.p_value),
    ("adjusted_p_value", |tested| tested.adjusted_p),
];

impl Algorithm for FactorialEffects {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let Some((value, factors)) = columns.fields().split_last().filter(|(_, factors)| !factors.is_empty()) else {
            let found = columns.fields().len();
            return Err(format!(
                "its query has {found} columns; it needs one factor or more, then the value of a customer"
            ));
        };
        let mut input: Vec<DataType> = factors.iter().map(|factor| factor.data_type().clone()).collect();
        input.push(real(value)?);
        let text = |name, is_nullable| Field::new(name, DataType::Utf8, is_nullable);
        let mut output: Vec<Field> = ["kind", "factor", "level", "base"].map(|name| text(name, false)).into();
        output.extend(["other_factor", "other_level", "other_base"].map(|name| text(name, true)));
        output.push(Field::new("customers", DataType::Int64, false));
        output.extend(names(MEASURES).map(|name| Field::new(name, DataType::Float64, true)));
        // All columns, because sums depend on the order.
        Ok(Shape { sorted_by: input.len(), input, output: Arc::new(Schema::new(output)) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let value = rows.num_columns() - 1;
        let factors = (0..value).map(|column| Levels::of(rows, column)).collect::<Result<Vec<_>, _>>()?;
        let cells = cells(&factors, &reals(rows, value)?)?;
        let sizes: Vec<Factor> = factors.iter().map(Levels::factor).collect();
        let effects = factorial(&cells, &sizes, self.level, self.correction).map_err(|e| e.to_string())?;
        let kind = |effect: &FactorialEffect| if effect.with.is_none() { "main" } else { "interaction" };
        // What is told of a level, of the first of an effect and of the other.
        let first = |told: fn(&Levels, usize) -> &str| -> ArrayRef {
            let of = effects.iter().map(|effect| effect.of);
            Arc::new(StringArray::from_iter_values(of.map(|Term { factor, level }| told(&factors[factor], level))))
        };
        let other = |told: fn(&Levels, usize) -> &str| -> ArrayRef {
            let with = effects.iter().map(|effect| effect.with);
            let told = |Term { factor, level }| told(&factors[factor], level);
            Arc::new(with.map(|term| term.map(told)).collect::<StringArray>())
        };
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(effects.iter().map(kind))),
            first(|factor, _| &factor.name),
            first(|factor, level| &factor.levels[level]),
            first(|factor, _| &factor.levels[factor.base]),
            other(|factor, _| &factor.name),
            other(|factor, level| &factor.levels[level]),
            other(|factor, _| &factor.levels[factor.base]),
            Arc::new(Int64Array::from_iter_values(effects.iter().map(|effect| effect.rows as i64))),
        ];
        columns.extend(measured(MEASURES, effects.iter().map(|effect| effect.tested.as_ref())));
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}

/// A factor's levels, in the order of their values.
struct Levels {
    name: String,
    levels: Vec<String>,
    base: usize,
    of_rows: Vec<u32>,
}

impl Levels {
    fn of(rows: &RecordBatch, column: usize) -> Result<Levels, Problem> {
        all_present(rows, column)?;
        let name = rows.schema().field(column).name().clone();
        let Codes { values, of_rows } = Codes::of(rows.column(column))?;
        let levels: Result<Vec<String>, _> =
            (0..values.len()).map(|level| array_value_to_string(&values, level)).collect();
        let levels = levels.map_err(engine)?;
        if let [level] = levels.as_slice() {
            return Err(format!("column \"{name}\" is {level} in all rows; a factor needs two levels or more"));
        }
        let is_control = |level: &String| ["control", "holdout"].contains(&level.to_lowercase().as_str());
        let base = levels.iter().position(is_control).unwrap_or(0);
        Ok(Levels { name, levels, base, of_rows })
    }

    fn factor(&self) -> Factor {
        Factor { levels: self.levels.len(), base: self.base }
    }
}

/// The values of each combination of levels, the last factor's changing fastest.
fn cells(factors: &[Levels], values: &[f64]) -> Result<Vec<Sample>, Problem> {
    let count = factors.iter().fold(1, |count: usize, factor| count.saturating_mul(factor.levels.len()));
    if count > MOST_CELLS {
        let levels = factors.iter().map(|factor| format!("{} of \"{}\"", factor.levels.len(), factor.name));
        let levels = levels.collect::<Vec<_>>().join(" by ");
        return Err(format!("levels have too many combinations, {levels}; the most is {MOST_CELLS}"));
    }
    let mut of_cells = vec![Vec::new(); count];
    for (row, value) in values.iter().enumerate() {
        let cell = factors.iter().fold(0, |cell, factor| cell * factor.levels.len() + factor.of_rows[row] as usize);
        of_cells[cell].push(*value);
    }
    let sample = |(cell, values): (usize, &Vec<f64>)| match values.as_slice() {
        [] => Err(format!(
            "no customer has {}; effects on average over the other factors need two in every combination of levels",
            combination(factors, cell)
        )),
        values => Sample::of(values).map_err(|e| format!("{}: {e}", combination(factors, cell))),
    };
    of_cells.iter().enumerate().map(sample).collect()
}

/// The levels of a cell, as a reader knows them.
fn combination(factors: &[Levels], mut cell: usize) -> String {
    let mut levels: Vec<String> = Vec::new();
    for Levels { name, levels: own, .. } in factors.iter().rev() {
        levels.push(format!("{name} {}", own[cell % own.len()]));
        cell /= own.len();
    }
    levels.reverse();
    levels.join(" and ")
}
