//! Defines [`find`]: the files that paths, folders, globs and URLs name.

use std::path::{Path, PathBuf};

use store::Files;
use tempfile::TempDir;

use super::InputFile;
use crate::error::{Error, Result};

/// Files of this machine; those of a URL are copies in a temporary folder, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) files: Vec<InputFile>,
    _copies: Vec<TempDir>,
}

/// The files, each once, in the order of the patterns and by name within one.
pub(crate) async fn find(patterns: &[String], environment: &[(String, String)]) -> Result<Found> {
    let (mut files, mut copies): (Vec<InputFile>, _) = (Vec::new(), Vec::new());
    for pattern in patterns {
        let found = match pattern.contains("://") {
            true => {
                let io = |source| Error::Io { action: "make", path: "a temporary folder".into(), source };
                let folder = tempfile::tempdir().map_err(io)?;
                let found = fetch(pattern, environment, folder.path()).await?;
                copies.push(folder);
                found
            }
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
        false => Ok(Found { files, _copies: copies }),
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
    let names = if !has_wildcard(&rest) && !rest.is_empty() && files.has(&rest).await? {
        vec![rest]
    } else if files.is_web() {
        return Err(no_file(url, "it is not there, and web servers list no files; name one"));
    } else if has_wildcard(&rest) {
        let pattern = glob::Pattern::new(&rest).map_err(|e| no_file(url, &format!("it is no glob: {e}")))?;
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
        files.list("").await?.into_iter().filter(|name| pattern.matches_with(name, options)).collect()
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
