//! Defines [`Header`], the comment at the top of a SQL file. The documentation of a table lives in the file that makes
//! it, so that a view can't be moved, renamed or overridden without its grain, owner and column descriptions.

/// What a SQL file says about itself.
///
/// ```sql
/// -- Customer rhythm: how regularly a customer buys.
/// -- grain: customer_id, as_of
/// -- days_since_order: days from the newest order before the cut-off; NULL for none.
/// -- check: days_since_order >= 0
/// ```
///
/// The first line is the summary. A later line `name: text` is one of the words below or describes a column; a line
/// without a name continues the one above.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// One sentence.
    pub summary: String,
    /// `grain:` columns of which one row each exists.
    pub grain: Vec<String>,
    /// `key:` columns that name a fact across its corrections.
    pub key: Vec<String>,
    /// `owner:` who answers for it.
    pub owner: Option<String>,
    /// `pii:` columns that hold personal data.
    pub pii: Vec<String>,
    /// `driver:` the raw table whose new files drive a staging file.
    pub driver: Option<String>,
    /// `check:` what every row, or the table, must fulfil; in `sql/checks` the table that the failing rows belong to.
    pub checks: Vec<String>,
    /// Column and description, in the file's order.
    pub columns: Vec<(String, String)>,
}

impl Header {
    /// Reads the leading `--` lines of `sql`.
    pub fn parse(sql: &str) -> Header {
        let mut lines = sql.lines().map(str::trim).skip_while(|line| line.is_empty());
        let mut entries: Vec<(Option<&str>, String)> = Vec::new();
        for line in lines.by_ref().map_while(|line| line.strip_prefix("--")) {
            let line = line.trim();
            match (entries.is_empty(), named(line)) {
                (false, Some((name, text))) => entries.push((Some(name), text.to_string())),
                (false, None) => append(&mut entries, line),
                (true, _) => entries.push((None, line.to_string())),
            }
        }
        let mut header = Header::default();
        for (name, text) in entries {
            header.set(name, text);
        }
        header
    }

    /// The description of a column.
    pub fn column(&self, name: &str) -> Option<&str> {
        self.columns.iter().find(|(column, _)| column == name).map(|(_, text)| text.as_str())
    }

    fn set(&mut self, name: Option<&str>, text: String) {
        match name {
            None => self.summary = text,
            Some("grain") => self.grain.extend(list(&text)),
            Some("key") => self.key.extend(list(&text)),
            Some("pii") => self.pii.extend(list(&text)),
            Some("owner") => self.owner = Some(text),
            Some("driver") => self.driver = Some(text),
            Some("check") => self.checks.push(text),
            Some(column) => self.columns.push((column.to_string(), text)),
        }
    }
}

/// `name: text` where the name could be a column.
fn named(line: &str) -> Option<(&str, &str)> {
    let (name, text) = line.split_once(':')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then(|| (name, text.trim()))
}

fn append(entries: &mut [(Option<&str>, String)], line: &str) {
    if let Some((_, text)) = entries.last_mut() {
        text.push(' ');
        text.push_str(line);
    }
}

fn list(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(',').map(|item| item.trim().to_string()).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words_columns_and_continued_lines() {
        let header = Header::parse(
            "-- Rhythm: how regularly.\n-- grain: customer_id, as_of\n-- owner: growth\n-- pii: email, phone\n\
             -- gap_days: mean gap\n--   between orders\n-- check: gap_days >= 0\n\nSELECT 1 -- not: this\n",
        );
        assert_eq!(header.summary, "Rhythm: how regularly.");
        assert_eq!(header.grain, ["customer_id", "as_of"]);
        assert_eq!(header.owner.as_deref(), Some("growth"));
        assert_eq!(header.pii, ["email", "phone"]);
        assert_eq!(header.column("gap_days"), Some("mean gap between orders"));
        assert_eq!(header.checks, ["gap_days >= 0"]);
        assert_eq!(header.columns.len(), 1);
    }

    #[test]
    fn a_file_without_header_has_an_empty_one() {
        assert_eq!(Header::parse("SELECT 1"), Header::default());
    }
}
