//! An earlier run, from whose weights a training goes on with newer data.
//!
//! What a weight means was settled by the run that learnt it: so its scaling and the cuts of its features stay as they are, and
//! each text that it knew keeps its row of the embedding table, wherever that lies now. New texts, and only they, start like
//! those of any fresh model.

use std::path::Path;

use sequences::Vocabulary;
use tch::{Kind, Tensor};

use crate::checkpoint::{Saved, read_weights};
use crate::dataset::Dataset;
use crate::encoder::TABLE;
use crate::inputs::Table;
use crate::network::Network;
use crate::parameters::Layout;
use crate::run::{RunFolder, first_other};
use crate::scaling::Scaling;
use crate::{Config, Error, Result};

/// A finished run as a start.
pub(crate) struct Earlier {
    config: Config,
    vocabulary: Vocabulary,
    pub(crate) scaling: Scaling,
    weights: Saved,
}

impl Earlier {
    /// # Errors
    /// A file of the run folder that is missing or damaged.
    pub(crate) fn read(run: &Path) -> Result<Self> {
        let folder = RunFolder::new(run);
        let (header, weights) = read_weights(&folder.weights())?;
        let (config, vocabulary) = (folder.read_config()?, folder.read_vocabulary()?);
        Ok(Self { config, vocabulary, scaling: header.scaling, weights })
    }

    /// Whether its weights mean in this training what they meant in theirs.
    ///
    /// # Errors
    /// [`Error::OtherModel`] with the first difference: of the head, of `[model]`, of the horizon, of the features.
    pub(crate) fn check(&self, config: &Config, data: &Dataset) -> Result<()> {
        check_model(&self.config, config)?;
        let other = |key: String, earlier: String, asked: String| Err(Error::OtherModel { key, earlier, asked });
        if self.scaling.horizon_days != data.horizon_days {
            let [earlier, asked] = [self.scaling.horizon_days, data.horizon_days].map(|days| days.to_string());
            return other("horizon_days".into(), earlier, asked);
        }
        let offsets = (self.scaling.offsets.len(), data.offset_count());
        if offsets.0 != offsets.1 {
            return other("offsets".into(), offsets.0.to_string(), offsets.1.to_string());
        }
        let names = self.scaling.feature_names();
        let earlier = |place: usize| names.get(place);
        let places = 0..names.len().max(data.features.len());
        match places.into_iter().find(|&place| earlier(place) != data.features.get(place)) {
            None => Ok(()),
            Some(place) => {
                let name = |name: Option<&String>| name.map_or("none".into(), String::clone);
                let key = format!("feature {}", place + 1);
                other(key, name(earlier(place)), name(data.features.get(place)))
            }
        }
    }

    /// Its vocabulary, and the texts that are new in `newer`.
    pub(crate) fn vocabulary(&self, newer: &Vocabulary) -> Vocabulary {
        self.vocabulary.extended(newer)
    }

    /// Its weights for a network of `table` and `layout` that knows `vocabulary`, flat; `fresh` are the values that new rows start with.
    ///
    /// # Errors
    /// Weights of another network than the run's config and vocabulary.
    pub(crate) fn carried(
        self,
        table: &Table,
        layout: &Layout,
        vocabulary: &Vocabulary,
        fresh: &Tensor,
    ) -> Result<Tensor> {
        let (network, own) = Network::new(&self.config, &self.vocabulary, &self.scaling);
        let earlier = own.split(&self.weights.parameters(&own)?, Kind::Float);
        let fresh = fresh.detach().to_device(tch::Device::Cpu);
        let fresh = layout.split(&fresh, Kind::Float);
        let rows = table.places_in(vocabulary, &network.table, &self.vocabulary);
        let parts = layout.shapes().zip(fresh.iter()).zip(earlier.iter()).map(|(((name, _), fresh), earlier)| {
            let part = if name == TABLE { carried_rows(&rows, fresh, earlier) } else { earlier.shallow_clone() };
            part.reshape([-1])
        });
        Ok(Tensor::cat(&parts.collect::<Vec<_>>(), 0))
    }
}

/// Whether an earlier run could be gone on from with this configuration, as far as that shows without the data.
///
/// # Errors
/// [`Error::OtherModel`] with the first difference of the head or of `[model]`; a run folder without a config.
pub fn check_earlier(run: &Path, config: &Config) -> Result<()> {
    check_model(&RunFolder::new(run).read_config()?, config)
}

fn check_model(earlier: &Config, asked: &Config) -> Result<()> {
    let model = |config: &Config| {
        let mut raw = config.raw();
        // Dropout is of the training, and means nothing to the weights.
        raw.model.dropout = asked.model.dropout;
        raw.training = asked.training.clone();
        raw
    };
    match first_other(&model(earlier), &model(asked)) {
        None => Ok(()),
        Some((key, earlier, asked)) => Err(Error::OtherModel { key, earlier, asked }),
    }
}

/// For each new row the earlier one of its place, or else the fresh one, `[rows, D]`.
fn carried_rows(places: &[Option<i64>], fresh: &Tensor, earlier: &Tensor) -> Tensor {
    let own = fresh.size()[0];
    let from = |(row, place): (i64, &Option<i64>)| place.map_or(row, |place| own + place);
    let chosen: Vec<i64> = (0..).zip(places).map(from).collect();
    Tensor::cat(&[fresh, earlier], 0).index_select(0, &Tensor::from_slice(&chosen))
}
