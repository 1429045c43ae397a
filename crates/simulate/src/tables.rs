//! The files of a shop: names, columns, types, each once; and rows on their way into them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

pub(crate) const CUSTOMERS: (&str, &str) =
    ("customers.csv", "customer_id,created_at,name,email,phone,birth_date,gender,country,city,signup_channel");
pub(crate) const PRODUCTS_FILE: (&str, &str) =
    ("products.csv", "product_id,name,category,subcategory,brand,price,cost,listed_at");
pub(crate) const CAMPAIGNS: (&str, &str) = ("campaigns.csv", "campaign_id,name,channel,started_at,ended_at,cost");
pub(crate) const CONSENTS: (&str, &str) = ("consents.csv", "consent_id,customer_id,changed_at,purpose,channel,granted");
/// Header of `orders/orders-YYYY-MM.csv` (one per month of ordering) and of the late arrivals.
pub(crate) const LATE_ORDERS: (&str, &str) = (
    "orders/late.csv",
    "order_id,customer_id,ordered_at,recorded_at,channel,store_id,status,currency,discount,campaign_id",
);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    Text,
    Number,
    Count,
    /// Microseconds, UTC.
    Time,
}

pub(crate) struct Table {
    pub(crate) file: &'static str,
    columns: &'static [(&'static str, Type)],
}

use Type::{Count, Number, Text, Time};

pub(crate) const ORDER_LINES: Table = Table {
    file: "order_lines.parquet",
    columns: &[
        ("order_id", Text),
        ("line_id", Text),
        ("product_id", Text),
        ("quantity", Number),
        ("unit_price", Number),
        ("discount", Number),
    ],
};
pub(crate) const EVENTS: Table = Table {
    file: "events.parquet",
    columns: &[
        ("event_id", Text),
        ("customer_id", Text),
        ("occurred_at", Time),
        ("recorded_at", Time),
        ("type", Text),
        ("channel", Text),
        ("product_id", Text),
        ("session_id", Text),
        ("device", Text),
        ("dwell_seconds", Number),
    ],
};
pub(crate) const TOUCHES: Table = Table {
    file: "touches.parquet",
    columns: &[
        ("touch_id", Text),
        ("customer_id", Text),
        ("sent_at", Time),
        ("campaign_id", Text),
        ("channel", Text),
        ("kind", Text),
        ("cost", Number),
    ],
};
pub(crate) const ASSIGNMENTS: Table = Table {
    file: "assignments.parquet",
    columns: &[
        ("assignment_id", Text),
        ("customer_id", Text),
        ("assigned_at", Time),
        ("experiment", Text),
        ("arm", Text),
    ],
};
pub(crate) const FEEDBACK: Table = Table {
    file: "feedback.parquet",
    columns: &[
        ("feedback_id", Text),
        ("customer_id", Text),
        ("answered_at", Time),
        ("kind", Text),
        ("score", Number),
        ("text", Text),
    ],
};
pub(crate) const LOYALTY: Table = Table {
    file: "loyalty.parquet",
    columns: &[
        ("change_id", Text),
        ("customer_id", Text),
        ("changed_at", Time),
        ("recorded_at", Time),
        ("points", Number),
        ("tier", Text),
    ],
};
pub(crate) const REFERRALS: Table = Table {
    file: "referrals.parquet",
    columns: &[
        ("referral_id", Text),
        ("referrer_id", Text),
        ("referred_id", Text),
        ("referred_at", Time),
        ("recorded_at", Time),
    ],
};
pub(crate) const LATENT: Table = Table {
    file: "truth/latent.parquet",
    columns: &[
        ("customer_id", Text),
        ("purchase_rate_per_day", Number),
        ("engagement_rate_per_day", Number),
        ("died_at", Time),
        ("taste_profile", Count),
        ("taste_mixture", Text),
        ("campaign_effect", Number),
    ],
};
pub(crate) const INCREMENTS: Table = Table {
    file: "truth/increments.parquet",
    columns: &[
        ("assignment_id", Text),
        ("customer_id", Text),
        ("experiment", Text),
        ("arm", Text),
        ("effect_orders", Number),
        ("effect_bought", Number),
        ("effect_value", Number),
    ],
};
pub(crate) const ATTAINABLE: Table = Table {
    file: "truth/attainable.parquet",
    columns: &[
        ("customer_id", Text),
        ("as_of", Time),
        ("horizon_days", Count),
        ("p_churn", Number),
        ("expected_value", Number),
        ("expected_orders", Number),
    ],
};
pub(crate) const ATTAINABLE_NEXT: Table = Table {
    file: "truth/attainable_next.parquet",
    columns: &[
        ("customer_id", Text),
        ("as_of", Time),
        ("horizon_days", Count),
        ("rank", Count),
        ("product_id", Text),
        ("probability", Number),
    ],
};

/// Every Parquet file.
pub(crate) const TABLES: [&Table; 11] = [
    &ORDER_LINES,
    &EVENTS,
    &TOUCHES,
    &ASSIGNMENTS,
    &FEEDBACK,
    &LOYALTY,
    &REFERRALS,
    &LATENT,
    &INCREMENTS,
    &ATTAINABLE,
    &ATTAINABLE_NEXT,
];

impl Table {
    pub(crate) fn schema(&self) -> SchemaRef {
        let field = |(name, kind): &(&str, Type)| {
            let kind = match kind {
                Text => DataType::Utf8,
                Number => DataType::Float64,
                Count => DataType::Int64,
                Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            };
            Field::new(*name, kind, true)
        };
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    pub(crate) fn rows(&self) -> Rows {
        let builder = |(_, kind): &(&str, Type)| match kind {
            Text => Column::Text(StringBuilder::new()),
            Number => Column::Number(Float64Builder::new()),
            Count => Column::Count(Int64Builder::new()),
            Time => Column::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        };
        Rows { schema: self.schema(), columns: self.columns.iter().map(builder).collect() }
    }
}

/// One value of a row; `Null` fits every column.
pub(crate) enum Cell<'a> {
    Text(&'a str),
    Number(f64),
    Count(i64),
    Time(i64),
    Null,
}

impl<'a> Cell<'a> {
    pub(crate) fn text_or_null(text: Option<&'a str>) -> Self {
        text.map_or(Cell::Null, Cell::Text)
    }
}

enum Column {
    Text(StringBuilder),
    Number(Float64Builder),
    Count(Int64Builder),
    Time(TimestampMicrosecondBuilder),
}

/// Rows of one [`Table`], column by column.
pub(crate) struct Rows {
    schema: SchemaRef,
    columns: Vec<Column>,
}

impl Rows {
    /// Cells in the order of the table's columns.
    pub(crate) fn push<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len());
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            match (column, cell) {
                (Column::Text(column), Cell::Text(text)) => column.append_value(text),
                (Column::Text(column), Cell::Null) => column.append_null(),
                (Column::Number(column), Cell::Number(number)) => column.append_value(number),
                (Column::Number(column), Cell::Null) => column.append_null(),
                (Column::Count(column), Cell::Count(count)) => column.append_value(count),
                (Column::Count(column), Cell::Null) => column.append_null(),
                (Column::Time(column), Cell::Time(time)) => column.append_value(time),
                (Column::Time(column), Cell::Null) => column.append_null(),
                _ => unreachable!("a cell of another type than its column in {}", self.schema),
            }
        }
    }

    pub(crate) fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let arrays = self.columns.iter_mut().map(|column| match column {
            Column::Text(column) => Arc::new(column.finish()) as ArrayRef,
            Column::Number(column) => Arc::new(column.finish()) as ArrayRef,
            Column::Count(column) => Arc::new(column.finish()) as ArrayRef,
            Column::Time(column) => Arc::new(column.finish()) as ArrayRef,
        });
        RecordBatch::try_new(self.schema.clone(), arrays.collect())
    }
}

/// Lines of one CSV file.
#[derive(Default, Clone)]
pub(crate) struct Lines {
    pub(crate) text: String,
    pub(crate) count: u64,
}

impl Lines {
    /// `line` without its end; no value the shop writes needs quoting.
    pub(crate) fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.count += 1;
    }
}
