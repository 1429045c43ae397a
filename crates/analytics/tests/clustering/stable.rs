//! Ids that stay, against every possible assignment.

use super::corners;
use analytics::Error;
use analytics::clustering::kmeans::KMeans;
use analytics::clustering::stable::StableIds;
use proptest::prelude::*;

fn some(labels: &[u32]) -> Vec<Option<u32>> {
    labels.iter().copied().map(Some).collect()
}

#[test]
fn renumbered_clusters_keep_their_ids_and_a_new_one_gets_its_own() {
    let previous = [Some(7), Some(7), Some(3), Some(3), None, None, Some(3)];
    let labels = [Some(1), Some(1), Some(0), Some(0), Some(2), Some(2), None];
    let found = StableIds::by_overlap(&labels, &previous, 0).unwrap();
    assert_eq!(found, StableIds { ids: vec![(0, 3), (1, 7), (2, 8)], unused_from: 9 });
    assert_eq!(found.apply(&labels)[..3], [Some(7), Some(7), Some(3)]);
    assert_eq!(found.apply(&[None, Some(5)]), [None, None]);
    let later = StableIds::by_overlap(&labels, &previous, 40).unwrap();
    assert_eq!((later.ids[2], later.unused_from), ((2, 40), 41));
}

/// Label 0 has most rows of id 0, but giving it id 1 keeps 7 rows in place instead of 5.
#[test]
fn all_are_matched_at_once() {
    let labels = some(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
    let previous = some(&[0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0]);
    assert_eq!(StableIds::by_overlap(&labels, &previous, 0).unwrap().ids, [(0, 1), (1, 0)]);
}

#[test]
fn centres_find_their_predecessors() {
    let x = corners(50, 2);
    let fit = |seed| KMeans { clusters: 4, seed, ..KMeans::default() }.fit(&x, 2).unwrap();
    let (before, after) = (fit(1), fit(2));
    let ids = [10, 11, 12, 13];
    let found = StableIds::by_centres(&after.centres, &before.centres, 2, &ids, 0).unwrap();
    let expected: Vec<Option<u32>> = before.labels.iter().map(|&l| Some(ids[l as usize])).collect();
    assert_eq!(found.apply(&some(&after.labels)), expected);
    assert_eq!(found.unused_from, 14);
    let more = StableIds::by_centres(&[0.0, 5.0, 9.0], &[9.1, 0.2], 1, &[6, 4], 0).unwrap();
    assert_eq!(more.ids, [(0, 4), (1, 7), (2, 6)]);
    let fewer = StableIds::by_centres(&[9.0], &[0.2, 9.1], 1, &[6, 4], 0).unwrap();
    assert_eq!(fewer, StableIds { ids: vec![(0, 4)], unused_from: 7 });
    assert_eq!(StableIds::by_centres(&[9.0], &[], 1, &[], 0).unwrap().ids, [(0, 0)]);
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(StableIds::by_overlap(&[], &[], 0), Err(Error::Empty { what: "labels" }));
    assert!(matches!(StableIds::by_overlap(&[None], &[], 0), Err(Error::Length { what: "previous", .. })));
    let full = StableIds::by_overlap(&some(&[0, 1]), &[Some(u32::MAX), None], 0);
    assert!(matches!(full, Err(Error::Setting { name: "unused_from", .. })));
    assert!(matches!(StableIds::by_centres(&[1.0], &[2.0], 1, &[], 0), Err(Error::Length { what: "ids", .. })));
    assert!(matches!(StableIds::by_centres(&[f64::NAN], &[2.0], 1, &[0], 0), Err(Error::Cell { .. })));
}

/// The most rows that any one-to-one assignment of labels from `label` on keeps, by trying all.
fn most_kept(overlap: &[[usize; 5]; 5], label: usize, used: u32) -> usize {
    if label == 5 {
        return 0;
    }
    let free = (0..5).filter(|id| used & (1 << id) == 0);
    free.map(|id| overlap[label][id] + most_kept(overlap, label + 1, used | 1 << id)).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn no_assignment_keeps_more_rows(rows in proptest::collection::vec((0..6u32, 0..6u32), 1..80)) {
        let known = |v: u32| (v < 5).then_some(v);
        let labels: Vec<Option<u32>> = rows.iter().map(|r| known(r.0)).collect();
        let previous: Vec<Option<u32>> = rows.iter().map(|r| known(r.1)).collect();
        let found = StableIds::by_overlap(&labels, &previous, 0).unwrap();
        let mut ids: Vec<u32> = found.ids.iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), found.ids.len(), "an id for each cluster");
        let mut overlap = [[0; 5]; 5];
        for (label, id) in labels.iter().zip(&previous).filter_map(|(l, p)| l.zip(*p)) {
            overlap[label as usize][id as usize] += 1;
        }
        let applied = found.apply(&labels);
        let kept = applied.iter().zip(&previous).filter(|(a, p)| a.is_some() && a == p).count();
        prop_assert_eq!(kept, most_kept(&overlap, 0, 0));
    }
}
