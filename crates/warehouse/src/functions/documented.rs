//! What is known of a function: read off its own file, whose first lines say how it is called and what it does, and whose
//! struct of settings says what each of them is.

use serde::Serialize;
use serde_json::Value;

use super::{FUNCTIONS, Function};
use crate::variant;

/// A function of ours and its documentation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DescribedFunction {
    /// Its name.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// How it is called, its columns by their place.
    pub call: String,
    /// Everything that is to be known.
    pub text: String,
    /// By name.
    pub settings: Vec<DescribedSetting>,
}

/// A setting that is given by name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DescribedSetting {
    /// Its name.
    pub name: String,
    /// What holds if it is not given; null where that is left open.
    pub default: Value,
    /// The names that there are, of a setting that is one.
    pub valid: Vec<String>,
    /// What it is.
    pub description: String,
}

/// Every function, by name.
pub fn described_functions() -> Vec<DescribedFunction> {
    let mut functions: Vec<DescribedFunction> = FUNCTIONS.iter().map(described).collect();
    functions.push(documented(variant::NAME, variant::SOURCE, Vec::new()));
    functions.sort_by(|one, other| one.name.cmp(&other.name));
    functions
}

fn described(function: &Function) -> DescribedFunction {
    let settings = match (function.defaults)() {
        Ok(Value::Object(settings)) => settings,
        _ => Default::default(),
    };
    let setting = |(name, default): (String, Value)| DescribedSetting {
        description: comment(function.source, &name),
        valid: valid(function, &name),
        name,
        default,
    };
    documented(function.name, function.source, settings.into_iter().map(setting).collect())
}

fn documented(name: &str, source: &str, settings: Vec<DescribedSetting>) -> DescribedFunction {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let text = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    let (call, text) = text.trim_start_matches('`').split_once("`: ").unwrap_or_default();
    let text = sentence(text);
    let summary = text.split_inclusive(". ").next().unwrap_or_default().trim().to_string();
    DescribedFunction { name: name.into(), summary, call: call.into(), text, settings }
}

/// A text that began after a colon.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

/// The comment above a field of the settings.
fn comment(source: &str, field: &str) -> String {
    let declared = format!("    {field}: ");
    let mut comment = Vec::new();
    for line in source.lines() {
        match line.strip_prefix("    /// ") {
            Some(text) => comment.push(text),
            None if line.starts_with(&declared) => break,
            None if line.starts_with("    #[") => (),
            None => comment.clear(),
        }
    }
    comment.join(" ")
}

/// What the settings' own parser says of a name that there can't be.
fn valid(function: &Function, setting: &str) -> Vec<String> {
    let nothing = Value::Object([(setting.to_string(), Value::from("?"))].into_iter().collect());
    let Err(error) = (function.parse)(nothing) else { return Vec::new() };
    let error = error.to_string();
    match error.split_once("unknown variant `?`, expected ") {
        Some((_, names)) => names.split('`').skip(1).step_by(2).map(str::to_string).collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_says_how_it_is_called_and_what_each_setting_is() {
        for function in described_functions() {
            let DescribedFunction { name, summary, call, text, settings } = &function;
            let rows = if FUNCTIONS.iter().any(|known| known.name == name) { "(SELECT " } else { "" };
            assert!(call.starts_with(&format!("{name}({rows}")) && call.ends_with(')'), "{function:?}");
            assert!(summary.ends_with('.') && text.starts_with(summary.as_str()), "{function:?}");
            for setting in settings {
                assert!(setting.description.ends_with('.'), "{name}: {setting:?}");
                let default = setting.default.as_str();
                assert!(setting.valid.is_empty() || default.is_none_or(|d| setting.valid.iter().any(|v| v == d)));
            }
        }
        let clusters = described_functions().into_iter().find(|f| f.name == "clusters").unwrap();
        assert_eq!(clusters.settings.iter().find(|s| s.name == "method").unwrap().valid.len(), 4);
    }
}
