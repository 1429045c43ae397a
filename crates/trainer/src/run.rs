//! The run folder: which files it holds, and how they are written.
//!
//! `config.toml` (resolved), `vocabulary.json`, `followers.json` (of a network with a memory), `weights.safetensors` (best epoch), `checkpoint.safetensors` (last
//! epoch, with the optimiser's state) and `history.json`. Every file is written beside its name and renamed, so that a
//! kill leaves the old file or the new one; the checkpoint alone decides where a resumed run goes on, so the files need
//! not change together.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use sequences::{Followers, Vocabulary};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Config, Error, Head, RawConfig, Result};

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochMetrics {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean loss over the epoch's training steps.
    pub train_loss: f64,
    /// Mean loss over the validation set.
    pub valid_loss: f64,
    /// Metrics of the validation set by name; those that are undefined there are left out.
    pub metrics: BTreeMap<String, f64>,
}

impl EpochMetrics {
    /// Keeps nine decimals of each number: JSON gives these back exactly, so that a resumed run's history is the same.
    pub(crate) fn rounded(mut self) -> Self {
        let round = |x: f64| (x * 1e9).round() / 1e9;
        (self.train_loss, self.valid_loss) = (round(self.train_loss), round(self.valid_loss));
        self.metrics.values_mut().for_each(|value| *value = round(*value));
        self
    }
}

/// The metric that decides which epoch of a next-item model is the best.
pub(crate) const NEXT_ITEM_MONITOR: &str = "ndcg@10";

/// The best epoch of a history: the least validation loss, for the next item the highest NDCG; the first of equals.
pub(crate) fn best(history: &[EpochMetrics], head: Head) -> Option<&EpochMetrics> {
    let badness = |epoch: &EpochMetrics| match head {
        Head::NextItem => -epoch.metrics.get(NEXT_ITEM_MONITOR).copied().unwrap_or(0.0),
        Head::Churn | Head::NextPurchase | Head::Clv | Head::Binary | Head::Count | Head::Amount => epoch.valid_loss,
    };
    history.iter().min_by(|a, b| badness(a).total_cmp(&badness(b)))
}

/// How many epochs were no better than the best one before them.
pub(crate) fn worse(history: &[EpochMetrics], head: Head) -> usize {
    let is_best =
        |count: usize| best(&history[..count], head).is_some_and(|best| best.epoch == history[count - 1].epoch);
    (1..=history.len()).filter(|&count| !is_best(count)).count()
}

/// A run folder on the local disk.
#[derive(Debug, Clone)]
pub(crate) struct RunFolder(PathBuf);

impl RunFolder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn weights(&self) -> PathBuf {
        self.0.join("weights.safetensors")
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint.safetensors")
    }

    fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    fn vocabulary(&self) -> PathBuf {
        self.0.join("vocabulary.json")
    }

    fn followers(&self) -> PathBuf {
        self.0.join("followers.json")
    }

    /// Makes the folder and writes what a run starts from.
    pub(crate) fn create(&self, config: &Config, vocabulary: &Vocabulary, followers: Option<&Followers>) -> Result<()> {
        fs::create_dir_all(&self.0).map_err(|source| Error::Io { path: self.0.clone(), source })?;
        let text = toml::to_string(&config.raw())
            .map_err(|error| Error::Corrupt { path: self.config(), reason: error.to_string() })?;
        write_whole(&self.config(), text.as_bytes())?;
        write_whole(&self.vocabulary(), &json(&self.vocabulary(), vocabulary)?)?;
        followers.map_or(Ok(()), |found| write_whole(&self.followers(), &json(&self.followers(), found)?))
    }

    pub(crate) fn write_history(&self, history: &[EpochMetrics]) -> Result<()> {
        let path = self.0.join("history.json");
        write_whole(&path, &json(&path, &history)?)
    }

    pub(crate) fn read_config(&self) -> Result<Config> {
        let text = read_text(&self.config())?;
        let place = self.config().display().to_string();
        let raw: RawConfig = toml::from_str(&text).map_err(|e| Error::Toml { place, source: Box::new(e) })?;
        Config::try_from(raw)
    }

    pub(crate) fn read_vocabulary(&self) -> Result<Vocabulary> {
        read_json(self.vocabulary())
    }

    pub(crate) fn read_followers(&self) -> Result<Followers> {
        read_json(self.followers())
    }

    /// Whether a run with this configuration and vocabulary may go on here.
    ///
    /// # Errors
    /// The first setting that differs. How long to train, where, in what precision and with what patience may change.
    pub(crate) fn check_same(&self, config: &Config, vocabulary: &Vocabulary) -> Result<()> {
        let saved = self.read_config()?;
        if let Some((key, saved, asked)) = first_difference(&saved, config) {
            return Err(Error::OtherRun { path: self.config(), key, saved, asked });
        }
        if self.read_vocabulary()? != *vocabulary {
            let (key, saved, asked) = ("vocabulary", "other texts", "that of the data given");
            return Err(Error::OtherRun {
                path: self.vocabulary(),
                key: key.into(),
                saved: saved.into(),
                asked: asked.into(),
            });
        }
        Ok(())
    }
}

/// Whether a run folder has finished an epoch, so that there is something to go on with.
pub fn has_checkpoint(run: &Path) -> bool {
    RunFolder::new(run).checkpoint().exists()
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(|source| {
        // On a full disk it takes the room that others need.
        let _ = fs::remove_file(&partial);
        Error::Io { path: path.to_owned(), source }
    })
}

pub(crate) fn json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Corrupt { path: path.to_owned(), reason: e.to_string() })
}

fn read_json<T: DeserializeOwned>(path: PathBuf) -> Result<T> {
    serde_json::from_str(&read_text(&path)?).map_err(|error| Error::Corrupt { path, reason: error.to_string() })
}

fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|source| Error::Io { path: path.to_owned(), source })
}

/// The first key with different values, and both values, of those that a resumed run must not change.
fn first_difference(saved: &Config, asked: &Config) -> Option<(String, String, String)> {
    let neutral = |config: &Config| {
        let mut raw = config.raw();
        let now = &asked.training;
        raw.training.epochs = now.epochs;
        raw.training.patience = now.patience;
        raw.training.device = now.device;
        raw.training.precision = now.precision;
        raw.training.threads = now.threads;
        raw
    };
    first_other(&neutral(saved), &neutral(asked))
}

/// The first key with different values, and both values.
pub(crate) fn first_other(saved: &RawConfig, asked: &RawConfig) -> Option<(String, String, String)> {
    let flat = |raw: &RawConfig| flatten(&toml::Table::try_from(raw).unwrap_or_default());
    let (saved, asked) = (flat(saved), flat(asked));
    let different = saved.iter().find(|(key, value)| asked.get(*key) != Some(value));
    different.map(|(key, value)| (key.clone(), value.clone(), asked.get(key).cloned().unwrap_or_default()))
}

fn flatten(table: &toml::Table) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => {
                flat.extend(inner.iter().map(|(name, value)| (format!("{key}.{name}"), value.to_string())));
            }
            value => {
                flat.insert(key.clone(), value.to_string());
            }
        }
    }
    flat
}
