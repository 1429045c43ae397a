//! Defines the views that `sql/insights/actions.toml` makes: `insights.action_rules`, the rules as rows, and
//! `insights.action_candidates`, every customer for whom one of them holds. Rules are TOML and not SQL because those who write
//! them know campaigns; what they become is SQL, so that a rule is planned, explained and traced like any other view. All that
//! does not differ from rule to rule (consent, limits, choosing) is in the views that read these two.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::header::Header;
use condition::Expression;

mod condition;

/// Path of the rules below `sql/`.
pub(crate) const PATH: &str = "insights/actions.toml";
const RULES: &str = "insights/action_rules.sql";
const CANDIDATES: &str = "insights/action_candidates.sql";
const TRIGGERS: &str = "insights/triggers.sql";
const RULES_HEADER: &str = include_str!("rules.header.sql");
const CANDIDATES_HEADER: &str = include_str!("candidates.header.sql");

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Actions {
    /// What all actions of a cut-off may cost.
    budget: Option<f64>,
    /// Contacts of a customer over all channels.
    contacts: Option<Limit>,
    /// Contacts of a customer on one channel.
    #[serde(default)]
    channels: BTreeMap<String, Limit>,
    #[serde(default)]
    actions: BTreeMap<String, Action>,
    #[serde(default)]
    rules: Vec<Rule>,
}

/// At most so many messages in so many days before the cut-off.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    at_most: u32,
    days: u32,
}

/// Something that can be done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Action {
    channel: String,
    #[serde(default = "marketing")]
    purposes: Vec<String>,
    cost: Expression,
    /// What this action may cost at a cut-off.
    budget: Option<f64>,
    /// Share of the customers for whom it is decided but not done.
    #[serde(default)]
    holdout: f64,
}

fn marketing() -> Vec<String> {
    vec!["marketing".into()]
}

/// For whom, and what it brings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    action: String,
    trigger: Option<String>,
    when: Option<Expression>,
    probability: Expression,
    value: Expression,
}

/// Path and text of the views that the rules among `files` make; none without rules.
///
/// # Errors
/// [`Error::Definition`]: the file is no TOML of this form, or its rules make no sense.
pub(crate) fn views(files: &BTreeMap<String, String>) -> Result<Vec<(String, String)>> {
    let Some(text) = files.get(PATH) else { return Ok(Vec::new()) };
    let fail = |problem: String| Error::Definition { path: PATH.into(), problem };
    let actions: Actions = toml::from_str(text).map_err(|e| fail(e.to_string()))?;
    actions.check().map_err(fail)?;
    actions.check_triggers(files).map_err(fail)?;
    let read = actions.reads();
    read.iter().try_for_each(|view| has_a_row_per_customer(view, files)).map_err(fail)?;
    Ok(vec![(RULES.into(), actions.rules_view()), (CANDIDATES.into(), actions.candidates_view(&read))])
}

/// A rule reads one row per customer, or it would propose an action several times.
fn has_a_row_per_customer(view: &str, files: &BTreeMap<String, String>) -> Result<(), String> {
    let Some(sql) = files.get(&format!("{}.sql", view.replace('.', "/"))) else {
        return Err(format!("it reads {view}, which no file defines"));
    };
    let grain = Header::parse(sql).grain;
    match grain.iter().map(String::as_str).collect::<BTreeSet<_>>() == BTreeSet::from(["customer_id", "as_of"]) {
        true => Ok(()),
        false => {
            let grain = if grain.is_empty() { "no grain".into() } else { format!("the grain {}", grain.join(", ")) };
            Err(format!("it reads {view}, which has {grain}: a rule reads views of the grain customer_id, as_of"))
        }
    }
}

impl Actions {
    fn check(&self) -> Result<(), String> {
        if self.rules.is_empty() {
            return Err("it has no [[rules]]; give at least one".into());
        }
        checked_budget("budget", self.budget)?;
        self.contacts.map_or(Ok(()), |limit| limit.check("contacts"))?;
        self.channels.iter().try_for_each(|(channel, limit)| limit.check(&format!("channels.{channel}")))?;
        for (place, rule) in self.rules.iter().enumerate() {
            if !self.actions.contains_key(&rule.action) {
                let known: Vec<&str> = self.actions.keys().map(String::as_str).collect();
                return Err(format!(
                    "rule {:?} proposes {:?}, which is no action: use one of {}",
                    rule.name,
                    rule.action,
                    known.join(", ")
                ));
            }
            self.rules[..place].iter().try_for_each(|other| rule.check_beside(other))?;
        }
        for (name, action) in &self.actions {
            action.check(name)?;
            if !self.rules.iter().any(|rule| rule.action == *name) {
                return Err(format!("no rule proposes the action {name}"));
            }
        }
        let used = |channel: &&String| self.actions.values().any(|action| action.channel == **channel);
        if let Some(channel) = self.channels.keys().find(|channel| !used(channel)) {
            return Err(format!("channels.{channel} limits a channel that no action uses"));
        }
        Ok(())
    }

    /// Those that `insights.triggers` accepts, as its header says.
    fn check_triggers(&self, files: &BTreeMap<String, String>) -> Result<(), String> {
        let header = files.get(TRIGGERS).map(|sql| Header::parse(sql)).unwrap_or_default();
        let accepted =
            header.checks.iter().find_map(|check| check.strip_prefix("accepted(trigger,")?.strip_suffix(')'));
        let Some(accepted) = accepted.map(|names| names.split(',').map(str::trim).collect::<Vec<_>>()) else {
            return Ok(());
        };
        let unknown = self.rules.iter().find_map(|rule| {
            let trigger = rule.trigger.as_deref()?;
            (!accepted.contains(&trigger)).then_some((rule, trigger))
        });
        match unknown {
            Some((rule, trigger)) => {
                let accepted = accepted.join(", ");
                Err(format!("rule {:?} waits for {trigger:?}, which is no trigger: use one of {accepted}", rule.name))
            }
            None => Ok(()),
        }
    }

    /// Each rule with its action.
    fn proposals(&self) -> impl Iterator<Item = (&Rule, &Action)> {
        self.rules.iter().filter_map(|rule| Some((rule, self.actions.get(&rule.action)?)))
    }

    /// The views whose columns the rules name.
    fn reads(&self) -> BTreeSet<String> {
        let expressions = self.proposals().flat_map(|(rule, action)| rule.expressions(action));
        expressions.flat_map(|expression| expression.columns.iter().map(|column| column.view.clone())).collect()
    }

    fn rules_view(&self) -> String {
        let rows: Vec<String> = self.proposals().map(|(rule, action)| self.rule_row(rule, action)).collect();
        format!(
            "{RULES_HEADER}SELECT *\nFROM (VALUES\n    {}\n) AS listed (\n    rule, action, channel, trigger, purposes, \
             condition, probability, value, cost, budget, total_budget, holdout,\n    channel_at_most, channel_days, \
             contacts_at_most, contacts_days\n)\n",
            rows.join(",\n    ")
        )
    }

    fn rule_row(&self, rule: &Rule, action: &Action) -> String {
        let purposes: Vec<String> = action.purposes.iter().map(|purpose| text(purpose)).collect();
        let limit = |limit: Option<&Limit>| {
            [limit.map(|limit| limit.at_most), limit.map(|limit| limit.days)].map(|number| typed(number, "BIGINT"))
        };
        let [channel_at_most, channel_days] = limit(self.channels.get(&action.channel));
        let [contacts_at_most, contacts_days] = limit(self.contacts.as_ref());
        let columns = [
            text(&rule.name),
            text(&rule.action),
            text(&action.channel),
            typed(rule.trigger.as_deref().map(text), "VARCHAR"),
            format!("make_array({})", purposes.join(", ")),
            typed(rule.when.as_ref().map(|when| text(&when.text)), "VARCHAR"),
            text(&rule.probability.text),
            text(&rule.value.text),
            text(&action.cost.text),
            typed(action.budget, "DOUBLE"),
            typed(self.budget, "DOUBLE"),
            typed(Some(action.holdout), "DOUBLE"),
            channel_at_most,
            channel_days,
            contacts_at_most,
            contacts_days,
        ];
        format!("({})", columns.join(", "))
    }

    fn candidates_view(&self, read: &BTreeSet<String>) -> String {
        let joins = read
            .iter()
            .map(|view| format!("LEFT JOIN {view} ON {view}.customer_id = s.customer_id AND {view}.as_of = s.as_of\n"));
        let number = |of: fn(&Rule, &Action) -> String| self.of_each_rule(|rule, action| Some(of(rule, action)));
        let probability = number(|rule, _| rule.probability.as_double());
        let value = number(|rule, _| rule.value.as_double());
        let cost = number(|_, action| action.cost.as_double());
        let held_out = self.of_each_rule(|rule, action| {
            let (salt, holdout) = (text(&rule.action), action.holdout);
            (holdout > 0.0).then(|| format!("variant(s.customer_id, {salt}, {}, {holdout}) = 1", 1.0 - holdout))
        });
        let evidence = self.of_each_rule(|rule, action| rule.evidence(action));
        let condition = self
            .of_each_rule(|rule, _| Some(rule.when.as_ref().map_or("true".into(), |when| format!("({})", when.text))));
        format!(
            "{CANDIDATES_HEADER}SELECT
    s.customer_id,
    s.as_of,
    r.rule,
    r.action,
    r.channel,
    r.trigger,
    {probability} AS probability,
    {value} AS value,
    {cost} AS cost,
    coalesce({held_out}, false) AS is_held_out,
    concat_ws('; ', t.evidence, {evidence}) AS evidence
FROM spine AS s
{}CROSS JOIN insights.action_rules AS r
LEFT JOIN insights.triggers AS t ON t.customer_id = s.customer_id AND t.as_of = s.as_of AND t.trigger = r.trigger
WHERE (r.trigger IS NULL OR t.trigger IS NOT NULL) AND {condition}
",
            joins.collect::<String>()
        )
    }

    /// An expression that depends on the rule; NULL for those that have none.
    fn of_each_rule(&self, of: impl Fn(&Rule, &Action) -> Option<String>) -> String {
        let cases = self
            .proposals()
            .filter_map(|(rule, action)| Some(format!("WHEN {} THEN {}", text(&rule.name), of(rule, action)?)));
        let cases: Vec<String> = cases.collect();
        match cases.is_empty() {
            true => "NULL".into(),
            false => format!("CASE r.rule\n        {}\n    END", cases.join("\n        ")),
        }
    }
}

impl Action {
    fn check(&self, name: &str) -> Result<(), String> {
        checked_budget(&format!("actions.{name}.budget"), self.budget)?;
        if !(0.0..1.0).contains(&self.holdout) {
            return Err(format!("actions.{name}.holdout is {}; a share is 0 or more and less than 1", self.holdout));
        }
        match self.purposes.is_empty() {
            true => Err(format!("actions.{name}.purposes is empty; nobody is contacted without a consent")),
            false => Ok(()),
        }
    }
}

impl Rule {
    fn expressions<'a>(&'a self, action: &'a Action) -> impl Iterator<Item = &'a Expression> {
        self.when.iter().chain([&self.probability, &self.value, &action.cost])
    }

    fn check_beside(&self, other: &Rule) -> Result<(), String> {
        if self.name == other.name {
            return Err(format!("two rules have the name {:?}", self.name));
        }
        let of =
            |rule: &'_ Rule| (rule.action.clone(), rule.trigger.clone(), rule.when.as_ref().map(|w| w.meaning.clone()));
        match of(self) == of(other) {
            true => Err(format!(
                "rules {:?} and {:?} contradict each other: both propose {} for the same customers",
                other.name, self.name, self.action
            )),
            false => Ok(()),
        }
    }

    /// The columns that were read, with their values.
    fn evidence(&self, action: &Action) -> Option<String> {
        let mut columns: Vec<String> = Vec::new();
        for column in self.expressions(action).flat_map(|expression| &expression.columns) {
            let name = column.to_string();
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
        let shown = columns
            .iter()
            .map(|name| format!("{} || coalesce(cast({name} AS VARCHAR), 'NULL')", text(&format!("{name} = "))));
        let shown: Vec<String> = shown.collect();
        (!shown.is_empty()).then(|| format!("concat_ws('; ', {})", shown.join(", ")))
    }
}

impl Limit {
    fn check(&self, place: &str) -> Result<(), String> {
        match (self.at_most, self.days) {
            (0, _) => Err(format!("{place}.at_most is 0: leave out the actions of a channel that must not be used")),
            (_, 0) => Err(format!("{place}.days is 0; it is at least 1")),
            _ => Ok(()),
        }
    }
}

fn checked_budget(place: &str, budget: Option<f64>) -> Result<(), String> {
    match budget {
        Some(budget) if !(budget >= 0.0 && budget.is_finite()) => Err(format!("{place} is {budget}; it is 0 or more")),
        _ => Ok(()),
    }
}

/// A text as SQL writes it.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A value or NULL, of a type, so that VALUES has one even where the first row has none.
fn typed(value: Option<impl Display>, data_type: &str) -> String {
    format!("cast({} AS {data_type})", value.map_or("NULL".into(), |value| value.to_string()))
}
