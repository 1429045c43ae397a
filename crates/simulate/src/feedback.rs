//! What customers say: survey answers after purchases and calls for support, some with a text in English or Chinese.
//!
//! A purchase that was sent back or cancelled before the answer makes it worse; all else is chance, so that an answer tells
//! nothing of who will leave.

use rand::Rng;

use crate::customer::{Purchase, Reversal, Session};
use crate::draw::{between, chance, index};
use crate::parameters::*;
use crate::shop::{Seconds, seconds};

pub(crate) struct Answer {
    pub(crate) at: Seconds,
    pub(crate) kind: &'static str,
    pub(crate) score: f64,
    pub(crate) text: Option<String>,
}

#[derive(Clone, Copy)]
enum Mood {
    Unhappy,
    Undecided,
    Happy,
}

const MOODS: [Mood; 3] = [Mood::Unhappy, Mood::Undecided, Mood::Happy];

/// Answers by time of what they are about.
pub(crate) fn answers(
    purchases: &[Purchase],
    reversals: &[Reversal],
    sessions: &[Session],
    rng: &mut impl Rng,
) -> Vec<Answer> {
    let language = if chance(CHINESE_SPEAKERS, rng) { &CHINESE } else { &ENGLISH };
    let mut answers = Vec::new();
    for (of, purchase) in purchases.iter().enumerate() {
        if !chance(ANSWERS_ABOUT_PURCHASES, rng) {
            continue;
        }
        let at = purchase.recorded + seconds(between(ANSWERED_AFTER, rng));
        let went_wrong = reversals.iter().any(|reversal| reversal.of == of && reversal.recorded < at);
        let mood = MOODS[index(if went_wrong { MOOD_AFTER_REVERSAL } else { MOOD }.into_iter(), rng)];
        let kind = if chance(0.6, rng) { "nps" } else { "review" };
        answers.push(answer(at, kind, mood, language, rng));
    }
    let calls = sessions.iter().flat_map(|session| &session.events).filter(|event| event.kind == "support");
    for call in calls {
        if chance(ANSWERS_ABOUT_SUPPORT, rng) {
            let mood = MOODS[index(MOOD.into_iter(), rng)];
            answers.push(answer(call.recorded + seconds(1.0 / 24.0), "csat", mood, language, rng));
        }
    }
    answers
}

fn answer(at: Seconds, kind: &'static str, mood: Mood, language: &Language, rng: &mut impl Rng) -> Answer {
    let (low, high) = match (kind, mood) {
        ("nps", Mood::Unhappy) => (0, 6),
        ("nps", Mood::Undecided) => (7, 8),
        ("nps", Mood::Happy) => (9, 10),
        (_, Mood::Unhappy) => (1, 2),
        (_, Mood::Undecided) => (3, 3),
        (_, Mood::Happy) => (4, 5),
    };
    let score = f64::from(rng.random_range(low..=high));
    Answer { at, kind, score, text: chance(ANSWERS_WITH_TEXT, rng).then(|| text(mood, language, rng)) }
}

fn text(mood: Mood, language: &Language, rng: &mut impl Rng) -> String {
    let first = rng.random_range(0..language.topics.len());
    let second = (first + rng.random_range(1..language.topics.len())) % language.topics.len();
    let one = language.topics[first].says(!matches!(mood, Mood::Unhappy), language, rng);
    match mood {
        Mood::Undecided => one + language.but + &language.topics[second].says(false, language, rng),
        _ if chance(0.5, rng) => one,
        _ => one + language.and + &language.topics[second].says(matches!(mood, Mood::Happy), language, rng),
    }
}

struct Language {
    topics: [Topic; 4],
    between: &'static str,
    and: &'static str,
    but: &'static str,
}

struct Topic {
    subjects: [&'static str; 3],
    good: [&'static str; 3],
    bad: [&'static str; 3],
}

impl Topic {
    fn says(&self, is_good: bool, language: &Language, rng: &mut impl Rng) -> String {
        let verdicts = if is_good { self.good } else { self.bad };
        [self.subjects[rng.random_range(0..3)], verdicts[rng.random_range(0..3)]].join(language.between)
    }
}

/// Delivery, quality, price, service.
const ENGLISH: Language = Language {
    topics: [
        Topic {
            subjects: ["the delivery", "my parcel", "the shipping"],
            good: ["was very fast", "came a day early", "went as promised"],
            bad: ["took far too long", "came a week late", "was a mess"],
        },
        Topic {
            subjects: ["the quality", "the material", "the product"],
            good: ["feels great", "is better than expected", "is excellent"],
            bad: ["feels cheap", "is worse than in the picture", "is a disappointment"],
        },
        Topic {
            subjects: ["the price", "the discount", "the offer"],
            good: ["is fair", "is really good", "was a bargain"],
            bad: ["is a joke", "was better elsewhere", "is not worth it"],
        },
        Topic {
            subjects: ["your support", "the hotline", "the chat"],
            good: ["helped at once", "was friendly", "solved my problem"],
            bad: ["never answered", "was rude", "could not help me"],
        },
    ],
    between: " ",
    and: " and ",
    but: " but ",
};
const CHINESE: Language = Language {
    topics: [
        Topic {
            subjects: ["物流", "快递", "发货"],
            good: ["很快", "准时送到", "包装很好"],
            bad: ["太慢了", "晚了一周", "包装破了"],
        },
        Topic {
            subjects: ["质量", "面料", "做工"],
            good: ["很好", "比想象的好", "非常满意"],
            bad: ["太差了", "和图片不一样", "很失望"],
        },
        Topic {
            subjects: ["价格", "优惠", "活动"],
            good: ["很划算", "很便宜", "很实在"],
            bad: ["太贵了", "不值", "是骗人的"],
        },
        Topic {
            subjects: ["客服", "售后", "店家"],
            good: ["很耐心", "马上解决了问题", "态度很好"],
            bad: ["态度很差", "一直不回复", "没有帮助"],
        },
    ],
    between: "",
    and: "，",
    but: "，但是",
};
