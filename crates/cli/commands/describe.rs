use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::{Result, bail};
use clap::Args;

/// Show tables and views: what each row is, who owns it, and what each column means.
#[derive(Args)]
#[command(after_help = "Examples:\n  perennial describe\n  perennial describe features.rhythm")]
pub struct Arguments {
    /// A schema or a table; all without it.
    name: Option<String>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { name, place, format } = arguments;
    let warehouse = context.open(&place).await?;
    let mut described = pipeline::describe(&warehouse).await?;
    if let Some(name) = &name {
        let known: Vec<String> = described.iter().map(|d| d.full_name()).collect();
        described.retain(|d| d.schema == *name || d.full_name() == *name);
        if described.is_empty() {
            bail!("no schema, table or view {name}; there are {}", known.join(", "));
        }
    }
    let is_whole = name.is_some_and(|name| name.contains('.'));
    print::report(format, &described, || if is_whole { columns(&described[0]) } else { overview(&described) })
}

fn overview(described: &[pipeline::Described]) -> String {
    let rows: Vec<Vec<String>> = described
        .iter()
        .map(|d| vec![d.full_name(), d.kind.name().into(), d.grain.join(", "), d.summary.clone()])
        .collect();
    print::columns(&["name", "kind", "one row per", "what"], &rows)
}

/// What a table is and what its columns mean.
pub fn columns(described: &pipeline::Described) -> String {
    let mut text = format!("{} ({})\n{}\n", described.full_name(), described.kind.name(), described.summary);
    if !described.grain.is_empty() {
        text.push_str(&format!("one row per {}\n", described.grain.join(", ")));
    }
    if let Some(owner) = &described.owner {
        text.push_str(&format!("owner: {owner}\n"));
    }
    if !described.pii.is_empty() {
        text.push_str(&format!("personal data: {}\n", described.pii.join(", ")));
    }
    text.extend(described.checks.iter().map(|check| format!("check: {check}\n")));
    let rows: Vec<Vec<String>> =
        described.columns.iter().map(|c| vec![c.name.clone(), c.data_type.clone(), c.description.clone()]).collect();
    text.push('\n');
    text + &print::columns(&["column", "type", "what"], &rows)
}
