//! Recommenders against the Python packages implicit and scikit-learn, and against the definitions worked out in full.

use std::collections::BTreeMap;

use crate::support::{assert_close, numbers, oracle, shared};
use analytics::Error;
use analytics::metrics::{NOT_RANKED, hit_rate, ndcg};
use analytics::recommend::{
    Als, AlsSettings, Candidate, DiversitySettings, Interactions, ItemNeighbours, KnnSettings, Recommendation,
    diversified, similar_items,
};
use proptest::prelude::*;

/// Owned interactions, by user.
struct Histories {
    offsets: Vec<usize>,
    items: Vec<u32>,
    weights: Vec<f32>,
    catalogue: usize,
}

impl Histories {
    fn of(users: &[Vec<(u32, f32)>], catalogue: usize) -> Self {
        let mut offsets = vec![0];
        users.iter().for_each(|user| offsets.push(offsets[offsets.len() - 1] + user.len()));
        let (items, weights) = users.concat().into_iter().unzip();
        Self { offsets, items, weights, catalogue }
    }

    fn view(&self) -> Interactions<'_> {
        let Self { offsets, items, weights, catalogue } = self;
        Interactions { offsets, items, weights, catalogue: *catalogue }
    }
}

/// `interactions.csv`: 60 users, 30 items.
fn small() -> Histories {
    let mut users = vec![vec![]; 60];
    for row in oracle("interactions.csv") {
        users[row[0].parse::<usize>().unwrap()].push((row[1].parse().unwrap(), row[2].parse().unwrap()));
    }
    Histories::of(&users, 30)
}

/// Each row of a file of three columns: the first two are ids.
fn triples(file: &str) -> Vec<(u32, u32, f64)> {
    let row = |row: Vec<String>| (row[0].parse().unwrap(), row[1].parse().unwrap(), row[2].parse().unwrap());
    oracle(file).into_iter().map(row).collect()
}

#[test]
fn neighbours_and_scores_equal_implicit() {
    let histories = small();
    let model = ItemNeighbours::fit(&histories.view(), &KnnSettings { neighbours: 5, shrinkage: 0.0 }).unwrap();
    let found: Vec<(u32, u32, f64)> =
        (0..30).flat_map(|i| model.of(i).iter().map(move |&(j, similarity)| (i, j, similarity))).collect();
    let top = model.recommend(&histories.view(), 5).unwrap();
    let top: Vec<(u32, u32, f64)> = top.iter().map(|r| (r.user, r.item, r.score)).collect();
    for (found, file) in [(found, "neighbours.csv"), (top, "knn_top.csv")] {
        let expected = triples(file);
        assert_eq!(found.len(), expected.len(), "{file}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!((found.0, found.1), (expected.0, expected.1), "{file}");
            // implicit adds in another order, in f64 too.
            assert_close(file, found.2, expected.2, 1e-12);
        }
    }
}

#[test]
fn a_reason_is_the_bought_item_that_adds_most() {
    // 0 and 1 are always together; 2 is with 1 for one of three users. User 3 has 0 and 2.
    let users =
        [vec![(0, 1.0), (1, 1.0)], vec![(0, 1.0), (1, 1.0)], vec![(1, 1.0), (2, 1.0)], vec![(2, 1.0), (0, 1.0)]];
    let histories = Histories::of(&users, 4);
    let model = ItemNeighbours::fit(&histories.view(), &KnnSettings { neighbours: 3, shrinkage: 2.0 }).unwrap();
    // cos(0, 1) = 2 / 3 over 2 users, cos(2, 1) = 1 / sqrt(6) over 1.
    let score = 2.0 / 3.0 * 0.5 + 1.0 / 6f64.sqrt() / 3.0;
    let found = model.recommend(&histories.view(), 10).unwrap();
    let last = found.last().unwrap();
    assert_close("score", last.score, score, 1e-15);
    assert_eq!((found.len(), last.user, last.item, last.because), (4, 3, 1, Some(0)));
    assert!(model.of(3).is_empty());
}

/// implicit's recalculate_user solves the same least squares exactly, in f64.
#[test]
fn histories_fold_in_as_in_implicit() {
    let file = |name: &str| -> Vec<f64> { oracle(name).iter().flat_map(|row| numbers(row)).collect() };
    let settings = AlsSettings { factors: 4, l2: 0.5, alpha: 2.0, ..Default::default() };
    let item_factors = file("als_items.csv").iter().map(|&v| v as f32).collect();
    let model = Als { settings, user_factors: vec![], item_factors };
    let found = model.fold_in(&small().view()).unwrap();
    let expected = file("als_users.csv");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_close("factor", f64::from(*found), expected, 2e-5);
    }
}

/// Each user's last item of MovieLens-100K, by a model of the others: hit rate and NDCG at 10. The numbers are implicit's
/// (`make_recommend_oracles.py --ranking`); ALS starts at random, its hit rate has a deviation of .0031 and its NDCG of .0011.
#[test]
fn rankings_are_as_good_as_those_of_implicit() {
    let Some(path) = shared("ml-100k/ml-100k.inter") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let mut users: BTreeMap<u32, Vec<(u64, u32)>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let field: Vec<&str> = line.split('\t').collect();
        users
            .entry(field[0].parse().unwrap())
            .or_default()
            .push((field[3].parse().unwrap(), field[1].parse().unwrap()));
    }
    let mut last = Vec::new();
    let mut known = Vec::new();
    for rated in users.values_mut() {
        rated.sort_unstable();
        last.push(rated.pop().unwrap().1);
        known.push(rated.iter().map(|&(_, item)| (item, 1.0)).collect());
    }
    let histories = Histories::of(&known, 1683);
    let judge = |found: Vec<Recommendation>| {
        let mut ranks = vec![NOT_RANKED; last.len()];
        for of_user in found.chunk_by(|a, b| a.user == b.user) {
            let user = of_user[0].user as usize;
            let place = of_user.iter().position(|r| r.item == last[user]);
            ranks[user] = place.map_or(NOT_RANKED, |place| place as u32 + 1);
        }
        (hit_rate(&ranks, 10).unwrap(), ndcg(&ranks, 10).unwrap())
    };
    let knn = ItemNeighbours::fit(&histories.view(), &KnnSettings { neighbours: 50, shrinkage: 0.0 }).unwrap();
    let (hits, gain) = judge(knn.recommend(&histories.view(), 10).unwrap());
    // Weights are all 1, so similarities tie.
    assert_close("hit rate of kNN", hits, 0.06257, 0.003);
    assert_close("NDCG of kNN", gain, 0.02914, 0.001);
    let settings = AlsSettings { factors: 32, l2: 1.0, alpha: 1.0, ..Default::default() };
    let seeds = 5;
    let (mut hits, mut gains) = (0.0, 0.0);
    for seed in 0..seeds {
        let als = Als::fit(&histories.view(), &AlsSettings { seed, ..settings }).unwrap();
        let (hit, gain) = judge(als.recommend(&histories.view(), 10).unwrap());
        (hits, gains) = (hits + hit / seeds as f64, gains + gain / seeds as f64);
    }
    // Three standard errors of the difference of a mean of 5 and one of 20.
    assert_close("hit rate of ALS", hits, 0.09008, 3.0 * 0.00307 * 0.5);
    assert_close("NDCG of ALS", gains, 0.04215, 3.0 * 0.00112 * 0.5);
}

#[test]
fn threads_do_not_change_a_bit() {
    let histories = small();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let als = Als::fit(&histories.view(), &AlsSettings::default()).unwrap();
            let knn = ItemNeighbours::fit(&histories.view(), &KnnSettings::default()).unwrap();
            (als.recommend(&histories.view(), 3).unwrap(), als, knn)
        })
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn errors_name_what_is_wrong() {
    let fit = |offsets: &[usize], items: &[u32], weights: &[f32], catalogue: usize| {
        let interactions = Interactions { offsets, items, weights, catalogue };
        let knn = ItemNeighbours::fit(&interactions, &KnnSettings::default()).map(|_| ());
        let als = Als::fit(&interactions, &AlsSettings::default()).map(|_| ());
        // As text: a NaN differs from itself.
        assert_eq!(format!("{knn:?}"), format!("{als:?}"));
        knn
    };
    assert_eq!(fit(&[0], &[], &[], 1), Err(Error::Empty { what: "users" }));
    assert_eq!(fit(&[0, 0], &[], &[], 1), Ok(()));
    assert!(matches!(fit(&[0, 0], &[], &[], 0), Err(Error::Setting { .. })));
    assert!(matches!(fit(&[0, 1], &[0], &[], 1), Err(Error::Length { .. })));
    assert!(matches!(fit(&[0, 2], &[0], &[1.0], 1), Err(Error::Value { what: "user offset", row: 1, .. })));
    assert!(matches!(fit(&[0, 1, 0], &[], &[], 1), Err(Error::Value { what: "user offset", row: 2, .. })));
    assert!(matches!(fit(&[1, 1], &[0], &[1.0], 1), Err(Error::Value { what: "user offset", row: 0, .. })));
    assert!(matches!(fit(&[0, 2], &[0, 5], &[1.0; 2], 5), Err(Error::Value { what: "item", row: 1, .. })));
    for weight in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(fit(&[0, 1], &[0], &[weight], 1), Err(Error::Value { what: "weight", row: 0, .. })));
    }
    assert!(matches!(fit(&[0, 2], &[0, 0], &[f32::MAX; 2], 1), Err(Error::Customer { customer: 0, .. })));

    let histories = small();
    let huge = AlsSettings { alpha: 1e38, ..Default::default() };
    assert!(matches!(Als::fit(&histories.view(), &huge), Err(Error::Undefined { .. })));
    for settings in [AlsSettings { l2: 0.0, ..huge }, AlsSettings { factors: 0, ..huge }] {
        assert!(matches!(Als::fit(&histories.view(), &settings), Err(Error::Setting { .. })));
    }
    let negative = KnnSettings { shrinkage: -1.0, ..Default::default() };
    assert!(matches!(ItemNeighbours::fit(&histories.view(), &negative), Err(Error::Setting { .. })));
    let knn = ItemNeighbours::fit(&histories.view(), &KnnSettings::default()).unwrap();
    assert!(matches!(knn.recommend(&Histories::of(&[vec![]], 7).view(), 5), Err(Error::Length { .. })));
    assert_eq!(knn.recommend(&Histories::of(&[vec![]], 30).view(), 5), Ok(vec![]));
    assert!(matches!(knn.recommend(&histories.view(), 0), Err(Error::Setting { name: "count", .. })));
}

/// Histories over 8 items with whole weights; the same item may come twice.
fn users() -> impl Strategy<Value = Vec<Vec<(u32, f32)>>> {
    let entry = (0..8u32, (1..6u8).prop_map(f32::from));
    proptest::collection::vec(proptest::collection::vec(entry, 0..7), 1..20)
}

fn weight(user: &[(u32, f32)], item: u32) -> f64 {
    user.iter().filter(|entry| entry.0 == item).map(|entry| f64::from(entry.1)).sum()
}

fn best(mut scored: Vec<(u32, f64)>, n: usize) -> Vec<(u32, f64)> {
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.truncate(n);
    scored
}

fn similarity(users: &[Vec<(u32, f32)>], i: u32, j: u32, shrinkage: f64) -> f64 {
    let column = |item| users.iter().map(|user| weight(user, item)).collect::<Vec<f64>>();
    let (a, b) = (column(i), column(j));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let common = a.iter().zip(&b).filter(|(a, b)| **a > 0.0 && **b > 0.0).count() as f64;
    if common == 0.0 {
        return 0.0;
    }
    product(&a, &b) / (product(&a, &a).sqrt() * product(&b, &b).sqrt()) * (common / (common + shrinkage))
}

proptest! {
    /// All pairs of items, all pairs of user and item.
    #[test]
    fn neighbours_equal_their_definition(users in users(), neighbours in 1..9usize, shrinkage in 0..4u8, n in 1..5usize) {
        let shrinkage = f64::from(shrinkage);
        let histories = Histories::of(&users, 8);
        let model = ItemNeighbours::fit(&histories.view(), &KnnSettings { neighbours, shrinkage }).unwrap();
        let near = |i: u32| {
            let others = (0..8).filter(|&j| j != i).map(|j| (j, similarity(&users, i, j, shrinkage)));
            best(others.filter(|pair| pair.1 > 0.0).collect(), neighbours)
        };
        for i in 0..8 {
            prop_assert_eq!(model.of(i), near(i));
        }
        let mut found = model.recommend(&histories.view(), n).unwrap().into_iter();
        for (user, history) in users.iter().enumerate() {
            let terms = |item: u32| {
                let term = |i| near(i).iter().find(|pair| pair.0 == item).map(|pair| (i, weight(history, i) * pair.1));
                (0..8).filter(|&i| weight(history, i) > 0.0).filter_map(term).collect::<Vec<(u32, f64)>>()
            };
            let scores = (0..8).filter(|&item| weight(history, item) == 0.0);
            let scores = scores.map(|item| (item, terms(item).iter().map(|term| term.1).sum::<f64>()));
            for (item, score) in best(scores.filter(|pair| pair.1 > 0.0).collect(), n) {
                let because = Some(best(terms(item), 1)[0].0);
                prop_assert_eq!(found.next(), Some(Recommendation { user: user as u32, item, score, because }));
            }
        }
        prop_assert_eq!(found.next(), None);
    }

    /// The last half-round of a fit with exact steps leaves the loss without a slope in any item's factors, and
    /// recommendations are the products of factors.
    #[test]
    fn als_ends_where_the_loss_is_flat(users in users(), l2 in 0.2..3.0f64, alpha in 0.2..3.0f64) {
        let histories = Histories::of(&users, 8);
        let settings = AlsSettings { factors: 3, steps: 12, iterations: 4, l2, alpha, seed: 1 };
        let model = Als::fit(&histories.view(), &settings).unwrap();
        let vector = |all: &[f32], i: usize| all[i * 3..i * 3 + 3].iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for item in 0..8 {
            let y = vector(&model.item_factors, item);
            let mut slope: Vec<f64> = y.iter().map(|y| l2 * y).collect();
            for (user, history) in users.iter().enumerate() {
                let x = vector(&model.user_factors, user);
                let weight = weight(history, item as u32);
                let wanted = if weight > 0.0 { 1.0 } else { 0.0 };
                let pull = (1.0 + alpha * weight) * (product(&x, &y) - wanted);
                slope.iter_mut().zip(&x).for_each(|(s, x)| *s += pull * x);
            }
            prop_assert!(slope.iter().all(|s| s.abs() < 1e-3), "item {}: {:?}", item, slope);
        }
        let folded = model.fold_in(&histories.view()).unwrap();
        for r in model.recommend(&histories.view(), 2).unwrap() {
            prop_assert!(users[r.user as usize].iter().all(|entry| entry.0 != r.item));
            let score = product(&vector(&folded, r.user as usize), &vector(&model.item_factors, r.item as usize));
            prop_assert!((r.score - score).abs() < 1e-5);
        }
    }
}

/// `similar.csv` is scikit-learn's cosine_similarity over TfidfVectorizer, which is f64 throughout; ours holds weights as f32.
#[test]
fn similar_items_equal_scikit_learn() {
    let mut items = vec![vec![]; 40];
    triples("attributes.csv").iter().for_each(|&(item, word, times)| items[item as usize].push((word, times as f32)));
    let model = similar_items(&Histories::of(&items, 25).view(), 40).unwrap();
    let mut found: Vec<(u32, u32, f64)> =
        (0..40).flat_map(|i| model.of(i).iter().map(move |&(j, similarity)| (i, j, similarity))).collect();
    assert!(found.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].2 >= pair[1].2), "the nearest first");
    found.sort_by_key(|&(i, j, _)| (i, j));
    let expected = triples("similar.csv");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!((found.0, found.1), (expected.0, expected.1));
        assert_close("similarity", found.2, expected.2, 1e-6);
    }
}

/// Of every candidate left the definition's value, by sets, and the best of them.
fn next_by_definition(candidates: &[Candidate], picked: &[usize], settings: &DiversitySettings) -> Option<usize> {
    let largest = candidates.iter().map(|one| one.score).fold(0.0, f64::max);
    let share = |a: &[u32], b: &[u32]| {
        let common = a.iter().filter(|x| b.contains(x)).count() as f64;
        if common == 0.0 { 0.0 } else { common / (a.len() as f64 * b.len() as f64).sqrt() }
    };
    let marginal = |one: usize| {
        let nearest = picked.iter().map(|&p| share(&candidates[p].attributes, &candidates[one].attributes));
        let score = if largest > 0.0 { candidates[one].score / largest } else { 0.0 };
        settings.relevance * score - (1.0 - settings.relevance) * nearest.fold(0.0, f64::max)
    };
    let is_full = |attribute: &u32| {
        let having = picked.iter().filter(|&&p| candidates[p].attributes.contains(attribute)).count();
        settings.most_alike.is_some_and(|most| having >= most)
    };
    let may = |one: &usize| !picked.contains(one) && !candidates[*one].attributes.iter().any(is_full);
    (0..candidates.len()).filter(may).rev().max_by(|&a, &b| marginal(a).total_cmp(&marginal(b)))
}

proptest! {
    #[test]
    fn each_pick_has_the_largest_marginal_relevance(
        drawn in prop::collection::vec((0u32..8, prop::collection::btree_set(0u32..6, 0..4)), 0..12),
        count in 1usize..8,
        relevance in 0.0f64..=1.0,
        most_alike in prop::option::of(1usize..4),
    ) {
        let settings = DiversitySettings { count, relevance, most_alike };
        let candidates: Vec<Candidate> = drawn
            .into_iter()
            .map(|(score, attributes)| Candidate { score: f64::from(score), attributes: attributes.into_iter().collect() })
            .collect();
        let picked = diversified(&candidates, &settings).unwrap();
        for (at, one) in picked.iter().enumerate() {
            prop_assert_eq!(next_by_definition(&candidates, &picked[..at], &settings), Some(*one));
        }
        prop_assert!(picked.len() == count || next_by_definition(&candidates, &picked, &settings).is_none());
    }
}

#[test]
fn what_no_list_can_be_picked_from_says_so() {
    let candidate = |score| Candidate { score, attributes: vec![] };
    let pick = |score, settings| diversified(&[candidate(1.0), candidate(score)], &settings).unwrap_err();
    let settings = DiversitySettings::default();
    assert!(matches!(pick(f64::NAN, settings), Error::Value { what: "score", row: 1, .. }));
    assert!(matches!(pick(-1.0, settings), Error::Value { what: "score", row: 1, .. }));
    let invalid = [(0, 0.5, None), (1, 1.5, None), (1, f64::NAN, None), (1, 0.5, Some(0))];
    for (count, relevance, most_alike) in invalid {
        let error = pick(1.0, DiversitySettings { count, relevance, most_alike });
        assert!(matches!(error, Error::Setting { .. }), "{error}");
    }
    assert!(diversified(&[], &settings).unwrap().is_empty());
}
