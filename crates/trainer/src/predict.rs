//! A trained model, loaded from its run folder.

use std::path::Path;

use sequences::{Example, Field, Followers, LabelledExample, Sequences, Target, Vocabulary};
use tch::{Device, Kind, Tensor};

use crate::checkpoint::read_weights;
use crate::dataset::check_features;
use crate::evaluate::Scorer;
use crate::memory::has_memory;
use crate::network::Network;
use crate::parameters::Layout;
use crate::run::RunFolder;
use crate::scaling::Scaling;
use crate::{Config, DeviceChoice, Error, Head, Result, TargetKind, device};

/// A trained model.
pub struct Model {
    config: Config,
    vocabulary: Vocabulary,
    /// Of a network with a memory.
    followers: Option<Followers>,
    scaling: Scaling,
    network: Network,
    layout: Layout,
    parameters: Tensor,
    device: Device,
    threads: usize,
    epoch: usize,
}

/// What a model says about examples, in their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Predictions {
    /// The probability that it happens in the horizon; of churn: that nothing is bought.
    Probability(Vec<f64>),
    NextPurchase(Vec<NextPurchase>),
    Value(Vec<Value>),
}

/// What is bought next, and when.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NextPurchase {
    /// Products as places in [`Model::products`], best first, and the probability that the next purchase, whenever it
    /// comes, is that product. Customers buy the same again: what was bought before is not left out.
    pub products: Vec<(usize, f64)>,
    /// `None` for a next-item model, which knows no time.
    pub time: Option<TimeToNext>,
}

/// Days from the cut-off to the next purchase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeToNext {
    /// It comes before this with probability one half …
    pub median_days: f64,
    /// … before this with probability .1 …
    pub p10_days: f64,
    /// … and before this with probability .9; at most 100 years.
    pub p90_days: f64,
    /// The probability that it comes within the horizon the model was trained with.
    pub p_within_horizon: f64,
}

/// What something comes to in the horizon: a net value, an amount, a count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// Its expectation, in the unit of the targets.
    pub expected: f64,
    /// The probability that it is 0 (or less).
    pub p_zero: f64,
}

impl Model {
    /// Loads the best epoch of a run.
    ///
    /// # Errors
    /// A file that is missing, cut off, or of another network than the config's; a device that is not there.
    pub fn load(run: &Path, device: DeviceChoice) -> Result<Self> {
        let folder = RunFolder::new(run);
        let config = folder.read_config()?;
        // The run may come from a larger machine.
        let threads = config.training.threads.min(device::cores());
        let device = device::open(device)?;
        let vocabulary = folder.read_vocabulary()?;
        let (header, saved) = read_weights(&folder.weights())?;
        let (network, layout) = Network::new(&config, &vocabulary, &header.scaling);
        let followers = has_memory(config.head, &vocabulary).then(|| folder.read_followers()).transpose()?;
        let parameters = saved.parameters(&layout)?.to_device(device);
        let (scaling, epoch) = (header.scaling, header.epoch);
        Ok(Self { config, vocabulary, followers, scaling, network, layout, parameters, device, threads, epoch })
    }

    /// The run's resolved configuration; its `length` is what [`Example::at`] should be given.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The epoch of the weights, from 1.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// How far the model looks ahead, in days.
    pub fn horizon_days(&self) -> f32 {
        self.scaling.horizon_days
    }

    pub(crate) fn head(&self) -> Head {
        self.config.head
    }

    /// The catalogue: every product the model knows.
    pub fn products(&self) -> &[String] {
        self.vocabulary.texts(Field::Product)
    }

    /// Names of the features that every example must bring, in their order.
    pub fn features(&self) -> Vec<String> {
        self.scaling.feature_names()
    }

    /// How many of these, the last ones, are offsets.
    pub(crate) fn offsets(&self) -> usize {
        self.scaling.offsets.len()
    }

    /// Predictions for examples of any sequences, in their order; customers and products unseen in training included.
    /// `top` is how many products a customer gets where products are ranked.
    ///
    /// # Errors
    /// An example without the model's features.
    pub fn predict(&self, sequences: &Sequences, examples: &[Example], top: usize) -> Result<Predictions> {
        check_features(&self.features(), self.offsets(), examples)?;
        let examples: Vec<&Example> = examples.iter().collect();
        Ok(self.with_scorer(sequences, |scorer| match self.config.head.target_kind() {
            TargetKind::Label => Predictions::Probability(scorer.probabilities(&examples)),
            TargetKind::Amount | TargetKind::Count => Predictions::Value(scorer.values(&examples)),
            TargetKind::Next => Predictions::NextPurchase(scorer.next_purchases(&examples, top)),
        }))
    }

    /// Per example the probabilities that nothing is bought within each of some numbers of days after the cut-off: how a customer
    /// is likely to stay away. Within a period of the model ([`crate::RawModel::periods`]) every day is as likely as the next.
    ///
    /// # Errors
    /// A model that only tells whether something is bought in the horizon; days beyond it; an example without the model's
    /// features.
    pub fn absences(&self, sequences: &Sequences, examples: &[Example], days: &[u32]) -> Result<Vec<Vec<f64>>> {
        check_features(&self.features(), self.offsets(), examples)?;
        if let Some(&days) = days.iter().find(|&&days| days == 0 || days as f32 > self.horizon_days()) {
            return Err(Error::Days { days, horizon: self.horizon_days() });
        }
        let days: Vec<f64> = days.iter().map(|&days| f64::from(days)).collect();
        let examples: Vec<&Example> = examples.iter().collect();
        let found = self.with_scorer(sequences, |scorer| scorer.absences(&examples, &days));
        found.ok_or(Error::NoPeriods { head: self.config.head.name() })
    }

    /// What the encoder has made of each example: the state that all of its predictions are read off, `[examples, D]` row
    /// after row, where D is [`Config::width`]. What is near in it is alike to this model, whose task decides what counts.
    ///
    /// # Errors
    /// An example without the model's features.
    pub fn embeddings(&self, sequences: &Sequences, examples: &[Example]) -> Result<Vec<f32>> {
        check_features(&self.features(), self.offsets(), examples)?;
        let examples: Vec<&Example> = examples.iter().collect();
        Ok(self.with_scorer(sequences, |scorer| scorer.states(&examples)))
    }

    /// The embeddings of [`Model::products`], `[products, D]` row after row. Where the head ranks products, a product's
    /// score is the dot product of its embedding with the example's; its probability is the softmax of the scores.
    pub fn product_embeddings(&self) -> Vec<f32> {
        self.with_scorer(&Sequences::default(), |scorer| scorer.products())
    }

    /// The rank of each example's right product in the *whole* catalogue, 1 the best; `None` where the target names no
    /// product. The rank is one more than there are other products that do not score below the right one, so a tie
    /// counts against it; a product the model does not know has `analytics::metrics::NOT_RANKED`. With `remove_seen`,
    /// products in any event visible at the cut-off do not compete (the right one always does).
    ///
    /// # Errors
    /// A model that ranks no products, an example without the model's features.
    pub fn rank_targets(
        &self,
        sequences: &Sequences,
        examples: &[LabelledExample],
        remove_seen: bool,
    ) -> Result<Vec<Option<u32>>> {
        if !self.config.head.ranks_products() {
            let valid = "next_purchase and next_item";
            return Err(Error::NotRanked { head: self.config.head.name(), valid });
        }
        check_features(&self.features(), self.offsets(), examples.iter().map(|labelled| &labelled.example))?;
        let mut ranks = vec![None; examples.len()];
        let (mut places, mut chosen, mut products) = (Vec::new(), Vec::new(), Vec::new());
        for (place, labelled) in examples.iter().enumerate() {
            if let Target::NextPurchase { product: Some(product), .. } = labelled.target {
                places.push(place);
                chosen.push(&labelled.example);
                products.push(product);
            }
        }
        let found = self.with_scorer(sequences, |scorer| scorer.ranks(&chosen, &products, remove_seen));
        for (place, rank) in places.into_iter().zip(found) {
            ranks[place] = Some(rank);
        }
        Ok(ranks)
    }

    pub(crate) fn with_scorer<T>(&self, sequences: &Sequences, score: impl FnOnce(&Scorer) -> T) -> T {
        let encoding = self.vocabulary.encode(sequences);
        device::alone(self.threads, || {
            let weights = tch::no_grad(|| self.layout.split(&self.parameters, Kind::Float));
            score(&Scorer {
                network: &self.network,
                weights: &weights,
                scaling: &self.scaling,
                sequences,
                encoding: &encoding,
                followers: self.followers.as_ref(),
                batch_size: self.config.scoring_batch(),
                device: self.device,
            })
        })
    }
}
