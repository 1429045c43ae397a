//! AdamW over the flat parameters (Loshchilov and Hutter 2019) and, where it is asked for, their exponential moving average
//! (Polyak and Juditsky 1992), the state of both open to checkpoints.
//!
//! The average starts at the first weights, which it must forget: so the share it keeps rises with the steps taken,
//! min(`ema`, (1 + t) / (10 + t)), as in TensorFlow's `ExponentialMovingAverage`.

use tch::Tensor;

use crate::config::RawTraining;
use crate::parameters::Layout;

const BETA_1: f64 = 0.9;
/// Lower than the usual .999: runs are short, so the second moment must settle within an epoch.
const BETA_2: f64 = 0.98;
const EPSILON: f64 = 1e-8;

/// The parameters and what AdamW remembers of their gradients.
pub(crate) struct AdamW {
    pub(crate) parameters: Tensor,
    pub(crate) first_moment: Tensor,
    pub(crate) second_moment: Tensor,
    /// Of the parameters after each step; none where nothing is averaged.
    pub(crate) average: Option<Tensor>,
    /// Steps taken.
    pub(crate) step: usize,
    /// Share of the schedule's rate that is taken.
    pub(crate) rate_share: f64,
    ema: f64,
    decay_mask: Tensor,
    weight_decay: f64,
    gradient_clip: f64,
    schedule: Schedule,
}

/// What a checkpoint holds of an optimiser.
pub(crate) struct Restored {
    pub(crate) parameters: Tensor,
    pub(crate) first_moment: Tensor,
    pub(crate) second_moment: Tensor,
    pub(crate) average: Option<Tensor>,
}

/// The share of the average that a step keeps, the steps counted from 1.
fn kept(ema: f64, step: usize) -> f64 {
    ema.min((1 + step) as f64 / (10 + step) as f64)
}

/// The learning rate: a linear rise, then half a cosine down to 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) peak: f64,
    pub(crate) warmup: usize,
    pub(crate) steps: usize,
}

impl Schedule {
    /// The rate of a step, counted from 0.
    pub(crate) fn at(self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let rest = self.steps.saturating_sub(self.warmup).max(1) as f64;
        let progress = ((step - self.warmup) as f64 / rest).min(1.0);
        self.peak * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }
}

impl AdamW {
    /// A fresh optimiser of `parameters`, which become a leaf of autograd.
    pub(crate) fn new(layout: &Layout, parameters: Tensor, training: &RawTraining, steps: usize) -> Self {
        let device = parameters.device();
        Self {
            first_moment: parameters.zeros_like(),
            second_moment: parameters.zeros_like(),
            average: (training.ema > 0.0).then(|| parameters.copy()),
            ema: training.ema,
            parameters: parameters.set_requires_grad(true),
            step: 0,
            rate_share: 1.0,
            decay_mask: layout.decay_mask(device),
            weight_decay: training.weight_decay,
            gradient_clip: training.gradient_clip,
            schedule: Schedule { peak: training.learning_rate, warmup: training.warmup, steps },
        }
    }

    /// The weights to judge and to save: the average, where there is one.
    pub(crate) fn weights(&self) -> &Tensor {
        self.average.as_ref().unwrap_or(&self.parameters)
    }

    /// Takes other parameters to start from, without the momentum of the steps before.
    pub(crate) fn start_from(&mut self, parameters: &Tensor) {
        tch::no_grad(|| self.parameters.copy_(parameters));
        let _ = self.first_moment.zero_();
        if let Some(average) = &mut self.average {
            average.copy_(parameters);
        }
    }

    /// Puts back a saved state.
    pub(crate) fn restore(&mut self, state: Restored, step: usize) {
        let Restored { parameters, first_moment, second_moment, average } = state;
        if let (Some(average), Some(saved)) = (&mut self.average, average) {
            average.copy_(&saved);
        }
        tch::no_grad(|| self.parameters.copy_(&parameters));
        self.first_moment.copy_(&first_moment);
        self.second_moment.copy_(&second_moment);
        self.step = step;
    }

    /// The rate of a step, counted from 0.
    pub(crate) fn learning_rate(&self, step: usize) -> f64 {
        self.schedule.at(step) * self.rate_share
    }

    /// One step along the gradient of `loss`.
    pub(crate) fn update(&mut self, loss: &Tensor) {
        self.parameters.zero_grad();
        loss.backward();
        let rate = self.learning_rate(self.step);
        self.step += 1;
        tch::no_grad(|| {
            let mut gradient = self.parameters.grad();
            let shorten = (gradient.norm() + EPSILON).reciprocal() * self.gradient_clip;
            let _ = gradient.g_mul_(&shorten.clamp_max(1.0));
            let _ = self.first_moment.lerp_(&gradient, 1.0 - BETA_1);
            let _ = self.second_moment.lerp_(&gradient.square(), 1.0 - BETA_2);
            let correction = |beta: f64| 1.0 - beta.powi(i32::try_from(self.step).unwrap_or(i32::MAX));
            let scale = (&self.second_moment / correction(BETA_2)).sqrt_() + EPSILON;
            let decay = &self.decay_mask * &self.parameters * self.weight_decay;
            let direction = &self.first_moment / scale / correction(BETA_1) + decay;
            self.parameters -= direction * rate;
            if let Some(average) = &mut self.average {
                let _ = average.lerp_(&self.parameters, 1.0 - kept(self.ema, self.step));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::parameters::Init;

    /// AdamW written out for one number.
    fn by_hand(mut x: f64, gradient: fn(f64) -> f64, decay: f64, rates: &[f64]) -> f64 {
        let (mut m, mut v) = (0.0, 0.0);
        for (t, rate) in (1..).zip(rates) {
            let g = gradient(x);
            m = 0.9 * m + 0.1 * g;
            v = 0.98 * v + 0.02 * g * g;
            let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.98f64.powi(t)));
            x -= rate * (m_hat / (v_hat.sqrt() + 1e-8) + decay * x);
        }
        x
    }

    #[test]
    fn steps_are_adamw() {
        let mut layout = Layout::default();
        layout.add_decayed("decayed".into(), &[1], Init::Constant(2.0));
        layout.add("free".into(), &[1], Init::Constant(2.0));
        let training = RawTraining { learning_rate: 0.1, warmup: 2, weight_decay: 0.3, ..RawTraining::default() };
        let training = RawTraining { gradient_clip: 1e9, ..training };
        let mut optimizer = AdamW::new(&layout, layout.start(), &training, 6);
        for _ in 0..5 {
            // Gradient 3 x².
            let loss = optimizer.parameters.pow_tensor_scalar(3).sum(Kind::Float);
            optimizer.update(&loss);
        }
        let rate = |progress: f64| 0.05 * (1.0 + (std::f64::consts::PI * progress).cos());
        let rates = [0.05, 0.1, rate(0.0), rate(0.25), rate(0.5)];
        let got: Vec<f32> = Vec::try_from(optimizer.parameters.detach()).unwrap();
        for (got, decay) in got.iter().zip([0.3, 0.0]) {
            let expected = by_hand(2.0, |x| 3.0 * x * x, decay, &rates);
            assert!((f64::from(*got) - expected).abs() < 1e-5, "{got} is not {expected}");
        }
    }

    /// The average written out in doubles, beside the parameters that the steps left.
    #[test]
    fn weights_are_the_average_of_the_steps() {
        let mut layout = Layout::default();
        layout.add("x".into(), &[3], Init::Values(vec![1.0, -2.0, 0.5]));
        let numbers = |tensor: &Tensor| -> Vec<f64> {
            Vec::<f32>::try_from(tensor.detach()).unwrap().into_iter().map(f64::from).collect()
        };
        for (ema, shares) in [
            // Steps 1 to 5: 2/11, 3/12, 4/13, 5/14, 6/15, until the average itself keeps less.
            (0.999, [2.0 / 11.0, 3.0 / 12.0, 4.0 / 13.0, 5.0 / 14.0, 6.0 / 15.0]),
            (0.3, [2.0 / 11.0, 3.0 / 12.0, 0.3, 0.3, 0.3]),
        ] {
            let training = RawTraining { learning_rate: 0.2, warmup: 1, ema, ..RawTraining::default() };
            let mut optimizer = AdamW::new(&layout, layout.start(), &training, 5);
            let mut expected = numbers(&optimizer.parameters);
            for share in shares {
                let loss = optimizer.parameters.pow_tensor_scalar(2).sum(Kind::Float);
                optimizer.update(&loss);
                let now = numbers(&optimizer.parameters);
                expected.iter_mut().zip(now).for_each(|(mean, x)| *mean = share * *mean + (1.0 - share) * x);
            }
            let got = numbers(optimizer.weights());
            assert!(
                got.iter().zip(&expected).all(|(got, expected)| (got - expected).abs() < 1e-6),
                "{got:?} {expected:?}"
            );
            assert_ne!(got, numbers(&optimizer.parameters));
        }
        let optimizer = AdamW::new(&layout, layout.start(), &RawTraining::default(), 5);
        assert!(optimizer.average.is_none() && numbers(optimizer.weights()) == [1.0, -2.0, 0.5]);
    }

    #[test]
    fn long_gradients_are_shortened() {
        let mut layout = Layout::default();
        layout.add("x".into(), &[2], Init::Constant(0.0));
        let training = RawTraining { gradient_clip: 0.5, ..RawTraining::default() };
        let mut optimizer = AdamW::new(&layout, layout.start(), &training, 1);
        let slope = Tensor::from_slice(&[30.0f32, 40.0]);
        let loss = (&optimizer.parameters * slope).sum(Kind::Float);
        optimizer.update(&loss);
        let kept: Vec<f32> = Vec::try_from(&optimizer.first_moment).unwrap();
        // A tenth of (0.3, 0.4), which has length 0.5.
        assert!((kept[0] - 0.03).abs() < 1e-6 && (kept[1] - 0.04).abs() < 1e-6, "{kept:?}");
        assert_eq!(optimizer.parameters.device(), Device::Cpu);
    }
}
