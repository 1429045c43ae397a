//! Marketing mix models against scikit-learn, scipy and data whose truth is known.

use crate::support::{assert_close, assert_relative, numbers, oracle};
use analytics::Error;
use analytics::bootstrap::Bootstrap;
use analytics::marketing_mix::{Mix, MixSettings, Saturation, Weeks, marketing_mix};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

struct Rows {
    sales: Vec<f64>,
    spend: Vec<f64>,
    controls: Vec<f64>,
    channels: usize,
}

impl Rows {
    fn weeks(&self) -> Weeks<'_> {
        Weeks { sales: &self.sales, spend: &self.spend, channels: self.channels, controls: &self.controls }
    }
}

fn rows() -> Rows {
    let rows: Vec<Vec<f64>> = oracle("mix_rows.csv").iter().map(|row| numbers(row)).collect();
    let columns = |from: usize, to: usize| rows.iter().flat_map(|row| row[from..to].to_vec()).collect();
    Rows { sales: columns(0, 1), spend: columns(1, 5), controls: columns(5, 7), channels: 4 }
}

fn few() -> MixSettings {
    MixSettings { bootstrap: Bootstrap { replicates: 20, ..Bootstrap::default() }, ..MixSettings::default() }
}

/// `mix.csv`: scikit-learn's Ridge(positive=True) without controls, scipy's bounded least squares with them, on spend
/// carried over and saturated in numpy; a true effect below 0 is held at 0.
#[test]
fn the_linear_part_equals_scikit_learn_and_scipy() {
    let rows = rows();
    let mut at_zero = 0;
    for line in oracle("mix.csv") {
        let n = numbers(&line[1..]);
        let saturation = match line[0].as_str() {
            "none" => Saturation::None,
            "log" => Saturation::Log,
            _ => Saturation::Hill { slope: 1.5 },
        };
        let settings = MixSettings { saturation, rates: vec![n[0]], scales: vec![2.0], l2: n[1], ..few() };
        let mut weeks = rows.weeks();
        if n[2] == 0.0 {
            weeks.controls = &[];
        }
        let channel = marketing_mix(&weeks, &settings).unwrap().channels[n[3] as usize];
        let what = format!("{line:?}");
        assert_close(&what, channel.coefficient, n[4], 1e-6 * n[4].abs().max(1e-2));
        assert_close(&what, channel.contribution.estimate, n[5], 1e-6 * n[5].abs().max(1.0));
        assert!(channel.contribution.low <= channel.contribution.high && channel.contribution.low >= 0.0);
        at_zero += usize::from(n[5] == 0.0);
    }
    assert!(at_zero > 10, "{at_zero}");
}

/// What was fitted, the baseline and the contributions are one decomposition of sales.
#[test]
fn contributions_add_up() {
    let rows = rows();
    let mix = marketing_mix(&rows.weeks(), &few()).unwrap();
    let sold: f64 = mix.channels.iter().map(|c| c.contribution.estimate).sum();
    assert_relative("sales", mix.baseline + sold, rows.sales.iter().sum(), 1e-12);
    assert_relative("fitted", mix.fitted.iter().sum(), rows.sales.iter().sum(), 1e-12);
    for (c, channel) in mix.channels.iter().enumerate() {
        assert_relative("spend", channel.spend, rows.spend.iter().skip(c).step_by(4).sum(), 1e-12);
        assert_close("ROI", channel.roi.estimate * channel.spend, channel.contribution.estimate, 1e-6);
    }
    assert!(mix.r_squared > 0.5 && mix.r_squared < 1.0);
}

/// No one rate and scale for all channels explains sales better than what the search finds.
#[test]
fn the_search_beats_one_way_for_all() {
    let rows = made_up(3, 0.5);
    let (rates, scales) = ([0.0, 0.3, 0.6, 0.9], [0.5, 2.0]);
    let found = marketing_mix(&rows.weeks(), &MixSettings { rates: rates.to_vec(), scales: scales.to_vec(), ..few() });
    let loss = |mix: &Mix| rows.sales.iter().zip(&mix.fitted).map(|(y, f)| (y - f) * (y - f)).sum::<f64>();
    let found = loss(&found.unwrap());
    for rate in rates {
        for scale in scales {
            let one = MixSettings { rates: vec![rate], scales: vec![scale], ..few() };
            let other = loss(&marketing_mix(&rows.weeks(), &one).unwrap());
            assert!(found <= other * 1.01, "{found} above {other} of rate {rate} and scale {scale}");
        }
    }
}

/// 95 % intervals hold the true contribution in 90 % of replays or more, of every channel; rates and scales of the truth
/// lie between those of the grid, and one channel does nothing.
#[test]
fn intervals_hold_the_truth() {
    let replays = 40;
    let mut held = [0; 3];
    for seed in 0..replays {
        let rows = made_up(seed, 1.0);
        let settings = MixSettings { bootstrap: Bootstrap { replicates: 200, ..Bootstrap::default() }, ..few() };
        let mix = marketing_mix(&rows.weeks(), &settings).unwrap();
        for (c, channel) in mix.channels.iter().enumerate() {
            let truth: f64 = effects(&rows.spend, c).iter().sum();
            held[c] += u64::from(channel.contribution.low <= truth && truth <= channel.contribution.high);
        }
    }
    assert!(held.iter().all(|&held| held * 10 >= replays * 9), "{held:?} of {replays}");
}

#[test]
fn threads_do_not_change_a_bit() {
    let rows = rows();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| marketing_mix(&rows.weeks(), &few()))
    };
    assert_eq!(with(1), with(3));
}

/// Spend that never changes, two channels that are one, and a full set of dummies: no NaN, nothing below 0.
#[test]
fn columns_that_say_nothing_are_fitted() {
    let n = 60;
    let mut rows = made_up(1, 1.0);
    rows.sales.truncate(n);
    rows.channels = 3;
    rows.spend = (0..n).flat_map(|t| [7.0, (t % 5) as f64, 2.0 * (t % 5) as f64]).collect();
    rows.controls = (0..n).flat_map(|t| (0..4).map(move |q| f64::from(u8::from(t % 4 == q)))).collect();
    let mix = marketing_mix(&rows.weeks(), &few()).unwrap();
    for channel in &mix.channels {
        let found = channel.contribution;
        assert!(found.low >= 0.0 && found.low <= found.high && found.high.is_finite(), "{channel:?}");
    }
    let constant = marketing_mix(&Weeks { sales: &vec![5.0; n], ..rows.weeks() }, &few()).unwrap();
    assert!(constant.channels.iter().all(|c| c.contribution.estimate.abs() < 1e-9) && constant.r_squared.is_finite());
}

#[test]
fn bad_weeks_are_errors() {
    let good = rows();
    let fails = |change: &dyn Fn(&mut Rows), settings: &MixSettings| {
        let mut rows = rows();
        change(&mut rows);
        marketing_mix(&rows.weeks(), settings).unwrap_err()
    };
    let spend = fails(&|r| r.spend[9] = -1.0, &few());
    assert!(matches!(spend, Error::Cell { row: 2, column: 1, value: -1.0, .. }));
    let nothing = fails(&|r| r.spend.iter_mut().skip(3).step_by(4).for_each(|s| *s = 0.0), &few());
    assert!(matches!(nothing, Error::Cell { column: 3, .. }));
    assert!(matches!(fails(&|r| r.sales[5] = f64::NAN, &few()), Error::Value { row: 5, .. }));
    assert!(matches!(fails(&|r| r.controls[3] = f64::INFINITY, &few()), Error::Cell { row: 1, column: 1, .. }));
    assert!(matches!(fails(&|r| r.controls.truncate(5), &few()), Error::Length { .. }));
    assert!(matches!(fails(&|r| r.sales.clear(), &few()), Error::Empty { what: "sales" }));
    let setting = |settings: MixSettings| marketing_mix(&good.weeks(), &settings).unwrap_err();
    assert!(matches!(setting(MixSettings { rates: vec![1.0], ..few() }), Error::Setting { name: "rates", .. }));
    assert!(matches!(setting(MixSettings { scales: vec![0.0], ..few() }), Error::Setting { name: "scales", .. }));
    assert!(matches!(setting(MixSettings { block: 0, ..few() }), Error::Setting { name: "block", .. }));
    assert!(matches!(setting(MixSettings { l2: 0.0, ..few() }), Error::Setting { name: "l2", .. }));
    let slope = Saturation::Hill { slope: -1.0 };
    assert!(matches!(setting(MixSettings { saturation: slope, ..few() }), Error::Setting { name: "slope", .. }));
    let few_weeks = Weeks { sales: &[1.0; 8], spend: &[1.0; 32], channels: 4, controls: &[] };
    assert!(matches!(marketing_mix(&few_weeks, &few()), Err(Error::TooFew { needed: 14, found: 8, .. })));
}

/// True sales of a channel per week: rates .35, .65 and nothing; a scale of 1.4 mean spends.
fn effects(spend: &[f64], channel: usize) -> Vec<f64> {
    let (rate, size) = [(0.35, 120.0), (0.65, 80.0), (0.0, 0.0)][channel];
    let spend: Vec<f64> = spend.iter().skip(channel).step_by(3).copied().collect();
    let scale = 1.4 * spend.iter().sum::<f64>() / spend.len() as f64;
    let mut stock = 0.0;
    let mut one = |spend: &f64| {
        stock = spend + rate * stock;
        size * f64::ln_1p(stock / scale)
    };
    spend.iter().map(&mut one).collect()
}

/// 120 weeks of three channels, a trend and a wave.
fn made_up(seed: u64, noise: f64) -> Rows {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n = 120;
    let mut weekly = |_| if rng.random::<f64>() < 0.3 { 0.0 } else { rng.random_range(10.0..200.0) };
    let spend: Vec<f64> = (0..3 * n).map(&mut weekly).collect();
    let controls: Vec<f64> = (0..n).flat_map(|t| [t as f64, (t as f64 / 8.0).sin()]).collect();
    let sold = [0, 1, 2].map(|channel| effects(&spend, channel));
    let mut last = 0.0;
    let sales = (0..n).map(|t| {
        // Errors that last a little.
        last = 0.3 * last + noise * 20.0 * ((0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0);
        500.0 + 0.5 * controls[2 * t] + 30.0 * controls[2 * t + 1] + sold.iter().map(|s| s[t]).sum::<f64>() + last
    });
    Rows { sales: sales.collect(), spend, controls, channels: 3 }
}
