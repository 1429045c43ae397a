use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use futures::StreamExt;
use store::{Publisher, Store};

use super::{Shop, assert_says, rows_of, texts};
use crate::{LoadOptions, PublishOptions, SessionOptions, Warehouse};

fn scores(customer: &str, task: &str, at: i64) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("customer_id", Arc::new(StringArray::from(vec![customer]))),
        ("task", Arc::new(StringArray::from(vec![task]))),
        ("p_churn", Arc::new(Float64Array::from(vec![0.25]))),
        ("as_of", Arc::new(TimestampMicrosecondArray::from(vec![at]).with_timezone("UTC"))),
        ("scored_at", Arc::new(TimestampMicrosecondArray::from(vec![at]).with_timezone("UTC"))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[tokio::test]
async fn an_append_is_one_snapshot_and_counts_once() {
    let shop = Shop::new(&[]).await;
    let metric: ArrayRef = Arc::new(StringArray::from(vec!["auc"]));
    let metrics = RecordBatch::try_from_iter([("metric", metric)]).unwrap();
    let both = || vec![("scores.churn", vec![scores("a", "churn", 1)]), ("models.metrics", vec![metrics.clone()])];
    let snapshot = shop.warehouse.append(both(), "run:1", "score").await.unwrap();
    assert_eq!((snapshot.id, snapshot.tables.len()), (1, 2));
    assert_eq!(shop.warehouse.append(both(), "run:1", "score").await.unwrap().id, 1);
    assert_eq!((shop.count("scores.churn").await, shop.count("models.metrics").await), (1, 1));

    // Killed after the first of two tables: no reader sees it, and the same call again adds the second only.
    let rows = futures::stream::iter([Ok(scores("b", "churn", 2))]).boxed();
    shop.warehouse.append_stream("scores.churn", rows, "run:9", "score").await.unwrap();
    assert_eq!(shop.count("scores.churn").await, 1);
    shop.warehouse.append(both(), "run:9", "score").await.unwrap();
    assert_eq!((shop.count("scores.churn").await, shop.count("models.metrics").await), (2, 2));

    let unknown = shop.warehouse.append(vec![("scores.nothing", vec![])], "run:2", "score").await;
    assert_says(unknown, &["scores.nothing", "CREATE TABLE"]);
    let column: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let batch = RecordBatch::try_from_iter([("nonsense", column)]).unwrap();
    let wrong = shop.warehouse.append(vec![("scores.churn", vec![batch])], "run:2", "score").await;
    assert_says(wrong, &["nonsense", "p_churn"]);
}

/// The definition of an older version lacked columns: its rows are NULL there, and rows to come are not.
#[tokio::test]
async fn a_table_may_get_columns_with_a_newer_version() {
    let old = "-- As it was.\nCREATE TABLE models.metrics (task VARCHAR, metric VARCHAR)";
    let shop = Shop::new(&[("models/metrics.sql", old)]).await;
    let row = |columns: &[(&str, &str)]| {
        let array = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
        RecordBatch::try_from_iter(columns.iter().map(|(name, value)| (*name, array(value)))).unwrap()
    };
    let before = row(&[("task", "churn"), ("metric", "auc")]);
    shop.warehouse.append(vec![("models.metrics", vec![before])], "run:1", "train").await.unwrap();
    let store = Store::open(&shop.path("shop").to_string_lossy(), []).await.unwrap();
    let newer = Warehouse::open(store, None).unwrap();
    let told = "SELECT metric, coalesce(slice, 'all') FROM models.metrics ORDER BY metric, slice";
    let session = || newer.session(SessionOptions::default());
    assert_eq!(rows_of(&session().await.unwrap(), told).await, [["auc", "all"]]);
    let after = row(&[("metric", "brier"), ("slice", "tenure: new")]);
    newer.append(vec![("models.metrics", vec![after])], "run:2", "evaluate").await.unwrap();
    assert_eq!(rows_of(&session().await.unwrap(), told).await, [["auc", "all"], ["brier", "tenure: new"]]);
}

#[tokio::test]
async fn marts_and_the_newest_scores_are_published_without_personal_data() {
    let shop = Shop::new(&[
        ("marts/people.sql", "-- People.\n-- pii: email\nSELECT 'a' AS customer_id, 'a@b.c' AS email"),
        ("marts/customer_360.sql", "-- Smaller than the shipped one.\nSELECT customer_id FROM spine"),
    ])
    .await;
    shop.warehouse.append(vec![("scores.churn", vec![scores("a", "churn", 1)])], "run:1", "score").await.unwrap();
    shop.warehouse.append(vec![("scores.churn", vec![scores("b", "churn", 2)])], "run:2", "score").await.unwrap();
    // Scored first, and an older cut-off: still the newest of its task.
    shop.warehouse.append(vec![("scores.churn", vec![scores("c", "lapsed", 1)])], "run:3", "score").await.unwrap();
    let target = shop.path("published");
    let publisher = Publisher::open(&target.to_string_lossy(), []).unwrap();
    let session = shop.session().await;
    let published = shop.warehouse.publish(&publisher, &session, PublishOptions::default()).await.unwrap();
    assert_eq!(published.tables["people"].rows, 1);
    assert_eq!(published.tables["scores_churn"].rows, 2);

    let read = |name: &str| target.join(&published.tables[name].files[0].path).to_string_lossy().into_owned();
    let files = [("raw.tiny_people", read("people")), ("raw.tiny_churn", read("scores_churn"))];
    for (table, file) in files {
        shop.warehouse.load(table, &[file], &LoadOptions::default(), &|_| {}).await.unwrap();
    }
    let people = shop.session().await.sql("SELECT * FROM raw.tiny_people").await.unwrap();
    assert!(people.schema().index_of("email").is_err() && people.schema().index_of("customer_id").is_ok());
    let churn = shop.session().await.sql("SELECT customer_id FROM raw.tiny_churn ORDER BY customer_id").await.unwrap();
    assert_eq!(texts(&churn.collect().await.unwrap()), [["b"], ["c"]]);

    let all = PublishOptions { personal_data: true };
    let published = shop.warehouse.publish(&publisher, &session, all).await.unwrap();
    assert_eq!(published.version, 2);
    let dictionary = std::fs::read_to_string(target.join("v2/_dictionary.json")).unwrap();
    assert!(dictionary.contains("\"email\""));
}
