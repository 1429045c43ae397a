//! Defines which files a load is about: those that are named, without those whose content is in the table already.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::datatypes::SchemaRef;
use store::Table;

use super::LoadOptions;
use crate::error::{Error, Result};
use crate::joined;
use crate::read::{self, Depth, InputFile, Inspection, TextOptions};

/// What a file's Delta transaction says of how it was loaded: its rows known from the load on, or when they happened.
const AS_NEWS: i64 = 1;
const AS_HISTORY: i64 = 2;

/// A file about to be loaded.
#[derive(Debug, Clone)]
pub(super) struct Incoming {
    pub(super) file: InputFile,
    /// What `_file` says.
    pub(super) label: String,
    pub(super) inspection: Inspection,
}

pub(super) async fn inspect_all(
    files: Vec<InputFile>,
    text: TextOptions,
    pinned: SchemaRef,
    depth: Depth,
) -> Result<Vec<(InputFile, Inspection)>> {
    let inspect = move || {
        let inspect =
            |file: InputFile| read::inspect(&file, &text, &pinned, depth).map(|inspection| (file, inspection));
        files.into_iter().map(inspect).collect()
    };
    joined(tokio::task::spawn_blocking(inspect).await)
}

/// Splits into files to load and files that are there already, or twice in this call.
pub(super) async fn new_files(
    table: &str,
    latest: Option<&Table>,
    inspected: Vec<(InputFile, Inspection)>,
    options: &LoadOptions,
) -> Result<(Vec<Incoming>, Vec<String>)> {
    let (mut incoming, mut skipped, mut seen): (Vec<Incoming>, _, _) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (file, inspection) in inspected {
        let known = match latest {
            Some(latest) => latest.transaction(&file_transaction(table, &inspection.sha256)).await?,
            None => None,
        };
        if options.history && known == Some(AS_NEWS) {
            let problem = "its rows are there already, loaded without --history: they count as known from that load on. \
                To have them known when they happened, start a new warehouse";
            return Err(Error::File { file: file.shown, problem: problem.into() });
        }
        if known.is_some() || !seen.insert(inspection.sha256.clone()) {
            skipped.push(file.shown);
            continue;
        }
        let name = file_name(&file.path);
        let before = incoming.iter().filter(|other| file_name(&other.file.path) == name).count() as i64;
        let nth = before + 1 + times_loaded(table, latest, &name).await?;
        // `_file` and `_row` together name a raw row, also when tomorrow's file has today's name.
        let label = if nth == 1 { name } else { format!("{name}~{nth}") };
        incoming.push(Incoming { file, label, inspection });
    }
    Ok((incoming, skipped))
}

pub(super) async fn transactions(
    table: &str,
    latest: Option<&Table>,
    incoming: &[Incoming],
    options: &LoadOptions,
) -> Result<Vec<(String, i64)>> {
    let mut names: BTreeMap<String, i64> = BTreeMap::new();
    for Incoming { file, .. } in incoming {
        let name = file_name(&file.path);
        let before = times_loaded(table, latest, &name).await?;
        *names.entry(name).or_insert(before) += 1;
    }
    let how = if options.history { AS_HISTORY } else { AS_NEWS };
    let files = incoming.iter().map(|incoming| (file_transaction(table, &incoming.inspection.sha256), how));
    Ok(files.chain(names.into_iter().map(|(name, times)| (name_transaction(table, &name), times))).collect())
}

async fn times_loaded(table: &str, latest: Option<&Table>, name: &str) -> Result<i64> {
    match latest {
        Some(latest) => Ok(latest.transaction(&name_transaction(table, name)).await?.unwrap_or(0)),
        None => Ok(0),
    }
}

fn file_transaction(table: &str, sha256: &str) -> String {
    format!("file:{table}:{sha256}")
}

fn name_transaction(table: &str, name: &str) -> String {
    format!("name:{table}:{name}")
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
