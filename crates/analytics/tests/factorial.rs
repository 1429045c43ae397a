//! Factorial experiments against statsmodels 0.15.0 (`OLS` of cell means with `cov_type="HC2"`) and SciPy 1.17.1 (`stats.t`
//! at Satterthwaite's degrees of freedom), and what their answers promise.

use crate::support::{assert_close, assert_relative};
use analytics::Error;
use analytics::experiments::{
    Comparison, Correction, Factor, FactorialEffect, Sample, Term, Tested, adjust, compare_means, factorial,
};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};
use rayon::prelude::*;

/// Cells whose sizes, means and variances all differ, by a formula that another program can repeat.
fn cells(count: usize) -> Vec<Sample> {
    let value = |cell: usize, row: usize| {
        let noise = ((37 * row + 11 * cell) % 23) as f64 - 11.0;
        (cell * cell % 7) as f64 + (1 + cell % 3) as f64 * noise / 10.0
    };
    let values = |cell: usize| (0..3 + 7 * cell % 5).map(|row| value(cell, row)).collect::<Vec<f64>>();
    (0..count).map(|cell| Sample::of(&values(cell)).unwrap()).collect()
}

fn factors(levels: &[usize]) -> Vec<Factor> {
    levels.iter().map(|&levels| Factor { levels, base: 0 }).collect()
}

fn holm(cells: &[Sample], factors: &[Factor]) -> Vec<FactorialEffect> {
    factorial(cells, factors, 0.95, Correction::Holm).unwrap()
}

/// A term, the other of an interaction, customers; then estimate, standard error, low, high and p value.
type Oracle = ([usize; 2], Option<[usize; 2]>, u64, [f64; 5]);

const TWO_BY_TWO: [Oracle; 3] = [
    (
        [0, 1],
        None,
        19,
        [2.607619047619047, 0.6043086978255183, 1.3034608810704094, 3.9117772141676848, 0.0008203274183938564],
    ),
    (
        [1, 1],
        None,
        19,
        [-0.4409523809523801, 0.6043086978255183, -1.7451105475010178, 0.8632057855962576, 0.4783961713968739],
    ),
    (
        [0, 1],
        Some([1, 1]),
        19,
        [-3.975238095238094, 1.2086173956510367, -6.583554428335369, -1.3669217621408185, 0.005797222242121165],
    ),
];

/// The base of the first factor is its second level.
const THREE_BY_TWO_BY_TWO: [Oracle; 9] = [
    (
        [0, 0],
        None,
        40,
        [-0.014761904761905469, 0.48657236296268724, -1.0905435009337174, 1.0610196914099066, 0.9763602737368827],
    ),
    (
        [0, 2],
        None,
        39,
        [0.5518452380952381, 0.6016655389638367, -0.7497193307168581, 1.8534098069073344, 0.375958430336568],
    ),
    (
        [1, 1],
        None,
        58,
        [-0.1542460317460322, 0.44884972557937847, -1.0938944315980628, 0.7854023681059985, 0.7348965767149225],
    ),
    (
        [2, 1],
        None,
        58,
        [0.3006746031746034, 0.44884972557937847, -0.6389737966774272, 1.2403230030266341, 0.5110199081511503],
    ),
    (
        [0, 0],
        Some([1, 1]),
        40,
        [4.923809523809524, 0.9731447259253745, 2.7722463314659, 7.075372716153148, 0.0004099880615419272],
    ),
    (
        [0, 2],
        Some([1, 1]),
        39,
        [1.5620238095238101, 1.2033310779276734, -1.0411053281003824, 4.165152947148003, 0.21710842391328067],
    ),
    (
        [0, 0],
        Some([2, 1]),
        40,
        [-0.10476190476190415, 0.9731447259253745, -2.256325097105528, 2.04680128758172, 0.9162799496158144],
    ),
    (
        [0, 2],
        Some([2, 1]),
        39,
        [2.015357142857143, 1.2033310779276734, -0.5877719947670497, 4.618486280481335, 0.11815552017885407],
    ),
    (
        [1, 1],
        Some([2, 1]),
        58,
        [-2.690873015873015, 0.8976994511587569, -4.570169815577076, -0.8115762161689539, 0.007420003939178036],
    ),
];

#[test]
fn effects_equal_statsmodels() {
    let [mut three, two, two_more] = [3, 2, 2].map(|levels| Factor { levels, base: 0 });
    three.base = 1;
    for (found, expected) in [
        (holm(&cells(4), &[two, two]), &TWO_BY_TWO[..]),
        (holm(&cells(12), &[three, two, two_more]), &THREE_BY_TWO_BY_TWO[..]),
    ] {
        assert_eq!(found.len(), expected.len());
        for (found, (of, with, rows, numbers)) in found.iter().zip(expected) {
            let term = |[factor, level]: [usize; 2]| Term { factor, level };
            assert_eq!((found.of, found.with, found.rows), (term(*of), with.map(term), *rows));
            let effect = found.tested.unwrap().effect;
            let all = [effect.estimate, effect.standard_error, effect.low, effect.high, effect.p_value];
            for (found, expected) in all.iter().zip(numbers) {
                assert_close(&format!("{of:?} {with:?}"), *found, *expected, 1e-13 + 1e-10 * expected.abs());
            }
        }
    }
}

/// Holm's p values of the larger design by statsmodels' `multipletests`.
#[test]
fn one_correction_is_over_all_effects() {
    let mut factors = factors(&[3, 2, 2]);
    factors[0].base = 1;
    let by = |correction| -> Vec<Tested> {
        let effects = factorial(&cells(12), &factors, 0.95, correction).unwrap();
        effects.iter().map(|effect| effect.tested.unwrap()).collect()
    };
    let expected = [1.0, 1.0, 1.0, 1.0, 0.003689892553877345, 1.0, 1.0, 0.8270886412519785, 0.05936003151342429];
    for (found, expected) in by(Correction::Holm).iter().zip(expected) {
        assert_relative("Holm", found.adjusted_p, expected, 1e-10);
    }
    let (plain, strict) = (by(Correction::None), by(Correction::Bonferroni));
    assert!(plain.iter().all(|tested| tested.adjusted_p == tested.effect.p_value));
    // Bonferroni's intervals hold all together.
    let alone = factorial(&cells(12), &factors, 1.0 - (1.0 - 0.95) / 9.0, Correction::None).unwrap();
    for (strict, alone) in strict.iter().zip(alone) {
        assert_eq!(strict.effect, alone.tested.unwrap().effect);
    }
}

#[test]
fn one_factor_is_welchs_test() {
    for (levels, base) in [(2, 0), (2, 1), (5, 3)] {
        let (cells, correction) = (cells(levels), Correction::BenjaminiHochberg);
        let found = factorial(&cells, &[Factor { levels, base }], 0.9, correction).unwrap();
        let comparison = Comparison { control: base, level: 0.9, correction, ..Comparison::default() };
        let compared = compare_means(&cells, &comparison).unwrap();
        assert_eq!(found.len(), compared.len());
        for (found, compared) in found.iter().zip(compared) {
            assert_eq!((found.of, found.with), (Term { factor: 0, level: compared.group }, None));
            let Tested { effect, adjusted_p } = found.tested.unwrap();
            assert_relative("estimate", effect.estimate, compared.effect.estimate, 1e-15);
            assert_relative("p value", effect.p_value, compared.effect.p_value, 1e-14);
            assert_relative("adjusted", adjusted_p, compared.adjusted_p, 1e-14);
            assert_relative("low", effect.low, compared.effect.low, 1e-13);
        }
    }
}

/// Two levels without variance say nothing of each other; the correction counts what is tested.
#[test]
fn what_does_not_vary_is_not_tested() {
    let flat = |mean| Sample::new(5, mean, 0.0).unwrap();
    let varied = |mean| Sample::new(5, mean, 1.0).unwrap();
    let cells = [flat(1.0), flat(2.0), flat(2.0), flat(4.0), varied(1.0), varied(3.0)];
    let found = holm(&cells, &factors(&[3, 2]));
    let are_tested: Vec<bool> = found.iter().map(|effect| effect.tested.is_some()).collect();
    assert_eq!(are_tested, [false, true, true, false, true]);
    let tested: Vec<Tested> = found.iter().filter_map(|effect| effect.tested).collect();
    let p_values: Vec<f64> = tested.iter().map(|tested| tested.effect.p_value).collect();
    let adjusted: Vec<f64> = tested.iter().map(|tested| tested.adjusted_p).collect();
    assert_eq!(adjusted, adjust(&p_values, Correction::Holm).unwrap());
    let nothing = factorial(&cells[..4], &factors(&[2, 2]), 0.95, Correction::Bonferroni).unwrap();
    assert!(nothing.len() == 3 && nothing.iter().all(|effect| effect.tested.is_none()));
}

/// Cells of 20 to 60 skewed values: an effect that there is lies in 95 % of its intervals, and where there is none, Holm
/// finds one in at most 5 % of experiments.
#[test]
fn intervals_cover_and_holm_keeps_what_it_promises() {
    let runs = 4000;
    let experiment = |run: usize, effect: f64| {
        let mut rng = ChaCha8Rng::seed_from_u64(run as u64);
        let noise = Exp::new(0.5).unwrap();
        let mut cell = |cell: usize| {
            // The first factor of three changes the mean, its higher level also the spread.
            let (mean, spread) = if cell < 4 { (0.0, 1.0) } else { (effect, 1.5) };
            let mut value = || mean + spread * (noise.sample(&mut rng) - 2.0);
            Sample::of(&(0..20 + 40 * (cell % 2)).map(|_| value()).collect::<Vec<f64>>()).unwrap()
        };
        holm(&(0..8).map(&mut cell).collect::<Vec<_>>(), &factors(&[2, 2, 2]))
    };
    let share = |holds: &(dyn Fn(usize) -> bool + Sync)| {
        (0..runs).into_par_iter().filter(|run| holds(*run)).count() as f64 / runs as f64
    };
    let covered = share(&|run| {
        let effect = experiment(run, 1.0)[0].tested.unwrap().effect;
        effect.low <= 1.0 && 1.0 <= effect.high
    });
    assert_close("coverage", covered, 0.95, 0.012);
    let found = share(&|run| experiment(run, 0.0).iter().any(|effect| effect.tested.unwrap().adjusted_p <= 0.05));
    assert!(found <= 0.062, "Holm finds something in {found}");
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |cells: &[Sample], factors: &[Factor]| factorial(cells, factors, 0.95, Correction::Holm).unwrap_err();
    let four = cells(4);
    assert_eq!(wrong(&[], &[]), Error::Empty { what: "factors" });
    assert!(matches!(wrong(&four[..3], &factors(&[2, 2])), Error::Length { expected: 4, found: 3, .. }));
    let name = "the number of levels of a factor";
    assert_eq!(wrong(&four, &factors(&[4, 1])), Error::Setting { name, value: 1.0, valid: "2 or more" });
    assert!(matches!(
        wrong(&four, &[Factor { levels: 4, base: 4 }]),
        Error::Setting { name: "the base of a factor", .. }
    ));
    let lone = Sample { rows: 1, ..four[3] };
    assert!(matches!(wrong(&[four[0], lone], &factors(&[2])), Error::Setting { value: 1.0, .. }));
    let level = factorial(&four, &factors(&[2, 2]), 1.0, Correction::Holm).unwrap_err();
    assert!(matches!(level, Error::Setting { name: "level", .. }));
}

proptest! {
    /// The order of factors does not change an effect, and the other base of two levels turns its sign.
    #[test]
    fn order_and_base_say_the_same(means in proptest::collection::vec(-5.0..5.0f64, 6), is_other_base: bool) {
        let cells: Vec<Sample> =
            means.iter().enumerate().map(|(i, &mean)| Sample::new(5 + i as u64, mean, 1.0 + i as f64).unwrap()).collect();
        let transposed: Vec<Sample> = (0..6).map(|cell| cells[cell % 2 * 3 + cell / 2]).collect();
        let base = usize::from(is_other_base);
        let (two, other, three) = (Factor { levels: 2, base: 0 }, Factor { levels: 2, base }, Factor { levels: 3, base: 0 });
        let (forth, back) = (holm(&cells, &[two, three]), holm(&transposed, &[three, other]));
        // Main effects of the three levels come first or last; then two interactions.
        for (i, (j, turns)) in [(2, true), (0, false), (1, false), (3, true), (4, true)].into_iter().enumerate() {
            let (forth, back) = (forth[i].tested.unwrap(), back[j].tested.unwrap());
            let sign = if turns && is_other_base { -1.0 } else { 1.0 };
            prop_assert!((forth.effect.estimate - sign * back.effect.estimate).abs() < 1e-12);
            prop_assert!((forth.effect.standard_error - back.effect.standard_error).abs() < 1e-12);
            prop_assert!((forth.adjusted_p - back.adjusted_p).abs() < 1e-9);
        }
    }
}
