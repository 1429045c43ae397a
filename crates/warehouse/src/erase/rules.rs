//! Defines what rules are made of: values computed for the rows of any file of a table.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::or;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;
use store::{BoxError, CUSTOMER_ID, Rule};

use crate::conform::conform;
use crate::session::Session;

/// Between the values of a key.
const BETWEEN_VALUES: &str = "\u{1f}";

/// Rows with the customers' ids in any `…customer_id` column.
pub(super) fn by_id(ids: &BTreeSet<String>) -> Rule {
    let ids = ids.clone();
    Arc::new(move |batch: &RecordBatch| {
        let mut goes = BooleanArray::from(vec![false; batch.num_rows()]);
        for column in batch.schema().fields().iter().filter(|field| field.name().ends_with(CUSTOMER_ID)) {
            if let Some(found) = batch.column_by_name(column.name()).and_then(|c| c.as_string_opt::<i32>()) {
                goes = or(&goes, &one_of(found, |id| ids.contains(id)))?;
            }
        }
        Ok(goes)
    })
}

pub(super) fn either(a: Rule, b: Rule) -> Rule {
    Arc::new(move |batch: &RecordBatch| Ok(or(&a(batch)?, &b(batch)?)?))
}

/// Never NULL: what has no value is nobody's.
pub(super) fn one_of(texts: &StringArray, is_one: impl Fn(&str) -> bool) -> BooleanArray {
    texts.iter().map(|text| Some(text.is_some_and(&is_one))).collect()
}

/// Several values as one text.
pub(super) fn key_of<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    values.into_iter().collect::<Vec<_>>().join(BETWEEN_VALUES)
}

/// Values over the columns of a table. They are computed over those of a file: it may lack some that its table got later,
/// and have others of another type if the table was made anew after a restore.
pub(super) struct Values {
    pub(super) session: Arc<Session>,
    pub(super) columns: SchemaRef,
    pub(super) values: Vec<Expr>,
}

impl Values {
    /// Each value of all rows as text, as core tables hold ids.
    pub(super) fn texts(&self, batch: &RecordBatch) -> Result<Vec<StringArray>, BoxError> {
        let field = |field: &Arc<Field>| match batch.schema_ref().column_with_name(field.name()) {
            Some((_, there)) => Arc::new(there.clone()),
            None => Arc::clone(field),
        };
        let schema = Arc::new(Schema::new(self.columns.fields().iter().map(field).collect::<Vec<_>>()));
        let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
            Some(column) => Arc::clone(column),
            None => new_null_array(field.data_type(), batch.num_rows()),
        };
        let whole = RecordBatch::try_new(Arc::clone(&schema), schema.fields().iter().map(column).collect())?;
        let value = |value: &Expr| texts(&self.session.physical(value.clone(), &schema)?, &whole);
        self.values.iter().map(value).collect()
    }

    /// All values of each row as one text; NULL where one of them is.
    pub(super) fn keys(&self, batch: &RecordBatch) -> Result<StringArray, BoxError> {
        let columns = self.texts(batch)?;
        let key = |row: usize| -> Option<String> {
            let values = columns.iter().map(|column| column.is_valid(row).then(|| column.value(row)));
            Some(key_of(values.collect::<Option<Vec<_>>>()?))
        };
        Ok((0..batch.num_rows()).map(key).collect())
    }
}

fn texts(value: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<StringArray, BoxError> {
    if let Ok(computed) = as_texts(value, batch) {
        return Ok(computed);
    }
    // A value that staging leaves out may be none that the expression bears: only that row has no text.
    let one = |row| as_texts(value, &batch.slice(row, 1)).ok();
    let one = |row| one(row).and_then(|text| text.is_valid(0).then(|| text.value(0).to_string()));
    Ok((0..batch.num_rows()).map(one).collect())
}

fn as_texts(value: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<StringArray, BoxError> {
    let computed = value.evaluate(batch)?.into_array(batch.num_rows())?;
    let texts =
        conform(&computed, &DataType::Utf8).map_err(|misfit| format!("\"{}\" {}", misfit.value, misfit.problem))?;
    Ok(texts.as_string::<i32>().clone())
}
