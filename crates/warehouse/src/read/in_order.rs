//! Defines [`in_order`]: pieces of a file come one after the other, are worked on by all cores, and leave in their order.

use rayon::prelude::*;

use crate::error::Result;

/// Pieces that are worked on together, for each core: so many that none waits long for the slowest.
const PIECES_PER_CORE: usize = 2;

/// Hands what `work` makes of all that `next` gives to `sink`. While pieces are worked on the next ones are fetched.
pub(super) fn in_order<P: Send, T: Send>(
    mut next: impl FnMut() -> Result<Option<P>> + Send,
    work: impl Fn(P) -> Result<T> + Sync,
    sink: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let at_once = PIECES_PER_CORE * rayon::current_num_threads();
    let mut fetch = || -> Result<Vec<P>> {
        let mut pieces = Vec::new();
        while pieces.len() < at_once {
            match next()? {
                Some(piece) => pieces.push(piece),
                None => break,
            }
        }
        Ok(pieces)
    };
    let mut pieces = fetch()?;
    while !pieces.is_empty() {
        let work = || pieces.into_par_iter().map(&work).collect::<Vec<_>>();
        let (done, fetched) = rayon::join(work, &mut fetch);
        // What is wrong with a later piece is told after what is wrong with an earlier one.
        done.into_iter().try_for_each(|done| sink(done?))?;
        pieces = fetched?;
    }
    Ok(())
}
