use super::*;
use crate::Error;

const LAST: &str = "run.json";

fn make_run(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    // Larger than one part, and not a multiple of it.
    let weights: Vec<u8> = (0..(33 << 20) + 7u32).map(|i| (i % 251) as u8).collect();
    let files = [
        (LAST, b"{}".to_vec()),
        ("weights.safetensors", weights),
        ("vocabulary/顾客 #1.json", b"[1]".to_vec()),
        ("empty", vec![]),
    ];
    for (name, bytes) in &files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    files.map(|(name, bytes)| (name.to_owned(), bytes)).into()
}

#[tokio::test]
async fn a_folder_comes_back_as_it_was() {
    let (_folder, store) = new_store().await;
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = make_run(from.path());
    store.upload_folder(from.path(), "runs/r1", LAST).await.unwrap();
    store.put_file("runs/r10/other", "x").await.unwrap();
    store.download_folder("runs/r1", &to.path().join("deep/er"), LAST).await.unwrap();
    for (name, bytes) in &files {
        assert!(std::fs::read(to.path().join("deep/er").join(name)).unwrap() == *bytes, "{name}");
    }
    assert_eq!(store.list("runs/r1").await.unwrap().len(), files.len());
}

#[tokio::test]
async fn a_whole_folder_is_not_replaced() {
    let (_folder, store) = new_store().await;
    let from = tempfile::tempdir().unwrap();
    std::fs::write(from.path().join(LAST), "1").unwrap();
    store.upload_folder(from.path(), "runs/r1", LAST).await.unwrap();
    std::fs::write(from.path().join(LAST), "2").unwrap();
    let error = store.upload_folder(from.path(), "runs/r1", LAST).await.unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(store.get_file("runs/r1/run.json").await.unwrap(), "1");
}

#[tokio::test]
async fn a_killed_upload_is_no_run_and_can_be_repeated() {
    let from = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c", LAST] {
        std::fs::write(from.path().join(name), name).unwrap();
    }
    for kills in 0..4 {
        let (_folder, store) = new_store().await;
        let to = tempfile::tempdir().unwrap();
        let killed = Store::open_root(BreakingStore::root(&store.root, kills, Break::Before)).await.unwrap();
        killed.upload_folder(from.path(), "runs/r1", LAST).await.unwrap_err();
        let error = store.download_folder("runs/r1", to.path(), LAST).await.unwrap_err();
        assert!(matches!(error, Error::Missing { .. }), "{error}");
        store.upload_folder(from.path(), "runs/r1", LAST).await.unwrap();
        store.download_folder("runs/r1", to.path(), LAST).await.unwrap();
        assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 4);
    }
}

#[tokio::test]
async fn a_file_is_created_once() {
    let (_folder, store) = new_store().await;
    store.create_file("locks/build", "first").await.unwrap();
    let error = store.create_file("locks/build", "second").await.unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(store.get_file("locks/build").await.unwrap(), "first");
    store.put_file("locks/build", "third").await.unwrap();
    assert_eq!(store.get_file("locks/build").await.unwrap(), "third");
    assert!(matches!(store.get_file("locks/other").await, Err(Error::Missing { .. })));
    assert!(matches!(store.put_file("../out", "x").await, Err(Error::Name { .. })));
    assert_eq!(store.list("nothing/here").await.unwrap(), [""; 0]);
}
