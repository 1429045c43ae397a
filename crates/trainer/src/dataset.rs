//! What is trained on, and the checks that it can be.

use sequences::{Example, LabelledExample, Sequences, Target, Vocabulary, format_time};

use crate::{Error, Head, Result, TargetKind, heads};

/// The last features of every example, where they are added as they are to the head's outputs, the first to the first, so that
/// the network only learns what to change of them: what a generalised linear model calls an offset. Of a label it is the
/// log-odds that it is true; of an amount the log-odds that it is above 0, then the logarithm of what it is expected to be
/// where it is; of a count the logarithm of what is expected.
///
/// As offsets are numbers, those of examples to predict may look further ahead than those of training: then so do the answers,
/// and what was learnt is taken to hold as long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offsets {
    /// How many features they are.
    pub count: usize,
    /// How many days those of examples to predict look ahead.
    pub days: f32,
}

/// Labelled examples of one task.
#[derive(Debug, Clone, Copy)]
pub struct Dataset<'a> {
    /// Where the examples' events lie.
    pub sequences: &'a Sequences,
    /// What the model will know; fitted on what training may see.
    pub vocabulary: &'a Vocabulary,
    /// Names of the features that every example brings ([`Example::with_features`]), in their order.
    pub features: &'a [String],
    /// Which of them are offsets.
    pub offsets: Option<Offsets>,
    /// How far the targets look ahead, in days.
    pub horizon_days: f32,
    /// Examples to learn from.
    pub train: &'a [LabelledExample],
    /// Later examples, which decide when to stop.
    pub valid: &'a [LabelledExample],
}

impl Dataset<'_> {
    /// How many of the features are offsets.
    pub(crate) fn offset_count(&self) -> usize {
        self.offsets.map_or(0, |offsets| offsets.count)
    }

    /// Whether the head can learn from these examples.
    ///
    /// # Errors
    /// An empty set, a target of another head, targets that are all the same.
    pub(crate) fn check(&self, head: Head, periods: usize) -> Result<()> {
        let (offsets, most) = (self.offset_count(), heads::most_offsets(head));
        if offsets > most.min(self.features.len()) {
            return Err(Error::Offsets { given: offsets, most, features: self.features.len(), head: head.name() });
        }
        let (train, valid) = ("training", "validation");
        for (set, examples, other, rest, advice) in [
            (train, self.train, valid, self.valid, "use earlier cut-offs, a shorter horizon, or load more history"),
            (valid, self.valid, train, self.train, "use later cut-offs or a shorter horizon"),
        ] {
            if examples.is_empty() {
                let has = format!("{} examples (cut-offs {})", rest.len(), cutoffs(rest));
                return Err(Error::Empty { set, other, has, advice });
            }
            check_features(self.features, offsets, examples.iter().map(|labelled| &labelled.example))?;
            check_targets(head, periods, set, examples)?;
        }
        Ok(())
    }
}

/// Whether every example brings the features of these names, the last `offsets` of which must be known.
///
/// # Errors
/// An example that does not.
pub(crate) fn check_features<'a>(
    names: &[String],
    offsets: usize,
    examples: impl IntoIterator<Item = &'a Example>,
) -> Result<()> {
    let needed = names.len();
    for (row, example) in examples.into_iter().enumerate() {
        let given = example.features().len();
        if given != needed {
            return Err(Error::Features { given, needed, names: names.join(", ") });
        }
        let mut known = names.iter().zip(example.features()).skip(needed - offsets);
        if let Some((name, value)) = known.find(|(_, value)| !value.is_finite()) {
            return Err(Error::UnknownOffset { row, name: name.clone(), value: *value });
        }
    }
    Ok(())
}

fn check_targets(head: Head, periods: usize, set: &'static str, examples: &[LabelledExample]) -> Result<()> {
    let is_time = |days: Option<f32>| days.is_none_or(|days| days.is_finite() && days >= 0.0);
    for (row, LabelledExample { target, .. }) in examples.iter().enumerate() {
        let needed = match (head.target_kind(), target) {
            (TargetKind::Label, Target::Label(_)) if periods == 1 => continue,
            (TargetKind::Label, Target::Absence { days }) if periods > 1 && is_time(*days) => continue,
            (TargetKind::Amount, Target::Value(value)) if value.is_finite() => continue,
            (TargetKind::Count, Target::Value(value)) if is_count(*value) => continue,
            (TargetKind::Next, Target::NextPurchase { days, .. }) if is_time(*days) => continue,
            (TargetKind::Label, _) if periods > 1 => "when the next purchase is, in days not below 0",
            (TargetKind::Label, _) => "true or false",
            (TargetKind::Amount, _) => "a finite value",
            (TargetKind::Count, _) => "a whole number from 0",
            (TargetKind::Next, _) => "a next purchase with days not below 0",
        };
        return Err(Error::WrongTarget { set, row, target: format!("{target:?}"), head: head.name(), needed });
    }
    let count = examples.len();
    let same = |what| Err(Error::OneClass { set, count, cutoffs: cutoffs(examples), what });
    let all = |is: fn(&Target) -> bool| examples.iter().all(|example| is(&example.target));
    match head {
        Head::Churn if all(|target| target.has_happened() == Some(true)) => same("churned"),
        Head::Churn if all(|target| target.has_happened() == Some(false)) => same("not churned"),
        Head::Binary if all(|target| target.has_happened() == Some(true)) => same("the label true"),
        Head::Binary if all(|target| target.has_happened() == Some(false)) => same("the label false"),
        Head::Clv | Head::Amount | Head::Count
            if all(|target| matches!(target, Target::Value(value) if *value <= 0.0)) =>
        {
            same("no value above 0")
        }
        Head::NextPurchase | Head::NextItem
            if all(|target| matches!(target, Target::NextPurchase { product: None, days: None })) =>
        {
            same("no next purchase")
        }
        _ => Ok(()),
    }
}

fn is_count(value: f32) -> bool {
    value.is_finite() && value >= 0.0 && value.fract() == 0.0
}

/// The examples' cut-offs, for messages.
fn cutoffs(examples: &[LabelledExample]) -> String {
    let mut cutoffs: Vec<i64> = examples.iter().map(|example| example.example.as_of()).collect();
    cutoffs.sort_unstable();
    cutoffs.dedup();
    match cutoffs.as_slice() {
        [] => "none".to_owned(),
        [first] => format_time(*first),
        [first, .., last] => format!("{} to {}", format_time(*first), format_time(*last)),
    }
}
