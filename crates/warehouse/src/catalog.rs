//! Defines [`Catalog`]: every table and view by name, from the SQL files shipped in the program and those of the user's
//! project, which replace a shipped file of the same path. Everything is checked when it is opened (one statement per
//! file, known schemas, no reads of later schemas, no cycles), so that a query never meets half a model.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use datafusion::common::TableReference;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast;
use include_dir::{Dir, DirEntry, include_dir};
use serde::Serialize;

use crate::actions;
use crate::ddl::table_schema;
use crate::error::{Error, Result};
use crate::guard;
use crate::header::Header;
use crate::quality::{CHECKS, Rule};
use crate::statement::Statement;

/// The schemas, in the order in which they may read each other: a view reads only its own or an earlier one.
pub const SCHEMAS: [&str; 12] = [
    "raw", "staging", "core", "features", "labels", "scores", "models", "insights", "quality", "audit", "marts", CHECKS,
];

/// Tables that every session fills itself; they are in no schema.
pub(crate) const SESSION_TABLES: [&str; 2] = [SPINE, PARAMS];
pub(crate) const SPINE: &str = "spine";
pub(crate) const PARAMS: &str = "params";

const STAGING: &str = "staging";
const ONE_STATEMENT: &str = "a file holds one SELECT or one CREATE TABLE (staging and checks: one SELECT)";
/// Staging file of a source that counts what the others leave out.
pub(crate) const SET_ASIDE: &str = "set_aside";
pub(crate) const SET_ASIDE_TABLE: &str = "quality.set_aside";

static SHIPPED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../sql");

/// What a SQL file makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A table that always exists, empty until something is written.
    Table,
    /// A query, run when read.
    View,
    /// Rows for a core table, from raw tables.
    Staging,
}

impl Kind {
    /// As a person reads it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Table => "table",
            Kind::View => "view",
            Kind::Staging => "staging",
        }
    }
}

/// One SQL file.
#[derive(Debug, Clone)]
pub struct Definition {
    /// One of [`SCHEMAS`].
    pub schema: String,
    /// Name in the schema; `<source>/<core table>` for staging files.
    pub name: String,
    /// What it makes.
    pub kind: Kind,
    /// Its documentation.
    pub header: Header,
    /// The whole file.
    pub sql: String,
    /// Path below `sql/`.
    pub path: String,
    /// Columns of a [`Kind::Table`].
    pub columns: Option<SchemaRef>,
    /// Tables and views it reads, `schema.name` or a session table.
    pub reads: Vec<String>,
    /// The checks of its header.
    pub(crate) rules: Vec<Rule>,
}

impl Definition {
    /// `schema.name`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Source of a staging file.
    pub fn source(&self) -> Option<&str> {
        self.name.split_once('/').map(|(source, _)| source)
    }

    /// Whether the program brings it, rather than the project.
    pub(crate) fn is_shipped(&self) -> bool {
        SHIPPED.get_file(&self.path).and_then(|file| file.contents_utf8()) == Some(&self.sql)
    }

    /// The table a staging file feeds.
    pub(crate) fn target(&self) -> Option<String> {
        self.name.split_once('/').map(|(_, table)| match table {
            SET_ASIDE => SET_ASIDE_TABLE.to_string(),
            _ => format!("core.{table}"),
        })
    }
}

/// All definitions, checked.
#[derive(Debug)]
pub struct Catalog {
    definitions: BTreeMap<String, Definition>,
    order: Vec<String>,
}

impl Catalog {
    /// The shipped files, and over them those below `project`.
    ///
    /// # Errors
    /// [`Error::Definition`] names the file, [`Error::Cycle`] the circle.
    pub fn open(project: Option<&Path>) -> Result<Catalog> {
        let mut files = BTreeMap::new();
        embedded(&SHIPPED, &mut files);
        if let Some(folder) = project {
            if !folder.is_dir() {
                let hint = "the project's SQL files are looked for in this folder".to_string();
                return Err(Error::NoFile { pattern: folder.display().to_string(), hint });
            }
            on_disk(folder, folder, &mut files)?;
        }
        Catalog::new(files)
    }

    pub(crate) fn new(mut files: BTreeMap<String, String>) -> Result<Catalog> {
        let mut definitions: BTreeMap<String, Definition> = BTreeMap::new();
        let made = actions::views(&files)?;
        files.remove(actions::PATH);
        let made =
            made.into_iter().map(|(path, sql)| Ok(Definition { path: actions::PATH.into(), ..define(path, sql)? }));
        for definition in files.into_iter().map(|(path, sql)| define(path, sql)).chain(made) {
            let definition = definition?;
            if let Some(other) = definitions.get(&definition.full_name()) {
                let problem = format!("{} is already defined by sql/{}", other.full_name(), other.path);
                return Err(Error::Definition { path: definition.path, problem });
            }
            definitions.insert(definition.full_name(), definition);
        }
        let catalog = Catalog { order: order(&definitions)?, definitions };
        catalog.definitions.values().try_for_each(|definition| catalog.check(definition))?;
        Ok(catalog)
    }

    /// The definition of `schema.name`.
    pub fn get(&self, full_name: &str) -> Option<&Definition> {
        self.definitions.get(full_name)
    }

    /// All definitions, each after those it reads.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.order.iter().filter_map(|name| self.definitions.get(name))
    }

    /// The names in one schema.
    pub(crate) fn names(&self, schema: &str) -> Vec<String> {
        let of_schema = self.definitions.values().filter(|d| d.schema == schema && d.kind != Kind::Staging);
        of_schema.map(|d| d.name.clone()).collect()
    }

    /// Staging files in the order in which `build` runs them.
    pub(crate) fn staging(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.values().filter(|d| d.kind == Kind::Staging)
    }

    /// The source of a raw table: the longest staged source its name starts with, else its first word.
    pub(crate) fn source_of(&self, raw_name: &str) -> String {
        let staged = self.staging().filter_map(Definition::source);
        let known = staged.filter(|source| raw_name.strip_prefix(source).is_some_and(|rest| rest.starts_with('_')));
        let first_word = raw_name.split('_').next().unwrap_or(raw_name);
        known.max_by_key(|source| source.len()).unwrap_or(first_word).to_string()
    }

    fn check(&self, definition: &Definition) -> Result<()> {
        let fail = |problem: String| Error::Definition { path: definition.path.clone(), problem };
        for read in &definition.reads {
            let Some((schema, _)) = read.split_once('.') else {
                match definition.kind {
                    Kind::View => continue,
                    _ => return Err(fail(format!("it reads {read}, which only views may"))),
                }
            };
            let allowed = match definition.kind {
                Kind::Staging => schema == "raw",
                _ => rank(schema) <= rank(&definition.schema),
            };
            if !allowed {
                let order = SCHEMAS.join(" < ");
                return Err(fail(format!(
                    "it reads {read}: a view reads only its own or an earlier schema ({order}), staging only raw"
                )));
            }
            if schema != "raw" && !self.definitions.contains_key(read) {
                return Err(fail(format!("it reads {read}, which no file defines")));
            }
        }
        let of_nothing = |rule: &&Rule| !rule.table.starts_with("raw.") && !self.definitions.contains_key(&rule.table);
        if let Some(rule) = definition.rules.iter().find(of_nothing) {
            return Err(fail(format!("it checks {}, which no file defines", rule.table)));
        }
        match definition.target() {
            Some(target) if !self.get(&target).is_some_and(|d| d.kind == Kind::Table) => Err(fail(format!(
                "there is no table {target} to feed: sql/{}.sql must create it",
                target.replace('.', "/")
            ))),
            _ => Ok(()),
        }
    }
}

/// The tables a statement names, as `schema.name` or bare.
pub(crate) fn references(statement: &Parsed) -> Result<Vec<String>> {
    let (tables, _) = resolve_table_references(statement, true)?;
    Ok(tables.iter().map(full_name).collect())
}

fn full_name(table: &TableReference) -> String {
    match table.schema() {
        Some(schema) => format!("{schema}.{}", table.table()),
        None => table.table().to_string(),
    }
}

fn define(path: String, sql: String) -> Result<Definition> {
    let fail = |problem: String| Error::Definition { path: path.clone(), problem };
    let (schema, name) = placed(&path).map_err(&fail)?;
    let statement = Statement::one(&sql).map_err(|e| fail(e.to_string()))?.parsed;
    guard::no_sampling(&statement).map_err(|e| fail(e.to_string()))?;
    let mut columns = None;
    let kind = match &statement {
        Parsed::Statement(s) => match (s.as_ref(), schema.as_str()) {
            (ast::Statement::Query(_), STAGING) => Kind::Staging,
            (ast::Statement::Query(_), _) => Kind::View,
            (ast::Statement::CreateTable(table), schema) if schema != STAGING && schema != CHECKS => {
                if table.name.to_string() != format!("{schema}.{name}") {
                    return Err(fail(format!("it creates {}, but its path says {schema}.{name}", table.name)));
                }
                columns = Some(table_schema(table).map_err(&fail)?);
                Kind::Table
            }
            _ => return Err(fail(ONE_STATEMENT.into())),
        },
        _ => return Err(fail(ONE_STATEMENT.into())),
    };
    let reads = match kind {
        Kind::Table => Vec::new(),
        _ => references(&statement)?.into_iter().filter(|read| is_relation(read)).collect(),
    };
    let header = Header::parse(&sql);
    let rules = Rule::of(&format!("{schema}.{name}"), &path, &header).map_err(&fail)?;
    Ok(Definition { schema, name, kind, header, sql, path, columns, reads, rules })
}

/// A bare name that is no session table is a table function (`unnest`, `range`), or unknown: planning will tell.
fn is_relation(read: &str) -> bool {
    read.contains('.') || SESSION_TABLES.contains(&read)
}

/// The path below `sql/` of a view or table.
///
/// # Errors
/// [`Error::Definition`]: no file can define it.
pub(crate) fn path_of(schema: &str, name: &str) -> Result<String> {
    let path = format!("{schema}/{name}.sql");
    match placed(&path) {
        Ok(_) => Ok(path),
        Err(problem) => Err(Error::Definition { path, problem }),
    }
}

/// Schema and name from a path.
fn placed(path: &str) -> Result<(String, String), String> {
    let valid = || "put it at sql/<schema>/<name>.sql or sql/staging/<source>/<core table>.sql".to_string();
    let stem = path.strip_suffix(".sql").ok_or_else(valid)?;
    let parts: Vec<&str> = stem.split('/').collect();
    let plain = |name: &str| {
        let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
        first && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if let Some(part) = parts.iter().find(|part| !plain(part)) {
        return Err(format!("\"{part}\" is no name: use lower-case letters, digits and _"));
    }
    match parts.as_slice() {
        [STAGING, source, table] => Ok((STAGING.into(), format!("{source}/{table}"))),
        [schema, name] if *schema != STAGING && *schema != "raw" && rank(schema) < SCHEMAS.len() => {
            Ok((schema.to_string(), name.to_string()))
        }
        [schema, _] if rank(schema) == SCHEMAS.len() => {
            Err(format!("there is no schema {schema}: use one of {}", SCHEMAS[2..].join(", ")))
        }
        _ => Err(valid()),
    }
}

fn rank(schema: &str) -> usize {
    SCHEMAS.iter().position(|s| *s == schema).unwrap_or(SCHEMAS.len())
}

/// Depth first, so that each name comes after those it reads.
fn order(definitions: &BTreeMap<String, Definition>) -> Result<Vec<String>> {
    let mut done = BTreeSet::new();
    let mut order = Vec::with_capacity(definitions.len());
    for name in definitions.keys() {
        visit(name, definitions, &mut Vec::new(), &mut done, &mut order)?;
    }
    Ok(order)
}

fn visit(
    name: &str,
    definitions: &BTreeMap<String, Definition>,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
    order: &mut Vec<String>,
) -> Result<()> {
    if done.contains(name) {
        return Ok(());
    }
    if let Some(start) = path.iter().position(|step| step == name) {
        let mut cycle = path[start..].to_vec();
        cycle.push(name.to_string());
        return Err(Error::Cycle { cycle });
    }
    let Some(definition) = definitions.get(name) else { return Ok(()) };
    path.push(name.to_string());
    for read in &definition.reads {
        visit(read, definitions, path, done, order)?;
    }
    path.pop();
    done.insert(name.to_string());
    order.push(name.to_string());
    Ok(())
}

fn embedded(dir: &Dir<'_>, files: &mut BTreeMap<String, String>) {
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(dir) => embedded(dir, files),
            DirEntry::File(file) => {
                let path = file.path().to_string_lossy().replace('\\', "/");
                if let (true, Some(sql)) = (is_definition(&path), file.contents_utf8()) {
                    files.insert(path, sql.to_string());
                }
            }
        }
    }
}

fn on_disk(folder: &Path, root: &Path, files: &mut BTreeMap<String, String>) -> Result<()> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Io { action: "read", path, source }
    };
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io(folder))? {
        entries.push(entry.map_err(io(folder))?.path());
    }
    for path in entries {
        if path.is_dir() {
            on_disk(&path, root, files)?;
            continue;
        }
        let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if is_definition(&relative) {
            let sql = std::fs::read_to_string(&path).map_err(io(&path))?;
            files.insert(relative, sql);
        }
    }
    Ok(())
}

/// Whether a file below `sql/` is one of ours.
fn is_definition(path: &str) -> bool {
    path.ends_with(".sql") || path == actions::PATH
}
