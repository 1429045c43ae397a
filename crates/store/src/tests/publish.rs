use std::collections::BTreeMap;

use arrow::array::{BooleanArray, Date32Array, Int32Array, RecordBatchReader, TimestampNanosecondArray, UInt64Array};
use arrow::datatypes::TimeUnit;
use object_store::memory::InMemory;
use parquet::basic::{LogicalType, TimeUnit as ParquetTimeUnit, Type};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;

use super::*;
use crate::{Error, PublishedVersion, Publisher};

fn target() -> (TempDir, Publisher) {
    let folder = tempfile::tempdir().unwrap();
    let publisher = Publisher::open(folder.path().to_str().unwrap(), NO_OPTIONS).unwrap();
    (folder, publisher)
}

async fn publish(publisher: &Publisher, tables: &[(&str, Vec<Row>)], snapshot: u64) -> Result<PublishedVersion> {
    let mut publication = publisher.begin().await?;
    for (name, rows) in tables {
        let batches = rows.chunks(100).map(batch).collect();
        publication.write(name, &schema(), stream(batches)).await?;
    }
    publication.finish(snapshot, &json!({ "tables": [] })).await
}

/// The rows of each table of the published version, its checksums compared.
fn read(folder: &std::path::Path, version: &PublishedVersion) -> BTreeMap<String, Vec<Row>> {
    let read = |(name, table): (&String, &crate::PublishedTable)| {
        let rows = table.files.iter().flat_map(|file| {
            let bytes = std::fs::read(folder.join(&file.path)).unwrap();
            let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!((bytes.len() as u64, &sum), (file.size, &file.sha256));
            let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap().build().unwrap();
            reader.flat_map(|batch| rows_of(&batch.unwrap())).collect::<Vec<_>>()
        });
        let rows: Vec<Row> = rows.collect();
        assert_eq!(rows.len() as u64, table.rows);
        (name.clone(), rows)
    };
    version.tables.iter().map(read).collect()
}

#[tokio::test]
async fn publishing_twice_gives_the_same_rows() {
    let (folder, publisher) = target();
    assert_eq!(publisher.latest().await.unwrap(), None);
    let tables = [("customer_360", some_rows(250, "a")), ("orders", some_rows(30, "b"))];
    let first = publish(&publisher, &tables, 7).await.unwrap();
    assert_eq!((first.version, first.snapshot), (1, 7));
    let second = publish(&publisher, &tables, 7).await.unwrap();
    assert_eq!(second.version, 2);
    assert_eq!(publisher.latest().await.unwrap().as_ref(), Some(&second));
    let expected = tables.map(|(name, rows)| (name.to_owned(), rows)).into();
    assert_eq!(read(folder.path(), &first), expected);
    assert_eq!(read(folder.path(), &second), expected);
    let sums = |version: &PublishedVersion| -> Vec<String> {
        version.tables.values().flat_map(|table| table.files.iter().map(|file| file.sha256.clone())).collect()
    };
    assert_eq!(sums(&first), sums(&second), "the same rows make the same bytes");
    assert!(folder.path().join("v2/_dictionary.json").is_file());
    assert_eq!(std::fs::read_link(folder.path().join("current")).unwrap(), std::path::Path::new("v2"));
    assert!(folder.path().join("current/customer_360/part-00000.parquet").is_file());
}

#[tokio::test]
async fn an_empty_result_is_a_file_with_its_columns() {
    let (folder, publisher) = target();
    let mut publication = publisher.begin().await.unwrap();
    publication.write("empty", &schema(), stream(vec![])).await.unwrap();
    publication.write("also_empty", &schema(), stream(vec![batch(&[])])).await.unwrap();
    let published = publication.finish(1, &json!({})).await.unwrap();
    for table in published.tables.values() {
        assert_eq!((table.rows, table.files.len()), (0, 1));
        let bytes = Bytes::from(std::fs::read(folder.path().join(&table.files[0].path)).unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        assert_eq!(reader.schema().fields(), schema().fields());
    }
}

#[tokio::test]
async fn columns_become_plain_ones() {
    let (folder, publisher) = target();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("é😀"), None, Some("a=b/c")]));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("text", arrow::compute::cast(&text, &dictionary).unwrap()),
        ("view", arrow::compute::cast(&text, &DataType::Utf8View).unwrap()),
        ("count", Arc::new(UInt64Array::from(vec![1, 2, 3]))),
        ("flag", Arc::new(BooleanArray::from(vec![true, false, true]))),
        ("day", Arc::new(Date32Array::from(vec![0, 1, 20_000]))),
        ("small", arrow::compute::cast(&Int32Array::from(vec![1, 2, 3]), &DataType::Int8).unwrap()),
        ("nothing", arrow::array::new_null_array(&DataType::Null, 3)),
        ("at", Arc::new(TimestampNanosecondArray::from(vec![1_000, 2_000, 1_700_000_000_123_456_000]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut publication = publisher.begin().await.unwrap();
    publication.write("t", &batch.schema(), stream(vec![batch.clone()])).await.unwrap();
    let published = publication.finish(1, &json!({})).await.unwrap();
    let bytes = Bytes::from(std::fs::read(folder.path().join(&published.tables["t"].files[0].path)).unwrap());

    let metadata = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = metadata.parse_and_finish(&bytes).unwrap();
    let types: Vec<_> = metadata.file_metadata().schema_descr().columns().iter().map(|c| c.physical_type()).collect();
    let (text, int, long) = (Type::BYTE_ARRAY, Type::INT32, Type::INT64);
    assert_eq!(types, [text, text, long, Type::BOOLEAN, int, int, text, long]);
    let at = metadata.file_metadata().schema_descr().column(7).logical_type_ref().cloned();
    assert_eq!(at, Some(LogicalType::timestamp(true, ParquetTimeUnit::MICROS)));
    assert!(metadata.row_group(0).column(0).statistics().is_some());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let read = arrow::compute::concat_batches(&reader.schema(), &reader.map(|b| b.unwrap()).collect::<Vec<_>>());
    let read = read.unwrap();
    let times = read.column(7).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.values(), &[1, 2, 1_700_000_000_123_456]);
    assert_eq!(read.column(0).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("é😀"), None, Some("a=b/c")]);
    assert_eq!(read.column(6).null_count(), 3);
}

#[tokio::test]
async fn columns_that_no_plain_file_holds_are_named() {
    let (_folder, publisher) = target();
    let mut publication = publisher.begin().await.unwrap();
    for data_type in [DataType::new_list(DataType::Int32, true), DataType::Time64(TimeUnit::Microsecond)] {
        let schema = Schema::new(vec![Field::new("odd", data_type, true)]);
        let error = publication.write("t", &schema, stream(vec![])).await.unwrap_err();
        assert!(matches!(&error, Error::Column { column, .. } if column == "odd"), "{error}");
    }
    let batch = RecordBatch::try_from_iter([("n", Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef)]).unwrap();
    let error = publication.write("t", &batch.schema(), stream(vec![batch])).await.unwrap_err();
    assert!(matches!(&error, Error::Column { column, .. } if column == "n"), "{error}");
    for name in ["", "a/b", "_x", "a b", "../x"] {
        let error = publication.write(name, &schema(), stream(vec![])).await.unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{name}: {error}");
    }
}

async fn killed_at_every_write(mode: Break) {
    let old = [("customer_360", some_rows(120, "old")), ("orders", some_rows(30, "old"))];
    let new = [("customer_360", some_rows(90, "new")), ("orders", some_rows(40, "new"))];
    let rows = |tables: &[(&str, Vec<Row>)]| -> BTreeMap<String, Vec<Row>> {
        tables.iter().map(|(name, rows)| ((*name).to_owned(), rows.clone())).collect()
    };
    let (before, after) = (rows(&old), rows(&new));
    let mut kills = 0;
    loop {
        let (folder, publisher) = target();
        publish(&publisher, &old, 1).await.unwrap();
        let killed = Publisher { root: BreakingStore::root(&publisher.root, kills, mode) };
        let finished = publish(&killed, &new, 2).await.is_ok();
        let seen = publisher.latest().await.unwrap().unwrap();
        let left = read(folder.path(), &seen);
        let expected = if seen.snapshot == 1 { &before } else { &after };
        assert_eq!(&left, expected, "killed at write {kills}");
        // The link may be one version behind, but what it shows is whole.
        let linked = std::fs::read(folder.path().join("current/_manifest.json")).unwrap();
        let linked: PublishedVersion = serde_json::from_slice(&linked).unwrap();
        assert!(linked.version <= seen.version);
        read(folder.path(), &linked);
        if finished {
            assert_eq!(seen.snapshot, 2);
            break;
        }
        let again = publish(&publisher, &new, 2).await.unwrap();
        assert!(again.version > seen.version);
        assert_eq!(read(folder.path(), &again), after);
        assert_eq!(
            std::fs::read_link(folder.path().join("current")).unwrap().to_str().unwrap(),
            format!("v{}", again.version)
        );
        // What the killed one left goes with the publish after that.
        publish(&publisher, &new, 2).await.unwrap();
        let whole = |entry: &std::fs::DirEntry| entry.path().join("_manifest.json").is_file();
        let entries = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
        let versions = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with('v'));
        assert!(versions.collect::<Vec<_>>().iter().all(whole), "killed at write {kills}: leftovers");
        kills += 1;
    }
    // The number, a file for each table, the dictionary, the manifest and the latest.
    assert_eq!(kills, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_killed_before_any_write_shows_one_version() {
    killed_at_every_write(Break::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_killed_after_any_write_shows_one_version() {
    killed_at_every_write(Break::After).await;
}

#[tokio::test]
async fn a_slow_publish_does_not_replace_a_later_one() {
    let (_folder, publisher) = target();
    let slow = publisher.begin().await.unwrap();
    let fast = publish(&publisher, &[("t", some_rows(3, "fast"))], 2).await.unwrap();
    assert_eq!((slow.version(), fast.version), (1, 2));
    let error = slow.finish(1, &json!({})).await.unwrap_err();
    assert!(matches!(error, Error::Overtaken { version: 1, newest: 2 }), "{error}");
    assert_eq!(publisher.latest().await.unwrap(), Some(fast));
}

#[tokio::test]
async fn a_folder_that_is_called_current_is_not_replaced() {
    let (folder, publisher) = target();
    std::fs::create_dir(folder.path().join("current")).unwrap();
    std::fs::write(folder.path().join("current/notes.txt"), "mine").unwrap();
    let error = publish(&publisher, &[("t", some_rows(3, "a"))], 1).await.unwrap_err();
    assert!(matches!(&error, Error::Exists { path } if path.ends_with("current")), "{error}");
    assert_eq!(std::fs::read_to_string(folder.path().join("current/notes.txt")).unwrap(), "mine");
}

/// Object stores have no links: `current/` holds one object for each table, and none that is not published any more.
#[tokio::test]
async fn object_stores_get_one_object_for_each_table() {
    let root = Root {
        url: Url::parse("memory:///bucket/").unwrap(),
        prefix: Path::from("bucket"),
        objects: Arc::new(InMemory::new()),
        folder: None,
    };
    let publisher = Publisher { root };
    publish(&publisher, &[("a", some_rows(5, "a")), ("b", some_rows(5, "b"))], 1).await.unwrap();
    let published = publish(&publisher, &[("b", some_rows(9, "new")), ("c", some_rows(5, "c"))], 2).await.unwrap();
    let current = publisher.root.list("current").await.unwrap();
    assert_eq!(current, ["current/b.parquet", "current/c.parquet"]);
    let bytes = publisher.root.get("current/b.parquet").await.unwrap();
    assert_eq!(bytes, publisher.root.get(&published.tables["b"].files[0].path).await.unwrap());
}
