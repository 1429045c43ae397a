use crate::context::{Context, Place};
use crate::print;
use anyhow::Result;
use clap::{Args, ValueEnum};
use pipeline::{Derivation, Lineage};

/// Show what tables, views, scores and published tables are made of, and what is made of them.
#[derive(Args)]
#[command(after_help = "What a value is computed from counts, and not what only chooses rows (WHERE, join conditions).

Examples:
  perennial lineage core.orders
  perennial lineage features.customer.total_amount
  perennial lineage marts.customer_360 --columns --format json
  perennial lineage --format mermaid > lineage.mmd")]
pub struct Arguments {
    /// A table, view or column, such as core.orders or core.orders.amount; everything without it.
    name: Option<String>,
    /// By column; where that can't be told, by table and with the reason.
    #[arg(long)]
    columns: bool,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Table,
    Json,
    /// A diagram for Markdown.
    Mermaid,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { name, columns, place, format } = arguments;
    let warehouse = context.open(&place).await?;
    let tasks = context.tasks(&place)?;
    // A name with two dots is a column's.
    let columns = columns || name.as_ref().is_some_and(|name| name.matches('.').count() > 1);
    let lineage = pipeline::lineage(&warehouse, &tasks, name.as_deref(), columns).await?;
    match format {
        Format::Json => print::report(print::Format::Json, &lineage.derivations, String::new),
        Format::Table => print::out(&table(&lineage, columns)),
        Format::Mermaid => print::out(&mermaid(&lineage, columns)),
    }
}

fn table(lineage: &Lineage, by_column: bool) -> String {
    let of = |d: &Derivation| -> Vec<Vec<String>> {
        if !by_column {
            return vec![vec![d.name.clone(), d.by.clone(), d.reads.join(", ")]];
        }
        let column =
            |c: &pipeline::DerivedColumn| vec![format!("{}.{}", d.name, c.name), d.by.clone(), c.from.join(", ")];
        let untold =
            d.untold.iter().map(|why| vec![d.name.clone(), d.by.clone(), format!("{} ({why})", d.reads.join(", "))]);
        d.columns.iter().map(column).chain(untold).collect()
    };
    let rows: Vec<Vec<String>> = lineage.derivations.iter().flat_map(of).collect();
    print::columns(&[if by_column { "column" } else { "name" }, "by", "from"], &rows)
}

fn mermaid(lineage: &Lineage, by_column: bool) -> String {
    let mut edges = std::collections::BTreeSet::new();
    for derivation in &lineage.derivations {
        let column = |c: &pipeline::DerivedColumn| (format!("{}.{}", derivation.name, c.name), c.from.clone());
        let steps = match by_column && derivation.untold.is_none() {
            true => derivation.columns.iter().map(column).collect(),
            false => vec![(derivation.name.clone(), derivation.reads.clone())],
        };
        for (to, from) in steps {
            edges.extend(from.into_iter().map(|from| format!("  {} --> {}\n", node(&from), node(&to))));
        }
    }
    edges.into_iter().fold("graph LR\n".to_string(), |text, edge| text + &edge)
}

/// Names with dots are none in Mermaid.
fn node(name: &str) -> String {
    let id: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    format!("{id}[\"{name}\"]")
}
