use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;

/// Merge the many small files that loads leave in clustered tables; rows, order and older snapshots stay as they are.
#[derive(Args)]
#[command(after_help = "Examples:\n  perennial optimize\n  perennial optimize core.orders core.events")]
pub struct Arguments {
    /// Tables clustered by customer; all of them without it.
    tables: Vec<String>,
    /// Leave buckets alone that have no more files than this.
    #[arg(long, default_value_t = 1, value_name = "N")]
    most_files: usize,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { tables, most_files, place, format } = arguments;
    let warehouse = context.open(&place).await?;
    let tables = pipeline::optimize(&warehouse, &tables, most_files, &context.progress()).await?;
    print::report(format, &tables, || {
        let what = |table: &pipeline::OptimizedTable| match table {
            table if table.is_busy => "left alone: work on it is not finished; build, and try again".to_string(),
            table if table.merged == 0 => "nothing to merge".to_string(),
            table => format!("{} files merged into {}", table.merged, table.into),
        };
        let rows: Vec<Vec<String>> = tables.iter().map(|table| vec![table.table.clone(), what(table)]).collect();
        print::columns(&["table", "files"], &rows)
    })
}
