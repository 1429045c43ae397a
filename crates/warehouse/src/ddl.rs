//! Defines how SQL types and `CREATE TABLE` become Arrow types. `TIMESTAMP` means microseconds in UTC everywhere, in
//! DDL, casts and literals: one timestamp type, so that comparing two of them never converts and Parquet files are
//! readable by every engine (DataFusion's own default is nanoseconds without a zone).

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::error::Result as QueryResult;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{self, CreateTable, Ident};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

/// What columns can be, as messages say it.
pub(crate) const TYPES: &str = "BOOLEAN, BIGINT, DOUBLE, VARCHAR, DATE or TIMESTAMP";

/// Microseconds in UTC, the only timestamp type.
pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The SQL name of a column type, as messages and `describe` show it.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "VARCHAR".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Timestamp(..) => "TIMESTAMP".into(),
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => format!("DECIMAL({digits},{scale})"),
        other => other.to_string(),
    }
}

/// A name as SQL takes any: `date` and `order` are words of the language, too.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The name that an identifier means: in lower case unless it is quoted.
pub(crate) fn meant(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// The columns of a `CREATE TABLE`; all may be NULL.
///
/// # Errors
/// Names the column whose type tables here don't have.
pub(crate) fn table_schema(table: &CreateTable) -> Result<SchemaRef, String> {
    let mut fields: Vec<Field> = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let name = meant(&column.name);
        let data_type = column_type(&column.data_type)
            .ok_or_else(|| format!("column {name} has type {}: use {TYPES}", column.data_type))?;
        if fields.iter().any(|field| field.name() == &name) {
            return Err(format!("column {name} is there twice"));
        }
        fields.push(Field::new(name, data_type, true));
    }
    match fields.is_empty() {
        true => Err("the table has no columns".into()),
        false => Ok(Arc::new(Schema::new(fields))),
    }
}

/// The type of a SQL name such as `BIGINT`.
pub(crate) fn parse_type(name: &str) -> Option<DataType> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(name).ok()?;
    let data_type = column_type(&parser.parse_data_type().ok()?)?;
    (parser.peek_token().token == Token::EOF).then_some(data_type)
}

fn column_type(sql_type: &ast::DataType) -> Option<DataType> {
    use ast::DataType as Sql;
    match sql_type {
        Sql::Boolean | Sql::Bool => Some(DataType::Boolean),
        Sql::BigInt(_) => Some(DataType::Int64),
        Sql::Double(_) | Sql::DoublePrecision => Some(DataType::Float64),
        Sql::Varchar(None) | Sql::Text | Sql::String(None) => Some(DataType::Utf8),
        Sql::Date => Some(DataType::Date32),
        other => time_type(other),
    }
}

fn time_type(sql_type: &ast::DataType) -> Option<DataType> {
    use ast::DataType as Sql;
    matches!(sql_type, Sql::Timestamp(..) | Sql::TimestampNtz(_) | Sql::Datetime(_)).then(timestamp)
}

/// Gives SQL's `TIMESTAMP` the one timestamp type.
#[derive(Debug)]
pub(crate) struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> QueryResult<Option<FieldRef>> {
        Ok(time_type(sql_type).map(|data_type| Arc::new(Field::new("", data_type, true))))
    }
}

/// `a TYPE, b TYPE` for messages.
pub(crate) struct Columns<'a>(pub(crate) &'a Schema);

impl fmt::Display for Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, field) in self.0.fields().iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{}", field.name())?;
        }
        Ok(())
    }
}
