//! Defines `describe`: what tables and views there are, from their headers and their real columns.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::Warehouse;
use crate::catalog::{Definition, Kind};
use crate::ddl::type_name;
use crate::error::{Error, Result};
use crate::problem::similar;
use crate::session::{Session, SessionOptions};

/// What every raw table is.
const RAW: &str = "Rows as they were loaded, in the order of their files.";

/// A table or view and its documentation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Described {
    /// One of [`crate::SCHEMAS`].
    pub schema: String,
    /// Name in the schema.
    pub name: String,
    /// Table or view.
    pub kind: Kind,
    /// One sentence.
    pub summary: String,
    /// Columns of which one row each exists.
    pub grain: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Columns with personal data.
    pub pii: Vec<String>,
    /// What every row must fulfil.
    pub checks: Vec<String>,
    /// In the order of the table.
    pub columns: Vec<DescribedColumn>,
}

/// A column and its documentation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DescribedColumn {
    /// Its name.
    pub name: String,
    /// SQL name of its type.
    pub data_type: String,
    /// From the header; empty if it says nothing.
    pub description: String,
}

impl Described {
    /// `schema.name`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

impl Warehouse {
    /// Every table and view of the newest snapshot, raw tables first, then in the order in which they read each other.
    pub async fn describe(&self) -> Result<Vec<Described>> {
        let session = self.session(SessionOptions::default()).await?;
        let mut described = Vec::new();
        for name in session.snapshot().tables.keys().filter(|name| name.starts_with("raw.")) {
            described.push(described_raw(&session, name).await?);
        }
        for definition in self.catalog().iter().filter(|definition| definition.kind != Kind::Staging) {
            described.push(described_one(&session, definition).await?);
        }
        Ok(described)
    }
}

impl Session {
    /// Every table and view: name, kind and one sentence. Nothing is planned for it.
    pub fn overview(&self) -> Vec<(String, Kind, String)> {
        let raw = self.snapshot().tables.keys().filter(|name| name.starts_with("raw."));
        let raw = raw.map(|name| (name.clone(), Kind::Table, RAW.to_string()));
        let defined = self.world.catalog.iter().filter(|definition| definition.kind != Kind::Staging);
        raw.chain(defined.map(|d| (d.full_name(), d.kind, d.header.summary.clone()))).collect()
    }

    /// One table or view and its documentation.
    ///
    /// # Errors
    /// [`Error::UnknownTable`] with similar names.
    pub async fn describe(&self, full_name: &str) -> Result<Described> {
        match self.world.catalog.get(full_name).filter(|definition| definition.kind != Kind::Staging) {
            Some(definition) => described_one(self, definition).await,
            None if self.snapshot().tables.contains_key(full_name) => described_raw(self, full_name).await,
            None => {
                let nearest_names = similar(full_name, self.names());
                Err(Error::UnknownTable { name: full_name.into(), nearest_names })
            }
        }
    }

    /// The names of all columns: of views those that their headers describe.
    pub async fn column_names(&self) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for definition in self.world.catalog.iter().filter(|definition| definition.kind != Kind::Staging) {
            names.extend(definition.header.columns.iter().map(|(name, _)| name.clone()));
            names.extend(
                definition.columns.iter().flat_map(|columns| columns.fields().iter().map(|f| f.name().clone())),
            );
        }
        let raw = self.snapshot().tables.iter().filter(|(name, _)| name.starts_with("raw."));
        let raw = raw.map(|(name, version)| self.world.store.table(name, *version));
        for table in futures::future::try_join_all(raw).await? {
            names.extend(table.schema.fields().iter().map(|field| field.name().clone()));
        }
        Ok(names)
    }
}

pub(crate) async fn described_one(session: &Session, definition: &Definition) -> Result<Described> {
    let columns = columns(session, &definition.full_name()).await?;
    let header = &definition.header;
    let document = |(name, data_type): (String, String)| {
        let description = header.column(&name).unwrap_or_default().to_string();
        DescribedColumn { name, data_type, description }
    };
    Ok(Described {
        schema: definition.schema.clone(),
        name: definition.name.clone(),
        kind: definition.kind,
        summary: header.summary.clone(),
        grain: header.grain.clone(),
        owner: header.owner.clone(),
        pii: header.pii.clone(),
        checks: header.checks.clone(),
        columns: columns.into_iter().map(document).collect(),
    })
}

async fn described_raw(session: &Session, full_name: &str) -> Result<Described> {
    let columns = columns(session, full_name).await?.into_iter();
    let columns = columns.map(|(name, data_type)| {
        let description = match name.as_str() {
            "_source" => "source of the table",
            "_file" => "name of the file",
            "_row" => "row of the file, from 1",
            "_loaded_at" => "when the file was loaded; NULL for a historical load",
            _ => "",
        };
        DescribedColumn { name, data_type, description: description.to_string() }
    });
    Ok(Described {
        schema: "raw".into(),
        name: full_name.trim_start_matches("raw.").into(),
        kind: Kind::Table,
        summary: RAW.into(),
        grain: vec!["_file".into(), "_row".into()],
        owner: None,
        pii: Vec::new(),
        checks: Vec::new(),
        columns: columns.collect(),
    })
}

/// Names and types.
async fn columns(session: &Session, full_name: &str) -> Result<Vec<(String, String)>> {
    let schema = session.sql(&format!("SELECT * FROM {full_name}")).await?.schema();
    Ok(schema.fields().iter().map(|field| (field.name().clone(), type_name(field.data_type()))).collect())
}
