"""Writes the texts and oracle numbers of tests/text.rs.

pip install jieba==0.42.1 scikit-learn==1.9.1; python make_text_oracles.py
"""

import csv
import pathlib
import random
import re

import jieba
import numpy as np
from sklearn.decomposition import NMF
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

HERE = pathlib.Path(__file__).parent
SUBJECTS = {
    "en": ["the delivery", "my parcel", "the price", "this dress", "the fabric", "customer service", "the zipper", "the size", "the colour"],
    "zh": ["物流", "快递", "价格", "这件衣服", "面料", "店家的服务", "拉链", "尺码", "颜色"],
}
SAYINGS = {
    "good": {"en": ["is very good", "was fast and friendly", "is better than expected", "is great", "isn't bad"],
             "zh": ["很不错", "很快", "非常满意", "值得购买", "我很喜欢"]},
    "bad": {"en": ["is not good", "was slow and rude", "is worse than expected", "is terrible", "broke after a week"],
            "zh": ["不好", "太慢了", "非常失望", "不值得购买", "我不喜欢"]},
    "question": {"en": ["when does it arrive", "do you have it in red", "how do I return it", "can I exchange it"],
                 "zh": ["什么时候到", "有没有红色的", "怎么退货", "可以换吗"]},
}


def stop_words():
    source = (HERE.parent.parent / "src/text/words.rs").read_text(encoding="utf8")
    return set(re.search(r'let words = "(.*?)"', source, re.DOTALL).group(1).split())


def words(cut, text):
    found = []
    for piece in re.findall(r"[\u4e00-\u9fff]+|[a-z0-9]+(?:'[a-z]+)*", text.lower()):
        found += list(cut(piece)) if re.match(r"[\u4e00-\u9fff]", piece) else [piece]
    return found


def texts(rng):
    rows = []
    for number in range(160):
        language, label = rng.choice(["en", "zh"]), rng.choice(list(SAYINGS))
        said = [rng.choice(SUBJECTS[language]) + (" " if language == "en" else "") + rng.choice(SAYINGS[label][language])
                for _ in range(rng.choice([1, 2]))]
        text = {"en": ". ", "zh": "。"}[language].join(said)
        rows.append((text.capitalize(), label, number % 2 == 0))
    return rows


def write(name, header, rows):
    with open(HERE / name, "w", newline="", encoding="utf8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def main():
    cut = jieba.Tokenizer().cut
    rows = texts(random.Random(7))
    tokens = [words(cut, text) for text, _, _ in rows]
    labels = sorted(SAYINGS)

    pairs = [row + [f"{a} {b}" for a, b in zip(row, row[1:])] for row in tokens]
    x = TfidfVectorizer(analyzer=lambda row: row, sublinear_tf=True, min_df=2).fit_transform(pairs)
    taught = np.array([is_taught for _, _, is_taught in rows])
    y = np.array([labels.index(label) for _, label, _ in rows])
    model = LogisticRegression(C=4, tol=1e-8, max_iter=10000).fit(x[taught], y[taught])
    p = model.predict_proba(x)
    write("texts.csv", ["text", "label", "is_taught", "words", "predicted", "probability"],
          [(text, labels.index(label), int(is_taught), " ".join(row), p.argmax(), repr(float(p.max())))
           for (text, label, is_taught), row, p in zip(rows, tokens, p)])

    topical = [[word for word in row if word not in stop_words()] for row in tokens]
    vectorizer = TfidfVectorizer(analyzer=lambda row: row, sublinear_tf=True, min_df=2)
    x = vectorizer.fit_transform(topical)
    names = vectorizer.get_feature_names_out()
    model = NMF(n_components=6, init="nndsvd", solver="cd", tol=1e-4, max_iter=200, random_state=0)
    w = model.fit_transform(x)
    h = model.components_
    unexplained = model.reconstruction_err_**2 / x.multiply(x).sum()
    says = w * h.sum(axis=1)
    write("topics.csv", ["main_words", "weight", "unexplained"],
          [(" ".join(names[i] for i in np.argsort(-h[s.argmax()], kind="stable")[:3]) if s.sum() > 0 else "",
            repr(float(s.max() / s.sum())) if s.sum() > 0 else "0", repr(float(unexplained))) for s in says])
    print(len(rows), x.shape, unexplained, [" ".join(names[i] for i in np.argsort(-t, kind="stable")[:3]) for t in h])


main()
