//! Runs every `.slt` of `tests/sql/` against the shipped views over empty tables in memory. Each file is a fresh start.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

struct Views {
    scratch: pipeline::Scratch,
    _folder: TempDir,
}

#[async_trait::async_trait]
impl AsyncDB for Views {
    type Error = pipeline::Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, pipeline::Error> {
        let batches = self.scratch.run(sql).await?;
        if sql.trim_start().to_uppercase().starts_with("INSERT") {
            return Ok(DBOutput::StatementComplete(0));
        }
        let types = batches
            .first()
            .map_or(Vec::new(), |batch| batch.schema().fields().iter().map(|f| column_type(f.data_type())).collect());
        Ok(DBOutput::Rows { types, rows: batches.iter().flat_map(rows).collect() })
    }

    async fn shutdown(&mut self) {}
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        DataType::Int64 | DataType::Int32 => DefaultColumnType::Integer,
        DataType::Float64 => DefaultColumnType::FloatingPoint,
        DataType::Utf8 => DefaultColumnType::Text,
        _ => DefaultColumnType::Any,
    }
}

fn rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let format = |array| ArrayFormatter::try_new(array, &options).expect("a printable type");
    let columns: Vec<_> = batch.columns().iter().map(|column| format(column.as_ref())).collect();
    let cell = |text: String| if text.is_empty() { "(empty)".into() } else { text };
    (0..batch.num_rows()).map(|row| columns.iter().map(|c| cell(c.value(row).to_string())).collect()).collect()
}

#[test]
fn shipped_views_keep_their_rules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
    let mut files = Vec::new();
    for schema in std::fs::read_dir(folder).expect("tests/sql") {
        let schema: PathBuf = schema.expect("a folder").path();
        files.extend(std::fs::read_dir(schema).expect("a folder").map(|file| file.expect("a file").path()));
    }
    assert!(files.len() > 10, "{files:?}");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let failed: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let mut runner = Runner::new(|| async {
                let folder = tempfile::tempdir().expect("a folder");
                let scratch = pipeline::Scratch::new(folder.path(), None).await?;
                Ok(Views { scratch, _folder: folder })
            });
            runtime.block_on(runner.run_file_async(file)).err().map(|error| format!("{}: {error}", file.display()))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
