use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::{Result, bail};
use clap::Args;
use pipeline::{Described, DescribedFunction, described_functions};

/// Show tables, views and functions: what each row is, who owns it, what each column and each setting means.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial describe\n  perennial describe features.rhythm\n  perennial describe functions\n  \
                  perennial describe clusters"
)]
pub struct Arguments {
    /// A schema, a table, a view or a function; `functions` for all of these; all tables and views without it.
    name: Option<String>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { name, place, format } = arguments;
    // Functions are the same in every warehouse.
    if name.as_deref() == Some("functions") {
        let functions = described_functions();
        return print::report(format, &functions, || list(&functions));
    }
    if let Some(found) = name.as_deref().and_then(known_function) {
        return print::report(format, &found, || function(&found));
    }
    let warehouse = context.open(&place).await?;
    let mut described = pipeline::describe(&warehouse).await?;
    if let Some(name) = &name {
        let mut known: Vec<String> = described.iter().map(|d| d.full_name()).collect();
        described.retain(|d| d.schema == *name || d.full_name() == *name);
        if described.is_empty() {
            known.extend(described_functions().into_iter().map(|function| function.name));
            bail!("no schema, table, view or function {name}; there are {}", known.join(", "));
        }
    }
    let is_whole = name.is_some_and(|name| name.contains('.'));
    print::report(format, &described, || if is_whole { columns(&described[0]) } else { overview(&described) })
}

/// The function of that name.
pub fn known_function(name: &str) -> Option<DescribedFunction> {
    described_functions().into_iter().find(|function| function.name == name)
}

fn overview(described: &[Described]) -> String {
    let rows: Vec<Vec<String>> = described
        .iter()
        .map(|d| vec![d.full_name(), d.kind.name().into(), d.grain.join(", "), d.summary.clone()])
        .collect();
    print::columns(&["name", "kind", "one row per", "what"], &rows)
}

fn list(functions: &[DescribedFunction]) -> String {
    let rows: Vec<Vec<String>> = functions.iter().map(|f| vec![f.name.clone(), f.summary.clone()]).collect();
    print::columns(&["function", "what"], &rows)
}

/// How a function is called and what its settings mean.
pub fn function(described: &DescribedFunction) -> String {
    let DescribedFunction { name, summary: _, call, text, settings } = described;
    // Of a query's rows it gives rows, of values a value.
    let select = if call.contains("((SELECT ") { "SELECT * FROM" } else { "SELECT" };
    let head = format!("{name} (function)\n{text}\n\n{select} {call}\n");
    if settings.is_empty() {
        return head;
    }
    let row = |setting: &pipeline::DescribedSetting| {
        let default = match &setting.default {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => format!("'{text}'"),
            other => other.to_string(),
        };
        vec![setting.name.clone(), default, setting.valid.join(", "), setting.description.clone()]
    };
    let rows: Vec<Vec<String>> = settings.iter().map(row).collect();
    head + "\n" + &print::columns(&["setting", "default", "valid", "what"], &rows)
}

/// What a table is and what its columns mean.
pub fn columns(described: &Described) -> String {
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
