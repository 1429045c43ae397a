//! Defines the first draft of a staging file: which core table a source's files are about, and which of their columns is
//! likeliest to be which of its. Names decide, so the draft says of every column where it comes from, or that it is not
//! there, and its owner reads it before relying on it.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, Field, Schema};
use store::{EVENT_TIME, KNOWN_TIME};

use crate::catalog::{Catalog, Definition, Kind};
use crate::ddl::{quoted, type_name};
use crate::error::{Error, Result};
use crate::load::SYSTEM_COLUMNS;

/// Names that sources give to core columns, beside the core name itself, the likeliest first.
const NAMES: [(&str, &[&str]); 14] = [
    (
        "order_id",
        &[
            "order_no",
            "order_number",
            "invoice_no",
            "invoice",
            "invoice_id",
            "receipt",
            "receipt_id",
            "receipt_no",
            "transaction_id",
            "basket_id",
            "order",
        ],
    ),
    (
        "customer_id",
        &[
            "customer",
            "customer_no",
            "customer_number",
            "cust_id",
            "client_id",
            "user_id",
            "member_id",
            "account_id",
            "household_id",
            "card",
            "card_id",
            "buyer_id",
        ],
    ),
    ("product_id", &["sku", "stock_code", "item_id", "article_id", "article", "product_code", "product", "item"]),
    ("line_id", &["line_no", "line_number", "position", "line"]),
    (
        EVENT_TIME,
        &[
            "ordered_at",
            "sold_at",
            "occurred_at",
            "happened_at",
            "created_at",
            "registered_at",
            "signed_up_at",
            "order_date",
            "invoice_date",
            "transaction_date",
            "purchase_date",
            "signup_date",
            "created",
            "timestamp",
            "datetime",
            "date",
            "time",
            "at",
        ],
    ),
    (KNOWN_TIME, &["recorded_at", "updated_at", "modified_at", "last_modified", "synced_at"]),
    (
        "amount",
        &[
            "total_amount",
            "total",
            "order_total",
            "net_amount",
            "grand_total",
            "revenue",
            "price_total",
            "dollars",
            "value",
            "sales_value",
        ],
    ),
    ("quantity", &["qty", "units", "pieces"]),
    ("unit_price", &["price", "price_each"]),
    ("store_id", &["store", "shop_id", "branch_id", "branch"]),
    ("discount", &["discount_amount", "rebate"]),
    ("status", &["state", "order_status"]),
    ("name", &["product_name", "title", "description"]),
    ("type", &["event_type", "event", "action", "kind"]),
];

/// What a core column is where the source says nothing, because its views count nothing else, and why.
const DEFAULTS: [(&str, &str, &str, &str); 2] = [
    ("core.orders", "status", "'completed'", "not in the source: every row counts as a purchase"),
    ("core.order_lines", "is_return", "false", "not in the source: no line counts as a return"),
];

/// A staging file not yet written.
#[derive(Debug, Clone)]
pub struct Scaffold {
    /// The core table it feeds.
    pub core_table: String,
    /// The raw table it reads.
    pub raw_table: String,
    /// Path below `sql/`.
    pub path: String,
    /// The file.
    pub sql: String,
    /// Core columns and the source's columns that they come from.
    pub mapped: Vec<(String, String)>,
    /// Core columns that the source seems not to have.
    pub missing: Vec<String>,
    /// Columns of the source that go nowhere.
    pub unused: Vec<String>,
}

impl Catalog {
    /// Drafts the staging of files with these columns into `core_table`, or the one they look most like.
    ///
    /// # Errors
    /// [`Error::Argument`] for a name that is none or a shipped source's, an unknown core table, or files that look like
    /// no table; [`Error::Definition`] where the file is there already.
    pub fn scaffold(&self, source: &str, core_table: Option<&str>, columns: &Schema) -> Result<Scaffold> {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !source.starts_with(|c: char| c.is_ascii_lowercase()) || !source.chars().all(word) {
            let valid = "use lower-case letters, digits and _".to_string();
            return Err(Error::Argument { what: "source", value: source.into(), valid });
        }
        let target = match core_table {
            Some(name) => self.core_tables().find(|table| table.full_name() == name),
            None => self.likeliest(columns),
        };
        let target = target.ok_or_else(|| {
            let names: Vec<String> = self.core_tables().map(Definition::full_name).collect();
            let valid = format!("name one with --table: {}", names.join(", "));
            match core_table {
                Some(name) => Error::Argument { what: "core table", value: name.into(), valid },
                None => {
                    let names: Vec<&str> = columns.fields().iter().map(|field| field.name().as_str()).collect();
                    let valid = format!("they look like no core table; {valid}");
                    Error::Argument { what: "set of columns", value: names.join(", "), valid }
                }
            }
        })?;
        let name = format!("{source}/{}", target.name);
        if let Some(there) = self.get(&format!("staging.{name}")) {
            if there.is_shipped() {
                let valid =
                    format!("a shipped source has that name, with a sql/{} of its own; use another name", there.path);
                return Err(Error::Argument { what: "source", value: source.into(), valid });
            }
            let problem = "it is there already, and is not replaced".into();
            return Err(Error::Definition { path: there.path.clone(), problem });
        }
        Ok(draft(source, target, columns))
    }

    fn core_tables(&self) -> impl Iterator<Item = &Definition> {
        self.iter().filter(|definition| definition.schema == "core" && definition.kind == Kind::Table)
    }

    /// The core table most of whose columns are there, its key first; `None` where no table's key is.
    fn likeliest(&self, columns: &Schema) -> Option<&Definition> {
        let score = |table: &Definition| {
            let found = matches(table, columns);
            let keys =
                found.iter().filter(|(name, source)| source.is_some() && table.header.key.contains(name)).count();
            let all = found.iter().filter(|(_, source)| source.is_some()).count();
            // Of two equally good ones that whose key is whole, then the one with fewer columns left empty.
            (keys > 0).then(|| (all + keys, keys == table.header.key.len(), usize::MAX - found.len()))
        };
        self.core_tables()
            .filter_map(|table| Some((score(table)?, table)))
            .max_by_key(|(score, _)| *score)
            .map(|(_, table)| table)
    }
}

/// Each core column with the source's column that is likeliest to be it.
fn matches<'a>(table: &Definition, columns: &'a Schema) -> Vec<(String, Option<&'a Field>)> {
    let mut free: Vec<&Field> = columns.fields().iter().map(AsRef::as_ref).collect();
    free.retain(|field| !SYSTEM_COLUMNS.contains(&field.name().as_str()));
    let core = table.columns.iter().flat_map(|columns| columns.fields());
    core.map(|core| {
        let names = NAMES.iter().find(|(name, _)| name == core.name()).map_or([].as_slice(), |(_, names)| names);
        let names = std::iter::once(core.name().as_str()).chain(names.iter().copied());
        let fits = |field: &Field| *core.data_type() != crate::ddl::timestamp() || is_time(field);
        let index =
            names.flat_map(|name| free.iter().position(|field| plain(field.name()) == name && fits(field))).next();
        // `id` is the key of whatever the file is about.
        let is_key = table.header.key.as_slice() == std::slice::from_ref(core.name());
        let index = index.or_else(|| free.iter().position(|field| is_key && plain(field.name()) == "id"));
        (core.name().clone(), index.map(|index| free.remove(index)))
    })
    .collect()
}

fn is_time(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Date32 | DataType::Timestamp(..))
}

/// `InvoiceNo`, `invoice-no` and `Invoice No` as `invoice_no`.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    let mut before = '_';
    for c in name.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            plain.push('_');
        }
        before = c;
        match c.is_alphanumeric() {
            true => plain.extend(c.to_lowercase()),
            false if plain.ends_with('_') => {}
            false => plain.push('_'),
        }
    }
    let plain = plain.trim_matches('_').to_string();
    match plain.strip_suffix("id") {
        // CustomerID, customerid
        Some(rest) if !rest.is_empty() && !rest.ends_with('_') => format!("{rest}_id"),
        _ => plain,
    }
}

fn draft(source: &str, target: &Definition, columns: &Schema) -> Scaffold {
    let raw_table = format!("raw.{source}_{}", target.name);
    let found = matches(target, columns);
    let event_time = found.iter().find(|(name, _)| name == EVENT_TIME).and_then(|(_, field)| *field);
    let core = target.columns.iter().flat_map(|columns| columns.fields());
    let (mut lines, mut documents) = (Vec::new(), Vec::new());
    for (core, (name, field)) in core.zip(&found) {
        let (expression, origin) = column(target, core, *field, event_time);
        lines.push(format!("    {expression} AS {name}"));
        documents.push(format!("-- {name}: {origin}."));
    }
    let used = |field: &&str| found.iter().any(|(_, used)| used.is_some_and(|used| used.name() == field));
    let own = columns.fields().iter().map(|field| field.name().as_str());
    let own: Vec<&str> = own.filter(|name| !SYSTEM_COLUMNS.contains(name)).collect();
    let unused: Vec<String> = own.iter().filter(|name| !used(name)).map(ToString::to_string).collect();
    let mut sql = format!("-- {} of {source}, as {raw_table} has them.\n", title(&target.name));
    let _ = writeln!(sql, "-- owner: {source}\n-- grain: {}\n{}", target.header.grain.join(", "), documents.join("\n"));
    if !unused.is_empty() {
        let _ = write!(sql, "\n-- The source also has {}.\n", unused.join(", "));
    }
    let _ = write!(sql, "SELECT\n{}\nFROM {raw_table}\n", lines.join(",\n"));
    Scaffold {
        core_table: target.full_name(),
        path: format!("staging/{source}/{}.sql", target.name),
        raw_table,
        sql,
        mapped: found.iter().filter_map(|(name, field)| Some((name.clone(), (*field)?.name().clone()))).collect(),
        missing: found.iter().filter(|(_, field)| field.is_none()).map(|(name, _)| name.clone()).collect(),
        unused,
    }
}

/// The expression of a core column, and where its values come from.
fn column(target: &Definition, core: &Field, field: Option<&Field>, event_time: Option<&Field>) -> (String, String) {
    let data_type = type_name(core.data_type());
    let cast = |field: &Field| format!("cast({} AS {data_type})", quoted(field.name()));
    if core.name() == KNOWN_TIME {
        let own = field.map(|field| format!("{}, ", cast(field))).unwrap_or_default();
        let event = event_time.map_or_else(|| null(&data_type), cast);
        let origin = field.map(|field| format!("{}, or ", field.name())).unwrap_or_default();
        return (
            format!("coalesce({own}_loaded_at, {event})"),
            format!("{origin}when the row was loaded; the event time for a historical load"),
        );
    }
    let default = DEFAULTS.iter().find(|(table, name, ..)| *table == target.full_name() && name == core.name());
    match (field, default) {
        (Some(field), _) if field.data_type() == core.data_type() => (quoted(field.name()), field.name().clone()),
        (Some(field), _) => (cast(field), field.name().clone()),
        (None, Some((_, _, expression, origin))) => (expression.to_string(), origin.to_string()),
        (None, None) if target.header.key.contains(core.name()) => {
            ("concat(_file, ':', cast(_row AS VARCHAR))".into(), "not in the source: each of its rows is one of its own".into())
        }
        (None, None) if core.name() == EVENT_TIME => (
            null(&data_type),
            "not in the source as dates or times; build needs it, here and in known_time, such as to_timestamp(day, '%d/%m/%Y')".into(),
        ),
        (None, None) => (null(&data_type), "not in the source".into()),
    }
}

fn null(data_type: &str) -> String {
    format!("cast(NULL AS {data_type})")
}

fn title(name: &str) -> String {
    let text = name.replace('_', " ");
    text[..1].to_uppercase() + &text[1..]
}
