//! Record batches of `core.timeline` → [`Sequences`].
//!
//! The builder checks the order it needs instead of sorting: the warehouse already delivers it, and a silent sort of a
//! large table would hide that it stopped doing so.

use arrow::array::{Array, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float64Type, TimeUnit, TimestampMicrosecondType};

use crate::time::format_time;
use crate::{Error, Field, Sequences};

const CUSTOMER: &str = "customer_id";
const EVENT_TIME: &str = "event_time";
const KNOWN_TIME: &str = "known_time";
const SUPERSEDED_AT: &str = "superseded_at";
const AMOUNT: &str = "amount";

/// Collects record batches into [`Sequences`].
#[derive(Debug, Default)]
pub struct SequencesBuilder {
    sequences: Sequences,
}

impl SequencesBuilder {
    /// A builder without events.
    pub fn new() -> Self {
        let mut builder = Self::default();
        builder.sequences.offsets.push(0);
        builder
    }

    /// Takes the next rows of `core.timeline`: `customer_id`, `event_time`, `known_time`, `superseded_at`, `kind`,
    /// `product_id`, `category`, `channel`, `amount`; other columns are left alone. A customer's rows must lie together, ordered by
    /// (`event_time`, `known_time`), also across batches; rows equal in both keep the order they come in.
    ///
    /// # Errors
    /// A missing column, a wrong type, a NULL customer or time, or a row out of order; rows are counted from 1 over all
    /// batches. After an error the builder is of no further use.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let customers = strings(batch, CUSTOMER)?;
        let event_times = times(batch, EVENT_TIME)?;
        let known_times = times(batch, KNOWN_TIME)?;
        let superseded = times(batch, SUPERSEDED_AT)?;
        let amounts = column(batch, AMOUNT)?;
        let amounts = cast_to(amounts, AMOUNT, &DataType::Float64, "a number")?;
        let amounts = amounts.as_primitive::<Float64Type>();
        let mut texts = Vec::with_capacity(Field::ALL.len());
        for field in Field::ALL {
            texts.push(strings(batch, field.column())?);
        }

        for i in 0..batch.num_rows() {
            let row = self.sequences.event_count() + 1;
            let customer = value(&customers, i).ok_or(Error::Null { column: CUSTOMER, row })?;
            let event_time = number(&event_times, i).ok_or(Error::Null { column: EVENT_TIME, row })?;
            let known_time = number(&known_times, i).ok_or(Error::Null { column: KNOWN_TIME, row })?;
            self.place(customer, (event_time, known_time), row)?;
            let sequences = &mut self.sequences;
            sequences.event_time.push(event_time);
            sequences.known_time.push(known_time);
            sequences.superseded_at.push(number(&superseded, i).unwrap_or(i64::MAX));
            sequences.amount.push(number(amounts, i).unwrap_or(0.0) as f32);
            for (field, text) in texts.iter().enumerate() {
                let code = sequences.dictionaries[field].intern(value(text, i));
                sequences.codes[field].push(code);
            }
        }
        Ok(())
    }

    /// The sequences of all rows pushed.
    pub fn finish(mut self) -> Sequences {
        self.close_customer();
        self.sequences
    }

    /// Opens a new customer, or checks that the row continues the last one in time order.
    fn place(&mut self, customer: &str, time: (i64, i64), row: usize) -> Result<(), Error> {
        let sequences = &mut self.sequences;
        if sequences.customers.last().is_some_and(|last| last == customer) {
            let last = sequences.event_time.len() - 1;
            let previous = (sequences.event_time[last], sequences.known_time[last]);
            if time < previous {
                let show = |(event, known)| format!("({}, {})", format_time(event), format_time(known));
                let (customer, time, previous) = (customer.to_owned(), show(time), show(previous));
                return Err(Error::Unsorted { customer, row, time, previous });
            }
            return Ok(());
        }
        if sequences.index.contains_key(customer) {
            return Err(Error::Scattered { customer: customer.to_owned(), row });
        }
        self.close_customer();
        let sequences = &mut self.sequences;
        sequences.index.insert(customer.to_owned(), sequences.customers.len());
        sequences.customers.push(customer.to_owned());
        Ok(())
    }

    fn close_customer(&mut self) {
        let sequences = &mut self.sequences;
        if sequences.customers.len() == sequences.offsets.len() {
            sequences.offsets.push(sequences.event_time.len());
        }
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a dyn Array, Error> {
    let found = batch.column_by_name(name).ok_or_else(|| {
        let schema = batch.schema();
        let found: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut needed = vec![CUSTOMER, EVENT_TIME, KNOWN_TIME, SUPERSEDED_AT];
        needed.extend(Field::ALL.map(Field::column));
        needed.push(AMOUNT);
        Error::MissingColumn { column: name, found: found.join(", "), needed: needed.join(", ") }
    })?;
    Ok(found.as_ref())
}

fn strings(batch: &RecordBatch, name: &'static str) -> Result<StringArray, Error> {
    let array = column(batch, name)?;
    Ok(cast_to(array, name, &DataType::Utf8, "text")?.as_string::<i32>().clone())
}

fn times(batch: &RecordBatch, name: &'static str) -> Result<PrimitiveArray<TimestampMicrosecondType>, Error> {
    const NEEDED: &str = "a timestamp with time zone UTC";
    let array = column(batch, name)?;
    // Without a zone nobody can say which instant is meant, and a bare integer could be any unit.
    let DataType::Timestamp(_, Some(zone)) = array.data_type() else {
        return Err(Error::WrongType { column: name, found: array.data_type().to_string(), needed: NEEDED });
    };
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.clone()));
    Ok(cast_to(array, name, &micros, NEEDED)?.as_primitive::<TimestampMicrosecondType>().clone())
}

fn cast_to(
    array: &dyn Array,
    column: &'static str,
    kind: &DataType,
    needed: &'static str,
) -> Result<arrow::array::ArrayRef, Error> {
    cast(array, kind).map_err(|_| Error::WrongType { column, found: array.data_type().to_string(), needed })
}

fn value(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

fn number<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, TimestampMicrosecondArray};

    use super::*;

    /// Customer, event time, known time, product, amount.
    type Row<'a> = (&'a str, i64, i64, Option<&'a str>, Option<f64>);

    fn batch(rows: &[Row]) -> RecordBatch {
        let times = |pick: fn(&Row) -> i64| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(pick)).with_timezone("UTC"))
        };
        let texts = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        RecordBatch::try_from_iter(vec![
            ("customer_id", texts(rows.iter().map(|r| Some(r.0)).collect())),
            ("event_time", times(|r| r.1)),
            ("known_time", times(|r| r.2)),
            ("superseded_at", Arc::new(TimestampMicrosecondArray::new_null(rows.len()).with_timezone("UTC"))),
            ("kind", texts(vec![Some("purchase"); rows.len()])),
            ("product_id", texts(rows.iter().map(|r| r.3).collect())),
            ("category", texts(vec![None; rows.len()])),
            ("channel", texts(vec![Some("web"); rows.len()])),
            ("amount", Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.4))) as ArrayRef),
        ])
        .unwrap()
    }

    fn build(batches: &[RecordBatch]) -> Result<Sequences, Error> {
        let mut builder = SequencesBuilder::new();
        for batch in batches {
            builder.push(batch)?;
        }
        Ok(builder.finish())
    }

    #[test]
    fn packs_customers_across_batches() {
        let first = batch(&[("b", 5, 5, Some("tea"), Some(2.5)), ("a", 1, 1, None, None)]);
        let second = batch(&[("a", 1, 2, Some("tea"), Some(1.0)), ("c", 0, 9, Some("jam"), Some(-3.0))]);
        let sequences = build(&[first, second]).unwrap();
        assert_eq!(sequences.customers(), ["b", "a", "c"]);
        assert_eq!(sequences.range(sequences.customer("a").unwrap()), 1..3);
        assert_eq!(sequences.code(0, Field::Product), sequences.code(2, Field::Product));
        assert_eq!(sequences.code(1, Field::Product), 0);
        assert_eq!(sequences.text(Field::Product, sequences.code(3, Field::Product)), Some("jam"));
        assert_eq!((sequences.amount(1), sequences.amount(3)), (0.0, -3.0));
        assert_eq!(sequences.text(Field::Product, sequences.code_of(Field::Product, "wine")), None);
    }

    #[test]
    fn nothing_pushed_is_no_customers() {
        let sequences = build(&[]).unwrap();
        assert_eq!((sequences.customers().len(), sequences.event_count()), (0, 0));
    }

    /// Asserts that the rows are refused with a message that holds every part.
    fn check_refused(rows: &RecordBatch, parts: &[&str]) {
        let message = build(std::slice::from_ref(rows)).unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "`{message}` lacks `{part}`");
        }
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        let early = batch(&[("a", 5, 5, None, None), ("a", 4, 4, None, None)]);
        check_refused(&early, &["row 2", "`a`", "sort by"]);
        let late_first = batch(&[("a", 5, 9, None, None), ("a", 5, 8, None, None)]);
        check_refused(&late_first, &["row 2", "known_time"]);
        let scattered = batch(&[("a", 5, 5, None, None), ("b", 4, 4, None, None), ("a", 6, 6, None, None)]);
        check_refused(&scattered, &["row 3", "`a`", "again"]);

        let good = batch(&[("a", 5, 5, None, None)]);
        check_refused(&good.project(&[0, 1, 2, 3, 4, 5, 6, 7]).unwrap(), &["`amount`", "customer_id, event_time"]);
        let replace = |name: &str, array: ArrayRef| {
            let schema = good.schema();
            let columns = schema.fields().iter().zip(good.columns()).map(|(field, column)| {
                let chosen = if field.name() == name { array.clone() } else { column.clone() };
                (field.name().clone(), chosen)
            });
            RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).unwrap()
        };
        check_refused(&replace("event_time", Arc::new(TimestampMicrosecondArray::from(vec![5]))), &["UTC"]);
        check_refused(&replace("customer_id", Arc::new(StringArray::from(vec![None::<&str>]))), &["row 1", "NULL"]);
    }
}
