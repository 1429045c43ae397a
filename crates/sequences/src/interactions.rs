//! Files of `user item` lines, the form of the public next-item benchmarks → [`Sequences`].

use std::collections::HashMap;

use crate::sequences::Dictionary;
use crate::{Error, Field, PURCHASE, Sequences};

impl Sequences {
    /// Reads lines `user item`, each user's in the order they happened; users may be interleaved, blank lines are
    /// skipped. Every line is a purchase. The file has no times, so the n-th line of a user (from 0) has time n, by
    /// both clocks: `Example::at(.., n, ..)` sees exactly his first n items. `file` is named in errors.
    ///
    /// # Errors
    /// A line that is not two words, with its row from 1; a text without any.
    pub fn from_interactions(text: &str, file: &str) -> Result<Sequences, Error> {
        let mut users: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut index: HashMap<&str, usize> = HashMap::new();
        for (i, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            let (user, item) = match (words.next(), words.next(), words.next()) {
                (None, ..) => continue,
                (Some(user), Some(item), None) => (user, item),
                _ => {
                    let line = line.chars().take(80).collect();
                    return Err(Error::Interaction { file: file.to_owned(), row: i + 1, line });
                }
            };
            let slot = *index.entry(user).or_insert_with(|| {
                users.push((user, Vec::new()));
                users.len() - 1
            });
            users[slot].1.push(item);
        }
        if users.is_empty() {
            return Err(Error::NoInteractions { file: file.to_owned() });
        }
        Ok(pack(&users))
    }
}

fn pack(users: &[(&str, Vec<&str>)]) -> Sequences {
    let mut dictionaries: [Dictionary; 4] = Default::default();
    let purchase = dictionaries[Field::Kind.index()].intern(Some(PURCHASE));
    let mut sequences = Sequences { offsets: vec![0], ..Sequences::default() };
    for (user, items) in users {
        sequences.index.insert((*user).to_owned(), sequences.customers.len());
        sequences.customers.push((*user).to_owned());
        for (position, item) in items.iter().enumerate() {
            sequences.event_time.push(position as i64);
            sequences.known_time.push(position as i64);
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
    fn names_file_and_row_of_a_broken_line() {
        let error = Sequences::from_interactions("1 2\n1 2 3\n", "ml.txt").unwrap_err().to_string();
        assert!(error.contains("ml.txt, row 2: `1 2 3`"), "{error}");
        let error = Sequences::from_interactions("\n", "ml.txt").unwrap_err().to_string();
        assert!(error.contains("ml.txt holds no interactions"), "{error}");
    }
}
