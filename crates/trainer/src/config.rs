//! What a task file says about the model and its training: raw values, and the checked [`Config`] made of them.
//!
//! Each option has its documentation on its field and its default in one place, [`RawModel::default`] or
//! [`RawTraining::default`]; whatever takes a [`Config`] can rely on every value being in range.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind};

use crate::{Error, Head, Result, TargetKind, device};

/// The part of a task file that is the trainer's, unchecked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// What is predicted.
    pub head: Head,
    #[serde(default)]
    pub model: RawModel,
    #[serde(default)]
    pub training: RawTraining,
}

/// `[model]`: the encoder and its size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawModel {
    /// What reads the events.
    pub architecture: ArchitectureChoice,
    /// Numbers per event inside the encoder; a multiple of twice `heads`.
    pub width: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads per block; a GRU has none.
    pub heads: usize,
    /// Width of the feed-forward layers, in multiples of `width`; HSTU has none.
    pub feed_forward: usize,
    /// How many of a customer's newest events the encoder reads.
    pub length: usize,
    /// Share of values dropped in training, from 0 to below 1.
    pub dropout: f64,
    /// Of churn: equal periods of the horizon, for each of which the chance is learnt that a customer buys in it who has not
    /// before; needs labels that say when. With 1 only is learnt whether he buys at all.
    pub periods: usize,
}

impl Default for RawModel {
    fn default() -> Self {
        let architecture = ArchitectureChoice::Transformer;
        Self { architecture, width: 32, layers: 2, heads: 2, feed_forward: 2, length: 64, dropout: 0.1, periods: 1 }
    }
}

/// What reads the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArchitectureChoice {
    /// Attention with rotary positions.
    Transformer,
    /// Gated attention without a softmax that sees how much time lies between events.
    Hstu,
    /// A recurrent network.
    Gru,
}

/// `[training]`: how the weights are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawTraining {
    /// Passes over the training examples; the learning rate falls to 0 over them.
    pub epochs: usize,
    /// Passes where the training goes on from an earlier run's weights, in place of `epochs`.
    pub epochs_from: usize,
    /// Examples per step; fewer where an epoch would otherwise have under 50 steps, so that few customers are learnt from
    /// as thoroughly as many.
    pub batch_size: usize,
    /// The highest step size of AdamW.
    pub learning_rate: f64,
    /// Share of `learning_rate` where the training goes on from an earlier run's weights, which long steps would undo.
    pub rate_from: f64,
    /// Share of the learning rate that is left after an epoch that brought no better validation. Training then goes on from the best
    /// epoch's weights: few customers, whom long steps soon know by heart, are then learnt from with short ones. 1 goes on as
    /// if nothing had happened.
    pub rate_after_worse: f64,
    /// Steps until the learning rate is reached.
    pub warmup: usize,
    /// AdamW's decay of the linear layers' weights, per step in units of the learning rate.
    pub weight_decay: f64,
    /// Training ends after this many epochs without a better validation; the best epoch's weights are kept.
    pub patience: usize,
    /// Decides every random choice.
    pub seed: u64,
    /// An epoch takes this many examples at most, drawn anew each time; 0 is all.
    pub max_examples_per_epoch: usize,
    /// How many examples the doubt about the features is worth: of n examples to train on, a step takes each feature for
    /// the average customer's with probability `feature_prior` / (`feature_prior` + n), .8 at most. Dropped so, features act like a
    /// ridge regression's (Wager, Wang, Liang 2013), whose penalty weighs less the more there is to learn from.
    pub feature_prior: usize,
    /// A gradient longer than this is shortened to it.
    pub gradient_clip: f64,
    /// Whether expected amounts are multiplied by one number, so that they come to the true total on the training set. The lognormal's
    /// mean is far off where amounts are not lognormal, as margins are, some of which are all but 0.
    pub calibrate: bool,
    /// Weights are judged and kept as exponential moving averages over the steps, of which each step keeps this share, as .999;
    /// 0 takes them as the last step left them.
    pub ema: f64,
    /// How the right product is told from others; `gbce` for next_item alone, where products are only ranked.
    pub loss: LossChoice,
    /// How many products the true one is compared with in a step; a catalogue that is not larger is compared in full.
    pub negatives: usize,
    /// Of gbce: how far its probabilities are corrected for how few are drawn, from 0, not at all, to 1.
    pub calibration: f64,
    /// Where to compute: `auto` takes CUDA if it is there.
    pub device: DeviceChoice,
    /// How training computes; the weights themselves and all scoring are fp32. `auto` takes bf16 on CUDA (GPUs older than
    /// Ampere are slow at it: `fp32` there).
    pub precision: Precision,
    /// CPU threads of libtorch; 0 is one per core. Others, which only prepare batches, come on top.
    pub threads: usize,
}

impl Default for RawTraining {
    fn default() -> Self {
        Self {
            epochs: 5,
            epochs_from: 2,
            batch_size: 256,
            learning_rate: 3e-3,
            // On UCI Online Retail, once more over the same data, the validation loss of .603 is .618 after an epoch, with 1 .686.
            rate_from: 0.1,
            rate_after_worse: 1.0,
            warmup: 20,
            weight_decay: 0.01,
            patience: 2,
            seed: 1,
            max_examples_per_epoch: 0,
            feature_prior: 10_000,
            gradient_clip: 1.0,
            calibrate: false,
            ema: 0.0,
            loss: LossChoice::Softmax,
            negatives: 4096,
            // As gSASRec has it.
            calibration: 0.75,
            device: DeviceChoice::Auto,
            precision: Precision::Auto,
            threads: 0,
        }
    }
}

/// How the right product is told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossChoice {
    /// One of all, or of all that are drawn, is right.
    Softmax,
    /// Each is right or not, by generalised binary cross-entropy, as in gSASRec.
    Gbce,
}

/// The device a user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChoice {
    /// CUDA where it is usable, else the CPU.
    Auto,
    Cpu,
    Cuda,
}

/// The numbers a user wants training to compute with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// bf16 where the device multiplies it faster, which is CUDA; else fp32.
    Auto,
    Fp32,
    Bf16,
}

impl Precision {
    /// The kind of tensor to compute with.
    pub(crate) fn kind(self, device: Device) -> Kind {
        match self {
            Precision::Fp32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
            Precision::Auto if device.is_cuda() => Kind::BFloat16,
            Precision::Auto => Kind::Float,
        }
    }
}

/// A configuration whose every value is in range, and whose `threads` is a number of threads.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub(crate) head: Head,
    pub(crate) model: RawModel,
    pub(crate) training: RawTraining,
}

impl TryFrom<RawConfig> for Config {
    type Error = Error;

    fn try_from(raw: RawConfig) -> Result<Self> {
        let RawConfig { head, model, mut training } = raw;
        check_model(&model)?;
        check_training(&training)?;
        let is_survival = model.periods == 1 || head == Head::Churn;
        require("model.periods", &model.periods, is_survival, "1, or more where the head is churn")?;
        let has_amounts = !training.calibrate || head.target_kind() == TargetKind::Amount;
        require(
            "training.calibrate",
            &training.calibrate,
            has_amounts,
            "false, or true where the head is clv or amount",
        )?;
        let is_ranked_only = training.loss == LossChoice::Softmax || head == Head::NextItem;
        require("training.loss", &"gbce", is_ranked_only, "softmax, or gbce where the head is next_item")?;
        if training.threads == 0 {
            training.threads = device::cores();
        }
        Ok(Self { head, model, training })
    }
}

impl Config {
    /// What is predicted.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Whether this machine has the device that is asked for.
    ///
    /// # Errors
    /// CUDA asked for and not usable, with the reason.
    pub fn check_device(&self) -> Result<()> {
        device::open(self.training.device).map(drop)
    }

    /// How many events an [`sequences::Example`] for this model should hold.
    pub fn length(&self) -> usize {
        self.model.length
    }

    /// In how many periods of the horizon customers may come back, each with a chance of its own; 1 where only whether they do
    /// is learnt.
    pub fn periods(&self) -> usize {
        self.model.periods
    }

    /// How many numbers an embedding has.
    pub fn width(&self) -> usize {
        self.model.width
    }

    /// The seed of every random choice.
    pub fn seed(&self) -> u64 {
        self.training.seed
    }

    /// The same for a training that goes on from an earlier run's weights.
    pub(crate) fn going_on(&self) -> Config {
        let RawTraining { epochs_from: epochs, learning_rate, rate_from, .. } = self.training;
        let training = RawTraining { epochs, learning_rate: learning_rate * rate_from, ..self.training.clone() };
        Config { training, ..self.clone() }
    }

    /// The resolved values, as they are saved beside the weights.
    pub fn raw(&self) -> RawConfig {
        let Config { head, model, training } = self.clone();
        RawConfig { head, model, training }
    }

    /// Examples per step of an epoch of `examples`.
    pub(crate) fn training_batch(&self, examples: usize) -> usize {
        const MIN_STEPS: usize = 50;
        const MIN_BATCH: usize = 16;
        self.training.batch_size.min((examples / MIN_STEPS).max(MIN_BATCH))
    }

    /// Examples per step when nothing is learnt: what a step needs for gradients is free then.
    pub(crate) fn scoring_batch(&self) -> usize {
        self.training.batch_size * 2
    }
}

fn check_model(model: &RawModel) -> Result<()> {
    let RawModel { architecture: _, width, layers, heads, feed_forward, length, dropout, periods } = model;
    at_least_one("model.heads", *heads)?;
    // Positions turn pairs of a head's numbers.
    let is_multiple = *width > 0 && width.is_multiple_of(2 * *heads);
    require("model.width", width, is_multiple, "a positive multiple of twice `model.heads`")?;
    at_least_one("model.layers", *layers)?;
    at_least_one("model.feed_forward", *feed_forward)?;
    at_least_one("model.length", *length)?;
    at_least_one("model.periods", *periods)?;
    require("model.dropout", dropout, (0.0..1.0).contains(dropout), "0 or more and less than 1")
}

fn check_training(training: &RawTraining) -> Result<()> {
    let RawTraining {
        epochs,
        epochs_from,
        batch_size,
        learning_rate,
        rate_from,
        rate_after_worse,
        warmup: _,
        weight_decay,
        patience,
        seed,
        max_examples_per_epoch: _,
        feature_prior: _,
        gradient_clip,
        calibrate: _,
        ema,
        loss: _,
        negatives,
        calibration,
        device: _,
        precision: _,
        threads: _,
    } = training;
    let is_positive = |x: f64| x.is_finite() && x > 0.0;
    at_least_one("training.epochs", *epochs)?;
    at_least_one("training.epochs_from", *epochs_from)?;
    at_least_one("training.batch_size", *batch_size)?;
    require("training.learning_rate", learning_rate, is_positive(*learning_rate), "a number above 0")?;
    require("training.rate_from", rate_from, is_positive(*rate_from), "a number above 0")?;
    let is_share = *rate_after_worse > 0.0 && *rate_after_worse <= 1.0;
    require("training.rate_after_worse", rate_after_worse, is_share, "above 0 and at most 1")?;
    let decays = weight_decay.is_finite() && *weight_decay >= 0.0;
    require("training.weight_decay", weight_decay, decays, "a number not below 0")?;
    at_least_one("training.patience", *patience)?;
    // TOML's integers are signed.
    require("training.seed", seed, i64::try_from(*seed).is_ok(), "from 0 to 9223372036854775807")?;
    require("training.gradient_clip", gradient_clip, is_positive(*gradient_clip), "a number above 0")?;
    require("training.ema", ema, (0.0..1.0).contains(ema), "0 or more and less than 1")?;
    require("training.calibration", calibration, (0.0..=1.0).contains(calibration), "from 0 to 1")?;
    at_least_one("training.negatives", *negatives)
}

fn at_least_one(key: &'static str, value: usize) -> Result<()> {
    require(key, &value, value > 0, "1 or more")
}

fn require(key: &'static str, value: &impl ToString, is_valid: bool, valid: &'static str) -> Result<()> {
    if is_valid { Ok(()) } else { Err(Error::Setting { key, value: value.to_string(), valid }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config> {
        let raw: RawConfig =
            toml::from_str(text).map_err(|e| Error::Toml { place: "text".into(), source: Box::new(e) })?;
        Config::try_from(raw)
    }

    #[test]
    fn a_head_is_enough() {
        let config = check("head = \"churn\"").unwrap();
        assert_eq!(config.raw().model, RawModel::default());
        assert!(config.raw().training.threads > 0);
    }

    #[test]
    fn a_saved_config_is_the_same_again() {
        let config =
            check("head = \"clv\"\n[model]\nwidth = 48\n[training]\nlearning_rate = 0.00123\nseed = 7").unwrap();
        let text = toml::to_string(&config.raw()).unwrap();
        assert_eq!(check(&text).unwrap(), config);
    }

    /// The shipped task files that train a model, their keys for other crates left out, are valid and say only what differs.
    #[test]
    fn shipped_tasks_hold_differences_only() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mut task: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
            if task.contains_key("view") {
                continue;
            }
            task.retain(|key, _| ["head", "model", "training"].contains(&key));
            let raw: RawConfig = task.clone().try_into().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Config::try_from(raw.clone()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let defaults = RawConfig { head: raw.head, model: RawModel::default(), training: RawTraining::default() };
            let defaults = toml::Table::try_from(defaults).unwrap();
            for section in ["model", "training"] {
                for (key, value) in task.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
                    assert_ne!(value, &defaults[section][key], "{}: {section}.{key} is the default", path.display());
                }
            }
            count += 1;
        }
        assert!(count >= 4, "{count} task files in {folder}");
    }

    #[test]
    fn refuses_what_cannot_train() {
        for (text, parts) in [
            ("head = \"chrun\"", ["chrun", "next_purchase"]),
            ("head = \"churn\"\nlayers = 2", ["layers", "unknown field"]),
            ("head = \"churn\"\n[model]\nwidht = 2", ["widht", "`width`"]),
            ("head = \"churn\"\n[model]\narchitecture = \"lstm\"", ["lstm", "`transformer`, `hstu`, `gru`"]),
            ("head = \"clv\"\n[model]\nperiods = 6", ["`model.periods` is 6", "the head is churn"]),
            ("head = \"churn\"\n[model]\nwidth = 34", ["`model.width` is 34", "twice"]),
            ("head = \"churn\"\n[model]\ndropout = 1.0", ["`model.dropout` is 1", "less than 1"]),
            ("head = \"churn\"\n[training]\nlearning_rate = nan", ["`training.learning_rate` is NaN", "above 0"]),
            ("head = \"churn\"\n[training]\nema = 1.0", ["`training.ema` is 1", "less than 1"]),
            ("head = \"next_item\"\n[training]\ncalibration = 2", ["`training.calibration` is 2", "from 0 to 1"]),
            ("head = \"churn\"\n[training]\ncalibrate = true", ["`training.calibrate` is true", "clv or amount"]),
            ("head = \"churn\"\n[training]\nloss = \"gbce\"", ["`training.loss` is gbce", "the head is next_item"]),
            ("head = \"churn\"\n[training]\nepochs = 0", ["`training.epochs` is 0", "1 or more"]),
            ("head = \"churn\"\n[training]\ndevice = \"tpu\"", ["tpu", "cuda"]),
        ] {
            let message = check(text).unwrap_err().to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{text}: {message}");
        }
    }
}
