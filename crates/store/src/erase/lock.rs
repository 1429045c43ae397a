//! Defines the lock of an erasure, and what it keeps other writers from.
//!
//! `_erasures/<n>.json` is the n-th lock, taken with put-if-absent; `_erasures/<n>.done` says that it is over. Only the
//! newest counts: whoever takes over from a process that is gone takes `n + 1`, and a writer that was opened before the
//! newest erasure may hold rows in memory that no longer exist, so it may not write any more. An erasure also commits an
//! empty version to every table: a commit that was checked before the lock was taken finds its version taken, and is
//! checked again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::root::{Root, json_bytes};
use crate::snapshot::ATTEMPTS;
use crate::store::Store;

pub(crate) const FOLDER: &str = "_erasures";

/// A lock that is not renewed for so long belongs to a process that is gone.
pub const LEASE: Duration = Duration::from_secs(60);

/// What a lock says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Lock {
    owner: String,
    taken_at: DateTime<Utc>,
    renewed_at: DateTime<Utc>,
    lease_seconds: u64,
}

/// The lock, held by this process.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) store: Store,
    lock: Lock,
    renewed: Mutex<Instant>,
}

impl Store {
    /// Whether this handle may still change the warehouse.
    ///
    /// Errors: [`Error::Erasing`] while customers are erased, [`Error::ErasedMeanwhile`] if that was done since the handle
    /// was opened.
    pub async fn may_write(&self) -> Result<()> {
        let (newest, is_done) = newest(&self.root).await?;
        if newest == self.erasures {
            return Ok(());
        }
        if is_done {
            return Err(Error::ErasedMeanwhile);
        }
        Err(erasing(&self.root, newest, &self.root.get_json(&file(newest)).await?))
    }

    /// Takes the lock, from a process that is gone too.
    pub(super) async fn take_lock(&self, owner: &str, lease: Duration) -> Result<Held> {
        for _ in 0..ATTEMPTS {
            let (newest, is_done) = newest(&self.root).await?;
            if !is_done {
                let held: Lock = self.root.get_json(&file(newest)).await?;
                if held.renewed_at + Duration::from_secs(held.lease_seconds) > Utc::now() {
                    return Err(erasing(&self.root, newest, &held));
                }
            }
            let now = Utc::now().trunc_subsecs(6);
            let lease_seconds = lease.as_secs();
            let lock = Lock { owner: owner.to_owned(), taken_at: now, renewed_at: now, lease_seconds };
            match self.root.create(&file(newest + 1), json_bytes(FOLDER, &lock)?).await {
                Ok(()) => {
                    let store = Store { erasures: newest + 1, ..self.clone() };
                    return Ok(Held { store, lock, renewed: Mutex::new(Instant::now()) });
                }
                Err(Error::Exists { .. }) => continue,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended { what: "taking the lock of an erasure".to_owned(), attempts: ATTEMPTS })
    }
}

impl Held {
    /// Says that this process is alive, if it has not for a while; [`Error::Erasing`] if another one has taken over.
    pub(super) async fn renew(&self) -> Result<()> {
        let lease = Duration::from_secs(self.lock.lease_seconds);
        let is_fresh = |at: &Mutex<Instant>| at.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < lease / 4;
        if is_fresh(&self.renewed) {
            return Ok(());
        }
        self.store.may_write().await?;
        let lock = Lock { renewed_at: Utc::now().trunc_subsecs(6), ..self.lock.clone() };
        self.store.root.put(&file(self.store.erasures), json_bytes(FOLDER, &lock)?).await?;
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(())
    }

    pub(super) async fn release(self) -> Result<()> {
        let done = format!("{FOLDER}/{:020}.done", self.store.erasures);
        self.store.root.put(&done, json_bytes(FOLDER, &Utc::now().trunc_subsecs(6))?).await
    }
}

/// The number of the newest erasure that this handle may go on after: while one is under way, the one before it.
pub(crate) async fn number_at_open(root: &Root) -> Result<u64> {
    let (newest, is_done) = newest(root).await?;
    Ok(if is_done { newest } else { newest - 1 })
}

/// The newest erasure and whether it is done; 0 before the first.
async fn newest(root: &Root) -> Result<(u64, bool)> {
    let files = root.list(FOLDER).await?;
    let numbers = |ending: &str| {
        let number = |file: &String| file.rsplit('/').next()?.strip_suffix(ending)?.parse::<u64>().ok();
        files.iter().filter_map(number).max().unwrap_or(0)
    };
    let newest = numbers(".json");
    Ok((newest, numbers(".done") == newest))
}

fn erasing(root: &Root, number: u64, lock: &Lock) -> Error {
    let Lock { owner, taken_at, .. } = lock.clone();
    Error::Erasing { path: root.show(&file(number)), owner, since: taken_at }
}

fn file(number: u64) -> String {
    format!("{FOLDER}/{number:020}.json")
}
