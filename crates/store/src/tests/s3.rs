//! The same promises over the S3 protocol, against an emulator on this machine.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::readers::readers;
use super::*;
use crate::{Error, Files, Publisher};

/// An S3 of its own, with one bucket; ends with the test.
struct Emulator {
    process: Child,
    port: u16,
}

impl Emulator {
    fn start(python: &std::ffi::OsStr) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(python)
            .args(["-c", "import sys; from moto.server import main; main(sys.argv[1:])", "-H", "127.0.0.1"])
            .args(["-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut emulator = Emulator { process, port };
        emulator.make_bucket();
        emulator
    }

    fn make_bucket(&mut self) {
        for _ in 0..600 {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the S3 emulator ended ({status}): pip install 'moto[server]' into the Python of the readers");
            }
            // Before anybody listens there, a connection may come out at the very port that it goes to.
            let is_to_another = |stream: &TcpStream| stream.local_addr().ok() != stream.peer_addr().ok();
            if let Some(mut stream) = TcpStream::connect(("127.0.0.1", self.port)).ok().filter(is_to_another) {
                let request =
                    "PUT /bucket HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(request.as_bytes()).unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the S3 emulator does not answer");
    }

    fn options(&self) -> [(String, String); 4] {
        [
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bucket_is_a_warehouse_like_a_folder() {
    let Some(python) = readers() else { return };
    let emulator = Emulator::start(&python);
    let url = "s3://bucket/my shop";
    let error = Store::open(url, emulator.options()).await.unwrap_err();
    assert!(matches!(error, Error::NotAWarehouse { .. }), "{error}");
    let error = Store::init("s3://nowhere/shop", emulator.options(), 4).await.unwrap_err();
    assert!(matches!(error, Error::NoBucket { .. }), "{error}");
    Store::init(url, emulator.options(), 4).await.unwrap();
    let error = Store::init(url, emulator.options(), 4).await.unwrap_err();
    assert!(matches!(error, Error::WarehouseExists { .. }), "{error}");

    let store = Store::open(url, emulator.options()).await.unwrap();
    let writers = (0..4).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let tag = format!("w{writer}");
            let table = append_rows(&store, "core.orders", once(&tag), &some_rows(20, &tag)).await.unwrap();
            store.commit_snapshot(&tag, BTreeMap::from([("core.orders".to_owned(), table.version)])).await.unwrap();
        })
    });
    futures::future::try_join_all(writers).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    let table = store.table("core.orders", snapshot.tables["core.orders"]).await.unwrap();
    let expected: Vec<Row> = (0..4).flat_map(|writer| some_rows(20, &format!("w{writer}"))).collect();
    assert_eq!(read_table(&store, &table).await, sorted(expected.clone()));

    run_folder(&store).await;
    files_of_a_url(&store, emulator.options()).await;
    published_files(emulator.options(), &expected).await;
}

async fn run_folder(store: &Store) {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let weights: Vec<u8> = (0..(17u32 << 20)).map(|i| (i % 251) as u8).collect();
    std::fs::write(from.path().join("weights"), &weights).unwrap();
    std::fs::write(from.path().join("run.json"), "{}").unwrap();
    store.upload_folder(from.path(), "runs/r1", "run.json").await.unwrap();
    let error = store.upload_folder(from.path(), "runs/r1", "run.json").await.unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    store.download_folder("runs/r1", to.path(), "run.json").await.unwrap();
    assert!(std::fs::read(to.path().join("weights")).unwrap() == weights);
}

async fn files_of_a_url(store: &Store, options: [(String, String); 4]) {
    store.put_file("drop/2024/a b.csv", "id\n1\n").await.unwrap();
    store.put_file("drop/b.csv", "id\n2\n").await.unwrap();
    let files = Files::open("s3://bucket/my shop/drop", options).unwrap();
    assert_eq!(files.list("").await.unwrap(), ["2024/a b.csv", "b.csv"]);
    assert!(files.has("b.csv").await.unwrap() && !files.has("2024").await.unwrap());
    let to = tempfile::tempdir().unwrap();
    files.download("2024/a b.csv", &to.path().join("1/a b.csv")).await.unwrap();
    assert_eq!(std::fs::read_to_string(to.path().join("1/a b.csv")).unwrap(), "id\n1\n");
    let error = files.download("c.csv", &to.path().join("c.csv")).await.unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
}

async fn published_files(options: [(String, String); 4], rows: &[Row]) {
    let publisher = Publisher::open("s3://bucket/published", options).unwrap();
    for version in 1..=2 {
        let mut publication = publisher.begin().await.unwrap();
        publication.write("orders", &schema(), stream(vec![batch(rows)])).await.unwrap();
        let published = publication.finish(1, &json!({})).await.unwrap();
        assert_eq!((published.version, published.tables["orders"].rows), (version, rows.len() as u64));
    }
    let files = publisher.root.list("").await.unwrap();
    assert!(files.contains(&"current/orders.parquet".to_owned()), "{files:?}");
    assert_eq!(publisher.latest().await.unwrap().unwrap().version, 2);
}
