//! The training loop.
//!
//! Everything random in a step comes from the run's seed and the step's number, and the checkpoint holds all else, so a
//! run that was stopped and resumed ends with the same bits as one that was not.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use sequences::{Batch, Batcher, Encoding, Example, Field, Followers, LabelledExample, Lessons, Target};
use tch::{Device, Kind, Tensor};

use crate::ahead::ahead;
use crate::checkpoint::{State, WeightsHeader, read_checkpoint, read_weights, save_checkpoint, save_weights};
use crate::dataset::Dataset;
use crate::earlier::Earlier;
use crate::evaluate::{Scorer, training_targets};
use crate::inputs::{FeatureDropout, Inputs};
use crate::layers::Dropout;
use crate::losses::Loss;
use crate::mean_loss::MeanLoss;
use crate::memory::has_memory;
use crate::network::{Network, Targets};
use crate::optimizer::AdamW;
use crate::parameters::Layout;
use crate::run::{EpochMetrics, RunFolder, best, worse};
use crate::scaling::Scaling;
use crate::{Config, Error, RawTraining, Result, device};

/// How a training run is watched and stopped.
pub struct TrainOptions<'a> {
    /// Go on from the folder's checkpoint, if it has one.
    pub resume: bool,
    /// The folder of an earlier run, from whose weights to start; the same when a run that began so is resumed.
    pub earlier: Option<&'a Path>,
    /// Called after every step.
    pub progress: &'a mut dyn FnMut(Progress<'_>),
    /// Once true, training stops before the next step; the last finished epoch is kept.
    pub interrupted: &'a AtomicBool,
}

/// Where a training run stands.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The current epoch, from 1, and how many there can be.
    pub epoch: usize,
    pub epochs: usize,
    /// Steps taken in this epoch, and how many it has.
    pub step: usize,
    pub steps: usize,
    /// The loss of the last step, on a GPU of the last one that was read.
    pub loss: f64,
    /// Over this epoch so far.
    pub examples_per_second: f64,
    /// Events, over this epoch so far.
    pub events_per_second: f64,
    /// The last finished epoch.
    pub last: Option<&'a EpochMetrics>,
}

/// A finished training run.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The epoch whose weights the run folder holds, from 1.
    pub best_epoch: usize,
    pub history: Vec<EpochMetrics>,
}

/// Trains a model into the folder `run`, which is made if need be and is all that [`crate::Model::load`] needs.
///
/// With an earlier run, its weights are where training starts: its vocabulary is extended by what is new in that of `data`, its
/// scaling stays, and `training.epochs_from` takes the place of `training.epochs`, with the share `training.rate_from` of the
/// learning rate.
///
/// Training ends after `training.epochs`, or once `training.patience` epochs brought no better validation. A
/// checkpoint is written after every epoch.
///
/// # Errors
/// Data that the head cannot learn from, an earlier run of another model, a device that is not there, a loss that is no
/// number, an interruption, a folder that holds another run, a file that cannot be written.
pub fn train(config: &Config, data: Dataset<'_>, run: &Path, options: TrainOptions<'_>) -> Result<Trained> {
    let device = device::open(config.training.device)?;
    data.check(config.head, config.periods())?;
    let folder = RunFolder::new(run);
    let earlier = options.earlier.map(Earlier::read).transpose()?;
    let (config, vocabulary) = match &earlier {
        Some(earlier) => {
            earlier.check(config, &data)?;
            (config.going_on(), earlier.vocabulary(data.vocabulary))
        }
        None => (config.clone(), data.vocabulary.clone()),
    };
    let (config, data) = (&config, Dataset { vocabulary: &vocabulary, ..data });
    let encoding = data.vocabulary.encode(data.sequences);
    let is_started = folder.checkpoint().exists();
    if is_started && !options.resume {
        return Err(Error::RunExists { path: run.to_owned() });
    }
    let followers = match (has_memory(config.head, data.vocabulary), is_started) {
        (false, _) => None,
        (true, true) => Some(folder.read_followers()?),
        (true, false) => Some(count_followers(data, &encoding)),
    };
    let mut session = if is_started {
        folder.check_same(config, data.vocabulary)?;
        Session::resume(config, data, &encoding, followers.as_ref(), &folder, device)?
    } else {
        folder.create(config, data.vocabulary, followers.as_ref())?;
        Session::start(config, data, &encoding, followers.as_ref(), &folder, device, earlier)?
    };
    while !session.is_done() {
        let train_loss = session.train_epoch(options.progress, options.interrupted)?;
        session.finish_epoch(train_loss)?;
    }
    let best_epoch = best(&session.history, config.head).map_or(0, |epoch| epoch.epoch);
    Ok(Trained { best_epoch, history: session.history })
}

/// The logarithm of what the true total of the training set is to what is expected there; 0 where one of them is none.
fn log_calibration(scorer: &Scorer, train: &[LabelledExample]) -> f32 {
    let sample: Vec<&LabelledExample> = Scaling::sample_of(train.iter()).collect();
    let examples: Vec<&Example> = sample.iter().map(|labelled| &labelled.example).collect();
    let expected: f64 = scorer.values(&examples).iter().map(|value| value.expected).sum();
    let amount = |labelled: &&LabelledExample| match labelled.target {
        Target::Value(value) => f64::from(value.max(0.0)),
        _ => 0.0,
    };
    let ratio = sample.iter().map(amount).sum::<f64>() / expected;
    if ratio.is_finite() && ratio > 0.0 { ratio.ln() as f32 } else { 0.0 }
}

/// What followed what before the newest cut-off to learn from.
fn count_followers(data: Dataset<'_>, encoding: &Encoding) -> Followers {
    let until = data.train.iter().map(|labelled| labelled.example.as_of()).max().unwrap_or(i64::MIN);
    Followers::count(data.sequences, encoding, data.vocabulary.texts(Field::Product).len(), until)
}

/// A training run in progress.
struct Session<'a> {
    config: &'a Config,
    data: Dataset<'a>,
    encoding: &'a Encoding,
    followers: Option<&'a Followers>,
    folder: &'a RunFolder,
    device: Device,
    scaling: Scaling,
    network: Network,
    layout: Layout,
    feature_dropout: FeatureDropout,
    optimizer: AdamW,
    batcher: Batcher,
    history: Vec<EpochMetrics>,
}

impl<'a> Session<'a> {
    fn start(
        config: &'a Config,
        data: Dataset<'a>,
        encoding: &'a Encoding,
        followers: Option<&'a Followers>,
        folder: &'a RunFolder,
        device: Device,
        earlier: Option<Earlier>,
    ) -> Result<Self> {
        let Some(earlier) = earlier else {
            let scaling = Scaling::fit(&data, |sample| {
                Batch::gather(data.sequences, encoding, sample.iter().map(|&i| &data.train[i].example))
            });
            return Ok(Self::new(config, data, encoding, followers, folder, device, scaling));
        };
        let scaling = Scaling { log_calibration: 0.0, ..earlier.scaling.clone() };
        let mut session = Self::new(config, data, encoding, followers, folder, device, scaling);
        let fresh = &session.optimizer.parameters;
        let carried =
            earlier.carried(&session.network.table, &session.layout, data.vocabulary, fresh)?.to_device(device);
        session.optimizer.start_from(&carried);
        Ok(session)
    }

    fn resume(
        config: &'a Config,
        data: Dataset<'a>,
        encoding: &'a Encoding,
        followers: Option<&'a Followers>,
        folder: &'a RunFolder,
        device: Device,
    ) -> Result<Self> {
        let (state, saved) = read_checkpoint(&folder.checkpoint())?;
        let State { step, examples, scaling, history } = state;
        if examples != data.train.len() {
            let (saved, asked) = (examples.to_string(), data.train.len().to_string());
            return Err(Error::OtherRun { path: folder.checkpoint(), key: "training examples".into(), saved, asked });
        }
        let names = scaling.feature_names();
        if names != data.features {
            let (saved, asked) = (names.join(", "), data.features.join(", "));
            return Err(Error::OtherRun { path: folder.checkpoint(), key: "features".into(), saved, asked });
        }
        let mut session = Self::new(config, data, encoding, followers, folder, device, scaling);
        let state = saved.state(&session.layout, session.optimizer.average.is_some())?;
        session.optimizer.restore(state, step);
        session.history = history;
        tracing::info!(epochs = session.history.len(), "resumed");
        Ok(session)
    }

    fn new(
        config: &'a Config,
        data: Dataset<'a>,
        encoding: &'a Encoding,
        followers: Option<&'a Followers>,
        folder: &'a RunFolder,
        device: Device,
        scaling: Scaling,
    ) -> Self {
        let training = &config.training;
        let (network, layout) = Network::new(config, data.vocabulary, &scaling);
        let lengths: Vec<usize> = data.train.iter().map(|labelled| labelled.example.len()).collect();
        let most = if training.max_examples_per_epoch == 0 { usize::MAX } else { training.max_examples_per_epoch };
        let batch_size = config.training_batch(lengths.len().min(most));
        let lessons = if config.head.ranks_products() { Lessons::PerEvent } else { Lessons::PerExample };
        let batcher = Batcher::new(lengths, lessons, batch_size, most, training.seed);
        let parameters = seeded(training, 0, || layout.start()).to_device(device);
        let feature_dropout = FeatureDropout::new(&scaling, training.feature_prior, data.train.len(), device);
        let steps = training.epochs * batcher.batches_per_epoch();
        let optimizer = AdamW::new(&layout, parameters, training, steps);
        let history = Vec::new();
        Self {
            config,
            data,
            encoding,
            followers,
            folder,
            device,
            scaling,
            network,
            layout,
            feature_dropout,
            optimizer,
            batcher,
            history,
        }
    }

    fn is_done(&self) -> bool {
        let epochs = self.history.len();
        let waited = best(&self.history, self.config.head).map_or(0, |best| epochs - best.epoch);
        epochs >= self.config.training.epochs || waited >= self.config.training.patience
    }

    /// One pass over the training examples; gives their mean loss.
    fn train_epoch(&mut self, progress: &mut dyn FnMut(Progress<'_>), interrupted: &AtomicBool) -> Result<f64> {
        let Self {
            config,
            data,
            encoding,
            followers,
            device,
            scaling,
            network,
            layout,
            feature_dropout,
            optimizer,
            batcher,
            history,
            ..
        } = self;
        let epoch = history.len() + 1;
        optimizer.rate_share = config.training.rate_after_worse.powi(worse(history, config.head) as i32);
        let batches = batcher.epoch(epoch);
        let prepare =
            |numbers: &Vec<usize>| Prepared::new(numbers, data, encoding, *followers, network, scaling, *device);
        ahead(&batches, *device, prepare, |prepared| {
            let started = Instant::now();
            let (mut examples, mut events, mut loss) = (0, 0, f64::NAN);
            let mut mean = MeanLoss::default();
            for (step, batch) in (1usize..).zip(prepared) {
                if interrupted.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted { epoch, finished: history.len() });
                }
                let share = batcher.share(batch.examples);
                mean.add(&train_step(config, network, layout, optimizer, feature_dropout, &batch, share));
                if !device.is_cuda() || (step - 1).is_multiple_of(READ_LOSS_EVERY_CUDA) || step == batches.len() {
                    let losses = mean.read();
                    let first = step + 1 - losses.len();
                    if let Some(bad) = losses.iter().position(|loss| !loss.is_finite()) {
                        let learning_rate = optimizer.learning_rate(optimizer.step - losses.len() + bad);
                        return Err(Error::Diverged { epoch, step: first + bad, loss: losses[bad], learning_rate });
                    }
                    loss = losses.last().copied().unwrap_or(loss);
                }
                examples += batch.examples;
                events += batch.events;
                let seconds = started.elapsed().as_secs_f64();
                progress(Progress {
                    epoch,
                    epochs: config.training.epochs,
                    step,
                    steps: batches.len(),
                    loss,
                    examples_per_second: examples as f64 / seconds,
                    events_per_second: events as f64 / seconds,
                    last: history.last(),
                });
            }
            Ok(mean.mean())
        })
    }

    /// Validates, and keeps what is needed to go on from here.
    fn finish_epoch(&mut self, train_loss: f64) -> Result<()> {
        let epoch = self.history.len() + 1;
        let weights = tch::no_grad(|| self.layout.split(self.optimizer.weights(), Kind::Float));
        let scorer = Scorer {
            network: &self.network,
            weights: &weights,
            scaling: &self.scaling,
            sequences: self.data.sequences,
            encoding: self.encoding,
            followers: self.followers,
            batch_size: self.config.scoring_batch(),
            device: self.device,
        };
        // Sampled negatives make the validation loss random, too.
        let training = &self.config.training;
        let (valid_loss, metrics) = seeded(training, self.optimizer.step, || scorer.evaluate(self.data.valid));
        self.history.push(EpochMetrics { epoch, train_loss, valid_loss, metrics }.rounded());
        tracing::info!(epoch, train_loss, valid_loss, "epoch finished");
        if best(&self.history, self.config.head).is_some_and(|best| best.epoch == epoch) {
            let log_calibration = if training.calibrate { log_calibration(&scorer, self.data.train) } else { 0.0 };
            let header = WeightsHeader { epoch, scaling: Scaling { log_calibration, ..self.scaling.clone() } };
            save_weights(&self.folder.weights(), &self.layout, self.optimizer.weights(), &header)?;
        } else if training.rate_after_worse < 1.0 {
            let (_, best) = read_weights(&self.folder.weights())?;
            self.optimizer.start_from(&best.parameters(&self.layout)?.to_device(self.device));
        }
        let state = State {
            step: self.optimizer.step,
            examples: self.data.train.len(),
            scaling: self.scaling.clone(),
            history: self.history.clone(),
        };
        save_checkpoint(&self.folder.checkpoint(), &self.optimizer, &state)?;
        self.folder.write_history(&self.history)
    }
}

/// How many steps a GPU is told to do before anyone waits for their losses.
const READ_LOSS_EVERY_CUDA: usize = 16;

/// A batch as a step needs it, on its way to the device.
struct Prepared {
    inputs: Inputs,
    targets: Targets,
    examples: usize,
    events: usize,
}

impl Prepared {
    fn new(
        numbers: &[usize],
        data: &Dataset,
        encoding: &Encoding,
        followers: Option<&Followers>,
        network: &Network,
        scaling: &Scaling,
        device: Device,
    ) -> Self {
        let chosen: Vec<&LabelledExample> = numbers.iter().map(|&number| &data.train[number]).collect();
        let batch = Batch::gather(data.sequences, encoding, chosen.iter().map(|labelled| &labelled.example));
        let inputs = Inputs::new(&batch, &network.table, scaling, network.head, device);
        let targets = training_targets(network, data.sequences, encoding, followers, &chosen, &inputs, scaling);
        let events = chosen.iter().map(|labelled| labelled.example.len()).sum();
        Self { inputs, targets, examples: chosen.len(), events }
    }
}

fn train_step(
    config: &Config,
    network: &Network,
    layout: &Layout,
    optimizer: &mut AdamW,
    feature_dropout: &FeatureDropout,
    batch: &Prepared,
    share: f64,
) -> Vec<Loss> {
    let dropout = Dropout(config.model.dropout);
    let kind = config.training.precision.kind(optimizer.parameters.device());
    seeded(&config.training, optimizer.step + 1, || {
        let weights = layout.split(&optimizer.parameters, kind);
        let inputs = feature_dropout.apply(&batch.inputs);
        let terms = network.loss(&weights, &inputs, &batch.targets, share, dropout);
        optimizer.update(&terms.iter().map(|term| &term.backward).sum::<Tensor>());
        terms
    })
}

/// Runs `f` with libtorch's random numbers decided by the run's seed and `step`.
fn seeded<T>(training: &RawTraining, step: usize, f: impl FnOnce() -> T) -> T {
    // Neighbouring steps must not get neighbouring streams: the finaliser of splitmix64 (Steele, Lea, Flood 2014).
    let mut mixed = training.seed.wrapping_add((step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    device::seeded(training.threads, (mixed ^ (mixed >> 31)) as i64, f)
}
