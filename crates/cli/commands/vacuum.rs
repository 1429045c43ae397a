use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{Keep, VacuumOptions, VacuumReport};

/// Drop old snapshots and delete the files that nobody needs any more. The newest snapshot, unfinished work, run folders,
/// and files younger than a day that no log names yet always stay.
#[derive(Args)]
#[command(after_help = "Examples:
  perennial vacuum --dry-run
  perennial vacuum --keep 30d
  perennial vacuum --keep-snapshots 1 --keep-versions 3 --published ./bi

A run's model stays usable without the snapshot it was trained on; evaluating it again needs that snapshot.")]
pub struct Arguments {
    /// Keep the snapshots that were the newest at any time in the last days (d) or hours (h). Readers of others fail, so it
    /// should be longer than a query or training takes.
    #[arg(long, default_value = "7d", value_name = "DURATION", conflicts_with = "keep_snapshots")]
    keep: String,
    /// Keep the last so many snapshots instead.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep_snapshots: Option<u32>,
    /// Keep the last so many published versions; all of them without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep_versions: Option<u32>,
    /// Where they were published to; what perennial.toml says without it.
    #[arg(long, value_name = "URL", requires = "keep_versions")]
    published: Option<String>,
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { keep, keep_snapshots, keep_versions, published, dry_run, place, format } = arguments;
    let keep = match keep_snapshots {
        Some(count) => Keep::Snapshots(count as usize),
        None => Keep::For(pipeline::parse_duration(&keep)?),
    };
    let options = VacuumOptions {
        keep,
        keep_versions: keep_versions.map(|count| count as usize),
        published: context.published(&place, published)?,
        dry_run,
        environment: crate::context::environment(),
    };
    let warehouse = context.open(&place).await?;
    let report = pipeline::vacuum(&warehouse, &options, &context.progress()).await?;
    print::report(format, &report, || text(&report))
}

fn text(report: &VacuumReport) -> String {
    let VacuumReport { is_dry_run, warehouse, published } = report;
    let rows: Vec<Vec<String>> = warehouse
        .tables
        .iter()
        .map(|t| vec![t.table.clone(), t.files.to_string(), t.bytes.to_string(), t.young_files.to_string()])
        .collect();
    let mut text = match rows.is_empty() {
        true => String::new(),
        false => print::columns(&["table", "files deleted", "bytes", "too young to go"], &rows),
    };
    text += &match warehouse.dropped_snapshots.len() {
        0 => format!("no snapshot dropped; the oldest is {}\n", warehouse.oldest_snapshot),
        dropped => format!("{dropped} snapshots dropped; the oldest is now {}\n", warehouse.oldest_snapshot),
    };
    if let Some(published) = published {
        text += &format!("{} published versions deleted from {}\n", published.dropped.len(), published.url);
    }
    if *is_dry_run {
        text += "this is what would happen; nothing was changed\n";
    }
    text
}
