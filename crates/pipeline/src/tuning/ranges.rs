//! What `[tune]` of a task file allows, and the settings drawn from it.
//!
//! Random search (Bergstra and Bengio 2012): every trial draws each setting independently, so that with the few settings that
//! matter each trial tries a new value of every one of them, where a grid would try the same few again and again. A trial's
//! draws depend on the seed and its number alone: more trials are the same trials and some more.

use crate::error::{Error, Result};
use crate::task::Task;
use crate::training;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Value;

/// Settings that no search decides, each with the reason.
const NOT_TUNED: [(&str, &str); 6] = [
    ("seed", "the luckiest seed makes no better model"),
    ("negatives", "it changes what the validation loss means, so that trials can't be compared"),
    ("epochs_from", "every trial starts anew"),
    ("rate_from", "every trial starts anew"),
    ("device", "it changes the speed alone"),
    ("threads", "it changes the speed alone"),
];

/// Draws that were there before are drawn again so often; then the settings are taken to be exhausted.
const REDRAWS: usize = 100;

/// A trial before it is trained.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Counted from 1, which is the task file as it is.
    pub(super) trial: usize,
    pub(super) settings: BTreeMap<String, Value>,
    /// The task with these settings.
    pub(super) task: Task,
}

/// The settings that are tuned, by name.
pub(super) struct Space(BTreeMap<String, Setting>);

struct Setting {
    section: Section,
    /// What the task has without a search.
    present: Value,
    values: Values,
}

/// The table of the task file that a setting belongs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Model,
    Training,
}

enum Values {
    List(Vec<Value>),
    Real {
        from: f64,
        to: f64,
        is_log: bool,
    },
    /// Both ends included.
    Whole {
        from: i64,
        to: i64,
        is_log: bool,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRange {
    from: Value,
    to: Value,
    #[serde(default)]
    log: bool,
}

impl Space {
    /// What the task's `[tune]` says, checked: each value on its own beside the task's other settings.
    ///
    /// # Errors
    /// [`Error::Task`] for a task without ranges, a setting that is not there or not tuned, a range without values;
    /// [`Error::Trainer`] for a value out of range.
    pub(super) fn new(task: &Task) -> Result<Space> {
        let wrong = |problem: String| Error::Task { task: task.name.clone(), problem };
        if task.tune.is_empty() {
            let example = "learning_rate = { from = 5e-4, to = 5e-3, log = true } or dropout = [0.0, 0.1, 0.2]";
            return Err(wrong(format!("it says nothing to tune: add a table [tune] with lines like {example}")));
        }
        let resolved = training::config(task)?.raw();
        let table =
            |section: &dyn Fn() -> std::result::Result<toml::Table, toml::ser::Error>| section().unwrap_or_default();
        let model = table(&|| toml::Table::try_from(&resolved.model));
        let training = table(&|| toml::Table::try_from(&resolved.training));
        let mut settings = BTreeMap::new();
        for (name, given) in &task.tune {
            if let Some((_, why)) = NOT_TUNED.iter().find(|(not, _)| not == name) {
                return Err(wrong(format!("tune.{name}: {why}; leave it out")));
            }
            let found = model.get(name).map(|value| (Section::Model, value));
            let found = found.or_else(|| Some((Section::Training, training.get(name)?)));
            let Some((section, present)) = found else {
                let names = model.keys().chain(training.keys()).map(String::as_str);
                let valid = names.filter(|name| NOT_TUNED.iter().all(|(not, _)| not != name)).collect::<Vec<_>>();
                return Err(wrong(format!(
                    "tune.{name} is no setting of [model] or [training]; valid are {}",
                    valid.join(", ")
                )));
            };
            let values = Values::new(given, present).map_err(|problem| wrong(format!("tune.{name} {problem}")))?;
            let setting = Setting { section, present: present.clone(), values };
            for value in setting.values.ends() {
                training::config(&setting.put(task.clone(), name, value))?;
            }
            settings.insert(name.clone(), setting);
        }
        Ok(Space(settings))
    }

    /// So many trials, the first of them the task as it is, or fewer where there are no more settings. No two are the same.
    ///
    /// # Errors
    /// [`Error::Task`] for settings that can't be trained together.
    pub(super) fn candidates(&self, task: &Task, trials: usize, seed: u64) -> Result<Vec<Candidate>> {
        let as_it_is = self.0.iter().map(|(name, setting)| (name.clone(), setting.present.clone())).collect();
        let mut drawn: Vec<BTreeMap<String, Value>> = vec![as_it_is];
        for trial in 2..=trials {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(trial as u64);
            let mut draw = || -> BTreeMap<String, Value> {
                self.0.iter().map(|(name, setting)| (name.clone(), setting.values.draw(&mut random))).collect()
            };
            match (0..REDRAWS).map(|_| draw()).find(|settings| !drawn.contains(settings)) {
                Some(settings) => drawn.push(settings),
                None => break,
            }
        }
        let candidate = |(trial, settings)| self.candidate(task, trial, settings);
        (1..).zip(drawn.into_iter().take(trials)).map(candidate).collect()
    }

    /// Settings as lines of a task file.
    pub(super) fn lines(&self, settings: &BTreeMap<String, Value>) -> String {
        let mut text = String::new();
        for (section, head) in [(Section::Model, "[model]\n"), (Section::Training, "[training]\n")] {
            let of = settings.iter().filter(|(name, _)| self.0.get(*name).is_some_and(|s| s.section == section));
            let lines: String = of.map(|(name, value)| format!("{name} = {value}\n")).collect();
            if !lines.is_empty() {
                text += &format!("{head}{lines}");
            }
        }
        text
    }

    fn candidate(&self, task: &Task, trial: usize, settings: BTreeMap<String, Value>) -> Result<Candidate> {
        let mut with = task.clone();
        // The first trial is the file as it is, to the letter, so that it is what `train` does.
        for (name, setting) in self.0.iter().filter(|_| trial > 1) {
            if let Some(value) = settings.get(name) {
                with = setting.put(with, name, value.clone());
            }
        }
        training::config(&with).map_err(|error| {
            let drawn = self.lines(&settings).replace('\n', " ");
            let problem = format!("tune draws {}together, and {error}", drawn);
            Error::Task { task: task.name.clone(), problem }
        })?;
        Ok(Candidate { trial, settings, task: with })
    }
}

impl Setting {
    fn put(&self, mut task: Task, name: &str, value: Value) -> Task {
        let section = match self.section {
            Section::Model => &mut task.model,
            Section::Training => &mut task.training,
        };
        section.insert(name.into(), value);
        task
    }
}

impl Values {
    /// `present` says of which type the setting is.
    fn new(given: &Value, present: &Value) -> std::result::Result<Values, String> {
        match given {
            Value::Array(list) if list.is_empty() => Err("is an empty list: give the values to choose from".into()),
            Value::Array(list) => Ok(Values::List(list.clone())),
            Value::Table(range) => {
                let RawRange { from, to, log } =
                    range.clone().try_into().map_err(|error| format!("is no range: {}", error.message()))?;
                Values::range(&from, &to, log, present)
            }
            other => Err(format!("is {other}: give a list [a, b, c] or a range {{ from = a, to = b }}")),
        }
    }

    fn range(from: &Value, to: &Value, is_log: bool, present: &Value) -> std::result::Result<Values, String> {
        let number = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
        let (Some(low), Some(high)) = (number(from), number(to)) else {
            return Err(format!("has a range from {from} to {to}, which are no numbers"));
        };
        if low >= high || !low.is_finite() || !high.is_finite() {
            return Err(format!("has an empty range, from {from} to {to}: `from` must be below `to`, and both finite"));
        }
        if is_log && low <= 0.0 {
            return Err(format!("has a range from {from} with log = true, which needs a `from` above 0"));
        }
        match (present, from.as_integer(), to.as_integer()) {
            (Value::Float(_), ..) => Ok(Values::Real { from: low, to: high, is_log }),
            (Value::Integer(_), Some(from), Some(to)) => Ok(Values::Whole { from, to, is_log }),
            (Value::Integer(_), ..) => Err(format!("has a range from {from} to {to}; the setting is a whole number")),
            _ => Err("is no number and has no range: give a list of values".into()),
        }
    }

    /// What must be valid for all of them to be: every value of a list, the first and the last of a range.
    fn ends(&self) -> Vec<Value> {
        match self {
            Values::List(list) => list.clone(),
            Values::Real { from, to, .. } => vec![Value::Float(*from), Value::Float(*to)],
            Values::Whole { from, to, .. } => vec![Value::Integer(*from), Value::Integer(*to)],
        }
    }

    fn draw(&self, random: &mut ChaCha8Rng) -> Value {
        let between = |from: f64, to: f64, share: f64, is_log: bool| match is_log {
            true => (from.ln() + share * (to.ln() - from.ln())).exp(),
            false => from + share * (to - from),
        };
        match self {
            Values::List(list) => list[random.random_range(0..list.len())].clone(),
            Values::Real { from, to, is_log } => {
                let drawn = between(*from, *to, random.random(), *is_log);
                // Three digits are all that a search can tell, and all that anyone wants to paste.
                let short = format!("{drawn:.2e}").parse().unwrap_or(drawn);
                Value::Float(short.clamp(*from, *to))
            }
            Values::Whole { from, to, is_log } => {
                let drawn = between(*from as f64, *to as f64 + 1.0, random.random(), *is_log);
                Value::Integer((drawn.floor() as i64).clamp(*from, *to))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(tune: &str) -> Task {
        let text =
            format!("task = 't'\nlabel = 'labels.churn'\nhead = 'churn'\n[training]\nepochs = 6\n[tune]\n{tune}\n");
        toml::from_str(&text).unwrap()
    }

    fn candidates(tune: &str, trials: usize, seed: u64) -> Vec<Candidate> {
        let task = task(tune);
        Space::new(&task).unwrap().candidates(&task, trials, seed).unwrap()
    }

    const TUNE: &str = "learning_rate = { from = 5e-4, to = 5e-3, log = true }\ndropout = [0.0, 0.1, 0.2]\n\
        width = [32, 64]\nepochs = { from = 4, to = 12 }";

    #[test]
    fn the_first_trial_is_the_file_as_it_is() {
        let first = &candidates(TUNE, 3, 1)[0];
        assert_eq!((first.trial, &first.task), (1, &task(TUNE)));
        assert_eq!(first.settings["epochs"], Value::Integer(6));
        assert_eq!(first.settings["dropout"], Value::Float(0.1), "the default");
    }

    #[test]
    fn more_trials_are_the_same_and_some_more() {
        let settings = |found: &[Candidate]| found.iter().map(|c| c.settings.clone()).collect::<Vec<_>>();
        let (few, many) = (settings(&candidates(TUNE, 5, 7)), settings(&candidates(TUNE, 40, 7)));
        assert_eq!((few.len(), many.len()), (5, 40));
        assert_eq!(few, many[..5]);
        assert_ne!(many[1..], settings(&candidates(TUNE, 40, 8))[1..]);
        let distinct = many.iter().enumerate().all(|(i, one)| many[..i].iter().all(|other| other != one));
        assert!(distinct);
    }

    #[test]
    fn draws_lie_in_their_ranges_and_reach_all_of_them() {
        let found = candidates(TUNE, 400, 3);
        let drawn = &found[1..];
        let of = |name: &str| drawn.iter().map(|c| c.settings[name].clone()).collect::<Vec<_>>();
        let rates: Vec<f64> = of("learning_rate").iter().map(|value| value.as_float().unwrap()).collect();
        assert!(rates.iter().all(|rate| (5e-4..=5e-3).contains(rate)));
        // Uniform in the logarithm: half of them below the geometric mean, 1.58e-3, not a fourth. ± 4 deviations.
        let below = rates.iter().filter(|rate| **rate < 2.5e-6f64.sqrt()).count() as f64 / rates.len() as f64;
        assert!((below - 0.5).abs() < 0.1, "{below}");
        for (name, values) in
            [("epochs", (4..=12).map(Value::Integer).collect::<Vec<_>>()), ("width", vec![32.into(), 64.into()])]
        {
            let found = of(name);
            assert!(values.iter().all(|value| found.contains(value)), "{name}");
            assert!(found.iter().all(|value| values.contains(value)), "{name}");
        }
        assert_eq!(drawn[0].task.model["width"], drawn[0].settings["width"]);
        assert_eq!(drawn[0].task.training["epochs"], drawn[0].settings["epochs"]);
    }

    #[test]
    fn a_small_space_is_exhausted() {
        // Without the file's own, 0.1 and 32: three.
        let found = candidates("dropout = [0.1, 0.2]\nwidth = [32, 64]", 50, 1);
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn lines_can_be_pasted() {
        let task = task(TUNE);
        let space = Space::new(&task).unwrap();
        let best = &space.candidates(&task, 2, 1).unwrap()[1];
        let mut pasted = toml::from_str::<toml::Table>(&space.lines(&best.settings)).unwrap();
        let model = pasted.remove("model").unwrap();
        assert_eq!(model.as_table(), Some(&best.task.model));
        assert_eq!(pasted["training"].as_table(), Some(&best.task.training));
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        for (tune, problem) in [
            ("", "nothing to tune"),
            ("widht = [32]", "tune.widht is no setting of [model] or [training]; valid are architecture, dropout"),
            ("seed = [1, 2]", "luckiest seed"),
            ("dropout = []", "tune.dropout is an empty list"),
            ("width = 32", "tune.width is 32: give a list"),
            ("dropout = { from = 0.2, to = 0.2 }", "empty range, from 0.2 to 0.2"),
            ("dropout = { from = 0.0, to = 0.2, log = true }", "`from` above 0"),
            ("dropout = { form = 0.0, to = 0.2 }", "form"),
            ("epochs = { from = 2.5, to = 4 }", "whole number"),
            ("precision = { from = 1, to = 2 }", "no number"),
            ("dropout = [0.1, 1.5]", "`model.dropout` is 1.5; valid is 0 or more and less than 1"),
            ("dropout = ['a']", "invalid type"),
            ("epochs = { from = 0, to = 3 }", "`training.epochs` is 0"),
            ("width = [30]", "twice `model.heads`"),
        ] {
            let message = Space::new(&task(tune)).err().expect(tune).to_string();
            assert!(message.contains(problem), "{tune}: {message}");
        }
        let task = task("width = [36, 20]\nheads = [1, 9]");
        let task = Task { model: toml::from_str("width = 36\nheads = 1").unwrap(), ..task };
        let message = Space::new(&task).and_then(|space| space.candidates(&task, 9, 1)).err().unwrap().to_string();
        assert!(message.contains("width = 20") && message.contains("together"), "{message}");
    }
}
