//! All parameters of a network as one flat tensor.
//!
//! libtorch's optimisers keep their state to themselves and step parameter by parameter. With one flat leaf tensor a
//! step, a norm and a checkpoint are one operation each; the layers read views of it, and autograd gathers their
//! gradients into one flat gradient. A parameter's name is its path in the network.

use tch::{Device, Kind, Tensor};

/// How a parameter starts.
#[derive(Debug, Clone)]
pub(crate) enum Init {
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// All the same.
    Constant(f64),
    /// These values.
    Values(Vec<f32>),
}

/// The names, shapes and starting values of a network's parameters, in order.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    shape: Vec<i64>,
    init: Init,
    is_decayed: bool,
}

/// A parameter's place in its layout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot(usize);

impl Layout {
    /// Adds a parameter that weight decay leaves alone.
    pub(crate) fn add(&mut self, name: String, shape: &[i64], init: Init) -> Slot {
        self.push(name, shape, init, false)
    }

    /// Adds a parameter that weight decay shrinks.
    pub(crate) fn add_decayed(&mut self, name: String, shape: &[i64], init: Init) -> Slot {
        self.push(name, shape, init, true)
    }

    fn push(&mut self, name: String, shape: &[i64], init: Init, is_decayed: bool) -> Slot {
        self.entries.push(Entry { name, shape: shape.to_vec(), init, is_decayed });
        Slot(self.entries.len() - 1)
    }

    /// Names and shapes, in order.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (&str, &[i64])> {
        self.entries.iter().map(|entry| (entry.name.as_str(), entry.shape.as_slice()))
    }

    /// How many numbers there are in all.
    pub(crate) fn len(&self) -> i64 {
        self.sizes().iter().sum()
    }

    /// The starting values, flat, on the CPU; the caller seeds libtorch.
    pub(crate) fn start(&self) -> Tensor {
        let parts = self.entries.iter().map(|entry| {
            let size: i64 = entry.shape.iter().product();
            match &entry.init {
                Init::Normal(deviation) => Tensor::randn(size, (Kind::Float, Device::Cpu)) * *deviation,
                Init::Constant(value) => Tensor::full(size, *value, (Kind::Float, Device::Cpu)),
                Init::Values(values) => Tensor::from_slice(values),
            }
        });
        Tensor::cat(&parts.collect::<Vec<_>>(), 0)
    }

    /// 1 where weight decay applies, else 0, flat.
    pub(crate) fn decay_mask(&self, device: Device) -> Tensor {
        let parts = self.entries.iter().zip(self.sizes());
        let parts =
            parts.map(|(entry, size)| Tensor::full(size, i64::from(entry.is_decayed), (Kind::Float, Device::Cpu)));
        Tensor::cat(&parts.collect::<Vec<_>>(), 0).to_device(device)
    }

    /// The parameters as views of the flat tensor, to compute with in `kind`.
    pub(crate) fn split(&self, flat: &Tensor, kind: Kind) -> Weights {
        let views = |flat: &Tensor| -> Vec<Tensor> {
            let parts = flat.split_with_sizes(self.sizes(), 0);
            parts.into_iter().zip(&self.entries).map(|(part, entry)| part.view(entry.shape.as_slice())).collect()
        };
        let exact = views(flat);
        let computed = match kind {
            Kind::Float => exact.iter().map(Tensor::shallow_clone).collect(),
            kind => views(&flat.to_kind(kind)),
        };
        Weights { kind, exact, computed }
    }

    fn sizes(&self) -> Vec<i64> {
        self.entries.iter().map(|entry| entry.shape.iter().product()).collect()
    }
}

/// The parameters of one forward pass.
pub(crate) struct Weights {
    kind: Kind,
    exact: Vec<Tensor>,
    /// The same, rounded to `kind` by one operation for all of them.
    computed: Vec<Tensor>,
}

impl Weights {
    /// What the encoder computes with.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// A parameter in that kind.
    pub(crate) fn get(&self, slot: Slot) -> &Tensor {
        &self.computed[slot.0]
    }

    /// A parameter as it is: for embeddings, and for the few numbers that are read as amounts or days.
    pub(crate) fn exact(&self, slot: Slot) -> &Tensor {
        &self.exact[slot.0]
    }

    /// All of them as they are, in the order of the layout.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tensor> {
        self.exact.iter()
    }
}
