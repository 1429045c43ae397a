//! The words of a text. English and most other languages by the word boundaries of Unicode (UAX #29), Chinese by jieba's
//! most probable segmentation, with its hidden Markov model for words that its dictionary lacks.

use std::collections::HashSet;
use std::sync::LazyLock;

use foldhash::fast::FixedState;
use jieba_rs::Jieba;
use unicode_segmentation::UnicodeSegmentation;

/// Read when the first Chinese text comes, which takes a moment.
static CHINESE: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// Words in their order, in lower case and half width, with emoji as words and without punctuation.
pub fn words(text: &str) -> Vec<String> {
    let text: String = text.chars().flat_map(|c| plain(c).to_lowercase()).collect();
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_han(c) != is_han(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        match is_han(first) {
            true => found.extend(CHINESE.cut(run, true).into_iter().map(|token| token.word.to_owned())),
            false => {
                found.extend(run.split_word_bounds().filter(|piece| piece.contains(says_something)).map(str::to_owned))
            }
        }
        rest = after;
    }
    found
}

/// Of full width forms the usual ones, and of apostrophes one.
fn plain(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '’' => '\'',
        other => other,
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

fn says_something(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}')
}

/// Whether a word can name what a text is about: no stop word, no number or emoji, no single letter.
pub(super) fn is_topical(word: &str) -> bool {
    let has_letter = word.chars().any(char::is_alphabetic);
    let is_letter = word.len() == 1;
    has_letter && !is_letter && !STOP_WORDS.contains(word)
}

/// Words that stand in texts of any topic.
static STOP_WORDS: LazyLock<HashSet<&str, FixedState>> = LazyLock::new(|| {
    let words = "
    a about after again all also am an and any are aren't as at be because been before being but by can can't could
    couldn't did didn't do does doesn't doing don't down each even ever few for from get got had hadn't has hasn't have
    haven't having he her here hers him his how i i'd i'll i'm i've if in into is isn't it it's its itself just like me
    more most much my myself no nor not now of off on once one only or other our ours out over own really same she should
    so some still such than that that's the their them then there these they they're this those though through to too
    under until up us very was wasn't way we we're were what when where which while who whom why will with won't would
    wouldn't you you're your yours yourself
    的 了 是 我 也 在 不 就 都 和 很 有 这 还 没 说 要 你 人 他 她 它 们 我们 你们 他们 一 一个 一下 一点 一些 这个 那个
    这么 那么 这样 那样 这种 这件 这款 这里 那里 那 又 再 到 去 来 上 下 里 中 后 前 对 给 把 被 让 用 会 能 可以 可能 没有 有没有 不是
    不会 不能 不过 但 但是 而 而且 因为 所以 如果 虽然 然后 还是 还有 就是 只是 只有 只 才 更 最 太 真 真的 非常 比较
    有点 觉得 感觉 知道 什么 怎么 为什么 多 多少 几 吧 吗 呢 啊 呀 哦 嘛 啦 着 过 得 地 之 与 及 或 等 从 以 于 由 为
    像 跟 向 自己 大家 时候 现在 已经 好 个 次 本 想 看 做 买 点 出 起来 出来 已 请 其 此 该 每 些 并 且 则 却 将 即 若";
    words.split_whitespace().collect()
});
