use std::collections::BTreeSet;

use arrow::array::Int32Array;
use arrow::compute::cast;
use parquet::file::metadata::{ParquetMetaDataReader, SortingColumn};
use proptest::prelude::*;

use super::*;
use crate::{Error, NO_CUSTOMER_BUCKET, TimeRange, bucket_of};

/// Computed with python-xxhash's xxh3_64_intdigest(…) % 16.
#[test]
fn buckets_are_xxh3_modulo_n() {
    let known = [("17850", 6), ("c-1", 12), ("客户/=é😀", 12)];
    for (customer, bucket) in known {
        assert_eq!(bucket_of(Some(customer), 16), bucket, "{customer}");
    }
    assert_eq!(bucket_of(None, 16), NO_CUSTOMER_BUCKET);
}

/// The order of the contract, said without Arrow: NULL after every value.
fn order(row: &Row) -> impl PartialOrd + use<> {
    fn last<T>(value: Option<T>) -> (bool, Option<T>) {
        (value.is_none(), value)
    }
    (last(row.customer_id.clone()), last(row.event_time), last(row.known_time), row.id.clone())
}

pub(super) fn any_row() -> impl Strategy<Value = Row> {
    let texts = prop_oneof![Just(""), Just("😀 ok"), Just("a=b/c"), Just("顾客"), Just("NULL"), Just("c\"d\\e\n")];
    let customers = prop_oneof![Just("17850"), Just("c1"), Just("c10"), Just("顾客=1/2"), Just("😀"), Just(" ")];
    let time = || proptest::option::weighted(0.9, -5_000_000i64..5_000_000);
    (
        proptest::option::weighted(0.8, customers),
        time(),
        time(),
        "[a-c]{1,2}",
        proptest::option::of(texts),
        proptest::option::of(-2.0..2.0f64),
    )
        .prop_map(|(customer, event_time, known_time, id, note, amount)| Row {
            customer_id: customer.map(str::to_owned),
            event_time,
            known_time,
            id,
            note: note.map(str::to_owned),
            amount,
        })
}

fn range(times: impl Iterator<Item = Option<i64>> + Clone) -> Option<TimeRange> {
    Some(TimeRange { min: times.clone().flatten().min()?, max: times.flatten().max()? })
}

async fn check_clustered(appends: &[Vec<Vec<Row>>], buckets: u32, buffer_bytes: usize) {
    let (_folder, store) = store_with(buckets).await;
    let layout = clustered(buckets);
    for batches in appends {
        let batches = batches.iter().map(|rows| batch(rows)).collect();
        store.append_buffered("core.orders", &layout, described("t"), stream(batches), buffer_bytes).await.unwrap();
    }
    let table = store.latest("core.orders").await.unwrap().unwrap();
    assert_eq!(table.layout, layout);
    assert_eq!(table.schema, schema());
    for file in &table.files {
        let bytes = file_bytes(&store, file).await;
        assert_eq!(file.size, bytes.len() as u64);
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes).unwrap();
        let expected: Vec<_> =
            [0, 1, 2, 3].map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false }).into();
        assert!(metadata.row_groups().iter().all(|group| group.sorting_columns() == Some(&expected)));
        assert!(file.sorted);
        let rows = read_file(&store, file).await;
        assert!(rows.is_sorted_by_key(order), "{} is not sorted: {rows:#?}", file.path);
        assert!(rows.iter().all(|row| Some(bucket_of(row.customer_id.as_deref(), buckets)) == file.bucket));
        assert_eq!(rows.len() as u64, file.rows);
        assert_eq!(file.event_time, range(rows.iter().map(|row| row.event_time)));
        assert_eq!(file.known_time, range(rows.iter().map(|row| row.known_time)));
    }
    let appended = appends.iter().flatten().flatten().cloned().collect();
    assert_eq!(read_table(&store, &table).await, sorted(appended));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn clustered_rows_come_back_each_in_its_bucket_and_in_order(
        appends in prop::collection::vec(prop::collection::vec(prop::collection::vec(any_row(), 0..30), 0..4), 1..3),
        buckets in prop_oneof![Just(1u32), Just(3), Just(16)],
        buffer_bytes in prop_oneof![Just(1usize), Just(1500), Just(1 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(check_clustered(&appends, buckets, buffer_bytes));
    }
}

#[tokio::test]
async fn file_order_keeps_the_order_of_the_rows() {
    let (_folder, store) = new_store().await;
    let rows = some_rows(5000, "r");
    let batches = rows.chunks(700).map(batch).collect();
    let table = store.append("raw.shop_orders", &Layout::FileOrder, described("t"), stream(batches)).await.unwrap();
    assert_eq!(table.files.len(), 1);
    assert_eq!((table.files[0].bucket, table.files[0].sorted), (None, false));
    assert_eq!(read_file(&store, &table.files[0]).await, rows);
}

#[tokio::test]
async fn no_rows_still_make_a_table() {
    let (_folder, store) = new_store().await;
    for layout in [clustered(4), Layout::Plain] {
        let name = if layout.is_clustered() { "core.orders" } else { "scores.churn" };
        let table = store.append(name, &layout, described("t"), stream(vec![])).await.unwrap();
        assert_eq!((table.version, table.files.len()), (0, 0));
        assert_eq!((&table.schema, &table.layout), (&schema(), &layout));
        let again = store.append(name, &layout, described("t"), stream(vec![batch(&[])])).await.unwrap();
        assert_eq!(again.version, 0, "nothing to say, nothing committed");
    }
}

#[tokio::test]
async fn text_may_come_in_any_arrow_form() {
    let (_folder, store) = new_store().await;
    let rows = some_rows(20, "r");
    let utf8 = batch(&rows);
    for form in [DataType::Utf8View, DataType::LargeUtf8, dictionary()] {
        let mut columns = utf8.columns().to_vec();
        columns[0] = cast(&columns[0], &form).unwrap();
        columns[3] = cast(&columns[3], &form).unwrap();
        let fields = utf8
            .schema()
            .fields()
            .iter()
            .zip(&columns)
            .map(|(f, c)| Field::new(f.name(), c.data_type().clone(), true))
            .collect::<Vec<_>>();
        let schema = Arc::new(Schema::new(fields));
        let append = Append { schema: schema.clone(), ..described("t") };
        let batches = stream(vec![RecordBatch::try_new(schema, columns).unwrap()]);
        store.append("core.orders", &clustered(4), append, batches).await.unwrap();
    }
    let table = store.latest("core.orders").await.unwrap().unwrap();
    assert_eq!(read_table(&store, &table).await, sorted([rows.clone(), rows.clone(), rows].concat()));
}

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

#[tokio::test]
async fn columns_that_cannot_be_stored_are_named() {
    let (_folder, store) = new_store().await;
    let nanoseconds = DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, Some("UTC".into()));
    let local = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
    let list = DataType::new_list(DataType::Utf8, true);
    let numbers = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Int64));
    for data_type in [DataType::UInt32, nanoseconds, local, list, numbers, DataType::Binary, DataType::Null] {
        let mut fields: Vec<_> = schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new("odd", data_type.clone(), true)));
        let append = Append { schema: Arc::new(Schema::new(fields)), ..described("t") };
        let error = store.append("core.orders", &clustered(4), append, stream(vec![])).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("core.orders.odd: {data_type}")), "{error}");
    }
    for reserved in ["bucket", "ID"] {
        let mut fields: Vec<_> = schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(reserved, DataType::Utf8, true)));
        let append = Append { schema: Arc::new(Schema::new(fields)), ..described("t") };
        let error = store.append("core.orders", &clustered(4), append, stream(vec![])).await.unwrap_err();
        assert!(matches!(&error, Error::Column { column, .. } if column == reserved), "{error}");
    }
    assert!(store.latest("core.orders").await.unwrap().is_none());
}

#[tokio::test]
async fn rows_beyond_memory_become_one_file_for_each_bucket() {
    let (_folder, store) = store_with(64).await;
    let customer = |(i, row): (usize, Row)| Row { customer_id: Some(format!("c{}", i * 7919 % 997)), ..row };
    let rows: Vec<Row> = some_rows(3000, "r").into_iter().enumerate().map(customer).collect();
    let batches: Vec<RecordBatch> = rows.chunks(50).map(batch).collect();
    // All rows are many times what is held in memory, a bucket's are less than it.
    let most_bytes = batches.iter().map(RecordBatch::get_array_memory_size).sum::<usize>() / 20;
    let append = described("t");
    store.append_buffered("core.orders", &clustered(64), append, stream(batches), most_bytes).await.unwrap();
    let table = store.latest("core.orders").await.unwrap().unwrap();
    let buckets: BTreeSet<i32> = table.files.iter().filter_map(|file| file.bucket).collect();
    assert_eq!(table.files.len(), buckets.len());
    for file in &table.files {
        assert!(read_file(&store, file).await.is_sorted_by_key(order));
    }
    let ids = |rows: Vec<Row>| rows.into_iter().map(|row| row.id).collect::<BTreeSet<_>>();
    assert_eq!(ids(read_table(&store, &table).await), ids(rows));
}

#[tokio::test]
async fn clustered_tables_need_a_customer_and_both_clocks() {
    let (_folder, store) = new_store().await;
    for missing in ["customer_id", "event_time", "known_time", "id"] {
        let fields: Vec<_> = schema().fields().iter().filter(|field| field.name() != missing).cloned().collect();
        let append = Append { schema: Arc::new(Schema::new(fields)), ..described("t") };
        let error = store.append("core.orders", &clustered(4), append, stream(vec![])).await.unwrap_err();
        assert!(matches!(&error, Error::Column { column, .. } if column == missing), "{error}");
    }
}

#[tokio::test]
async fn an_empty_customer_is_refused_with_its_row_and_leaves_nothing() {
    let (folder, store) = new_store().await;
    let mut rows = some_rows(50, "r");
    rows[41].customer_id = Some(String::new());
    let batches = rows.chunks(20).map(batch).collect();
    let error =
        store.append_buffered("core.orders", &clustered(4), described("t"), stream(batches), 1).await.unwrap_err();
    assert!(error.to_string().contains("row 42"), "{error}");
    assert!(store.latest("core.orders").await.unwrap().is_none());
    let left: Vec<_> = store.list("core").await.unwrap();
    assert!(left.is_empty(), "{left:?} in {}", folder.path().display());
}

#[tokio::test]
async fn rows_that_do_not_fit_the_table_are_refused() {
    let (_folder, store) = new_store().await;
    append_rows(&store, "core.orders", described("t"), &some_rows(3, "r")).await.unwrap();

    let other_key = Layout::Clustered { buckets: 4, key: vec!["note".to_owned()] };
    for layout in [clustered(8), other_key, Layout::Plain] {
        let error = store.append("core.orders", &layout, described("t"), stream(vec![])).await.unwrap_err();
        assert!(matches!(error, Error::Layout { .. }), "{error}");
    }

    let mut fields: Vec<_> = schema().fields().iter().cloned().collect();
    fields[5] = Arc::new(Field::new("amount", DataType::Int64, true));
    let append = Append { schema: Arc::new(Schema::new(fields)), ..described("t") };
    let error = store.append("core.orders", &clustered(4), append, stream(vec![])).await.unwrap_err();
    assert!(matches!(&error, Error::Column { column, .. } if column == "amount"), "{error}");

    let fewer = batch(&some_rows(1, "r")).project(&[0, 1, 2, 3]).unwrap();
    let error = store.append("core.orders", &clustered(4), described("t"), stream(vec![fewer])).await.unwrap_err();
    assert!(error.to_string().contains("core.orders.note: is missing in the rows"), "{error}");

    let failing = futures::stream::iter([Ok(batch(&some_rows(9, "x"))), Err(std::io::Error::other("disk on fire"))]);
    let error = store.append("core.orders", &clustered(4), described("t"), failing).await.unwrap_err();
    assert!(matches!(error, Error::Input { .. }), "{error}");
    assert_eq!(store.latest("core.orders").await.unwrap().unwrap().version, 0);
}

#[tokio::test]
async fn new_columns_widen_the_table_and_old_files_stay() {
    let (_folder, store) = new_store().await;
    let first = append_rows(&store, "core.orders", described("t"), &some_rows(30, "old")).await.unwrap();
    let old = batch(&some_rows(10, "new"));
    let mut fields: Vec<_> = schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("store_no", DataType::Int32, true)));
    let wide = Arc::new(Schema::new(fields));
    let mut columns = old.columns().to_vec();
    columns.push(Arc::new(Int32Array::from_iter_values(0..10)));
    let append = Append { schema: wide.clone(), ..described("t") };
    let batches = stream(vec![RecordBatch::try_new(wide.clone(), columns).unwrap()]);
    let second = store.append("core.orders", &clustered(4), append, batches).await.unwrap();
    assert_eq!((&second.schema, second.rows()), (&wide, 40));
    let old_paths: BTreeSet<_> = first.files.iter().map(|file| &file.path).collect();
    assert!(second.files_since(&first).iter().all(|file| !old_paths.contains(&file.path)));
    assert_eq!(second.files_since(&first).iter().map(|file| file.rows).sum::<u64>(), 10);
    // The narrow rows of a source that was not changed still fit.
    let third = append_rows(&store, "core.orders", described("t"), &some_rows(5, "narrow")).await.unwrap();
    assert_eq!((&third.schema, third.rows()), (&wide, 45));
    assert_eq!(store.table("core.orders", first.version).await.unwrap().schema, schema());
}

#[tokio::test]
async fn a_transaction_is_appended_once() {
    let (_folder, store) = new_store().await;
    let rows = some_rows(10, "r");
    let first = append_rows(&store, "core.orders", once("file-1"), &rows).await.unwrap();
    assert_eq!(first.transaction("file-1").await.unwrap(), Some(1));
    assert_eq!(first.transaction("file-2").await.unwrap(), None);
    let second = append_rows(&store, "core.orders", once("file-1"), &rows).await.unwrap();
    assert_eq!((second.version, second.rows()), (first.version, 10));
    let both = Append { transactions: vec![("file-1".to_owned(), 1), ("file-2".to_owned(), 1)], ..described("both") };
    let error = append_rows(&store, "core.orders", both, &rows).await.unwrap_err();
    assert!(matches!(&error, Error::AlreadyWritten { app_id, .. } if app_id == "file-1"), "{error}");
    // A load that brought no rows is remembered too.
    let empty = append_rows(&store, "core.orders", once("file-3"), &[]).await.unwrap();
    assert_eq!(empty.transaction("file-3").await.unwrap(), Some(1));
}

#[tokio::test]
async fn the_log_names_no_customer() {
    let (folder, store) = new_store().await;
    let mut rows = some_rows(20, "r");
    rows.iter_mut().for_each(|row| row.note = Some("mary@example.com".to_owned()));
    rows[3].customer_id = Some("mary-smith".to_owned());
    append_rows(&store, "core.orders", described("t"), &rows).await.unwrap();
    let log = std::fs::read_to_string(folder.path().join("core/orders/_delta_log/00000000000000000000.json")).unwrap();
    assert!(log.contains("numRecords") && !log.contains("mary"), "{log}");
}

#[tokio::test]
async fn names_of_tables_are_checked() {
    let (_folder, store) = new_store().await;
    for name in ["orders", "core.", ".orders", "core.orders.x", "Core.orders", "core.or ders", "_x.y", "core/../x.y"] {
        let error = store.latest(name).await.unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{name}: {error}");
    }
    assert!(matches!(store.table("core.orders", 0).await, Err(Error::NoTable { newest: None, .. })));
    append_rows(&store, "core.orders", described("t"), &[]).await.unwrap();
    assert!(matches!(store.table("core.orders", 7).await, Err(Error::NoTable { newest: Some(0), .. })));
}

/// Tables write a checkpoint every 10 commits; what the log says of a file must come through it.
async fn read_from_a_checkpoint() {
    let (folder, store) = new_store().await;
    let mut table = append_rows(&store, "core.orders", once("first"), &some_rows(3, "first")).await.unwrap();
    for i in 1..12 {
        let tag = format!("r{i}");
        table = append_rows(&store, "core.orders", once(&tag), &some_rows(1, &tag)).await.unwrap();
    }
    assert!(folder.path().join("core/orders/_delta_log/_last_checkpoint").is_file());
    let read = store.latest("core.orders").await.unwrap().unwrap();
    assert_eq!((read.version, &read.files), (11, &table.files));
    assert!(read.files.iter().all(|file| file.sorted && file.event_time.is_some()));
    assert_eq!(read.transaction("first").await.unwrap(), Some(1));
    assert_eq!(store.table("core.orders", 5).await.unwrap().rows(), 8);
}

#[tokio::test]
async fn a_long_log_is_read_from_its_checkpoint() {
    read_from_a_checkpoint().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_checkpoint_needs_no_second_thread() {
    read_from_a_checkpoint().await;
}
