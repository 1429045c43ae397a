use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{SnapshotChange, TableChange, TableVersion};

/// Show what happened: the snapshots of the warehouse and what each changed, or the versions of a table. Newest first.
#[derive(Args)]
#[command(after_help = "Examples:
  perennial history
  perennial history core.orders --limit 5
  perennial sql 'SELECT count(*) FROM core.orders' --snapshot 3")]
pub struct Arguments {
    /// A table; the whole warehouse without it.
    table: Option<String>,
    /// So many at most.
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { table, limit, place, format } = arguments;
    let warehouse = context.open(&place).await?;
    match table {
        None => {
            let history = pipeline::history(&warehouse, limit).await?;
            print::report(format, &history, || snapshots(&history))
        }
        Some(table) => {
            let versions = pipeline::table_history(&warehouse, &table, limit).await?;
            print::report(format, &versions, || table_versions(&versions))
        }
    }
}

fn snapshots(history: &[SnapshotChange]) -> String {
    let row = |change: &SnapshotChange| {
        let at = change.committed_at.format("%F %T").to_string();
        vec![change.snapshot.to_string(), at, change.operation.clone(), changes(&change.tables)]
    };
    let rows: Vec<Vec<String>> = history.iter().map(row).collect();
    print::columns(&["snapshot", "committed at (UTC)", "by", "rows added"], &rows)
}

/// Tables and the rows that each got or lost. What has the same rows at another version, as after a merge of its files or
/// a build on top of a restore, is not listed.
pub fn changes(tables: &[TableChange]) -> String {
    let change = |change: &TableChange| match change {
        TableChange { table, version: None, .. } => Some(format!("{table} gone")),
        TableChange { rows_added: Some(0), .. } => None,
        TableChange { table, rows_added: Some(rows), .. } => Some(format!("{table} {rows:+}")),
        TableChange { table, .. } => Some(table.clone()),
    };
    tables.iter().filter_map(change).collect::<Vec<_>>().join(", ")
}

fn table_versions(versions: &[TableVersion]) -> String {
    let row = |version: &TableVersion| {
        let signed = |added: u64, removed: u64| match removed {
            0 => format!("+{added}"),
            removed => format!("+{added} -{removed}"),
        };
        let snapshots: Vec<String> = version.snapshots.iter().map(u64::to_string).collect();
        vec![
            version.version.to_string(),
            version.committed_at.map_or(String::new(), |at| at.format("%F %T").to_string()),
            version.operation.clone(),
            signed(version.rows_added, version.rows_removed),
            signed(version.files_added, version.files_removed),
            snapshots.join(", "),
        ]
    };
    let rows: Vec<Vec<String>> = versions.iter().map(row).collect();
    print::columns(&["version", "committed at (UTC)", "by", "rows", "files", "in snapshots"], &rows)
}
