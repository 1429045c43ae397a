//! The cut-offs of a task: where training, validation and test look from.
//!
//! ```text
//! ──┬────────┬────────┬──────────────┬──────────────┬──────────────┐
//!  train … train    train          valid          test     observed_until
//!                     └── learnt ────┘── learnt ────┘── horizon ───┘
//! ```
//!
//! What is learnt looks as far as what is asked, unless the task says otherwise.
//!
//! No training label reaches past the validation cut-off and no validation label past the test cut-off, so the test
//! horizon is seen by nothing but the evaluation.

use crate::error::{Error, Result};
use crate::task::Task;
use crate::time::{MICROS_PER_DAY, date};
use warehouse::Clock;

/// Cut-offs in microseconds since 1970 UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cutoffs {
    /// Ascending.
    pub(crate) train: Vec<i64>,
    pub(crate) valid: i64,
    pub(crate) test: i64,
}

impl Cutoffs {
    /// The cut-offs of a task on data that reach from `clock.first_event` to `clock.observed_until`. Training
    /// cut-offs that would lie before all data are left out; fails when none is left.
    pub(crate) fn plan(task: &Task, clock: &Clock) -> Result<Cutoffs> {
        let [asked, learnt] = [task.horizon_days, task.learnt_days()].map(|days| i64::from(days) * MICROS_PER_DAY);
        let every = i64::from(task.every_days) * MICROS_PER_DAY;
        let (first, until) = (clock.first_event.timestamp_micros(), clock.observed_until.timestamp_micros());
        let first_known = clock.first_known.timestamp_micros();
        let test = until - asked;
        let valid = test - learnt;
        let newest = valid - learnt;
        if first < newest && first_known >= newest {
            let (task, newest, known) = (task.name.clone(), date(newest), date(first_known));
            return Err(Error::KnownTooLate { task, newest, known });
        }
        let mut train: Vec<i64> = (0..i64::from(task.cutoffs))
            .map(|k| newest - k * every)
            .filter(|&at| at > first.max(first_known))
            .collect();
        train.reverse();
        if train.is_empty() {
            return Err(too_short(task, (until - first) / MICROS_PER_DAY, date(until)));
        }
        Ok(Cutoffs { train, valid, test })
    }
}

fn too_short(task: &Task, have_days: i64, until: String) -> Error {
    let learnt = 2 * i64::from(task.learnt_days());
    let most_days = match task.is_rolled_out() {
        true => have_days - 1 - learnt,
        false => (have_days - 1) / 3,
    };
    Error::ShortHistory {
        task: task.name.clone(),
        horizon_days: task.horizon_days,
        needed_days: i64::from(task.horizon_days) + learnt + 1,
        have_days,
        until,
        most_days: most_days.max(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::utc;

    fn task(horizon_days: u32, cutoffs: u32) -> Task {
        let text = format!(
            "task = 't'\nlabel = 'labels.churn'\nhead = 'churn'\nhorizon_days = {horizon_days}\ncutoffs = {cutoffs}"
        );
        toml::from_str(&text).unwrap()
    }

    fn clock(first_day: i64, last_day: i64) -> Clock {
        let day = |d| utc(d * MICROS_PER_DAY);
        let until = day(last_day);
        let first = day(first_day);
        Clock { first_event: first, first_known: first, last_event: until, default_as_of: until, observed_until: until }
    }

    #[test]
    fn no_label_reaches_past_the_next_split() {
        let cutoffs = Cutoffs::plan(&task(90, 3), &clock(0, 730)).unwrap();
        let days = |micros: i64| micros / MICROS_PER_DAY;
        assert_eq!(cutoffs.train.iter().map(|&t| days(t)).collect::<Vec<_>>(), [400, 430, 460]);
        assert_eq!((days(cutoffs.valid), days(cutoffs.test)), (550, 640));
    }

    #[test]
    fn a_shorter_horizon_is_learnt_from_later() {
        let task = Task { learnt_horizon_days: Some(30), ..task(180, 1) };
        let cutoffs = Cutoffs::plan(&task, &clock(0, 400)).unwrap();
        let days = |micros: i64| micros / MICROS_PER_DAY;
        assert_eq!((days(cutoffs.train[0]), days(cutoffs.valid), days(cutoffs.test)), (160, 190, 220));
        let message = Cutoffs::plan(&task, &clock(0, 240)).unwrap_err().to_string();
        assert!(message.contains("241 days") && message.contains("at most 179 days"), "{message}");
    }

    #[test]
    fn cut_offs_before_all_data_are_left_out_and_none_left_is_an_error() {
        assert_eq!(Cutoffs::plan(&task(90, 9), &clock(0, 300)).unwrap().train.len(), 1);
        let news = Clock { first_known: utc(1000 * MICROS_PER_DAY), ..clock(0, 730) };
        let message = Cutoffs::plan(&task(90, 3), &news).unwrap_err().to_string();
        assert!(message.contains("1972-09-27") && message.contains("--history"), "{message}");
        let message = Cutoffs::plan(&task(273, 1), &clock(0, 546)).unwrap_err().to_string();
        assert!(message.contains("820 days") && message.contains("at most 181 days"), "{message}");
    }
}
