//! Texts against jieba's and scikit-learn's numbers, and what a model must not do: learn a label from itself.

use crate::support::{assert_close, oracle};
use analytics::Error;
use analytics::text::{Class, ClassSettings, TopicSettings, classify, topics, words};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `texts.csv`: jieba 0.42, English by a regular expression.
#[test]
fn words_equal_jieba() {
    for row in oracle("texts.csv") {
        assert_eq!(words(&row[0]).join(" "), row[3], "{}", row[0]);
    }
}

#[test]
fn words_are_plain_and_keep_what_feeling_is_in() {
    assert_eq!(words("Don’t BUY — it's ２５％ worse 😡!"), ["don't", "buy", "it's", "25", "worse", "😡"]);
    assert_eq!(words("ＶＩＰ客户：不喜欢iPhone"), ["vip", "客户", "不", "喜欢", "iphone"]);
    assert_eq!(words(" \n，。!"), Vec::<String>::new());
}

/// `texts.csv`: `TfidfVectorizer` and `LogisticRegression(C=4)` of scikit-learn 1.9 taught by half of the texts. Its
/// tolerance is ours: the largest slope left.
#[test]
fn labels_equal_scikit_learn() {
    let rows = oracle("texts.csv");
    let texts: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let labels: Vec<Option<u32>> = rows.iter().map(|row| (row[2] == "1").then(|| row[1].parse().unwrap())).collect();
    let found = classify(&texts, &labels, &ClassSettings::default()).unwrap();
    let mut compared = 0;
    for ((found, row), _) in found.iter().zip(&rows).zip(&labels).filter(|(_, label)| label.is_none()) {
        assert_eq!(found.label.to_string(), row[4], "{}", row[0]);
        assert_close(&row[0], found.probability, row[5].parse().unwrap(), 1e-4);
        compared += 1;
    }
    assert_eq!(compared, 80);
}

/// `topics.csv`: `NMF(init="nndsvd", solver="cd")` of scikit-learn 1.9, whose singular vectors are as approximate as ours.
#[test]
fn topics_equal_scikit_learn() {
    let (rows, expected) = (oracle("texts.csv"), oracle("topics.csv"));
    let texts: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let found = topics(&texts, &TopicSettings { count: 6, words: 3 }).unwrap();
    assert_close("unexplained", found.unexplained, expected[0][2].parse().unwrap(), 1e-3);
    for ((text, topic), row) in texts.iter().zip(&found.of_texts).zip(&expected) {
        let topic = topic.expect(text);
        assert_eq!(found.words[topic.number].join(" "), row[0], "{text}");
        assert_close(text, topic.weight, row[1].parse().unwrap(), 1e-2);
    }
    let sizes: Vec<usize> =
        (0..6).map(|t| found.of_texts.iter().flatten().filter(|topic| topic.number == t).count()).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
}

/// Labels by lot, each text another one: a model that saw a text's own label would know it nearly always.
#[test]
fn no_text_is_judged_by_its_own_label() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let texts: Vec<String> = (0..1000).map(|i| format!("order{} item{} shop", i / 2, i % 499)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let labels: Vec<Option<u32>> = (0..1000).map(|_| Some(rng.random_range(0..2))).collect();
    let found = classify(&texts, &labels, &ClassSettings::default()).unwrap();
    let right = found.iter().zip(&labels).filter(|(found, label)| Some(found.label) == **label).count();
    assert!((430..570).contains(&right), "{right} of 1000 guessed");
}

/// The same text ten times stays in one part, so that it can't be looked up.
#[test]
fn copies_of_a_text_do_not_answer_for_it() {
    let texts: Vec<String> = (0..400).map(|i| format!("ticket{} ticket{}", i / 10, i / 10)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let labels: Vec<Option<u32>> = (0..400).map(|i| Some((i / 10) * 7 % 11 % 2)).collect();
    let found = classify(&texts, &labels, &ClassSettings::default()).unwrap();
    assert!(found.iter().all(|class| class.reasons.is_empty()), "{:?}", found[0]);
}

/// "good" is in texts of both labels as often; only what stands before it tells them apart.
#[test]
fn negation_counts() {
    let texts: Vec<String> = (0..40)
        .flat_map(|i| {
            [
                format!("tea{i} is really good"),
                format!("tea{i} is not good"),
                format!("茶{i}我喜欢"),
                format!("茶{i}我不喜欢"),
            ]
        })
        .chain(["this one is not good".into(), "这家店我不喜欢".into()])
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let labels: Vec<Option<u32>> = (0..160).map(|i| Some(i % 2)).chain([None, None]).collect();
    let found = classify(&texts, &labels, &ClassSettings::default()).unwrap();
    let right = found.iter().zip(&labels).filter(|(found, label)| Some(found.label) == **label).count();
    assert_eq!((right, found[160].label, found[161].label), (160, 1, 1));
    assert!(found[160].reasons.contains(&"not good".to_owned()), "{:?}", found[160]);
    assert!(found[161].reasons.contains(&"不 喜欢".to_owned()), "{:?}", found[161]);
}

#[test]
fn threads_do_not_change_a_bit() {
    let rows = oracle("texts.csv");
    let texts: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let labels: Vec<Option<u32>> = rows.iter().map(|row| row[1].parse().ok()).collect();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let classes = classify(&texts, &labels, &ClassSettings::default()).unwrap();
            (classes, topics(&texts, &TopicSettings::default()).unwrap())
        })
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn texts_without_words_get_an_answer_or_none() {
    let texts = ["good tea", "good tea, really", "bad tea", "bad tea, really", "", "!!!"];
    let labels = [Some(0), Some(0), Some(1), Some(1), None, None];
    let found = classify(&texts, &labels, &ClassSettings::default()).unwrap();
    assert_eq!(found[4], Class { label: 0, probability: found[4].probability, reasons: vec![] });
    assert_close("even", found[4].probability, 0.5, 1e-3);
    let found = topics(&texts, &TopicSettings { count: 100, words: 1 }).unwrap();
    assert!(found.words.len() <= 4 && found.of_texts[5].is_none(), "{found:?}");
    assert!(found.of_texts[..4].iter().flatten().all(|topic| topic.weight > 0.0 && topic.weight <= 1.0));
    let found = topics(&["", "the"], &TopicSettings::default()).unwrap();
    assert_eq!((found.words.len(), found.unexplained), (0, 1.0));
}

#[test]
fn what_is_wrong_is_said() {
    let fails =
        |labels: &[Option<u32>]| classify(&["a b", "b c", "c d"], labels, &ClassSettings::default()).unwrap_err();
    assert_eq!(fails(&[None; 3]).to_string(), "a model of labels is undefined: no text has a label");
    assert_eq!(fails(&[Some(0), Some(0), None]).to_string(), "a model of labels is undefined: all labels are the same");
    assert_eq!(fails(&[Some(0), Some(0), Some(1)]).row(), Some(2));
    assert!(matches!(fails(&[Some(0)]), Error::Length { .. }));
    let settings = ClassSettings { folds: 1, ..ClassSettings::default() };
    assert!(matches!(classify(&["a"], &[Some(0)], &settings), Err(Error::Setting { name: "folds", .. })));
    let settings = ClassSettings { l2: 0.0, ..ClassSettings::default() };
    assert!(matches!(classify(&["a"], &[Some(0)], &settings), Err(Error::Setting { name: "l2", .. })));
    let settings = TopicSettings { count: 0, ..TopicSettings::default() };
    assert!(matches!(topics(&["a"], &settings), Err(Error::Setting { name: "count", .. })));
}
