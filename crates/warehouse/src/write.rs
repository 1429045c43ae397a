//! Defines writing a query's result to a stream or a local file. A file is written beside its place and renamed, so that
//! it is there whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::{csv, json};
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use store::Store;

use crate::conform::{conform_computed, table_type};
use crate::error::{Error, Result};
use crate::session::Query;

/// The form of a result file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// With a header; lists and structs as JSON.
    Csv,
    /// One object per line.
    JsonLines,
    /// One array of objects; no ending says this.
    Json,
    /// zstd, timestamps in microseconds UTC.
    Parquet,
}

impl FileFormat {
    /// Told by the ending `.csv`, `.json`, `.ndjson`, `.jsonl` or `.parquet`.
    pub fn of(path: &Path) -> Result<FileFormat> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(FileFormat::Csv),
            Some("json" | "ndjson" | "jsonl") => Ok(FileFormat::JsonLines),
            Some("parquet") => Ok(FileFormat::Parquet),
            _ => Err(Error::Argument {
                what: "file",
                value: path.display().to_string(),
                valid: "its ending says the format: .csv, .json, .ndjson, .jsonl or .parquet".into(),
            }),
        }
    }
}

/// Runs `query` and writes its rows to the local file `path`, over what was there. Returns the number of rows.
///
/// # Errors
/// [`Error::Io`]: the folder does not exist, or is not writable. [`Error::Argument`] for a URL,
/// [`store::Error::InWarehouse`] for a file among those of a warehouse.
pub async fn write_file(query: Query, path: &Path, format: FileFormat) -> Result<u64> {
    if path.to_string_lossy().contains("://") {
        let valid = "results are written to local files; `perennial publish` writes to object stores".into();
        return Err(Error::Argument { what: "file", value: path.display().to_string(), valid });
    }
    Store::must_be_outside(path)?;
    let io = |source| Error::Io { action: "write", path: path.to_path_buf(), source };
    let partial = Partial::beside(path);
    let file = BufWriter::new(File::create(&partial.0).map_err(io)?);
    let (rows, file) = write_rows(query, file, format).await?;
    file.into_inner().map_err(|e| io(e.into_error()))?.sync_all().map_err(io)?;
    std::fs::rename(&partial.0, path).map_err(io)?;
    Ok(rows)
}

/// Writes a local file whole or not at all, over what was there.
///
/// # Errors
/// [`Error::Io`].
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let io = |source| Error::Io { action: "write", path: path.to_path_buf(), source };
    let partial = Partial::beside(path);
    std::fs::write(&partial.0, bytes).map_err(io)?;
    std::fs::rename(&partial.0, path).map_err(io)
}

/// Runs `query` and writes its rows to `sink`, batch by batch. Returns their number, and the sink, flushed.
pub async fn write_rows<W: Write + Send>(query: Query, sink: W, format: FileFormat) -> Result<(u64, W)> {
    let schema = plain_schema(&query.schema(), format);
    // What a format can't hold is said before anything is written.
    plain(&RecordBatch::new_empty(query.schema()), &schema)?;
    let mut batches = query.stream().await?;
    let mut writer = Writer::new(sink, format, &schema)?;
    let mut rows = 0;
    while let Some(batch) = batches.next().await {
        let batch = plain(&batch?, &schema)?;
        rows += batch.num_rows() as u64;
        writer.write(&batch)?;
    }
    Ok((rows, writer.finish()?))
}

/// A file that is removed unless it was renamed.
struct Partial(PathBuf);

impl Partial {
    fn beside(path: &Path) -> Partial {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Partial(path.with_file_name(format!(".{name}.{}.part", std::process::id())))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already when all went well.
        let _ = std::fs::remove_file(&self.0);
    }
}

enum Writer<W: Write + Send> {
    Csv(Box<csv::Writer<W>>),
    JsonLines(Box<json::LineDelimitedWriter<W>>),
    Json(Box<json::ArrayWriter<W>>),
    Parquet(Box<ArrowWriter<W>>),
}

impl<W: Write + Send> Writer<W> {
    fn new(sink: W, format: FileFormat, schema: &SchemaRef) -> Result<Self> {
        let with_nulls = || json::WriterBuilder::new().with_explicit_nulls(true);
        Ok(match format {
            FileFormat::Csv => {
                let mut writer = csv::WriterBuilder::new().with_header(true).build(sink);
                // The header comes with the first batch; an empty result has one too.
                writer.write(&RecordBatch::new_empty(Arc::clone(schema)))?;
                Writer::Csv(Box::new(writer))
            }
            FileFormat::JsonLines => Writer::JsonLines(Box::new(with_nulls().build(sink))),
            FileFormat::Json => Writer::Json(Box::new(with_nulls().build(sink))),
            FileFormat::Parquet => {
                let zstd = Compression::ZSTD(ZstdLevel::default());
                let properties = WriterProperties::builder().set_compression(zstd).build();
                let writer = ArrowWriter::try_new(sink, Arc::clone(schema), Some(properties));
                Writer::Parquet(Box::new(writer.map_err(parquet)?))
            }
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Writer::Csv(writer) => Ok(writer.write(batch)?),
            Writer::JsonLines(writer) => Ok(writer.write(batch)?),
            Writer::Json(writer) => Ok(writer.write(batch)?),
            Writer::Parquet(writer) => writer.write(batch).map_err(parquet),
        }
    }

    fn finish(self) -> Result<W> {
        let mut sink = match self {
            Writer::Csv(writer) => writer.into_inner(),
            Writer::JsonLines(mut writer) => {
                writer.finish()?;
                writer.into_inner()
            }
            Writer::Json(mut writer) => {
                writer.finish()?;
                writer.into_inner()
            }
            Writer::Parquet(writer) => writer.into_inner().map_err(parquet)?,
        };
        sink.flush().map_err(ArrowError::from)?;
        Ok(sink)
    }
}

/// Table types where there is one; nested columns stay, but in CSV, which knows only texts.
fn plain_schema(schema: &Schema, format: FileFormat) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let own = field.data_type();
        let is_plain = |_: &DataType| format == FileFormat::Csv || !own.is_nested();
        let data_type = table_type(own).filter(is_plain).unwrap_or_else(|| own.clone());
        Field::new(field.name(), data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(array, field)| {
        if array.data_type() == field.data_type() {
            return Ok(Arc::clone(array));
        }
        conform_computed(array, field.data_type()).map_err(|misfit| Error::WrongValue {
            place: "the result".into(),
            column: field.name().clone(),
            value: misfit.value,
            problem: misfit.problem,
        })
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<_>>>()?).map_err(Error::from)
}

fn parquet(error: parquet::errors::ParquetError) -> Error {
    datafusion::error::DataFusionError::from(error).into()
}
