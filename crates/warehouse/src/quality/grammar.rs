//! Defines how the text of a check is taken apart: a rule and the clauses behind it. What stands in quotes or parentheses
//! is never a clause.

use super::{Dimension, Severity};

/// A check as it is written: `<rule> [where <predicate>] [at most <n> %] [severity warn|error] [dimension <name>]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) rule: &'a str,
    /// SQL of the rows that it is about; all without it.
    pub(super) condition: Option<&'a str>,
    /// Share of the rows that may fail.
    pub(super) at_most: Option<f64>,
    pub(super) severity: Option<Severity>,
    pub(super) dimension: Option<Dimension>,
}

impl Line<'_> {
    /// The error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Line<'_>, String> {
        let starts = clauses(text)?;
        let end = |i: usize| starts.get(i).map_or(text.len(), |(start, ..)| *start);
        let rule = text[..end(0)].trim();
        let mut line = Line { rule, condition: None, at_most: None, severity: None, dimension: None };
        if rule.is_empty() {
            return Err("it has no rule".into());
        }
        for (i, (_, name, value)) in starts.iter().enumerate() {
            let value = text[*value..end(i + 1)].trim();
            let is_second = match *name {
                "where" => line.condition.replace(value).is_some(),
                "severity" => line.severity.replace(value.parse()?).is_some(),
                "dimension" => line.dimension.replace(value.parse()?).is_some(),
                _ => line.at_most.replace(percent(value)?).is_some(),
            };
            if is_second {
                return Err(format!("it says \"{name}\" twice"));
            }
            if value.is_empty() {
                return Err(format!("nothing follows \"{name}\""));
            }
        }
        Ok(line)
    }
}

/// Name and arguments of a rule that is one call, such as `range(amount, 0, 100)`.
pub(super) fn call(rule: &str) -> Option<(&str, Vec<&str>)> {
    let marks = plain(rule).ok()?;
    let (open, ..) = *marks.iter().find(|(_, c, _)| *c == '(')?;
    let (close, ..) = *marks.iter().find(|(_, c, depth)| *c == ')' && *depth == 0)?;
    let name = rule[..open].trim_end();
    let is_name = !name.is_empty() && name.chars().all(is_word);
    if !is_name || close + 1 != rule.len() {
        return None;
    }
    let commas = marks.iter().filter(|(_, c, depth)| *c == ',' && *depth == 1).map(|(at, ..)| *at);
    let mut arguments = Vec::new();
    let mut start = open + 1;
    for end in commas.chain([close]) {
        arguments.push(rule[start..end].trim());
        start = end + 1;
    }
    match arguments.as_slice() {
        [""] => Some((name, Vec::new())),
        _ => Some((name, arguments)),
    }
}

/// The words of a text that stand outside of quotes, at any depth.
pub(super) fn words(text: &str) -> Vec<&str> {
    words_of(text, &plain(text).unwrap_or_default()).into_iter().map(|(_, word)| word).collect()
}

/// `5 %` as a share.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let share = number.filter(|number| *number >= 0.0 && number.is_finite()).map(|number| number / 100.0);
    share.ok_or_else(|| format!("\"{text}\" is no share: write it as 5 %"))
}

/// Where each clause begins, its name, and where its value begins.
fn clauses(text: &str) -> Result<Vec<(usize, &'static str, usize)>, String> {
    let marks: Vec<_> = plain(text)?.into_iter().filter(|(_, _, depth)| *depth == 0).collect();
    let words = words_of(text, &marks);
    let mut found = Vec::new();
    for (i, (start, word)) in words.iter().enumerate() {
        // A column of that name, qualified by its table.
        if text[..*start].ends_with('.') {
            continue;
        }
        let mut clause = |name, end| found.push((*start, name, end));
        match word.to_ascii_lowercase().as_str() {
            "where" => clause("where", start + word.len()),
            "severity" => clause("severity", start + word.len()),
            "dimension" => clause("dimension", start + word.len()),
            "at" => match words.get(i + 1) {
                Some((next, most)) if most.eq_ignore_ascii_case("most") => clause("at most", next + most.len()),
                _ => {}
            },
            _ => {}
        }
    }
    Ok(found)
}

/// The characters outside of quotes: place, character, and how many parentheses are open around it.
fn plain(text: &str) -> Result<Vec<(usize, char, usize)>, String> {
    let (mut found, mut depth, mut quote) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            // A doubled quote closes and opens again.
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => {
                found.push((at, c, depth));
                depth += 1;
            }
            (None, ')') if depth == 0 => return Err("a \")\" closes nothing".into()),
            (None, ')') => {
                depth -= 1;
                found.push((at, c, depth));
            }
            (None, _) => found.push((at, c, depth)),
        }
    }
    match (quote, depth) {
        (Some(open), _) => Err(format!("a {open} is not closed")),
        (None, 0) => Ok(found),
        (None, _) => Err("a \"(\" is not closed".into()),
    }
}

fn words_of<'a>(text: &'a str, marks: &[(usize, char, usize)]) -> Vec<(usize, &'a str)> {
    let mut words: Vec<(usize, usize)> = Vec::new();
    for (at, c, _) in marks.iter().filter(|(_, c, _)| is_word(*c)) {
        match words.last_mut() {
            Some((_, end)) if *end == *at => *end += c.len_utf8(),
            _ => words.push((*at, at + c.len_utf8())),
        }
    }
    words.into_iter().map(|(start, end)| (start, &text[start..end])).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_come_in_any_order_and_not_out_of_quotes() {
        let line =
            Line::parse("status in ('at most 5 %', 'where') severity warn where (amount > 0) at most 2.5%").unwrap();
        assert_eq!(line.rule, "status in ('at most 5 %', 'where')");
        assert_eq!((line.condition, line.at_most), (Some("(amount > 0)"), Some(0.025)));
        assert_eq!((line.severity, line.dimension), (Some(Severity::Warn), None));
        let line = Line::parse("t.severity >= 0 and \"dimension\" > 1 dimension Timeliness").unwrap();
        assert_eq!((line.rule, line.dimension), ("t.severity >= 0 and \"dimension\" > 1", Some(Dimension::Timeliness)));
        assert_eq!(Line::parse("seen at time zone 'UTC' > x").unwrap().rule, "seen at time zone 'UTC' > x");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("", "no rule"),
            ("where a > 1", "no rule"),
            ("a > 1 where", "nothing follows"),
            ("a > 1 severity", "warn or error"),
            ("a > 1 severity high", "\"high\""),
            ("a > 1 dimension beauty", "accuracy"),
            ("a > 1 at most many", "\"many\""),
            ("a > 1 at most -1 %", "\"-1 %\""),
            ("a > 1 where b where c", "twice"),
            ("a > (1", "not closed"),
            ("a > 1)", "closes nothing"),
            ("a = 'x", "not closed"),
        ];
        for (text, part) in cases {
            let error = Line::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_call_is_the_whole_rule() {
        assert_eq!(call("range(amount, 0, 100)"), Some(("range", vec!["amount", "0", "100"])));
        assert_eq!(call("matches (email, '(a,b)')"), Some(("matches", vec!["email", "'(a,b)'"])));
        assert_eq!(call("accepted(kind, f(1, 2), x)"), Some(("accepted", vec!["kind", "f(1, 2)", "x"])));
        assert_eq!(call("row_count()"), Some(("row_count", vec![])));
        for no_call in ["abs(a) < 3", "abs(a) < abs(b)", "a in (1, 2)", "(a)", "a"] {
            assert_eq!(call(no_call), None, "{no_call}");
        }
    }
}
