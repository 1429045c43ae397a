//! Forecasts and anomalies of series against statsmodels, brute force and what must hold for any series.

use crate::support::{assert_close, assert_relative, oracle};
use analytics::Error;
use analytics::series::{
    AnomalySettings, Ets, Every, ForecastSettings, Form, Method, Series, Smoothing, State, Trend, anomalies, forecast,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TRENDS: [(&str, Trend); 3] = [("none", Trend::None), ("linear", Trend::Linear), ("damped", Trend::Damped)];
const SERIES: [(&str, usize); 4] = [("nile", 1), ("investment", 4), ("sea", 12), ("days", 7)];

fn values(name: &str) -> Vec<f64> {
    let rows = oracle("series_values.csv");
    rows.iter().filter(|row| row[0] == name).map(|row| row[1].parse().unwrap()).collect()
}

/// What `ets.csv` says of each series and form: a lookup of (index, value) by name.
fn each_of_statsmodels(mut check: impl FnMut(&str, Form, &dyn Fn(&str) -> Vec<(usize, f64)>)) {
    let rows = oracle("ets.csv");
    for (name, season) in SERIES {
        for (trend_name, trend) in TRENDS {
            for season in if season > 1 { vec![1, season] } else { vec![1] } {
                let of_form: Vec<&Vec<String>> = rows
                    .iter()
                    .filter(|row| row[0] == name && row[1] == trend_name && row[2] == season.to_string())
                    .collect();
                assert!(of_form.len() > 40, "{name} {trend_name} {season}");
                let find = |what: &str| {
                    let found = of_form.iter().filter(|row| row[3] == what);
                    found.map(|row| (row[4].parse().unwrap(), row[5].parse().unwrap())).collect()
                };
                check(name, Form { trend, season }, &find);
            }
        }
    }
}

/// statsmodels' ETSModel, run from its own parameters and initial state: log likelihood, sum of squares, means and 95 %
/// intervals of up to 26 steps ahead.
#[test]
fn models_equal_statsmodels_at_its_parameters() {
    each_of_statsmodels(|name, form, find| {
        let one = |what: &str| find(what)[0].1;
        let smoothing = Smoothing { alpha: one("alpha"), beta: one("beta"), gamma: one("gamma"), phi: one("phi") };
        let season = find("season").into_iter().map(|(_, value)| value).collect();
        let initial = State { level: one("level"), trend: one("slope"), season };
        let model = Ets::with(&values(name), smoothing, initial).unwrap();
        let what = format!("{name} {form}");
        assert_relative(&what, model.log_likelihood, one("log_likelihood"), 1e-9);
        assert_relative(&what, model.sum_of_squares, one("sum_of_squares"), 1e-9);
        let ahead = model.ahead(26);
        for (sign, bound) in [(0.0, "mean"), (-1.0, "pi_lower"), (1.0, "pi_upper")] {
            for (step, expected) in find(bound) {
                let found = ahead[step].mean + sign * 1.959963984540054 * ahead[step].deviation;
                assert_close(
                    &format!("{what}: {bound} of step {step}"),
                    found,
                    expected,
                    1e-6 * expected.abs().max(1.0),
                );
            }
        }
    });
}

/// A fit is no worse than statsmodels' two: ETSModel and, where the bounds of the parameters are the same, Holt-Winters,
/// which may go to an alpha of 0 or 1.
#[test]
fn fits_are_not_worse_than_statsmodels() {
    each_of_statsmodels(|name, form, find| {
        let found = Ets::fit(&values(name), form).unwrap().sum_of_squares;
        let expected = find("sum_of_squares")[0].1;
        assert!(found <= expected * (1.0 + 1e-9), "{name} {form}: {found} above {expected}");
        let expected = find("holt_winters_sum_of_squares")[0].1;
        if form.trend != Trend::Damped {
            assert!(found <= expected * (1.0 + 1e-3), "{name} {form}: {found} above Holt-Winters' {expected}");
        }
    });
}

/// Variances ahead are those of futures drawn from the model.
#[test]
fn intervals_cover_simulated_futures() {
    let smoothing = Smoothing { alpha: 0.3, beta: 0.1, gamma: 0.2, phi: 0.9 };
    let initial = State { level: 10.0, trend: 1.0, season: vec![1.0, -2.0, 1.0] };
    let model = Ets::with(&[11.0, 9.5, 14.0, 14.0], smoothing, initial).unwrap();
    let ahead = model.ahead(8);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut sums, draws) = ([0.0; 8], 40_000);
    for _ in 0..draws {
        let State { mut level, mut trend, mut season } = model.last.clone();
        for (step, sum) in sums.iter_mut().enumerate() {
            // Twelve uniform numbers have the variance of one standard normal.
            let error = model.deviation * ((0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0);
            let value = level + 0.9 * trend + season[0] + error;
            *sum += (value - ahead[step].mean).powi(2);
            level += 0.9 * trend + 0.3 * error;
            trend = 0.9 * trend + 0.1 * error;
            season[0] += 0.2 * error;
            season.rotate_left(1);
        }
    }
    for (sum, ahead) in sums.iter().zip(&ahead) {
        assert_relative("deviation", (sum / f64::from(draws)).sqrt(), ahead.deviation, 0.02);
    }
}

/// The trial of each method is what fitting it at each origin by hand gives, and the least one is chosen.
#[test]
fn the_choice_is_by_rolling_origins() {
    let y = values("days");
    let days: Vec<i32> = (0..y.len() as i32).collect();
    let settings = ForecastSettings { horizon: 5, origins: 3, ..ForecastSettings::default() };
    let series = Series::new(Every::Day, &days, &y).unwrap();
    let found = forecast(&[series], &settings).unwrap().remove(0);
    assert_eq!(found.trials.len(), 7);
    for trial in &found.trials {
        let mut sum = 0.0;
        for origin in y.len() - 7..=y.len() - 5 {
            let before = &y[..origin];
            let means: Vec<f64> = match trial.method {
                Method::SeasonalNaive { season } => {
                    (0..5).map(|step| before[origin - season + step % season]).collect()
                }
                Method::Ets(form) => Ets::fit(before, form).unwrap().ahead(5).iter().map(|ahead| ahead.mean).collect(),
            };
            sum += means.iter().zip(&y[origin..]).map(|(mean, y)| (mean - y).abs()).sum::<f64>();
        }
        assert_relative(&trial.method.to_string(), trial.mean_absolute_error, sum / 15.0, 1e-4);
    }
    let least = found.trials.iter().map(|t| t.mean_absolute_error).fold(f64::INFINITY, f64::min);
    assert!(found.trials.iter().any(|t| t.method == found.method && t.mean_absolute_error == least));
    assert_eq!(found.ahead[0].day, 90);
}

/// A naive forecast by hand, and its interval (Hyndman & Athanasopoulos): seasonal differences of 2, one and two seasons
/// ahead.
#[test]
fn seasonal_naive_by_hand() {
    let days: Vec<i32> = (0..6).map(|week| 3 + 7 * week).collect();
    let series = Series::new(Every::Week, &days, &[1.0, 5.0, 3.0, 7.0, 5.0, 9.0]).unwrap();
    let settings = ForecastSettings { horizon: 4, season: Some(2), origins: 0, level: 0.95 };
    let found = forecast(&[series], &settings).unwrap().remove(0);
    assert_eq!(found.method, Method::SeasonalNaive { season: 2 });
    let width = 1.959963984540054 * 2.0;
    for (ahead, (day, mean, wider)) in
        found.ahead.iter().zip([(45, 5.0, 1.0), (52, 9.0, 1.0), (59, 5.0, 2.0f64), (66, 9.0, 2.0)])
    {
        assert_eq!((ahead.day, ahead.mean), (day, mean));
        assert_close("low", ahead.low, mean - width * wider.sqrt(), 1e-9);
        assert_close("high", ahead.high, mean + width * wider.sqrt(), 1e-9);
    }
}

/// Two values, a few, not two seasons, and all the same: a forecast without a NaN.
#[test]
fn short_and_constant_series_are_forecast() {
    for rows in [2, 3, 4, 5, 7, 8, 13, 14, 20, 40] {
        for constant in [true, false] {
            let days: Vec<i32> = (0..rows).collect();
            let values: Vec<f64> = (0..rows).map(|i| if constant { 1e9 + 0.1 } else { f64::from(i * i % 7) }).collect();
            let series = Series::new(Every::Day, &days, &values).unwrap();
            let found = forecast(std::slice::from_ref(&series), &ForecastSettings::default()).unwrap().remove(0);
            for ahead in &found.ahead {
                assert!(
                    ahead.low <= ahead.mean && ahead.mean <= ahead.high && ahead.low.is_finite(),
                    "{rows}: {ahead:?}"
                );
                assert!(!constant || (ahead.low, ahead.high) == (1e9 + 0.1, 1e9 + 0.1), "{ahead:?}");
            }
            let watch = anomalies(&[series], &AnomalySettings::default()).unwrap().remove(0);
            assert!(watch.steps.iter().all(|s| s.score.is_finite() && (!constant || s.score == 0.0)));
        }
    }
    for (trend, season) in [(Trend::None, 1), (Trend::Damped, 1), (Trend::Linear, 2)] {
        let model = Ets::fit(&[-3.5; 20], Form { trend, season }).unwrap();
        assert_close("constant", model.ahead(9)[8].mean, -3.5, 1e-12);
    }
}

/// A line with a season and no noise goes on.
#[test]
fn what_repeats_exactly_is_continued() {
    let y: Vec<f64> = (0..40).map(|i| 1e6 + 3.0 * f64::from(i) + [5.0, -1.0, -4.0, 0.0][i as usize % 4]).collect();
    let ahead = Ets::fit(&y[..32], Form { trend: Trend::Linear, season: 4 }).unwrap().ahead(8);
    for (ahead, value) in ahead.iter().zip(&y[32..]) {
        assert_close("line", ahead.mean, *value, 1e-6);
    }
}

/// Planted spikes are found, and nothing else; scores are robust deviations by their definition.
#[test]
fn planted_anomalies_are_found() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let week = [10.0, 12.0, 11.0, 13.0, 20.0, 26.0, 5.0];
    let mut y: Vec<f64> = (0..140).map(|i| 100.0 + week[i % 7] + rng.random_range(-2.0..2.0)).collect();
    (y[60], y[101]) = (y[60] + 25.0, y[101] - 25.0);
    let days: Vec<i32> = (0..140).collect();
    let series = Series::new(Every::Day, &days, &y).unwrap();
    let watch =
        anomalies(&[series], &AnomalySettings { threshold: 6.0, ..AnomalySettings::default() }).unwrap().remove(0);
    let found: Vec<(i32, bool)> = watch.steps.iter().filter(|s| s.is_anomaly).map(|s| (s.day, s.score > 0.0)).collect();
    assert_eq!(found, [(60, true), (101, false)], "{}", watch.method);
    let median = |mut v: Vec<f64>| {
        v.sort_by(f64::total_cmp);
        (v[(v.len() - 1) / 2] + v[v.len() / 2]) / 2.0
    };
    let residuals: Vec<f64> = watch.steps.iter().map(|s| s.value - s.expected).collect();
    let middle = median(residuals.clone());
    let scale = 1.4826022185056018 * median(residuals.iter().map(|e| (e - middle).abs()).collect());
    for (step, residual) in watch.steps.iter().zip(&residuals) {
        assert_close("score", step.score, (residual - middle) / scale, 1e-9);
    }
}

#[test]
fn steps_follow_the_calendar() {
    // 2023-11-01, 2023-12-01, 2024-01-01, 2024-02-01, and a leap day before 2024-03-01.
    let months = [19662, 19692, 19723, 19754];
    let series = Series::new(Every::Month, &months, &[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!((series.day(3), series.day(4), series.day(16)), (19754, 19783, 20148));
    let unsorted = Series::new(Every::Month, &[19723, 19692, 19754, 19662], &[3.0, 2.0, 4.0, 1.0]).unwrap();
    assert_eq!(unsorted, series);
}

#[test]
fn missing_steps_are_named() {
    let of = |every, days: &[i32]| Series::new(every, days, &vec![1.0; days.len()]).unwrap_err();
    let missing = of(Every::Month, &[19662, 19692, 19754]);
    assert!(matches!(missing, Error::Step { day: 19723, .. }));
    assert!(missing.to_string().starts_with("2024-01-01: the step has no row"), "{missing}");
    assert!(matches!(of(Every::Day, &[-1, 0, 2, 3]), Error::Step { day: 1, .. }));
    assert!(matches!(of(Every::Day, &[0, 1, 1, 2]), Error::Step { day: 1, why } if why.contains("two rows")));
    assert!(matches!(of(Every::Week, &[0, 7, 15]), Error::Step { day: 15, why } if why.contains("weekday")));
    assert!(matches!(of(Every::Month, &[19662, 19693]), Error::Step { day: 19693, .. }));
    assert!(matches!(of(Every::Day, &[1]), Error::Length { expected: 2, .. }));
    assert!(matches!(of(Every::Day, &[]), Error::Empty { .. }));
    let nan = Series::new(Every::Day, &[0, 1], &[1.0, f64::NAN]);
    assert!(matches!(nan, Err(Error::Value { row: 1, .. })));

    let segments = [1, 0, 1, 0];
    let split = Series::by_segment(Every::Day, &segments, &[5, 8, 6, 9], &[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!((split[0].values(), split[1].values()), (&[2.0, 4.0][..], &[1.0, 3.0][..]));
    let broken = Series::by_segment(Every::Day, &segments, &[5, 8, 7, 9], &[1.0; 4]).unwrap_err();
    assert!(broken.to_string().starts_with("segment 1: 1970-01-07: "), "{broken}");
    let none = Series::by_segment(Every::Day, &[0, 0, 2, 2], &[1, 2, 1, 2], &[1.0; 4]);
    assert!(matches!(none, Err(Error::Segment { segment: 1, .. })));
}

#[test]
fn bad_settings_are_errors() {
    let bad = |settings: ForecastSettings| forecast(&[], &settings).unwrap_err();
    let good = ForecastSettings::default();
    assert!(matches!(bad(ForecastSettings { horizon: 0, ..good }), Error::Setting { name: "horizon", .. }));
    assert!(matches!(bad(ForecastSettings { season: Some(0), ..good }), Error::Setting { name: "season", .. }));
    assert!(matches!(bad(ForecastSettings { level: 0.0, ..good }), Error::Setting { name: "level", .. }));
    let threshold = anomalies(&[], &AnomalySettings { threshold: f64::NAN, ..AnomalySettings::default() });
    assert!(matches!(threshold, Err(Error::Setting { name: "threshold", .. })));
    let short = Ets::fit(&[1.0; 13], Form { trend: Trend::None, season: 7 });
    assert!(matches!(short, Err(Error::Length { expected: 14, found: 13, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    /// Any values, in any unit: finite, ordered, the same on any number of threads.
    #[test]
    fn any_series_is_forecast(
        values in proptest::collection::vec(-5.0..5.0f64, 2..40), power in -20i32..30, season in 1usize..6,
    ) {
        let unit = 10f64.powi(power);
        let values: Vec<f64> = values.iter().map(|v| v.round() * unit).collect();
        let days: Vec<i32> = (0..values.len() as i32).collect();
        let series = vec![Series::new(Every::Day, &days, &values).unwrap(); 2];
        let settings = ForecastSettings { horizon: 3, season: Some(season), origins: 2, ..ForecastSettings::default() };
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| forecast(&series, &settings)).unwrap()
        };
        let found = with(1);
        prop_assert_eq!(&found, &with(3));
        prop_assert_eq!(&found[0], &found[1]);
        for ahead in &found[0].ahead {
            prop_assert!(ahead.low <= ahead.mean && ahead.mean <= ahead.high, "{:?}", ahead);
            prop_assert!(ahead.low.is_finite() && ahead.high.is_finite());
        }
    }
}

/// Of the calendar, for printing in errors: every day of 800 years against counting.
#[test]
fn dates_are_counted() {
    let (mut year, mut month, mut day) = (1970, 1, 1);
    for since in 0..292_194 {
        if since % 97 == 0 {
            let error = Series::new(Every::Day, &[since - 1, since + 1], &[1.0, 1.0]).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{year}-{month:02}-{day:02}: ")), "{error}");
        }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
        (year, month, day) = match (month, day == length) {
            (12, true) => (year + 1, 1, 1),
            (_, true) => (year, month + 1, 1),
            _ => (year, month, day + 1),
        };
    }
}
