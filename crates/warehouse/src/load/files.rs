//! Defines which files a load is about: those that its patterns name, without those whose content is in the table already.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use store::{Files, Table};
use tempfile::TempDir;

use super::LoadOptions;
use crate::error::{Error, Result};
use crate::joined;
use crate::read::{self, InputFile, Inspection, TextOptions};

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

/// The files of a load; those of a URL lie in a temporary folder for as long as this lives.
pub(super) struct Found {
    pub(super) files: Vec<InputFile>,
    _fetched: TempDir,
}

/// The files, each once, in the order of the patterns and by name within one.
pub(super) async fn expand(patterns: &[String], environment: &[(String, String)]) -> Result<Found> {
    let io = |source| Error::Io { action: "make", path: "a temporary folder".into(), source };
    let fetched = tempfile::tempdir().map_err(io)?;
    let mut files: Vec<InputFile> = Vec::new();
    for (pattern, nth) in patterns.iter().zip(0..) {
        let found = match pattern.contains("://") {
            true => fetch(pattern, environment, &fetched.path().join(format!("{nth}"))).await?,
            false => matches(pattern)?.into_iter().map(InputFile::from).collect(),
        };
        for file in found {
            if !files.iter().any(|known| known.shown == file.shown) {
                files.push(file);
            }
        }
    }
    match files.is_empty() {
        true => Err(no_file("", "give at least one path, folder, glob or URL")),
        false => Ok(Found { files, _fetched: fetched }),
    }
}

/// The files of one path, folder or glob.
fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    let path = Path::new(pattern);
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let (glob, none) = match path.is_dir() {
        true => (format!("{}/**/*", glob::Pattern::escape(pattern)), "the folder has no files"),
        false if has_wildcard(pattern) => (pattern.to_string(), "no file matches it"),
        false => return Err(no_file(pattern, "give a path, a folder or a glob like data/*.csv")),
    };
    let found = glob::glob(&glob).map_err(|e| no_file(pattern, &format!("it is no glob: {e}")))?;
    let is_asked = |path: &PathBuf| {
        let below = path.strip_prefix(pattern).ok().map(|below| below.to_string_lossy().into_owned());
        path.is_file() && below.is_none_or(|below| is_data(&below))
    };
    let files: Vec<PathBuf> = found.filter_map(|path| path.ok().filter(is_asked)).collect();
    if files.is_empty() { Err(no_file(pattern, none)) } else { Ok(files) }
}

/// The files of a URL, which may be a file, a prefix or a glob, copied below `folder`.
async fn fetch(url: &str, environment: &[(String, String)], folder: &Path) -> Result<Vec<InputFile>> {
    let (scheme, path) = url.split_once("://").unwrap_or(("", url));
    // The first part with a wildcard and what follows it, or else the last part.
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let fixed = parts.iter().position(|part| has_wildcard(part)).unwrap_or(parts.len().saturating_sub(1)).max(1);
    let (base, rest) = (parts[..fixed].join("/"), parts[fixed..].join("/"));
    let files = Files::open(&format!("{scheme}://{base}"), environment.to_vec())?;
    let names = if has_wildcard(&rest) {
        let pattern = glob::Pattern::new(&rest).map_err(|e| no_file(url, &format!("it is no glob: {e}")))?;
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
        files.list("").await?.into_iter().filter(|name| pattern.matches_with(name, options)).collect()
    } else if !rest.is_empty() && files.has(&rest).await? {
        vec![rest]
    } else {
        let below =
            |name: &String| name.strip_prefix(&rest).is_some_and(|below| is_data(below.trim_start_matches('/')));
        files.list(&rest).await?.into_iter().filter(below).collect::<Vec<_>>()
    };
    if names.is_empty() {
        return Err(no_file(url, "no file lies there; give a file, a prefix or a glob like s3://bucket/drop/*.csv"));
    }
    let mut fetched = Vec::with_capacity(names.len());
    for name in names {
        let path = folder.join(&name);
        files.download(&name, &path).await?;
        fetched.push(InputFile { path, shown: files.show(&name) });
    }
    Ok(fetched)
}

fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// Of a folder's files, `.DS_Store`, `_SUCCESS` and their like are no data.
fn is_data(below: &str) -> bool {
    !below.split('/').any(|part| part.starts_with(['.', '_']))
}

fn no_file(pattern: &str, hint: &str) -> Error {
    Error::NoFile { pattern: pattern.into(), hint: hint.into() }
}

pub(super) async fn inspect_all(
    files: Vec<InputFile>,
    text: TextOptions,
    pinned: SchemaRef,
) -> Result<Vec<(InputFile, Inspection)>> {
    let inspect = move || {
        let inspect = |file: InputFile| read::inspect(&file, &text, &pinned).map(|inspection| (file, inspection));
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
