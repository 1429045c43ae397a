//! A new source: its first staging file and its place in `perennial.toml`, from what its files look like.

use crate::error::{Error, Result};
use crate::project::{Config, FILE, Project, Source};
use serde::Serialize;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use warehouse::{Catalog, Scaffold, infer, replace_file};

/// What was made for a new source.
#[derive(Clone, Debug, Serialize)]
pub struct NewSource {
    /// The core table that it feeds.
    pub core_table: String,
    /// The raw table that its files go to.
    pub raw_table: String,
    /// The staging file, to be read and completed.
    pub staging: PathBuf,
    /// Core columns and the columns of the files that they are taken from.
    pub mapped: Vec<(String, String)>,
    /// Core columns that the files seem not to have.
    pub missing: Vec<String>,
    /// Columns of the files that go nowhere.
    pub unused: Vec<String>,
}

/// Drafts the staging of `source` (whose table is still to be named) into `core_table`, or the one its files look most
/// like, and adds it to the project in `folder`. What is there already stays as it is.
pub async fn new_source(
    folder: &Path,
    name: &str,
    core_table: Option<&str>,
    source: Source,
    environment: Vec<(String, String)>,
) -> Result<NewSource> {
    let sql = folder.join("sql");
    let catalog = Catalog::open(sql.is_dir().then_some(sql.as_path()))?;
    let options = warehouse::LoadOptions { environment, ..source.load_options() };
    let columns = infer(&source.files, &options).await?;
    let Scaffold { core_table, raw_table, path, sql: text, mapped, missing, unused } =
        catalog.scaffold(name, core_table, &columns)?;
    let files = source.files.iter().map(|pattern| from_folder(pattern, folder)).collect::<Result<_>>()?;
    let config = extended(folder, Source { table: raw_table.clone(), files, ..source })?;

    let staging = sql.join(path);
    create(&staging, &text)?;
    replace_file(&folder.join(FILE), config.as_bytes()).inspect_err(|_| {
        // Half a source is none.
        let _ = std::fs::remove_file(&staging);
    })?;
    Ok(NewSource { core_table, raw_table, staging, mapped, missing, unused })
}

/// A pattern as the project's sources have it: relative paths start at its folder.
fn from_folder(pattern: &str, folder: &Path) -> Result<String> {
    if pattern.contains("://") {
        return Ok(pattern.into());
    }
    let absolute = |path: &Path| std::path::absolute(path).map_err(Error::file(path));
    let pattern = absolute(Path::new(pattern))?;
    Ok(pattern.strip_prefix(absolute(folder)?).unwrap_or(&pattern).to_string_lossy().into_owned())
}

/// The text of the project's file with one more source; everything before it as it was written.
fn extended(folder: &Path, source: Source) -> Result<String> {
    let path = folder.join(FILE);
    let before = match path.is_file() {
        true => std::fs::read_to_string(&path).map_err(Error::file(&path))?,
        false => "warehouse = \"warehouse\"\n".into(),
    };
    if path.is_file() && Project::read(folder)?.config.sources.iter().any(|known| known.table == source.table) {
        return Err(Error::AlreadyThere { what: format!("the source {} in {}", source.table, path.display()) });
    }
    #[derive(Serialize)]
    struct Addition {
        sources: [Source; 1],
    }
    let addition = toml::to_string(&Addition { sources: [source] });
    let addition = addition.map_err(|e| Error::file(&path)(std::io::Error::other(e)))?;
    let after = format!("{}\n\n{addition}", before.trim_end());
    // An inline `sources = [...]` can't be gone on with.
    toml::from_str::<Config>(&after).map_err(|source| Error::Toml { path, source: Box::new(source) })?;
    Ok(after)
}

fn create(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Error::AlreadyThere { what: path.display().to_string() });
        }
        opened => opened.map_err(Error::file(path))?,
    };
    file.write_all(text.as_bytes()).map_err(Error::file(path))
}
