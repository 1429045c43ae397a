//! Text columns read as they lie in Parquet files: the values of a row group, and for every row which of them it has. Who
//! asks only where a value changes, or how many there are, need not look at each row's text.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::DefaultParquetFileReaderFactory;
use datafusion::error::Result as QueryResult;
use datafusion::object_store::ObjectStore;
use datafusion::physical_expr::expressions::{Column, IsNotNullExpr};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema, parquet_to_arrow_schema};
use parquet::errors::Result;
use parquet::file::metadata::{FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataBuilder};

/// Whether columns of this type are dictionaries as they are read here.
pub(crate) fn is_dictionary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Dictionary(index, text) if **index == DataType::Int32 && **text == DataType::Utf8)
}

/// Names the columns of these that are dictionaries, if there are any.
pub(crate) fn show_dictionaries(columns: &Schema, f: &mut fmt::Formatter) -> fmt::Result {
    let names = columns.fields().iter().filter(|field| is_dictionary(field.data_type())).map(|field| field.name());
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() { Ok(()) } else { write!(f, ", dictionaries of {}", names.join(", ")) }
}

/// The text of a row of a text column, which may be a dictionary.
pub(crate) fn text_at(texts: &ArrayRef, row: usize) -> Option<&str> {
    if texts.is_null(row) {
        return None;
    }
    Some(match texts.as_dictionary_opt::<Int32Type>() {
        Some(texts) => texts.values().as_string::<i32>().value(texts.keys().value(row) as usize),
        None => texts.as_string::<i32>().value(row),
    })
}

/// The same columns, those of these names that are text as dictionaries.
pub(crate) fn with_dictionaries(schema: &Schema, texts: &[String]) -> SchemaRef {
    let field = |field: &Field| match field.data_type() {
        DataType::Utf8 if texts.contains(field.name()) => {
            let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            field.clone().with_data_type(dictionary)
        }
        _ => field.clone(),
    };
    let fields: Vec<Field> = schema.fields().iter().map(|each| field(each)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The columns of which a predicate asks more than whether they are NULL.
pub(crate) fn texts_read(predicate: &Arc<dyn PhysicalExpr>) -> BTreeSet<String> {
    let parts = split_conjunction(predicate).into_iter();
    let parts =
        parts.filter(|part| !part.downcast_ref::<IsNotNullExpr>().is_some_and(|part| part.arg().is::<Column>()));
    names_in(parts)
}

/// The columns of expressions.
pub(crate) fn names_in<'a>(exprs: impl IntoIterator<Item = &'a Arc<dyn PhysicalExpr>>) -> BTreeSet<String> {
    exprs.into_iter().flat_map(collect_columns).map(|column| column.name().to_owned()).collect()
}

/// Reads files as if they had been written with dictionaries for these columns: their decoder goes by what the file says
/// that it was written from. (A schema handed to the decoder must have just the columns of the file, and older files have
/// fewer.)
#[derive(Debug)]
pub(crate) struct DictionaryReaders {
    texts: Arc<[String]>,
    files: DefaultParquetFileReaderFactory,
}

impl DictionaryReaders {
    pub(crate) fn new(texts: &[String], objects: Arc<dyn ObjectStore>) -> DictionaryReaders {
        DictionaryReaders { texts: texts.into(), files: DefaultParquetFileReaderFactory::new(objects) }
    }
}

impl ParquetFileReaderFactory for DictionaryReaders {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> QueryResult<Box<dyn AsyncFileReader + Send>> {
        let file = self.files.create_reader(partition, file, metadata_size_hint, metrics)?;
        Ok(Box::new(DictionaryReader { texts: Arc::clone(&self.texts), file }))
    }
}

struct DictionaryReader {
    texts: Arc<[String]>,
    file: Box<dyn AsyncFileReader + Send>,
}

impl AsyncFileReader for DictionaryReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.file.get_bytes(range)
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        self.file.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        let texts = Arc::clone(&self.texts);
        let metadata = self.file.get_metadata(options);
        async move { Ok(Arc::new(marked(metadata.await?.as_ref(), &texts)?)) }.boxed()
    }
}

/// What a file says of itself, but for the types of these columns.
fn marked(metadata: &ParquetMetaData, texts: &[String]) -> Result<ParquetMetaData> {
    let file = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    let schema = encode_arrow_schema(&with_dictionaries(&schema, texts));
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        Some(vec![KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), schema)]),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    Ok(ParquetMetaDataBuilder::new(file)
        .set_row_groups(metadata.row_groups().to_vec())
        .set_column_index(metadata.column_index().cloned())
        .set_offset_index(metadata.offset_index().cloned())
        .build())
}
