//! Defines `CREATE` and `DROP` of views and tables: a definition is a file below the project's `sql/`, whether an editor
//! writes it or a statement.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::sql::parser;
use datafusion::sql::sqlparser::ast::{self, CreateTable, CreateTableOptions, CreateView, ObjectName, ObjectType};

use crate::Warehouse;
use crate::catalog::{Catalog, Kind, path_of};
use crate::ddl::meant;
use crate::error::{Error, Result};
use crate::problem::similar;
use crate::session::SessionOptions;
use crate::statement::Statement;
use crate::write::replace_file;

/// A statement that changes what is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `schema.name`.
    name: String,
    /// Path below `sql/`.
    path: String,
    kind: Kind,
    action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    /// `text` is the file's.
    Create {
        text: String,
        or_replace: bool,
        if_not_exists: bool,
    },
    Drop {
        if_exists: bool,
    },
}

/// What became of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It holds the definition now.
    Written(PathBuf),
    /// It is gone.
    Removed(PathBuf),
    /// There was nothing to do, and the statement said `IF EXISTS` or `IF NOT EXISTS`.
    Nothing,
}

impl Statement {
    /// What a `CREATE` or `DROP` of a view or table changes; `None` for any other statement.
    ///
    /// # Errors
    /// [`Error::Refused`] for clauses that mean nothing here, [`Error::Definition`] for a name that none can have.
    pub fn change(&self) -> Result<Option<Change>> {
        let parser::Statement::Statement(statement) = &self.parsed else { return Ok(None) };
        match statement.as_ref() {
            ast::Statement::CreateView(view) => of_view(view).map(Some),
            ast::Statement::CreateTable(table) => of_table(table).map(Some),
            ast::Statement::Drop { object_type, if_exists, names, .. } => {
                let kind = match object_type {
                    ObjectType::View => Kind::View,
                    ObjectType::Table => Kind::Table,
                    _ => return Ok(None),
                };
                let [name] = names.as_slice() else {
                    return Err(refused("DROP of several names", "write a statement for each"));
                };
                Change::new(name, kind, Action::Drop { if_exists: *if_exists }).map(Some)
            }
            _ => Ok(None),
        }
    }
}

fn of_view(view: &CreateView) -> Result<Change> {
    let plain = CreateView {
        or_alter: false,
        materialized: false,
        secure: false,
        columns: Vec::new(),
        options: CreateTableOptions::None,
        cluster_by: Vec::new(),
        with_no_schema_binding: false,
        temporary: false,
        copy_grants: false,
        to: None,
        params: None,
        ..view.clone()
    };
    if plain != *view {
        let form = "write CREATE [OR REPLACE] VIEW [IF NOT EXISTS] schema.name [COMMENT = 'what it holds'] AS SELECT …";
        return Err(refused("a clause of CREATE VIEW", form));
    }
    let comment = view.comment.as_deref().unwrap_or("Made by CREATE VIEW.").replace('\n', "\n-- ");
    let text = format!("-- {comment}\n{:#}\n", view.query);
    let action = Action::Create { text, or_replace: view.or_replace, if_not_exists: view.if_not_exists };
    Change::new(&view.name, Kind::View, action)
}

fn of_table(table: &CreateTable) -> Result<Change> {
    if table.query.is_some() {
        let instead = "make a view of the query, or COPY its rows to a file and load that";
        return Err(refused("CREATE TABLE … AS", instead));
    }
    if table.or_replace {
        return Err(refused("CREATE OR REPLACE TABLE", "edit its file, to which columns can be added"));
    }
    let plain = CreateTable { if_not_exists: false, ..table.clone() };
    let text = format!("-- Made by CREATE TABLE.\n{plain:#};\n");
    Change::new(
        &table.name,
        Kind::Table,
        Action::Create { text, or_replace: false, if_not_exists: table.if_not_exists },
    )
}

fn refused(what: &str, instead: &str) -> Error {
    Error::Refused { what: what.into(), instead: instead.into() }
}

impl Change {
    fn new(name: &ObjectName, kind: Kind, action: Action) -> Result<Change> {
        let parts = name.0.iter().filter_map(|part| part.as_ident()).map(meant);
        match parts.collect::<Vec<_>>().as_slice() {
            [schema, name] => {
                Ok(Change { path: path_of(schema, name)?, name: format!("{schema}.{name}"), kind, action })
            }
            _ => Err(refused(
                &format!("the name {name}"),
                "a view or table is schema.name, such as marts.best_customers",
            )),
        }
    }

    fn wrong(&self, what: &'static str, valid: String) -> Error {
        Error::Argument { what, value: self.name.clone(), valid }
    }
}

impl Warehouse {
    /// Changes a definition of the project whose SQL files lie below `sql_dir`. Returns the warehouse as it is afterwards:
    /// this one goes on as it was.
    ///
    /// # Errors
    /// [`Error::Argument`]: it is there already, has rows, or is none of the project. [`Error::UnknownTable`]: it is not
    /// there. Those of [`Warehouse::open`] and of planning the view; then the files are as before.
    pub async fn change(&self, sql_dir: &Path, change: &Change) -> Result<(Warehouse, Changed)> {
        let file = sql_dir.join(&change.path);
        let io = |action| {
            let path = file.clone();
            move |source| Error::Io { action, path, source }
        };
        let before = match std::fs::read(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(io("read")(error)),
        };
        let changed = match &change.action {
            Action::Create { text, or_replace, if_not_exists } => {
                match self.catalog().get(&change.name).map(|known| known.kind) {
                    Some(_) if *if_not_exists => return Ok((self.clone(), Changed::Nothing)),
                    Some(kind) if !or_replace || kind != change.kind => {
                        let valid = format!("there is a {} of this name; OR REPLACE replaces a view", kind.name());
                        return Err(change.wrong("new name", valid));
                    }
                    _ => {}
                }
                std::fs::create_dir_all(file.parent().unwrap_or(sql_dir)).map_err(io("make the folder of"))?;
                replace_file(&file, text.as_bytes())?;
                Changed::Written(file.clone())
            }
            Action::Drop { if_exists } => {
                if before.is_none() && self.catalog().get(&change.name).is_none() && *if_exists {
                    return Ok((self.clone(), Changed::Nothing));
                }
                self.may_drop(change, before.is_some()).await?;
                std::fs::remove_file(&file).map_err(io("remove"))?;
                Changed::Removed(file.clone())
            }
        };
        match self.changed(sql_dir, change).await {
            Ok(warehouse) => Ok((warehouse, changed)),
            Err(error) => {
                match before {
                    Some(text) => replace_file(&file, &text)?,
                    None => std::fs::remove_file(&file).map_err(io("remove"))?,
                }
                Err(error)
            }
        }
    }

    async fn may_drop(&self, change: &Change, is_of_project: bool) -> Result<()> {
        let Some(known) = self.catalog().get(&change.name) else {
            let names = self.catalog().iter().map(|definition| definition.full_name()).collect();
            return Err(Error::UnknownTable { name: change.name.clone(), nearest_names: similar(&change.name, names) });
        };
        if known.kind != change.kind {
            return Err(change.wrong("name", format!("it is a {}", known.kind.name())));
        }
        if !is_of_project {
            return Err(change.wrong("name", "it comes with the program; only what the project defines can go".into()));
        }
        if self.store().snapshot().await?.tables.contains_key(&change.name) {
            return Err(change.wrong("name", "the newest snapshot has rows of it".into()));
        }
        Ok(())
    }

    /// With the files as they are now, which must make sense.
    async fn changed(&self, sql_dir: &Path, change: &Change) -> Result<Warehouse> {
        let warehouse = Warehouse { catalog: Arc::new(Catalog::open(Some(sql_dir))?), ..self.clone() };
        if warehouse.catalog().get(&change.name).is_some() {
            let session = warehouse.session(SessionOptions::default()).await?;
            session.sql(&format!("SELECT * FROM {}", change.name)).await?;
        }
        Ok(warehouse)
    }
}
