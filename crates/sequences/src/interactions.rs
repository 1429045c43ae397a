//! Files of `user item …` lines, or of columns with times as RecBole publishes data sets: the forms of the public next-item
//! benchmarks → [`Sequences`], and the split by which models are compared on them.

use std::collections::{HashMap, HashSet};

use crate::sequences::Dictionary;
use crate::{Error, Example, Field, LabelledExample, PURCHASE, Sequences, Target};

/// A user and his items, each with the time it is given.
type History<'a> = (&'a str, Vec<(i64, &'a str)>);

impl Sequences {
    /// Reads lines of a user and an item, or one line for each user with all his items, in the order they happened; users
    /// may be interleaved, blank lines are skipped. Every item is a purchase. The file has no times, so the n-th item of
    /// a user (from 0) has time n, by both clocks: `Example::at(.., n, ..)` sees exactly his first n items. `file` is
    /// named in errors.
    ///
    /// A text that begins with a header as `user_id:token⇥item_id:token⇥rating:float⇥timestamp:float` (RecBole's `.inter`) has times,
    /// in seconds since 1970, by which each user's items are put in order; those of equal times stay as they are in the file. The
    /// n-th item of a user is then n microseconds later than its line says, so that no two have the same time.
    ///
    /// # Errors
    /// A line without an item, or with more than one for a user who has other lines (a rating or a time would be taken
    /// for an item), or without a value of a column that the header names, with its row from 1; a text without any line.
    pub fn from_interactions(text: &str, file: &str) -> Result<Sequences, Error> {
        if let Some(columns) = text.lines().next().and_then(Columns::named) {
            return columns.read(text, file);
        }
        let mut users: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut index: HashMap<&str, usize> = HashMap::new();
        // Users whose items stand in one line.
        let mut lists: HashSet<usize> = HashSet::new();
        for (i, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            let Some(user) = words.next() else { continue };
            let slot = *index.entry(user).or_insert_with(|| {
                users.push((user, Vec::new()));
                users.len() - 1
            });
            let items = &mut users[slot].1;
            let before = items.len();
            items.extend(words);
            let added = items.len() - before;
            if added == 0 || (before > 0 && (added > 1 || lists.contains(&slot))) {
                return Err(Error::Interaction { file: file.to_owned(), row: i + 1, line: shortened(line) });
            }
            if added > 1 {
                lists.insert(slot);
            }
        }
        if users.is_empty() {
            return Err(Error::NoInteractions { file: file.to_owned() });
        }
        Ok(pack(users.into_iter().map(|(user, items)| (user, (0..).zip(items).collect()))))
    }

    /// The same with the n-th event of each customer (from 0) at time n by both clocks, as if only the order were known.
    pub fn in_order_only(mut self) -> Self {
        for customer in 0..self.customers.len() {
            for (position, event) in (0..).zip(self.range(customer)) {
                (self.event_time[event], self.known_time[event]) = (position, position);
            }
        }
        self
    }

    /// The leave-one-out split of what [`Sequences::from_interactions`] has read: each user's item `from_end` places from the end
    /// (1: the last, the test; 2: the validation) as the target of the `length` items before it. Users with fewer than
    /// three items, or with nothing before the target, are left out.
    pub fn leave_one_out(&self, from_end: usize, length: usize) -> Vec<LabelledExample> {
        let users = 0..self.customers.len();
        users.filter_map(|user| Some(self.next_item(user, self.split_at(user, from_end)?, length))).collect()
    }

    /// What may be learnt from before the validation of [`Sequences::leave_one_out`]: each user's items in windows of
    /// `length` from the newest to the oldest, each with the item after it as its target.
    pub fn leave_one_out_training(&self, length: usize) -> Vec<LabelledExample> {
        let windows = |user| {
            let newest = self.split_at(user, 3);
            let older = move |end: &usize| end.checked_sub(length.max(1)).filter(|&end| end > self.offsets[user]);
            std::iter::successors(newest, older).map(move |end| self.next_item(user, end, length))
        };
        (0..self.customers.len()).flat_map(windows).collect()
    }

    fn split_at(&self, user: usize, from_end: usize) -> Option<usize> {
        // Fewer leave nothing to learn from.
        const FEWEST_ITEMS: usize = 3;
        let range = self.range(user);
        (range.len() >= FEWEST_ITEMS.max(from_end + 1)).then(|| range.end - from_end)
    }

    fn next_item(&self, user: usize, event: usize, length: usize) -> LabelledExample {
        let target = Target::NextPurchase { product: Some(self.code(event, Field::Product)), days: Some(0.0) };
        LabelledExample { example: Example::at(self, user, self.event_time(event), length), target }
    }
}

/// Which columns of a file hold what.
struct Columns {
    user: usize,
    item: usize,
    time: usize,
}

impl Columns {
    /// By the names of a header, each with its type after a colon.
    fn named(header: &str) -> Option<Self> {
        let place = |name| header.split('\t').position(|column| column.split(':').next() == Some(name));
        Some(Self { user: place("user_id")?, item: place("item_id")?, time: place("timestamp")? })
    }

    fn read(&self, text: &str, file: &str) -> Result<Sequences, Error> {
        let mut users: Vec<History> = Vec::new();
        let mut index: HashMap<&str, usize> = HashMap::new();
        for (i, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            let values: Vec<&str> = line.split('\t').map(str::trim).collect();
            let missing = |column| Error::Column { file: file.to_owned(), row: i + 1, line: shortened(line), column };
            let value = |place: usize, column| {
                values.get(place).copied().filter(|value| !value.is_empty()).ok_or_else(|| missing(column))
            };
            let (user, item) = (value(self.user, "user_id")?, value(self.item, "item_id")?);
            let seconds =
                value(self.time, "timestamp")?.parse().ok().filter(|seconds: &f64| seconds.abs() < MOST_SECONDS);
            let micros = (seconds.ok_or_else(|| missing("timestamp"))? * 1e6) as i64;
            let slot = *index.entry(user).or_insert_with(|| {
                users.push((user, Vec::new()));
                users.len() - 1
            });
            users[slot].1.push((micros, item));
        }
        if users.is_empty() {
            return Err(Error::NoInteractions { file: file.to_owned() });
        }
        for (_, items) in &mut users {
            items.sort_by_key(|(micros, _)| *micros);
            items.iter_mut().zip(0..).for_each(|((micros, _), position)| *micros += position);
        }
        Ok(pack(users))
    }
}

/// Times beyond this, some 30,000 years from 1970, are given in another unit.
const MOST_SECONDS: f64 = 1e12;

fn shortened(line: &str) -> String {
    line.chars().take(80).collect()
}

fn pack<'a>(users: impl IntoIterator<Item = History<'a>>) -> Sequences {
    let mut dictionaries: [Dictionary; 4] = Default::default();
    let purchase = dictionaries[Field::Kind.index()].intern(Some(PURCHASE));
    let mut sequences = Sequences { offsets: vec![0], ..Sequences::default() };
    for (user, items) in users {
        sequences.index.insert(user.to_owned(), sequences.customers.len());
        sequences.customers.push(user.to_owned());
        for (time, item) in items {
            sequences.event_time.push(time);
            sequences.known_time.push(time);
            sequences.superseded_at.push(i64::MAX);
            sequences.amount.push(0.0);
            for field in Field::ALL {
                let code = match field {
                    Field::Kind => purchase,
                    Field::Product => dictionaries[field.index()].intern(Some(item)),
                    Field::Category | Field::Channel => 0,
                };
                sequences.codes[field.index()].push(code);
            }
        }
        sequences.offsets.push(sequences.event_time.len());
    }
    sequences.dictionaries = dictionaries;
    sequences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Example;

    #[test]
    fn keeps_each_users_order() {
        let sequences = Sequences::from_interactions("1 tea\n2 jam\n\n1 jam\n1  rye\n", "x.txt").unwrap();
        let user = sequences.customer("1").unwrap();
        let items = |as_of| -> Vec<&str> {
            let example = Example::at(&sequences, user, as_of, 10);
            example
                .events()
                .map(|e| sequences.text(Field::Product, sequences.code(e, Field::Product)).unwrap())
                .collect()
        };
        assert_eq!(items(3), ["tea", "jam", "rye"]);
        assert_eq!(items(1), ["tea"]);
    }

    #[test]
    fn a_line_may_hold_many_items() {
        let long = Sequences::from_interactions("1 tea jam oat\n2 rye\n", "x.txt").unwrap();
        let short = Sequences::from_interactions("1 tea\n1 jam\n2 rye\n1 oat\n", "x.txt").unwrap();
        let items = |s: &Sequences| -> Vec<u32> { (0..s.event_count()).map(|e| s.code(e, Field::Product)).collect() };
        assert_eq!((items(&long), &long.offsets), (items(&short), &short.offsets));
    }

    #[test]
    fn named_columns_bring_times() {
        let text = "item_id:token\tuser_id:token\trating:float\ttimestamp:float\n\
            tea\t1\t3\t20.5\njam\t2\t5\t7\noat\t1\t4\t10\nrye\t1\t2\t20.5\n";
        let sequences = Sequences::from_interactions(text, "x.inter").unwrap();
        let user = sequences.customer("1").unwrap();
        let item = |event| sequences.text(Field::Product, sequences.code(event, Field::Product)).unwrap();
        let events: Vec<(&str, i64)> =
            sequences.range(user).map(|event| (item(event), sequences.event_time(event))).collect();
        assert_eq!(events, [("oat", 10_000_000), ("tea", 20_500_001), ("rye", 20_500_002)]);
        let test = sequences.leave_one_out(1, 5);
        assert_eq!((test.len(), test[0].example.len(), test[0].example.as_of()), (1, 2, 20_500_002));
        let positions = sequences.clone().in_order_only();
        let times: Vec<i64> = positions.range(user).map(|event| positions.event_time(event)).collect();
        assert_eq!(times, [0, 1, 2]);
        for (row, column) in [("tea\t1\t3\t", "timestamp"), ("tea\t1\t3\tnoon", "timestamp"), ("tea", "user_id")] {
            let error = Sequences::from_interactions(&format!("{text}{row}\n"), "x.inter").unwrap_err().to_string();
            assert!(error.contains("x.inter, row 6: ") && error.contains(&format!("has no {column}")), "{error}");
        }
    }

    /// Times are positions: what an example sees, and the position of its target.
    fn spans(examples: &[LabelledExample], sequences: &Sequences) -> Vec<(usize, Vec<i64>, i64)> {
        let span = |labelled: &LabelledExample| {
            let Target::NextPurchase { product, .. } = labelled.target else { panic!("no next item") };
            let example = &labelled.example;
            let target = sequences.range(example.customer()).start + example.as_of() as usize;
            assert_eq!(product, Some(sequences.code(target, Field::Product)));
            let seen = example.events().map(|event| sequences.event_time(event)).collect();
            (example.customer(), seen, example.as_of())
        };
        examples.iter().map(span).collect()
    }

    #[test]
    fn the_last_items_are_left_out() {
        // Eight items, three, and too few.
        let sequences = Sequences::from_interactions("1 a b c d e f g h\n2 a b c\n3 a b\n", "x").unwrap();
        let test = sequences.leave_one_out(1, 3);
        assert_eq!(spans(&test, &sequences), [(0, vec![4, 5, 6], 7), (1, vec![0, 1], 2)]);
        let valid = sequences.leave_one_out(2, 3);
        assert_eq!(spans(&valid, &sequences), [(0, vec![3, 4, 5], 6), (1, vec![0], 1)]);
        let train = sequences.leave_one_out_training(3);
        assert_eq!(spans(&train, &sequences), [(0, vec![2, 3, 4], 5), (0, vec![0, 1], 2)]);
    }

    #[test]
    fn names_file_and_row_of_a_broken_line() {
        let error = Sequences::from_interactions("1 2\n7\n", "ml.txt").unwrap_err().to_string();
        assert!(error.contains("ml.txt, row 2: `7`"), "{error}");
        // A rating is no item.
        for text in ["1 2 5\n3 2 4\n1 4 3\n", "3 2\n1 4\n1 2 5\n"] {
            let error = Sequences::from_interactions(text, "ml.txt").unwrap_err().to_string();
            assert!(error.contains("ml.txt, row 3: `1 "), "{error}");
        }
        let error = Sequences::from_interactions("\n", "ml.txt").unwrap_err().to_string();
        assert!(error.contains("ml.txt holds no interactions"), "{error}");
    }
}
