//! Defines which columns can be stored and published, and casts batches to them.
//!
//! Stored columns must be what they claim: text in any of Arrow's forms becomes Utf8, nothing else is cast, because a
//! silent cast of a time or an amount is a wrong number later. Published columns come from any query, so they are cast
//! to what BI tools read wherever that loses no row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::{BUCKET, CUSTOMER_ID, EVENT_TIME, KNOWN_TIME};

const UTC: &str = "UTC";

/// The schema that `table` gets when `schema` is asked for: text as Utf8, every column nullable.
pub(crate) fn storable(table: &str, schema: &Schema, layout: &Layout) -> Result<SchemaRef> {
    let mut fields: Vec<Field> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let invalid = |reason: &str| Error::column(table, field.name(), reason);
        if fields.iter().any(|other| other.name().eq_ignore_ascii_case(field.name())) {
            return Err(invalid("two columns have this name (upper and lower case count as the same)"));
        }
        if layout.is_clustered() && field.name() == BUCKET {
            return Err(invalid("the name is reserved for the bucket of the customer"));
        }
        let data_type = storable_type(field.data_type()).ok_or_else(|| {
            let valid = "text, BOOLEAN, signed whole numbers, FLOAT, DOUBLE, DECIMAL, DATE and TIMESTAMP with UTC";
            invalid(&format!("{} cannot be stored, only {valid} in microseconds; cast it", field.data_type()))
        })?;
        fields.push(Field::new(field.name(), data_type, true));
    }
    let schema = Schema::new(fields);
    if schema.fields().is_empty() {
        return Err(Error::column(table, "*", "a table needs at least one column"));
    }
    for column in layout.sort_columns() {
        let field = schema.field_with_name(column);
        let field = field.map_err(|_| Error::column(table, column, "a clustered table must have this column"))?;
        let needed = match column {
            CUSTOMER_ID => Some(DataType::Utf8),
            EVENT_TIME | KNOWN_TIME => Some(timestamp()),
            _ => None,
        };
        if let Some(needed) = needed.filter(|needed| needed != field.data_type()) {
            return Err(Error::column(table, column, format!("must be {needed}, not {}", field.data_type())));
        }
    }
    Ok(Arc::new(schema))
}

/// The schema that is published for `schema`: plain columns only, nullable, times in microseconds UTC.
pub(crate) fn publishable(table: &str, schema: &Schema) -> Result<SchemaRef> {
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let data_type = publishable_type(field.data_type()).ok_or_else(|| {
            let reason = format!("{} cannot be published; cast it to a plain type or leave it out", field.data_type());
            Error::column(table, field.name(), reason)
        })?;
        fields.push(Field::new(field.name(), data_type, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// `batch` with exactly the columns of `schema`, matched by name; only text changes its Arrow form.
pub(crate) fn to_stored(table: &str, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = matched(table, batch, schema, |column, field| {
        if column.data_type() == field.data_type() {
            return Ok(column.clone());
        }
        if storable_type(column.data_type()).as_ref() != Some(field.data_type()) {
            let reason = format!("is {} in the rows, but {} in the table", column.data_type(), field.data_type());
            return Err(Error::column(table, field.name(), reason));
        }
        cast(table, column, field)
    })?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(|e| Error::parquet(table, e))
}

/// `batch` with exactly the columns of `schema`, matched by name and cast; a value that the type cannot hold is an
/// error.
pub(crate) fn to_published(table: &str, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = matched(table, batch, schema, |column, field| match column.data_type() == field.data_type() {
        true => Ok(column.clone()),
        false => cast(table, column, field),
    })?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(|e| Error::parquet(table, e))
}

/// Refuses the customer '': it would be one customer made of all rows that lack one. `first_row` counts from 1.
pub(crate) fn refuse_empty_customer(table: &str, batch: &RecordBatch, first_row: u64) -> Result<()> {
    let Some(customers) = batch.column_by_name(CUSTOMER_ID) else { return Ok(()) };
    let customers = customers.as_string::<i32>();
    match (0..customers.len()).find(|&row| customers.is_valid(row) && customers.value(row).is_empty()) {
        None => Ok(()),
        Some(row) => {
            let row = first_row + row as u64;
            Err(Error::column(table, CUSTOMER_ID, format!("is '' in row {row}; make it NULL, or leave the row out")))
        }
    }
}

pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

fn storable_type(data_type: &DataType) -> Option<DataType> {
    use DataType::*;
    match data_type {
        Utf8 | LargeUtf8 | Utf8View => Some(Utf8),
        Dictionary(_, values) => storable_type(values).filter(|values| *values == Utf8),
        Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Date32 | Decimal128(_, 0..) => {
            Some(data_type.clone())
        }
        Timestamp(..) if *data_type == timestamp() => Some(timestamp()),
        _ => None,
    }
}

fn publishable_type(data_type: &DataType) -> Option<DataType> {
    use DataType::*;
    match data_type {
        // A column that is NULL in every row, such as `NULL AS note`, has no type of its own.
        Utf8 | LargeUtf8 | Utf8View | Null => Some(Utf8),
        Dictionary(_, values) => publishable_type(values),
        // Narrow and unsigned whole numbers are what readers most often lack.
        Int8 | Int16 | Int32 | UInt8 | UInt16 => Some(Int32),
        Int64 | UInt32 | UInt64 => Some(Int64),
        Float16 | Float32 => Some(Float32),
        Boolean | Float64 | Decimal128(_, 0..) => Some(data_type.clone()),
        Date32 | Date64 => Some(Date32),
        Timestamp(..) => Some(timestamp()),
        _ => None,
    }
}

fn matched(
    table: &str,
    batch: &RecordBatch,
    schema: &SchemaRef,
    convert: impl Fn(&ArrayRef, &Field) -> Result<ArrayRef>,
) -> Result<Vec<ArrayRef>> {
    if let Some(extra) = batch.schema_ref().fields().iter().find(|field| schema.field_with_name(field.name()).is_err())
    {
        let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        return Err(Error::column(table, extra.name(), format!("is no column here; there are {}", known.join(", "))));
    }
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(column) => convert(column, field),
        None => Err(Error::column(table, field.name(), "is missing in the rows")),
    };
    schema.fields().iter().map(column).collect()
}

fn cast(table: &str, column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, field.data_type(), &strict).map_err(|e| Error::column(table, field.name(), e.to_string()))
}
