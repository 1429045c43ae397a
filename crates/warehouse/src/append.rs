//! Defines appends of the program's own results (scores, runs, metrics, checks) to their tables, as one snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{Field, SchemaRef};
use futures::{StreamExt, TryStreamExt, stream};
use store::{Append, Snapshot};

use crate::Warehouse;
use crate::catalog::Kind;
use crate::conform::conform_stored;
use crate::ddl::Columns;
use crate::error::{Error, Result};
use crate::session::Batches;

impl Warehouse {
    /// Appends to several tables and commits one snapshot that has all of it. A table that has `transaction` already is
    /// left as it is, so that a repeated call finishes what a killed one began.
    ///
    /// # Errors
    /// [`Error::Argument`] for a table or column that no `CREATE TABLE` defines, [`Error::WrongValue`].
    pub async fn append(
        &self,
        tables: Vec<(&str, Vec<RecordBatch>)>,
        transaction: &str,
        operation: &str,
    ) -> Result<Snapshot> {
        let mut versions = BTreeMap::new();
        for (name, batches) in tables {
            let batches = stream::iter(batches.into_iter().map(Ok)).boxed();
            versions.insert(name.to_string(), self.append_stream(name, batches, transaction, operation).await?);
        }
        self.commit(operation, versions).await
    }

    /// Appends a stream to one table and returns its version, for [`Warehouse::commit`]: no snapshot has the rows yet.
    pub async fn append_stream(&self, name: &str, batches: Batches, transaction: &str, operation: &str) -> Result<u64> {
        self.append_as(name, batches, (transaction.into(), 1), operation).await
    }

    /// The same with a numbered transaction.
    pub(crate) async fn append_as(
        &self,
        name: &str,
        batches: Batches,
        transaction: (String, i64),
        operation: &str,
    ) -> Result<u64> {
        let definition = self.catalog().get(name).filter(|definition| definition.kind == Kind::Table);
        let Some((definition, columns)) = definition.and_then(|d| d.columns.clone().map(|columns| (d, columns))) else {
            let valid = "a CREATE TABLE in sql/<schema>/<name>.sql must define it".into();
            return Err(Error::Argument { what: "table", value: name.into(), valid });
        };
        let append = Append {
            operation: operation.into(),
            schema: Arc::clone(&columns),
            transactions: vec![transaction],
            epoch: None,
        };
        let rows = batches.and_then(|batch| futures::future::ready(to_table(name, &batch, &columns)));
        let table = self.store().append(name, &self.layout(definition), append, rows).await;
        Ok(table?.version)
    }

    /// Commits a snapshot in which the tables have these versions.
    pub async fn commit(&self, operation: &str, versions: BTreeMap<String, u64>) -> Result<Snapshot> {
        Ok(self.store().commit_snapshot(operation, versions).await?)
    }
}

/// `batch` with exactly the table's columns; those it lacks are NULL.
fn to_table(name: &str, batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch> {
    if let Some(field) = batch.schema().fields().iter().find(|field| columns.index_of(field.name()).is_err()) {
        let valid = format!("{name} has {}", Columns(columns));
        return Err(Error::Argument { what: "column", value: field.name().clone(), valid });
    }
    let column = |field: &Arc<Field>| -> Result<ArrayRef> {
        let Some(array) = batch.column_by_name(field.name()) else {
            return Ok(new_null_array(field.data_type(), batch.num_rows()));
        };
        conform_stored(array, field.data_type()).map_err(|misfit| Error::WrongValue {
            place: name.into(),
            column: field.name().clone(),
            value: misfit.value,
            problem: misfit.problem,
        })
    };
    let arrays = columns.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(Arc::clone(columns), arrays).map_err(Error::from)
}
