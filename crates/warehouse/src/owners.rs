//! Defines [`Owners`]: of the keys of new rows, those that more than one customer has. Keys and customers are told by
//! their hashes. New rows whose keys are too many for memory wait in temporary files ([`Parts`]), divided by key.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};

use foldhash::fast::FixedState;

/// The hashes of a row's key and of its customer.
pub(crate) type Owned = (u64, u64);

/// Of a row in a part.
const OWNED_BYTES: usize = size_of::<u128>();

/// Which keys have more than one customer.
#[derive(Default)]
pub(crate) struct Owners {
    of_new: HashMap<u64, u64, FixedState>,
    moved: HashSet<u64>,
}

impl Owners {
    /// A new row.
    pub(crate) fn gain(&mut self, (key, customer): Owned) {
        if *self.of_new.entry(key).or_insert(customer) != customer {
            self.moved.insert(key);
        }
    }

    /// A row that was there before, once all new ones are known.
    pub(crate) fn had(&mut self, (key, customer): Owned) {
        if self.of_new.get(&key).is_some_and(|new| *new != customer) {
            self.moved.insert(key);
        }
    }

    /// The keys of new rows that had several customers.
    pub(crate) fn moved(self) -> HashSet<u64> {
        self.moved
    }

    /// The same of rows in parts, of which there are as many of both kinds: one part is in memory at a time.
    pub(crate) fn moved_by_parts(new: Parts, old: Parts) -> io::Result<HashSet<u64>> {
        let mut owners = Owners::default();
        for (new, old) in new.files.into_iter().zip(old.files) {
            owners.of_new.clear();
            for_each(new, |row| owners.gain(row))?;
            for_each(old, |row| owners.had(row))?;
        }
        Ok(owners.moved)
    }
}

/// Rows divided by key. The files have no name, and are gone with the process.
pub(crate) struct Parts {
    files: Vec<BufWriter<File>>,
}

impl Parts {
    pub(crate) fn new(count: u64) -> io::Result<Parts> {
        let file = |_| Ok(BufWriter::new(tempfile::tempfile()?));
        Ok(Parts { files: (0..count).map(file).collect::<io::Result<_>>()? })
    }

    pub(crate) fn add(&mut self, (key, customer): Owned) -> io::Result<()> {
        let part = key % self.files.len() as u64;
        let row = u128::from(customer) << u64::BITS | u128::from(key);
        self.files[part as usize].write_all(&row.to_le_bytes())
    }
}

/// Gives the rows of a part in their order.
fn for_each(part: BufWriter<File>, mut see: impl FnMut(Owned)) -> io::Result<()> {
    let mut file = part.into_inner()?;
    file.rewind()?;
    let mut file = io::BufReader::with_capacity(OWNED_BYTES << 12, file);
    let mut row = [0; OWNED_BYTES];
    loop {
        match file.read_exact(&mut row) {
            Ok(()) => {}
            Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        let row = u128::from_le_bytes(row);
        see((row as u64, (row >> u64::BITS) as u64));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_of_new_rows_with_several_customers_are_found_in_one_part_and_in_many(
            new in prop::collection::vec((0u64..40, 0u64..3), 0..80),
            old in prop::collection::vec((0u64..40, 0u64..3), 0..80),
            count in 1u64..5,
        ) {
            let is_moved = |key: &u64| {
                let customers = new.iter().chain(&old).filter(|row| row.0 == *key).map(|row| row.1);
                new.iter().any(|row| row.0 == *key) && customers.collect::<HashSet<_>>().len() > 1
            };
            let wanted: HashSet<u64> = (0..40).filter(is_moved).collect();

            let mut owners = Owners::default();
            new.iter().for_each(|row| owners.gain(*row));
            old.iter().for_each(|row| owners.had(*row));
            prop_assert_eq!(owners.moved(), wanted.clone());

            let parts = |rows: &[Owned]| {
                let mut parts = Parts::new(count).unwrap();
                rows.iter().for_each(|row| parts.add(*row).unwrap());
                parts
            };
            prop_assert_eq!(Owners::moved_by_parts(parts(&new), parts(&old)).unwrap(), wanted);
        }
    }
}
