use crate::context::{Context, Place, environment, user_folder};
use crate::print;
use crate::shell::{Desk, Rows, note_ignored};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use pipeline::{SqlOptions, Statement};
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  perennial sql                      (a shell; \\? in it lists its commands)
  perennial sql 'SELECT count(*) FROM core.orders; SELECT count(*) FROM core.customers'
  perennial sql --file report.sql --format csv
  echo 'SELECT 1' | perennial sql --format markdown
  perennial sql 'SELECT * FROM features.customer' --as-of 2024-10-01 --out features.parquet
  perennial sql \"SELECT * FROM 'till/receipts.csv' AS r JOIN core.customers AS c ON c.customer_id = r.card\"
  perennial sql \"SELECT count(*) FROM 's3://bucket/drop/*.parquet'\"
  perennial sql \"COPY (SELECT * FROM insights.rfm) TO 'rfm.parquet'\"
  perennial sql \"SELECT count(*) FROM at_version('core.orders', 3)\"
  perennial sql 'SELECT count(*) FROM core.orders' --snapshot 2
  perennial sql --write 'CREATE VIEW marts.best AS SELECT * FROM features.customer WHERE total_amount > 1000'
  perennial sql 'EXPLAIN ANALYZE SELECT count(*) FROM features.customer'";

/// Ask the warehouse in SQL: all tables and views of one snapshot, read-only; files by their path, glob
/// or URL in single quotes.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// One or several statements, separated by `;`; from --file or standard input without it. On a
    /// terminal without any: a shell.
    query: Option<String>,
    /// A file that holds the statements.
    #[arg(long, conflicts_with = "query", value_name = "FILE")]
    file: Option<PathBuf>,
    /// How rows are printed.
    #[arg(long, value_enum, default_value_t, conflicts_with = "out")]
    format: Rows,
    /// Write the result to a file, whole or not at all; its ending chooses the format: .csv, .json (one object a line)
    /// or .parquet.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also take CREATE and DROP of views and tables: each is a file sql/<schema>/<name>.sql of the project.
    #[arg(long, conflicts_with_all = ["out", "snapshot"])]
    write: bool,
    /// Read an older snapshot of the whole warehouse.
    #[arg(long)]
    snapshot: Option<u64>,
    #[command(flatten)]
    spine: super::features::SpineArguments,
    #[command(flatten)]
    place: Place,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { query, file, format, out, write, snapshot, spine, place } = arguments;
    let statements = text(query, file)?.map(|text| Statement::parse_all(&text)).transpose()?;
    let warehouse = context.open(&place).await?;
    let (spine, horizon_days) = spine.parse()?;
    let options = SqlOptions { snapshot, spine, horizon_days, environment: environment() };
    let session = pipeline::session(&warehouse, &options).await?;
    let sql_dir = write.then(|| context.sql_dir(&place));
    let mut desk = Desk { warehouse, options, session, format, context, sql_dir };
    match (out, statements.as_deref()) {
        (None, None) => {
            let history = user_folder("XDG_STATE_HOME", ".local/state").map(|folder| folder.join("history"));
            desk.converse(history).await
        }
        (Some(_), None) => bail!("--out takes a query: give it as an argument, with --file, or on standard input"),
        (_, Some([])) => bail!("no query: give it as an argument, with --file, or on standard input"),
        (None, Some(statements)) => desk.run(statements).await,
        (Some(out), Some([statement])) => {
            let query = desk.session.query(statement).await?;
            note_ignored(query.ignores_cut_offs());
            let rows = pipeline::query_to_file(query, &out, &context.progress()).await?;
            print::line(&format!("{rows} rows in {}", out.display()))
        }
        (Some(_), Some(several)) => bail!(
            "--out holds the rows of one statement, and there are {}; use COPY (SELECT …) TO 'file' for each",
            several.len()
        ),
    }
}

/// What to run; `None` to ask a person.
fn text(query: Option<String>, file: Option<PathBuf>) -> Result<Option<String>> {
    match (query, file) {
        (Some(query), _) => Ok(Some(query)),
        (None, Some(file)) => std::fs::read_to_string(&file).map(Some).with_context(|| file.display().to_string()),
        (None, None) if std::io::stdin().is_terminal() => Ok(None),
        (None, None) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input")?;
            Ok(Some(text))
        }
    }
}
