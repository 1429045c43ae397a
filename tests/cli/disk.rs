//! A disk without room: a limit on the size of files makes writes fail as a full one does.

use super::shop::{TINY, W, built};
use crate::support::Folder;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

const TRAIN: [&str; 7] = ["train", "churn", "--warehouse", W, "--resume", "--work", "work"];

/// The run in training, once it has a checkpoint.
fn with_checkpoint(folder: &Folder) -> Option<PathBuf> {
    let runs = std::fs::read_dir(folder.path("work")).ok()?.flatten().map(|entry| entry.path());
    runs.into_iter().find(|run| run.join("checkpoint.safetensors").exists())
}

/// What training left of each epoch.
fn history(folder: &Folder) -> Vec<String> {
    folder.sql(W, "SELECT split, epoch, metric, value FROM models.metrics ORDER BY split, epoch, metric")
}

fn shop() -> Folder {
    let folder = built();
    let tiny = TINY.replace("epochs = 2", "epochs = 40\npatience = 40");
    folder.write("models/churn.toml", &format!("task = 'churn'\nlabel = 'labels.churn'\nhead = 'churn'\n{tiny}"));
    folder
}

#[test]
fn a_full_disk_leaves_the_last_checkpoint_whole() {
    let folder = shop();
    let mut child = folder.command(&TRAIN).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let run = loop {
        match with_checkpoint(&folder) {
            Some(run) => break run,
            None => sleep(Duration::from_millis(2)),
        }
    };
    let _ = child.kill();
    child.wait().expect("the child ends");
    let files = || -> Vec<(String, Vec<u8>)> {
        let files = std::fs::read_dir(&run).expect("readable").flatten();
        let mut files: Vec<_> = files
            .map(|file| {
                (file.file_name().to_string_lossy().into_owned(), std::fs::read(file.path()).expect("readable"))
            })
            .collect();
        files.sort();
        files
    };
    let before = files();
    let size = before.iter().find(|(name, _)| name == "checkpoint.safetensors").expect("a checkpoint").1.len();

    let limit = (size / 1024 / 2).to_string();
    let limited = "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"";
    let output = Command::new("bash")
        .args(["-c", limited, &limit, env!("CARGO_BIN_EXE_perennial")])
        .args(TRAIN)
        .current_dir(folder.path(""))
        .env("XDG_CACHE_HOME", folder.path("cache"))
        .output()
        .expect("bash runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(".safetensors") && error.contains("File too large"), "{error}");
    let checkpoints = |files: Vec<(String, Vec<u8>)>| -> Vec<(String, Vec<u8>)> {
        files.into_iter().filter(|(name, _)| name.starts_with("checkpoint.safetensors")).collect()
    };
    assert!(checkpoints(files()) == checkpoints(before), "the checkpoint is as it was, and nothing is beside it");

    folder.ok(&TRAIN);
    let undisturbed = shop();
    undisturbed.ok(&TRAIN);
    assert_eq!(history(&folder), history(&undisturbed));
}
