//! A customer is forgotten in every byte of a warehouse that has lived, and everybody else stays in every snapshot.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Int64Array, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use store::{Finding, Keep, Publisher};

use super::*;
use crate::{CheckOptions, EraseOptions, EraseReport, PublishOptions};

/// In every value of the customer to be forgotten, in some spelling, and in nobody else's.
const MARK: &str = "forget";
const ID: &str = "card-forget-4711";
const MONTHS: usize = 11;

const SQL: &[(&str, &str)] = &[
    (
        "staging/till/customers.sql",
        "-- Cards.\nSELECT upper(trim(cast(card AS VARCHAR))) AS customer_id, joined AS event_time, coalesce(_loaded_at, joined) AS known_time,
         name, lower(email) AS email FROM raw.till_cards",
    ),
    (
        "staging/till/orders.sql",
        "-- Receipts.\nWITH receipts AS (SELECT receipt, store, max(card) AS card, min(at) AS at, sum(total) AS total, max(_loaded_at) AS l
         FROM raw.till_receipts GROUP BY receipt, store)
         SELECT concat(store, '-', receipt) AS order_id, upper(trim(cast(card AS VARCHAR))) AS customer_id, at AS event_time, coalesce(l, at) AS known_time,
         'completed' AS status, total AS amount FROM receipts",
    ),
    (
        "staging/till/order_lines.sql",
        "-- Lines, which have no card.\n-- driver: raw.till_receipts\n
         WITH receipts AS (SELECT DISTINCT receipt, store, upper(trim(cast(card AS VARCHAR))) AS customer_id, at, _loaded_at FROM raw.till_receipts)
         SELECT concat(l.store, '-', l.receipt) AS order_id, cast(l.line AS VARCHAR) AS line_id, r.customer_id, r.at AS event_time,
         coalesce(r._loaded_at, r.at) AS known_time, l.product AS product_id, p.price AS unit_price, l.total AS amount
         FROM raw.till_lines AS l INNER JOIN receipts AS r ON r.receipt = l.receipt AND r.store = l.store
         LEFT JOIN raw.till_products AS p ON p.product = l.product",
    ),
    (
        "checks/small.sql",
        "-- Small orders; the check does not say whose they are.\n-- grain: order_id\n-- check: core.orders severity warn
         SELECT order_id, amount AS value FROM core.orders WHERE amount < 1000",
    ),
    (
        "checks/names.sql",
        "-- Names that are looked at.\n-- grain: day\n-- check: core.customers severity warn
         SELECT DISTINCT cast(event_time AS DATE) AS day, name AS value FROM core.customers",
    ),
];

/// Receipts that belong to somebody else as well: the first was theirs and is another's, the second the other way around.
const SHARED: [(&str, &str, &str); 2] = [("passed", ID, "card-other-1"), ("gained", "card-other-2", ID)];

/// The warehouse writes `CARD-FORGET-4711`.
fn id() -> String {
    ID.to_uppercase()
}

async fn load(shop: &Shop, table: &str, file: &str, content: &str) {
    let path = shop.write(file, content);
    let types = match table {
        "raw.till_cards" => vec![("joined", "TIMESTAMP")],
        "raw.till_receipts" => vec![("total", "DOUBLE")],
        _ => Vec::new(),
    };
    let schema = types.into_iter().map(|(column, name)| (column.to_string(), name.to_string())).collect();
    let options = LoadOptions { history: true, max_rejects: 3, schema, ..LoadOptions::default() };
    shop.warehouse.load(table, &[path], &options, &|_| {}).await.unwrap();
}

/// Loads, corrections, orders that move, builds, checks, merged files, scores, rejects, a run, published versions, a restore,
/// a vacuum, and a checkpoint in a log.
async fn lived_in() -> (Shop, Publisher) {
    let shop = Shop::new(SQL).await;
    let publisher = Publisher::open(&shop.path("published").to_string_lossy(), []).unwrap();
    load(&shop, "raw.till_products", "products.csv", "product,price\nonly-theirs,5\nshared,6\n").await;
    load(&shop, "raw.till_notes", "notes.csv", "note\nnobody reads this\n").await;
    for month in 1..=MONTHS {
        let cards = format!(
            "card,joined,name,email\n {ID} ,2026-01-01T00:00:0{d},Forgetta Mann,Forget.{month}@x.org\n\
             card-other-{month},2026-01-01T00:00:00,Forrest Gump,other{month}@x.org\n\
             card-bad-{month},not-a-date-{month},Forgetta Mann,quoted\n",
            d = month % 10
        );
        load(&shop, "raw.till_cards", &format!("cards-{month}.csv"), &cards).await;
        // Receipt numbers are a store's own: number 1 of store B is somebody else's.
        let receipts = format!(
            "receipt,store,card,at,total\nr-forget-{month},A,{ID},2026-0{m}-02T10:00:00,{month}\n\
             {month},A,{ID},2026-0{m}-03T10:00:00,2\n{month},B,card-other-{month},2026-0{m}-03T10:00:00,3\n\
             9{month},A,card-other-1,2026-0{m}-04T10:00:00,4\nr-forget-x,A,{ID},2026-0{m}-02T10:00:00,much-{month}\n\
             r-x,A,card-other-1,2026-0{m}-02T10:00:00,little-{month}\n{moved}",
            m = month % 9 + 1,
            moved = moved(month),
        );
        load(&shop, "raw.till_receipts", &format!("receipts-{month}.csv"), &receipts).await;
        let lines = format!(
            "receipt,line,store,product,total\nr-forget-{month},1,A,only-theirs,1\n{month},1,A,shared,77{month}\n\
             {month},1,B,shared,3\n9{month},1,A,shared,4\n{guest}",
            guest = if month == 1 { "guest-forget-1,1,A,shared,5\n" } else { "" },
        );
        load(&shop, "raw.till_lines", &format!("lines-{month}.csv"), &lines).await;
        let before = shop.warehouse.store().snapshot().await.unwrap().id;
        shop.warehouse.build().await.unwrap();
        match month {
            4 | 8 => _ = shop.warehouse.optimize(&[], 1).await.unwrap(),
            6 => _ = shop.warehouse.store().vacuum(Keep::Snapshots(12), false).await.unwrap(),
            // The next month builds it again.
            7 => _ = shop.warehouse.store().restore(before).await.unwrap(),
            _ => {}
        }
        if month % 5 == 0 {
            score(&shop, month).await;
            shop.warehouse.check(&CheckOptions::default(), &|_| {}).await.unwrap();
            let session = shop.session().await;
            let what = PublishOptions { personal_data: true };
            shop.warehouse.publish(&publisher, &session, what).await.unwrap();
        }
    }
    (shop, publisher)
}

/// Receipts of a month that were or become somebody else's.
fn moved(month: usize) -> String {
    // Lines of a file differ, and so do the times of a receipt's versions.
    let at = format!("2026-01-{:02}T10:00:00", month + 10);
    let guest = match month {
        1 => format!("guest-forget-1,A,,{at},5\n"),
        2 => format!("guest-forget-1,A,{ID},{at},5\n"),
        _ => String::new(),
    };
    let shared = SHARED.iter().map(|(receipt, first, second)| match month {
        3 => format!("{receipt},A,{first},{at},6\n"),
        4 => format!("{receipt},A,{second},{at},6\n"),
        _ => String::new(),
    });
    shared.fold(guest, |all, one| all + &one)
}

async fn score(shop: &Shop, month: usize) {
    let snapshot = shop.warehouse.store().snapshot().await.unwrap().id as i64;
    let text = |values: Vec<&str>| std::sync::Arc::new(StringArray::from(values)) as _;
    let run = format!("run-{month}");
    let id = id();
    let scores = RecordBatch::try_from_iter([
        ("customer_id", text(vec![&id, "CARD-OTHER-1"])),
        ("task", text(vec!["churn"; 2])),
        ("run_id", text(vec![&run; 2])),
    ]);
    let runs = RecordBatch::try_from_iter([
        ("run_id", text(vec![&run])),
        ("snapshot", std::sync::Arc::new(Int64Array::from(vec![snapshot])) as _),
    ]);
    let tables = vec![("scores.churn", vec![scores.unwrap()]), ("models.runs", vec![runs.unwrap()])];
    shop.warehouse.append(tables, &run, "score").await.unwrap();
}

/// Every row of every table in every snapshot up to one, without those that hold the mark.
async fn others(shop: &Shop, up_to: u64) -> BTreeMap<(u64, String), Vec<String>> {
    let mut all = BTreeMap::new();
    let snapshots = shop.warehouse.store().snapshots().await.unwrap().into_iter().map(|snapshot| snapshot.id);
    for id in snapshots.filter(|id| *id <= up_to) {
        let session = shop
            .warehouse
            .session_over(SessionOptions { snapshot: Some(id), ..Default::default() }, BTreeMap::new())
            .await
            .unwrap();
        for table in session.snapshot().tables.keys().cloned().collect::<Vec<_>>() {
            let rows = rows_of(&session, &format!("SELECT * FROM {table}")).await;
            let mut rows: Vec<String> = rows.into_iter().map(|row| row.join("|")).collect();
            // The receipts 1 to 11 of store A are theirs too: they are told by the amount, or as the key of a failing row.
            let is_theirs = |key: &str| (1..=MONTHS).any(|month| key == format!("A-{month}"));
            rows.retain(|row| {
                let is_marked = row.to_lowercase().contains(MARK) || row.contains("|77");
                let is_of_key = table == "quality.failures" && row.split('|').any(is_theirs);
                !is_marked && !is_of_key
            });
            rows.sort();
            all.insert((id, table), rows);
        }
    }
    all
}

/// No file below a folder holds the mark, in whatever case, as bytes or as values.
fn assert_forgotten(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_forgotten(&path);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let shown = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(!shown.contains(MARK), "{}", path.display());
        if bytes.starts_with(b"PAR1") {
            for batch in
                ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap().build().unwrap()
            {
                for row in texts(&[batch.unwrap()]) {
                    assert!(!row.join("|").to_lowercase().contains(MARK), "{}: {row:?}", path.display());
                }
            }
        }
    }
}

/// What is wrong with the warehouse and what it published.
async fn findings(shop: &Shop, publisher: &Publisher) -> Vec<Finding> {
    let store = shop.warehouse.store();
    let (snapshots, mut findings) = store.examine_snapshots().await.unwrap();
    for table in store.all_tables(&snapshots).await.unwrap() {
        findings.extend(store.examine_table(&table, &snapshots, &|_| {}).await.unwrap().1);
    }
    findings.extend(publisher.examine(&|_| {}).await.unwrap().1);
    findings
}

fn options(shop: &Shop, is_dry_run: bool) -> EraseOptions {
    EraseOptions {
        customers: vec![format!(" {} ", id())],
        is_dry_run,
        published: vec![shop.path("published").to_string_lossy().into_owned()],
        environment: Vec::new(),
        owner: "a test".into(),
    }
}

fn rows(report: &EraseReport, name: &str) -> Option<u64> {
    report.tables.iter().find(|table| table.name == name).map(|table| table.rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_is_forgotten_in_every_byte_and_others_stay_in_every_snapshot() {
    let (shop, publisher) = lived_in().await;
    let newest = shop.warehouse.store().snapshot().await.unwrap().id;
    let before = others(&shop, newest).await;
    assert!(shop.path("shop/core/orders/_delta_log/_last_checkpoint").exists(), "no checkpoint to be tested");
    let latest = publisher.latest().await.unwrap().unwrap();
    assert_eq!(findings(&shop, &publisher).await, []);

    let dry = shop.warehouse.erase(&options(&shop, true)).await.unwrap();
    assert_eq!(others(&shop, newest).await, before);
    assert_eq!(dry.receipt_id, None);
    let report = shop.warehouse.erase(&options(&shop, false)).await.unwrap();
    assert_eq!((&report.tables, &report.published), (&dry.tables, &dry.published));

    assert_eq!(rows(&report, "raw.till_cards"), Some(11));
    assert_eq!(rows(&report, "raw.till_receipts"), Some(22 + 4), "the guest's receipt is theirs from the beginning");
    assert_eq!(rows(&report, "raw.till_lines"), Some(22 + 1));
    assert!(rows(&report, "core.moves") >= Some(2) && rows(&report, "quality.failures") > Some(0));
    assert_eq!(rows(&report, "raw.till_products"), None, "a product is nobody's");
    // The card that could not be read quotes a name that only they have, and the receipt their card.
    assert_eq!(rows(&report, "quality.rejects"), Some(22));
    assert_eq!(rows(&report, "scores.churn"), Some(2));
    assert!(rows(&report, "core.orders") > Some(22), "merged files hold rows again: {:?}", report.tables);
    let runs: Vec<&str> = report.runs.iter().map(|run| run.run_id.as_str()).collect();
    assert_eq!(runs, ["run-10", "run-5"]);
    let unsearched: Vec<&str> = report.unsearched.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(unsearched, ["raw.till_notes"]);
    let published: Vec<&[u64]> = report.published.iter().map(|table| table.snapshots.as_slice()).collect();
    assert!(!published.is_empty() && published.iter().all(|versions| *versions == [1, 2]), "{:?}", report.published);

    assert_forgotten(&shop.path("shop"));
    assert_forgotten(&shop.path("published"));
    let reopened = Store::open(&shop.path("shop").to_string_lossy(), []).await.unwrap();
    let shop = Shop { warehouse: Warehouse::open(reopened, Some(&shop.path("sql"))).unwrap(), folder: shop.folder };
    assert_eq!(others(&shop, newest).await, before);
    assert_eq!(findings(&shop, &publisher).await, []);
    let of_shared = shop.rows("SELECT order_id, customer_id FROM core.orders WHERE amount = 6 ORDER BY order_id").await;
    assert_eq!(of_shared, [["A-gained", "CARD-OTHER-2"], ["A-passed", "CARD-OTHER-1"]]);
    let after = publisher.latest().await.unwrap().unwrap();
    assert_eq!((after.version, after.snapshot), (latest.version, latest.snapshot));
    assert!(after.tables["customer_360"].rows < latest.tables["customer_360"].rows);

    let receipts =
        shop.rows("SELECT kind, name FROM audit.erasures WHERE receipt_id IS NOT NULL AND customers = 1").await;
    assert_eq!(
        receipts.len(),
        report.tables.len() + report.published.len() + report.runs.len() + report.unsearched.len()
    );
    // Nothing is left to be built again from what was removed, a file that was loaded is not loaded again, and the warehouse
    // goes on.
    assert!(shop.warehouse.build().await.unwrap().built.is_empty());
    let cards = shop.path("cards-3.csv").to_string_lossy().into_owned();
    let again = shop.load("raw.till_cards", &[cards]).await.unwrap();
    assert_eq!((again.rows, again.skipped.len()), (0, 1));
    assert_forgotten(&shop.path("shop"));
    let again = shop.warehouse.erase(&options(&shop, false)).await.unwrap();
    assert_eq!((again.receipt_id, again.tables, again.published), (None, Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_short_id_takes_no_row_that_only_holds_its_digits() {
    let shop = Shop::new(SQL).await;
    load(
        &shop,
        "raw.till_cards",
        "cards.csv",
        "card,joined,name,email\n1,2026-01-01,Li Wei,a@x.org\n2,2026-01-01,Li Wei,b@x.org\n",
    )
    .await;
    let receipts =
        "receipt,store,card,at,total\n1,A,2,2026-01-02,1\n2,A,1,2026-01-02,1\n1,B,2,2026-01-02,x\n3,B,1,2026-01-02,x\n";
    load(&shop, "raw.till_receipts", "receipts.csv", receipts).await;
    shop.warehouse.build().await.unwrap();
    let one = EraseOptions { customers: vec!["1".into()], owner: "a test".into(), ..EraseOptions::default() };
    let report = shop.warehouse.erase(&one).await.unwrap();
    assert_eq!(rows(&report, "quality.rejects"), Some(1), "the other one has a receipt 1: {report:?}");
    assert_eq!(shop.rows("SELECT email FROM core.customers").await, [["b@x.org"]]);
    assert_eq!(shop.rows("SELECT receipt, card FROM raw.till_receipts").await, [["1", "2"]]);
}

#[tokio::test]
async fn a_customer_is_forgotten_who_was_loaded_and_never_built() {
    let shop = Shop::new(SQL).await;
    load(&shop, "raw.till_cards", "cards.csv", &format!("card,joined,name,email\n{ID},2026-01-01,N,a@x.org\n")).await;
    let receipts = format!("receipt,store,card,at,total\n1,A,{ID},2026-01-02,1\n2,A,other,2026-01-02,1\n");
    load(&shop, "raw.till_receipts", "receipts.csv", &receipts).await;
    // Nothing was published to where it is told to look.
    let report = shop.warehouse.erase(&options(&shop, false)).await.unwrap();
    assert!(report.unsearched.iter().any(|target| target.name.ends_with("/published/")), "{:?}", report.unsearched);
    assert_eq!((rows(&report, "raw.till_cards"), rows(&report, "raw.till_receipts")), (Some(1), Some(1)));
    assert_forgotten(&shop.path("shop"));
    assert_eq!(shop.rows("SELECT receipt FROM raw.till_receipts").await, [["2"]]);
}

#[tokio::test]
async fn an_empty_id_is_refused_before_anything_is_locked() {
    let shop = Shop::tiny().await;
    let nobody = EraseOptions { customers: vec![" ".into()], ..EraseOptions::default() };
    assert_says(shop.warehouse.erase(&nobody).await, &["customer_id"]);
    shop.warehouse.store().may_write().await.unwrap();
}
