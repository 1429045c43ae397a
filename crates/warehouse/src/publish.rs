//! Defines which tables go to BI, with which columns: every mart, and the newest scores of every score table. Columns
//! marked as personal data are left out unless asked for.

use serde_json::{Value, json};
use store::{PublishedVersion, Publisher};

use crate::Warehouse;
use crate::catalog::{Definition, Kind};
use crate::describe::{Described, described_one};
use crate::error::Result;
use crate::session::Session;

/// What is published.
#[derive(Debug, Clone, Copy, Default)]
pub struct PublishOptions {
    /// Publish columns with personal data too.
    pub personal_data: bool,
}

impl Warehouse {
    /// Publishes the marts and the newest scores, as `session` sees them, as one version.
    pub async fn publish(
        &self,
        publisher: &Publisher,
        session: &Session,
        options: PublishOptions,
    ) -> Result<PublishedVersion> {
        let mut publication = publisher.begin().await?;
        let mut dictionary = serde_json::Map::new();
        for definition in self.catalog().iter().filter(|definition| is_published(definition)) {
            let described = described_one(session, definition).await?;
            let columns = visible(&described, options);
            let query = session.sql(&select(&described, &columns)).await?;
            let name = published_name(definition);
            let schema = query.schema();
            publication.write(&name, &schema, query.stream().await?).await?;
            dictionary.insert(name, entry(&described, &columns));
        }
        // What the session read may have been erased since, and must not stay behind.
        if let Err(error) = self.store().may_write().await {
            publication.abandon().await?;
            return Err(error.into());
        }
        Ok(publication.finish(session.snapshot().id, &Value::Object(dictionary)).await?)
    }
}

pub(crate) fn is_published(definition: &Definition) -> bool {
    match definition.schema.as_str() {
        "marts" => definition.kind != Kind::Staging,
        "scores" => definition.kind == Kind::Table,
        _ => false,
    }
}

/// `customer_360` for a mart, `scores_churn` for a score table.
pub(crate) fn published_name(definition: &Definition) -> String {
    match definition.schema.as_str() {
        "marts" => definition.name.clone(),
        schema => format!("{schema}_{}", definition.name),
    }
}

pub(crate) fn visible(described: &Described, options: PublishOptions) -> Vec<String> {
    let names = described.columns.iter().map(|column| column.name.clone());
    names.filter(|name| options.personal_data || !described.pii.contains(name)).collect()
}

fn select(described: &Described, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|name| format!("\"{name}\"")).collect();
    let table = format!("{}.{}", described.schema, described.name);
    let newest = match described.schema.as_str() {
        // Of each task the newest cut-off first: a backfill of an old one must not hide it.
        "scores" => format!(
            " LEFT SEMI JOIN (
                SELECT s.task, s.as_of, max(s.scored_at) AS scored_at
                FROM {table} AS s
                INNER JOIN (SELECT task, max(as_of) AS as_of FROM {table} GROUP BY task) AS n
                    ON n.task = s.task AND n.as_of = s.as_of
                GROUP BY s.task, s.as_of
            ) AS newest ON newest.task = t.task AND newest.as_of = t.as_of AND newest.scored_at = t.scored_at"
        ),
        _ => String::new(),
    };
    format!("SELECT {} FROM {table} AS t{newest}", columns.join(", "))
}

fn entry(described: &Described, columns: &[String]) -> Value {
    let published = described.columns.iter().filter(|column| columns.contains(&column.name));
    let columns: Vec<Value> = published
        .map(|column| json!({ "name": column.name, "type": column.data_type, "description": column.description }))
        .collect();
    json!({
        "summary": described.summary,
        "grain": described.grain,
        "owner": described.owner,
        "columns": columns,
    })
}
