use super::*;
use crate::Error;

#[tokio::test]
async fn a_warehouse_is_made_once_and_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop");
    let path = path.to_str().unwrap();
    let error = Store::open(path, NO_OPTIONS).await.unwrap_err();
    assert!(matches!(error, Error::NotAWarehouse { .. }) && error.to_string().contains("perennial init"), "{error}");
    Store::init(path, NO_OPTIONS, 16).await.unwrap();
    let store = Store::open(path, NO_OPTIONS).await.unwrap();
    assert_eq!((store.buckets(), store.url().scheme()), (16, "file"));
    assert!(store.url().path().ends_with("/shop/"));
    assert_eq!(store.store_url().as_str(), "file:///");
    let error = Store::init(path, NO_OPTIONS, 16).await.unwrap_err();
    assert!(matches!(error, Error::WarehouseExists { .. }), "{error}");
}

#[tokio::test]
async fn a_newer_warehouse_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("_perennial.json"), r#"{"format": 2, "rooms": []}"#).unwrap();
    let error = Store::open(folder.path().to_str().unwrap(), NO_OPTIONS).await.unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 2, supported: 1, .. }), "{error}");
    std::fs::write(folder.path().join("_perennial.json"), r#"{"format": 1}"#).unwrap();
    let error = Store::open(folder.path().to_str().unwrap(), NO_OPTIONS).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn the_number_of_buckets_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    for buckets in [0, 5000] {
        let error = Store::init(folder.path().to_str().unwrap(), NO_OPTIONS, buckets).await.unwrap_err();
        assert!(matches!(error, Error::Buckets { .. }), "{error}");
    }
}

#[tokio::test]
async fn places_that_are_none_are_refused() {
    for url in
        ["ftp://host/shop", "http://host/shop", "memory:///shop", "s3://bucket/shop?x=1", "file://host/x", "x://"]
    {
        let error = Store::open(url, NO_OPTIONS).await.unwrap_err();
        assert!(matches!(error, Error::Location { .. }) && error.to_string().contains(url), "{url}: {error}");
    }
}

#[test]
fn clouds_are_addressed_from_the_bucket() {
    let options = [
        ("AWS_REGION", "eu-west-1"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
        ("PATH", "/usr/bin"),
        ("TIMEOUT", "not a duration"),
    ];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
    for (url, bucket) in [
        ("s3://bucket/shop/a", "s3://bucket"),
        ("gs://bucket/shop/a/", "gs://bucket"),
        ("az://container/shop/a", "az://container"),
        ("abfss://container@account.dfs.core.windows.net/shop/a", "abfss://container@account.dfs.core.windows.net"),
    ] {
        let root = Root::open(url, options.clone()).unwrap();
        assert_eq!(root.path("core/orders").unwrap().as_ref(), "shop/a/core/orders");
        assert_eq!(root.show("x"), format!("{bucket}/shop/a/x"));
    }
}

/// Folders may be called anything; tables in them are written and read all the same.
#[tokio::test]
async fn folders_with_odd_names_work() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["my shop", "店 #1", "off?", "x=y", "é&+;*~[1]"] {
        let store = Store::init(folder.path().join(name).to_str().unwrap(), NO_OPTIONS, 2).await.unwrap();
        let rows = some_rows(10, "r");
        for _ in 0..2 {
            append_rows(&store, "core.orders", described("t"), &rows).await.unwrap();
        }
        let table = store.latest("core.orders").await.unwrap().unwrap();
        assert_eq!(read_table(&store, &table).await, sorted([rows.clone(), rows].concat()), "{name}");
        assert!(folder.path().join(name).join("core/orders/_delta_log").is_dir(), "{name}");
    }
}

#[tokio::test]
async fn dots_in_a_path_are_resolved() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("not there/../shop/./");
    let store = Store::init(odd.to_str().unwrap(), NO_OPTIONS, 2).await.unwrap();
    assert_eq!(store.folder().unwrap(), folder.path().join("shop"));
    // The parent of a link is that of the folder it leads to.
    std::fs::create_dir_all(folder.path().join("deep/er")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("deep/er"), folder.path().join("link")).unwrap();
    let linked = Store::init(folder.path().join("link/../shop").to_str().unwrap(), NO_OPTIONS, 2).await.unwrap();
    assert_eq!(linked.folder().unwrap(), folder.path().canonicalize().unwrap().join("deep/shop"));
}

#[test]
fn missing_rights_are_told_from_other_failures() {
    let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let error = object_store::Error::Generic { store: "local", source: Box::new(denied) };
    assert!(matches!(Error::storage("x", error), Error::Denied { .. }));
    let error = object_store::Error::Generic { store: "s3", source: "timed out".into() };
    assert!(matches!(Error::storage("x", error), Error::Storage { .. }));
}

#[test]
fn what_a_store_says_of_a_refusal_is_what_the_user_hears() {
    let answer = |status: &str, code: &str| {
        let said = format!("Server returned non-2xx status code: {status}: <Error><Code>{code}</Code></Error>");
        Error::storage("s3://bucket/x", object_store::Error::Generic { store: "S3", source: said.into() })
    };
    assert!(matches!(answer("404 Not Found", "NoSuchBucket"), Error::NoBucket { .. }));
    assert!(matches!(answer("400 Bad Request", "ExpiredToken"), Error::Credentials { .. }));
    assert!(matches!(answer("403 Forbidden", "AllAccessDisabled"), Error::Denied { .. }));
    assert!(matches!(answer("503 Service Unavailable", "SlowDown"), Error::Storage { .. }));
    let source = "Error performing PUT http://169.254.169.254/latest/api/token in 1s".into();
    let error = Error::storage("gs://bucket/x", object_store::Error::Generic { store: "GCS", source });
    assert!(error.to_string().contains("GOOGLE_APPLICATION_CREDENTIALS"), "{error}");
}
