//! Defines [`Mentions`]: whether a text holds something that tells who a customer is, as a whole field and not as a part
//! of a longer word: customer `1` is not in `2011-01-15`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use store::CUSTOMER_ID;

use super::keys::Keys;
use super::rules::key_of;

/// What `quality.failures` writes between the columns and the values of a key, and before the value of a named column.
const BETWEEN_PARTS: &str = ", ";
const AFTER_NAME: &str = " = ";
/// Characters that end a field of a line, whichever it is written with.
const BETWEEN_FIELDS: [char; 4] = [',', ';', '\t', '|'];
/// Shorter values say nothing about anybody.
const SHORTEST_VALUE: usize = 3;
/// Shorter ids count only where a whole value is one: as a part of some text they are any number.
const SHORTEST_ID: usize = 4;

/// What tells who the customers are.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    pub(super) ids: BTreeSet<String>,
    /// E-mail addresses, names and the like that nobody else has.
    pub(super) values: BTreeSet<String>,
    pub(super) keys: Arc<Vec<Keys>>,
}

/// The column of a file that says whose a row is.
pub(super) struct CustomerColumn<'a> {
    pub(super) name: &'a str,
    /// Its place among the columns of the file, from 0.
    pub(super) place: usize,
    /// How many columns the file has.
    pub(super) width: usize,
    /// Whether a field of it is one of the customers.
    pub(super) is_one: &'a dyn Fn(&str) -> bool,
}

impl Mentions {
    pub(super) fn add_value(&mut self, value: &str) {
        if value.trim().chars().count() >= SHORTEST_VALUE {
            self.values.insert(value.trim().to_string());
        }
    }

    /// Whether a text is such a value, or a list of fields one of which is.
    pub(super) fn are_in(&self, text: &str) -> bool {
        let is_long = |id: &str| id.chars().count() >= SHORTEST_ID;
        self.is_one(text)
            || fields(text).iter().any(|field| self.is_one(field) && (is_long(field) || self.values.contains(field)))
    }

    /// Whether the key of a failing row holds such an id or value, or, where the row is nobody's, a key that only they have.
    pub(super) fn are_in_key(&self, columns: &str, key: &str, is_nobodys: bool) -> bool {
        let (columns, parts) = (columns.split(BETWEEN_PARTS), key.split(BETWEEN_PARTS));
        if columns.clone().count() != parts.clone().count() {
            return self.are_in(key);
        }
        let parts: BTreeMap<&str, &str> = columns.zip(parts).collect();
        let is_of_id = |(column, part): (&&str, &&str)| column.ends_with(CUSTOMER_ID) && self.ids.contains(*part);
        let holds = |keys: &Keys| {
            let key = keys.columns.iter().map(|column| parts.get(column.as_str()).copied()).collect::<Option<Vec<_>>>();
            key.is_some_and(|key| keys.keys.contains(&key_of(key)))
        };
        parts.iter().any(is_of_id)
            || parts.values().any(|part| self.values.contains(part.trim()))
            || (is_nobodys && self.keys.iter().any(holds))
    }

    /// Whether the value of a failing row is or names one; where it `is_of_id`, it may be an id without a name.
    pub(super) fn are_in_value(&self, value: &str, is_of_id: bool) -> bool {
        let named = value.split(BETWEEN_PARTS).filter_map(|part| part.split_once(AFTER_NAME));
        let is_named = |(name, value): (&str, &str)| {
            self.values.contains(value.trim()) || (name.ends_with(CUSTOMER_ID) && self.ids.contains(value))
        };
        self.values.contains(value.trim())
            || (is_of_id && self.ids.contains(value.trim()))
            || named.clone().any(is_named)
    }

    /// Whether a row of a file, as it stands there, is of such a customer. Without a `customer` column, and in a row that
    /// has not as many fields as its file has columns, every field counts.
    pub(super) fn are_in_line(&self, line: &str, customer: Option<&CustomerColumn>) -> bool {
        if let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(line) {
            return fields.iter().any(|(name, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), String::from);
                self.values.contains(text.trim())
                    || match customer {
                        Some(customer) => customer.name.eq_ignore_ascii_case(name) && (customer.is_one)(&text),
                        None => self.ids.contains(text.trim()),
                    }
            });
        }
        let fields = fields(line);
        let is_theirs = match customer {
            Some(customer) if fields.len() == customer.width => (customer.is_one)(&fields[customer.place]),
            _ => fields.iter().any(|field| self.ids.contains(field)),
        };
        is_theirs || fields.iter().any(|field| self.values.contains(field))
    }

    fn is_one(&self, text: &str) -> bool {
        self.values.contains(text.trim()) || self.ids.contains(text.trim())
    }
}

/// The fields of a line by whatever separates most of them, else by blanks, without quotes.
fn fields(line: &str) -> Vec<String> {
    let most = BETWEEN_FIELDS.into_iter().max_by_key(|separator| line.matches(*separator).count());
    if most.is_none_or(|separator| !line.contains(separator)) {
        return line.split_whitespace().map(String::from).collect();
    }
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for character in line.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            _ if Some(character) == most && !is_quoted => fields.push(String::new()),
            _ => fields.last_mut().into_iter().for_each(|field| field.push(character)),
        }
    }
    fields.into_iter().map(|field| field.trim().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &[&str], values: &[&str]) -> Mentions {
        let ids = ids.iter().map(|id| id.to_string()).collect();
        let mut mentions = Mentions { ids, ..Mentions::default() };
        values.iter().for_each(|value| mentions.add_value(value));
        mentions
    }

    #[test]
    fn only_whole_fields_count() {
        let mentions = of(&["17"], &["ann@x.org", "Ann Lee"]);
        assert!(mentions.are_in("17") && mentions.are_in(" ann@x.org ") && mentions.are_in("o1, Ann Lee"));
        for other in ["o1, 17", "2024-01-17", "joann@x.org", "Ann Leeds", "117"] {
            assert!(!mentions.are_in(other), "{other}");
        }
        assert!(of(&["C-1017"], &[]).are_in("o1, C-1017"));
    }

    #[test]
    fn a_failing_row_is_of_its_key_or_value() {
        let keys = |table: &str, columns: &[&str], keys: &[&str]| Keys {
            table: table.into(),
            columns: columns.iter().map(|column| column.to_string()).collect(),
            keys: keys.iter().map(|key| key.to_string()).collect(),
        };
        let lines = keys("order_lines", &["order_id", "line_id"], &[&key_of(["o1", "2"])]);
        let both = vec![keys("orders", &["order_id"], &["o9"]), lines];
        let mentions = Mentions { keys: Arc::new(both), ..of(&["1"], &["ann@x.org"]) };
        let nobodys = [("order_id", "o9"), ("day, order_id", "3, o9"), ("line_id, order_id", "2, o1")];
        for (columns, key) in nobodys {
            assert!(mentions.are_in_key(columns, key, true), "{columns}: {key}");
            assert!(!mentions.are_in_key(columns, key, false), "{columns}: {key} is somebody else's");
        }
        for (columns, key) in [("other_customer_id, n", "1, 7"), ("email", "ann@x.org")] {
            assert!(mentions.are_in_key(columns, key, false), "{columns}: {key}");
        }
        for (columns, key) in [("order_id", "1"), ("product_id", "o9"), ("order_id, line_id", "o1, 3")] {
            assert!(!mentions.are_in_key(columns, key, true), "{columns}: {key}");
        }
        for (value, is_of_id) in [("ann@x.org", false), ("1", true), ("n = 2, customer_id = 1", false)] {
            assert!(mentions.are_in_value(value, is_of_id), "{value}");
        }
        for value in ["1", "n = 1", "joann@x.org"] {
            assert!(!mentions.are_in_value(value, false), "{value}");
        }
    }

    #[test]
    fn a_line_is_of_its_customer_field() {
        let mentions = of(&["1"], &["ann@x.org"]);
        let second =
            CustomerColumn { name: "Card", place: 1, width: 3, is_one: &|field| field.trim_start_matches('0') == "1" };
        let is_theirs = |line: &str| mentions.are_in_line(line, Some(&second));
        for line in ["9;1;5", "9,001,5", "9\t\"1\"\tx", "9|2|ann@x.org", "9;\"1\"", "9 01 1", r#"{"no": 9, "card": 1}"#]
        {
            assert!(is_theirs(line), "{line}");
        }
        for line in ["1;2;1", "9,\"1,5\",1", "11;10;1", "1 2 3", r#"{"no": 1, "card": 2}"#] {
            assert!(!is_theirs(line), "{line}");
        }
        assert!(mentions.are_in_line("1;2;3", None));
    }
}
