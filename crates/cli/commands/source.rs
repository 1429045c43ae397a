use super::load::Form;
use crate::context::{Context, environment};
use crate::print::{self, Format};
use anyhow::Result;
use clap::{Args, Subcommand};
use pipeline::NewSource;
use std::path::PathBuf;

/// Add a source to the project.
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    New(New),
}

/// Draft the staging SQL of files from their columns, and add them to perennial.toml. Nothing is replaced.
#[derive(Args)]
#[command(after_help = "Examples:
  perennial source new till 'drop/receipts-*.csv' --history
  perennial source new till 'drop/cards.csv' --table core.customers")]
struct New {
    /// The source, a word such as till; its tables are raw.<source>_<core table>.
    name: String,
    #[command(flatten)]
    form: Form,
    /// The core table that the files are about, such as core.orders. Default: told from the names of their columns.
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Folder of the project.
    #[arg(long, short, default_value = ".", value_name = "DIR")]
    project: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, _context: &Context) -> Result<()> {
    let Verb::New(New { name, form, table, project, format }) = arguments.verb;
    let new = pipeline::new_source(&project, &name, table.as_deref(), form.source()?, environment()).await?;
    print::report(format, &new, || text(&new))
}

fn text(new: &NewSource) -> String {
    let NewSource { core_table, raw_table, staging, mapped, missing, unused } = new;
    let rows: Vec<Vec<String>> = mapped.iter().map(|(core, column)| vec![core.clone(), column.clone()]).collect();
    let mut text = print::columns(&[core_table, "from"], &rows);
    for (what, names) in [("not found", missing), ("not used", unused)] {
        if !names.is_empty() {
            text += &format!("{what}: {}\n", names.join(", "));
        }
    }
    let staging = staging.display();
    text + &format!(
        "wrote {staging} and added {raw_table} to perennial.toml; read both before the next perennial run\n"
    )
}
