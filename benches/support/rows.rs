//! The answer that record batches hold.

use super::Answer;
use anyhow::Result;
use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::compute::{cast, sum};
use arrow::datatypes::{DataType, Float64Type};
use futures::{Stream, StreamExt};
use std::sync::Arc;

/// Digits of a number that ends a text: more do not fit.
const MOST_DIGITS: usize = 15;

/// The answer of all rows of a stream.
pub async fn answer<E: Into<anyhow::Error>>(
    mut rows: impl Stream<Item = Result<RecordBatch, E>> + Unpin,
) -> Result<Answer> {
    let mut answer = Answer::default();
    while let Some(batch) = rows.next().await {
        add(&mut answer, &batch.map_err(Into::into)?)?;
    }
    Ok(answer)
}

/// Adds rows to an answer, and per column the values that are not NULL and their sum.
pub fn add(answer: &mut Answer, batch: &RecordBatch) -> Result<()> {
    answer.rows += batch.num_rows() as u64;
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let numbers = match array.data_type() {
            DataType::Utf8 => {
                Arc::new(array.as_string::<i32>().iter().map(|text| text.map(weight)).collect::<Int64Array>())
            }
            DataType::Timestamp(..) => cast(array, &DataType::Int64)?,
            _ => array.clone(),
        };
        let numbers = cast(&numbers, &DataType::Float64)?;
        let total = sum(numbers.as_primitive::<Float64Type>()).unwrap_or(0.0);
        let column = answer.columns.entry(field.name().clone()).or_default();
        *column = (column.0 + (array.len() - array.null_count()) as u64, column.1 + total);
    }
    Ok(())
}

/// Bytes, and the number at the end.
fn weight(text: &str) -> i64 {
    let digits = text.bytes().rev().take(MOST_DIGITS).take_while(u8::is_ascii_digit).count();
    text.len() as i64 + text[text.len() - digits..].parse().unwrap_or(0)
}
