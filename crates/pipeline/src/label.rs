//! The label of a task: which column of its view it is, and that the view's rows can be learnt from.
//!
//! A view of one's own is checked here, where customer, cut-off and column still have their names: a row too many or a
//! number of the wrong kind would train without a word.

use crate::columns::Rows;
use crate::dataset::Outcome;
use crate::error::{Error, Result};
use crate::task::Task;
use crate::time::date;
use arrow::datatypes::{DataType, Schema};
use sequences::{Head, TargetKind};

/// Columns of label views that are no label: the key, and what `labels.horizon` says of it.
const NO_LABEL: [&str; 4] = ["customer_id", "as_of", "ends_at", "is_complete"];

/// The column that says when the next purchase is.
const DAYS_TO_NEXT: &str = "days_to_next";

/// The outcome of each row of a label view with these columns, `None` where it is unknown.
///
/// # Errors
/// [`Error::Task`] for a column or a value that the task's head cannot learn.
pub(crate) fn outcomes(task: &Task, schema: &Schema, rows: &Rows) -> Result<Vec<Option<Outcome>>> {
    let kind = task.head()?.target_kind();
    if kind == TargetKind::Next {
        let complete = rows.flags("is_complete")?;
        let next = rows.texts("product_id")?.into_iter().zip(rows.numbers(DAYS_TO_NEXT)?).zip(complete);
        return Ok(next
            .map(|((product, days), complete)| (complete == Some(true)).then_some(Outcome::Next { product, days }))
            .collect());
    }
    let column = column(task, schema)?;
    check_type(task, schema, &column)?;
    if task.tells_when() {
        check_type(task, schema, DAYS_TO_NEXT)?;
        let known = rows.flags(&column)?.into_iter().zip(rows.numbers(DAYS_TO_NEXT)?);
        return Ok(known.map(|(churned, days)| churned.map(|_| Outcome::Absence { days })).collect());
    }
    if kind == TargetKind::Label {
        return Ok(rows.flags(&column)?.into_iter().map(|happened| happened.map(Outcome::Label)).collect());
    }
    let values = rows.numbers(&column)?;
    let is_wrong =
        |value: f64| !value.is_finite() || kind == TargetKind::Count && (value < 0.0 || value.fract() != 0.0);
    if let Some(row) = values.iter().position(|value| value.is_some_and(is_wrong)) {
        let (value, (customer, as_of)) = (values[row].unwrap_or_default(), &rows.keys()?[row]);
        let needed = if kind == TargetKind::Count { "whole numbers from 0" } else { "finite numbers" };
        return Err(wrong(
            task,
            format!(
                "{column} is {value} for customer {customer} at {}; the head {} needs {needed}, or NULL where it is unknown",
                date(*as_of),
                task.head()?.name()
            ),
        ));
    }
    Ok(values.into_iter().map(|value| value.map(Outcome::Value)).collect())
}

/// That there is one row of a customer and cut-off, of the cut-offs asked for alone; `keys` are sorted.
///
/// # Errors
/// [`Error::Task`] for one that is doubled or of another time.
pub(crate) fn check_keys(task: &Task, keys: &[(String, i64)], cutoffs: &[i64]) -> Result<()> {
    if let Some((customer, as_of)) = keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| &pair[0]) {
        let problem = format!(
            "customer {customer} has two rows at {}; a label view has one per customer_id and as_of",
            date(*as_of)
        );
        return Err(wrong(task, problem));
    }
    match keys.iter().find(|(_, as_of)| !cutoffs.contains(as_of)) {
        Some((customer, as_of)) => {
            let problem = format!(
                "customer {customer} has a row at {}, which is no cut-off of the spine; take customer_id and as_of from \
                labels.horizon",
                date(*as_of)
            );
            Err(wrong(task, problem))
        }
        None => Ok(()),
    }
}

fn column(task: &Task, schema: &Schema) -> Result<String> {
    let others = schema.fields().iter().map(|field| field.name().as_str()).filter(|name| !NO_LABEL.contains(name));
    let others: Vec<&str> = others.collect();
    match (&task.label_column, task.head()?) {
        (Some(column), _) if others.contains(&column.as_str()) => Ok(column.clone()),
        (Some(column), _) => Err(wrong(
            task,
            format!("it has no column {column} that could be the label; its columns are {}", others.join(", ")),
        )),
        (None, Head::Churn) => Ok("churned".into()),
        (None, Head::Clv) => Ok("value".into()),
        (None, _) => match others[..] {
            [column] => Ok(column.into()),
            [] => Err(wrong(task, "it has no column beside customer_id and as_of that could be the label".into())),
            [first, ..] => Err(wrong(
                task,
                format!(
                    "each of {} could be the label; say which, as in label_column = \"{first}\"",
                    others.join(", ")
                ),
            )),
        },
    }
}

fn check_type(task: &Task, schema: &Schema, column: &str) -> Result<()> {
    let head = task.head()?;
    let (is_right, needed): (fn(&DataType) -> bool, &'static str) = match head.target_kind() {
        TargetKind::Label if column != DAYS_TO_NEXT => (|kind| *kind == DataType::Boolean, "boolean"),
        _ => (DataType::is_numeric, "number"),
    };
    match schema.field_with_name(column) {
        Ok(field) if is_right(field.data_type()) => Ok(()),
        Ok(field) => {
            let (name, found) = (head.name(), field.data_type());
            Err(wrong(task, format!("{column} is of type {found}; the head {name} needs a {needed}")))
        }
        Err(_) => {
            let what = task.label()?.into();
            Err(Error::Column { what, column: column.into(), expected: needed })
        }
    }
}

fn wrong(task: &Task, problem: String) -> Error {
    let view = task.label.as_deref().unwrap_or_default();
    Error::Task { task: task.name.clone(), problem: format!("by {view}, {problem}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn task(head: &str, column: Option<&str>) -> Task {
        let column = column.map_or(String::new(), |column| format!("label_column = '{column}'\n"));
        toml::from_str(&format!("task = 'mine'\nlabel = 'labels.mine'\nhead = '{head}'\n{column}")).unwrap()
    }

    fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
        let rows = columns[0].1.len();
        let times = TimestampMicrosecondArray::from_value(0, rows).with_timezone("UTC");
        let key: [(&str, ArrayRef); 2] = [
            ("customer_id", Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("c{row}"))))),
            ("as_of", Arc::new(times)),
        ];
        RecordBatch::try_from_iter_with_nullable(
            key.into_iter().chain(columns.iter().cloned()).map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    }

    fn flags() -> ArrayRef {
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))
    }

    fn numbers(values: [Option<f64>; 3]) -> ArrayRef {
        Arc::new(Float64Array::from_iter(values))
    }

    fn read(task: &Task, batch: RecordBatch) -> Result<Vec<Option<Outcome>>> {
        outcomes(task, &batch.schema(), &Rows { what: "labels.mine".into(), batches: vec![batch] })
    }

    #[test]
    fn the_only_column_that_can_be_meant_is_the_label() {
        let bought = batch(&[("is_complete", flags()), ("bought", flags())]);
        let expected = vec![Some(Outcome::Label(true)), None, Some(Outcome::Label(false))];
        assert_eq!(read(&task("binary", None), bought).unwrap(), expected);
        let two = || batch(&[("n", numbers([Some(2.0), None, Some(0.0)])), ("bought", flags())]);
        assert_eq!(read(&task("binary", Some("bought")), two()).unwrap(), expected);
        let counts = vec![Some(Outcome::Value(2.0)), None, Some(Outcome::Value(0.0))];
        assert_eq!(read(&task("count", Some("n")), two()).unwrap(), counts);
        assert_eq!(read(&task("amount", Some("n")), two()).unwrap(), counts);
        // Where it is asked for, a label of churn says when.
        let mut when = task("churn", None);
        when.model.insert("periods".into(), 6.into());
        let found = batch(&[
            ("churned", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
            ("days_to_next", numbers([None, Some(9.0), Some(4.5)])),
        ]);
        let absences = vec![Some(Outcome::Absence { days: None }), None, Some(Outcome::Absence { days: Some(4.5) })];
        assert_eq!(read(&when, found).unwrap(), absences);
        let found = read(&when, batch(&[("churned", flags())])).unwrap_err().to_string();
        assert!(found.contains("column days_to_next is missing or is no number"), "{found}");
        // A meaning has a name of its own.
        let churn = || batch(&[("reason", numbers([None; 3])), ("churned", flags())]);
        assert_eq!(read(&task("churn", None), churn()).unwrap(), expected);
        for (task, batch, problem) in [
            (
                task("binary", None),
                two(),
                "each of n, bought could be the label; say which, as in label_column = \"n\"",
            ),
            (task("binary", None), batch(&[("is_complete", flags())]), "no column beside customer_id and as_of"),
            (
                task("binary", Some("nought")),
                two(),
                "no column nought that could be the label; its columns are n, bought",
            ),
            (task("binary", Some("as_of")), two(), "no column as_of that could be the label"),
            (task("churn", None), two(), "column churned is missing or is no boolean"),
        ] {
            let found = read(&task, batch).unwrap_err().to_string();
            assert!(found.contains("labels.mine") && found.contains(problem), "{found}");
        }
    }

    #[test]
    fn a_label_of_another_kind_is_refused_where_it_stands() {
        let of = |value| batch(&[("n", numbers([None, Some(1.0), Some(value)]))]);
        for (head, batch, problem) in [
            ("binary", of(0.0), "n is of type Float64; the head binary needs a boolean"),
            ("count", batch(&[("n", flags())]), "n is of type Boolean; the head count needs a number"),
            ("count", of(-1.0), "n is -1 for customer c2 at 1970-01-01; the head count needs whole numbers from 0"),
            ("count", of(1.5), "n is 1.5 for customer c2"),
            ("amount", of(f64::NAN), "n is NaN for customer c2 at 1970-01-01; the head amount needs finite numbers"),
        ] {
            let found = read(&task(head, None), batch).unwrap_err().to_string();
            assert!(found.contains("task mine: by labels.mine") && found.contains(problem), "{found}");
        }
        assert!(read(&task("amount", None), of(-1.5)).is_ok());
    }

    #[test]
    fn a_customer_has_one_label_at_each_cut_off_asked_for() {
        let keys = |rows: &[(&str, i64)]| rows.iter().map(|(c, at)| (c.to_string(), *at)).collect::<Vec<_>>();
        let check = |rows: &[(&str, i64)]| check_keys(&task("count", None), &keys(rows), &[0, 86_400_000_000]);
        assert!(check(&[("a", 0), ("b", 0), ("a", 86_400_000_000)]).is_ok());
        let doubled = check(&[("a", 0), ("b", 0), ("b", 0)]).unwrap_err().to_string();
        assert!(doubled.contains("customer b has two rows at 1970-01-01"), "{doubled}");
        let other = check(&[("a", 0), ("a", 172_800_000_000)]).unwrap_err().to_string();
        assert!(other.contains("customer a has a row at 1970-01-03, which is no cut-off"), "{other}");
    }
}
