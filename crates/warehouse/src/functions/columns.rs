//! How functions read the columns of their query, which they know by place, and make those of their result.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray, RecordBatch, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, and, filter_record_batch, is_not_null, partition, sort_to_indices, take};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;
use datafusion::logical_expr::type_coercion::binary::type_union_coercion;

use super::Problem;
use crate::ddl::type_name;

/// Exactly these columns, by what they are for.
pub(super) fn exactly<const N: usize>(columns: &Schema, wanted: [&str; N]) -> Result<[FieldRef; N], Problem> {
    let found: Vec<FieldRef> = columns.fields().iter().cloned().collect();
    found.try_into().map_err(|found: Vec<FieldRef>| {
        format!("its query has {} columns; it needs {}: {}", found.len(), wanted.len(), wanted.join(", "))
    })
}

/// These columns, by what they are for, and `count` more of one kind.
pub(super) fn and_more<const N: usize>(
    columns: &Schema,
    wanted: [&str; N],
    count: RangeInclusive<usize>,
    more: &str,
) -> Result<([FieldRef; N], Vec<FieldRef>), Problem> {
    let mut found: Vec<FieldRef> = columns.fields().iter().cloned().collect();
    if !found.len().checked_sub(N).is_some_and(|rest| count.contains(&rest)) {
        return Err(format!("its query has {} columns; it needs {}, {more}", found.len(), wanted.join(", ")));
    }
    let rest = found.split_off(N);
    Ok((exactly(&Schema::new(found), wanted)?, rest))
}

/// The one type of two columns that hold the same kind of thing.
pub(super) fn one_type(a: &Field, b: &Field) -> Result<DataType, Problem> {
    type_union_coercion(a.data_type(), b.data_type()).ok_or_else(|| {
        let [first, second] = [a, b].map(|field| format!("\"{}\" is {}", field.name(), type_name(field.data_type())));
        format!("column {first} and {second}; both must be of one type")
    })
}

/// That a column holds numbers, to be read as reals.
pub(super) fn real(field: &Field) -> Result<DataType, Problem> {
    match field.data_type().is_numeric() || *field.data_type() == DataType::Boolean {
        true => Ok(DataType::Float64),
        false => Err(format!("column \"{}\" is {}; it must be a number", field.name(), type_name(field.data_type()))),
    }
}

/// That a column holds numbers or nothing, to be read as reals: a NULL that stands for every row has no type of its own.
pub(super) fn real_or_null(field: &Field) -> Result<DataType, Problem> {
    if field.data_type().is_null() { Ok(DataType::Float64) } else { real(field) }
}

/// That a column holds whole numbers.
pub(super) fn whole(field: &Field) -> Result<DataType, Problem> {
    match field.data_type().is_integer() || field.data_type().is_null() {
        true => Ok(DataType::Int64),
        false => {
            let (name, data_type) = (field.name(), type_name(field.data_type()));
            Err(format!("column \"{name}\" is {data_type}; it must be a whole number"))
        }
    }
}

/// That a column holds texts.
pub(super) fn text(field: &Field) -> Result<DataType, Problem> {
    match field.data_type().is_string() || field.data_type().is_null() {
        true => Ok(DataType::Utf8),
        false => Err(format!("column \"{}\" is {}; it must be a text", field.name(), type_name(field.data_type()))),
    }
}

/// That a column holds days or times, to be read as `wanted`.
pub(super) fn time(field: &Field, wanted: DataType) -> Result<DataType, Problem> {
    match field.data_type() {
        DataType::Date32 | DataType::Timestamp(..) => Ok(wanted),
        other => Err(format!("column \"{}\" is {}; it must be a DATE or TIMESTAMP", field.name(), type_name(other))),
    }
}

/// A column of reals of a result: its name, and how it is told of what a row is about.
pub(super) type Measure<T> = (&'static str, fn(&T) -> f64);

/// The names of these columns.
pub(super) fn names<T, const N: usize>(measures: [Measure<T>; N]) -> [&'static str; N] {
    measures.map(|(name, _)| name)
}

/// Their values: NULL in a row that is about nothing.
pub(super) fn measured<'a, T: 'a, const N: usize>(
    measures: [Measure<T>; N],
    rows: impl Iterator<Item = Option<&'a T>> + Clone,
) -> [ArrayRef; N] {
    measures.map(|(_, measure)| -> ArrayRef {
        Arc::new(rows.clone().map(|row| row.map(measure)).collect::<Float64Array>())
    })
}

/// The columns of a result: some of the query's, then reals.
pub(super) fn with_reals(kept: impl IntoIterator<Item = FieldRef>, reals: &[&str]) -> SchemaRef {
    let reals = reals.iter().map(|name| Arc::new(Field::new(*name, DataType::Float64, false)));
    Arc::new(Schema::new(kept.into_iter().chain(reals).collect::<Vec<_>>()))
}

/// That a column has a value in each row.
///
/// # Errors
/// A row without one, by its first column.
pub(super) fn all_present(rows: &RecordBatch, column: usize) -> Result<(), Problem> {
    let Some(nulls) = rows.column(column).logical_nulls() else { return Ok(()) };
    let name = || rows.schema().field(column).name().clone();
    match (0..rows.num_rows()).find(|row| nulls.is_null(*row)) {
        Some(_) if column == 0 => Err(format!("column \"{}\" is NULL in some rows; leave them out", name())),
        Some(row) => Err(format!("column \"{}\" of {} is NULL", name(), at(rows, row))),
        None => Ok(()),
    }
}

/// The values of a column of reals.
///
/// # Errors
/// A row without one, or with one that is not finite or so large that its square is not, by its first column.
pub(super) fn reals(rows: &RecordBatch, column: usize) -> Result<Vec<f64>, Problem> {
    all_present(rows, column)?;
    let values = rows.column(column).as_primitive::<Float64Type>().values();
    match values.iter().position(|value| !analytics::is_in_bounds(value)) {
        Some(row) => {
            let (name, value) = (rows.schema().field(column).name().clone(), analytics::shown(values[row]));
            Err(format!("column \"{name}\" of {} is {value}; it must be {}", at(rows, row), analytics::IN_BOUNDS))
        }
        None => Ok(values.to_vec()),
    }
}

/// The values of a column of reals that are 0 for no and 1 for yes.
///
/// # Errors
/// A row with another, by its first column.
pub(super) fn answers(rows: &RecordBatch, column: usize) -> Result<Vec<bool>, Problem> {
    let values = reals(rows, column)?;
    let answer = |(row, value): (usize, &f64)| match value {
        0.0 => Ok(false),
        1.0 => Ok(true),
        other => Err(format!(
            "column \"{}\" of {} is {other}; it must be true or false, or 1 or 0",
            rows.schema().field(column).name(),
            at(rows, row)
        )),
    };
    values.iter().enumerate().map(answer).collect()
}

/// A row, as its reader knows it: by its first column.
pub(super) fn at(rows: &RecordBatch, row: usize) -> String {
    let value = array_value_to_string(rows.column(0), row).unwrap_or_default();
    format!("{} {value}", rows.schema().field(0).name())
}

/// An algorithm's complaint, with the row that it speaks of.
pub(super) fn told(rows: &RecordBatch, error: analytics::Error) -> Problem {
    match error.row().filter(|row| *row < rows.num_rows()) {
        Some(row) => format!("{}: {}", at(rows, row), error.problem()),
        None => error.to_string(),
    }
}

/// The rows that have a value in each of these columns.
pub(super) fn without_nulls(rows: RecordBatch, columns: Range<usize>) -> Result<RecordBatch, Problem> {
    if columns.clone().all(|column| rows.column(column).logical_null_count() == 0) {
        return Ok(rows);
    }
    let all = BooleanArray::from(vec![true; rows.num_rows()]);
    let kept = columns.into_iter().try_fold(all, |kept, column| and(&kept, &is_not_null(rows.column(column))?));
    kept.and_then(|kept| filter_record_batch(&rows, &kept)).map_err(engine)
}

/// What should not happen, in the engine's words.
pub(super) fn engine(error: ArrowError) -> Problem {
    error.to_string()
}

/// Where the runs of equal values in a sorted column begin, and the end.
pub(super) fn offsets(sorted: &ArrayRef) -> Result<Vec<usize>, Problem> {
    let runs = partition(std::slice::from_ref(sorted)).map_err(engine)?;
    Ok(std::iter::once(0).chain(runs.ranges().into_iter().map(|run| run.end)).collect())
}

/// The first value of each run of a column.
pub(super) fn firsts(column: &ArrayRef, offsets: &[usize]) -> Result<ArrayRef, Problem> {
    let starts = offsets[..offsets.len() - 1].iter().map(|start| *start as u32);
    take(column, &UInt32Array::from_iter_values(starts), None).map_err(engine)
}

/// The different values of a column, ascending, and for each row which of them it has.
pub(super) struct Codes {
    pub(super) values: ArrayRef,
    pub(super) of_rows: Vec<u32>,
}

impl Codes {
    /// Of a column without NULLs.
    pub(super) fn of(column: &ArrayRef) -> Result<Codes, Problem> {
        let ascending = SortOptions { descending: false, nulls_first: true };
        let order = sort_to_indices(column, Some(ascending), None).map_err(engine)?;
        let ends = offsets(&take(column, &order, None).map_err(engine)?)?;
        let mut of_rows = vec![0; column.len()];
        let mut firsts = Vec::new();
        for (code, run) in (0..).zip(ends.windows(2)) {
            firsts.push(order.value(run[0]));
            order.values()[run[0]..run[1]].iter().for_each(|row| of_rows[*row as usize] = code);
        }
        let values = take(column, &UInt32Array::from(firsts), None).map_err(engine)?;
        Ok(Codes { values, of_rows })
    }

    /// The values of these codes.
    pub(super) fn decode(&self, codes: impl IntoIterator<Item = u32>) -> Result<ArrayRef, Problem> {
        take(&self.values, &UInt32Array::from_iter_values(codes), None).map_err(engine)
    }

    /// A list of values in each row.
    pub(super) fn decode_lists<'a>(&self, lists: impl IntoIterator<Item = &'a [u32]>) -> Result<ArrayRef, Problem> {
        let (mut codes, mut lengths) = (Vec::new(), Vec::new());
        for list in lists {
            codes.extend_from_slice(list);
            lengths.push(list.len());
        }
        let item = Arc::new(Field::new_list_field(self.values.data_type().clone(), true));
        let lists = ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), self.decode(codes)?, None);
        Ok(Arc::new(lists.map_err(engine)?))
    }
}

/// A column that holds lists of another's values.
pub(super) fn list_of(name: &str, values: &Field) -> FieldRef {
    let item = Field::new_list_field(values.data_type().clone(), true);
    Arc::new(Field::new(name, DataType::List(Arc::new(item)), false))
}
