use std::ops::RangeInclusive;

/// What a caller's numbers can be wrong about. Rows and customers are counted from 0, as in the slices given.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    #[error("{what}: no rows; at least one is needed")]
    Empty { what: &'static str },
    #[error("{what} has {found} entries where {expected} are needed")]
    Length { what: &'static str, expected: usize, found: usize },
    #[error("{what} is {} in row {row}; valid is {valid}", shown(*.value))]
    Value { what: &'static str, row: usize, value: f64, valid: &'static str },
    #[error("column {column} is {} in row {row}; valid is {valid}", shown(*.value))]
    Cell { row: usize, column: usize, value: f64, valid: &'static str },
    #[error("{clusters} clusters of {rows} rows; valid is 1 to the number of rows")]
    ClusterCount { clusters: usize, rows: usize },
    #[error("all {rows} labels are {label}; {what} needs rows of both classes")]
    OneClass { what: &'static str, rows: usize, label: bool },
    #[error("{metric} is undefined: {why}")]
    Undefined { metric: &'static str, why: &'static str },
    #[error("only {defined} of {replicates} resamples have a defined value; too few rows of one kind for an interval")]
    FewReplicates { defined: usize, replicates: usize },
    #[error("{name} is {}; valid is {valid}", shown(*.value))]
    Setting { name: &'static str, value: f64, valid: &'static str },
    #[error("customer {customer}: {what} is {}; valid is {valid}", shown(*.value))]
    Customer { customer: usize, what: &'static str, value: f64, valid: &'static str },
    #[error("customer {customer}: the last purchase (t_x = {t_x}) is later than the end of observation (t = {t})")]
    PurchaseAfterEnd { customer: usize, t_x: f64, t: f64 },
    #[error(
        "customer {customer}: transaction {row} (day {day}) comes before the one it follows (day {previous}); sort by day"
    )]
    Unsorted { customer: usize, row: usize, day: i32, previous: i32 },
    #[error("{what} of {found} {things}; the most is {most}")]
    TooMany { what: &'static str, things: &'static str, found: usize, most: usize },
    #[error("{found} {what} are too few for so many unknowns; {needed} are needed")]
    TooFew { what: &'static str, found: usize, needed: usize },
    #[error("none of {customers} customers bought {what}; there is nothing to fit")]
    NoRepeatPurchase { customers: usize, what: &'static str },
    #[error(
        "more than {most} itemsets are in {min_count} baskets or more; raise the count to {enough} (support {support}), \
         lower max_length, or raise max_itemsets"
    )]
    ManyItemsets { most: usize, min_count: u32, enough: u32, support: f64 },
    #[error("there are more than {most} {what}; raise one of these, or {setting}")]
    MoreThan { what: &'static str, setting: &'static str, most: usize },
    #[error("{}: {why}", crate::series::Date(*.day))]
    Step { day: i32, why: &'static str },
    #[error("segment {segment}: {error}")]
    Segment { segment: usize, error: Box<Error> },
}

impl Error {
    /// What is wrong, without the number of the row or customer, for those who know it by a name.
    pub fn problem(&self) -> String {
        match self {
            Error::Value { what, value, valid, .. } | Error::Customer { what, value, valid, .. } => {
                format!("{what} is {}; valid is {valid}", shown(*value))
            }
            Error::PurchaseAfterEnd { t_x, t, .. } => {
                format!("the last purchase (t_x = {t_x}) is later than the end of observation (t = {t})")
            }
            other => other.to_string(),
        }
    }

    /// The row or customer that is at fault.
    pub fn row(&self) -> Option<usize> {
        match self {
            Error::Value { row, .. } | Error::Cell { row, .. } => Some(*row),
            Error::Customer { customer, .. }
            | Error::PurchaseAfterEnd { customer, .. }
            | Error::Unsorted { customer, .. } => Some(*customer),
            _ => None,
        }
    }
}

/// A number as a reader can take it in: no row of 300 zeros.
pub fn shown(value: f64) -> String {
    if value.abs() < 1e16 { value.to_string() } else { format!("{value:e}") }
}

pub type Result<T> = std::result::Result<T, Error>;

/// The largest size of a number whose squares, added over any number of rows and columns, stay finite.
pub(crate) const LARGEST: f64 = 1e100;

/// Whether sums of squares of such numbers are finite.
pub fn is_in_bounds(value: &f64) -> bool {
    (-LARGEST..=LARGEST).contains(value)
}

/// What [`is_in_bounds`] asks for.
pub const IN_BOUNDS: &str = "a number between -1e100 and 1e100";

pub(crate) fn same_length(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::Length { what, expected, found }) }
}

pub(crate) fn not_empty(what: &'static str, rows: usize) -> Result<()> {
    if rows == 0 { Err(Error::Empty { what }) } else { Ok(()) }
}

pub(crate) fn all_finite(what: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(row) => Err(Error::Value { what, row, value: values[row], valid: "a finite number" }),
        None => Ok(()),
    }
}

pub(crate) fn all_in_bounds(what: &'static str, values: &[f64]) -> Result<()> {
    all_within(what, values, -LARGEST..=LARGEST, IN_BOUNDS)
}

pub(crate) fn all_within(
    what: &'static str,
    values: &[f64],
    range: RangeInclusive<f64>,
    valid: &'static str,
) -> Result<()> {
    match values.iter().position(|v| !range.contains(v)) {
        Some(row) => Err(Error::Value { what, row, value: values[row], valid }),
        None => Ok(()),
    }
}

pub(crate) fn both_classes(what: &'static str, labels: &[bool]) -> Result<()> {
    match labels.first() {
        Some(&label) if labels.iter().all(|&y| y == label) => Err(Error::OneClass { what, rows: labels.len(), label }),
        Some(_) => Ok(()),
        None => Err(Error::Empty { what }),
    }
}

/// Of an interval.
pub(crate) fn valid_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        Ok(())
    } else {
        Err(Error::Setting { name: "level", value: level, valid: "between 0 and 1" })
    }
}

pub(crate) fn positive(name: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(Error::Setting { name, value, valid: "above 0 and finite" })
    }
}
