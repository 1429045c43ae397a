"""Writes the oracle files of content similarity. Needs scikit-learn 1.7.

attributes.csv     item, attribute, times: made-up words of 40 products, some twice in one name
similar.csv        item, similar, similarity: all pairs with a word in common, of cosine_similarity over TfidfVectorizer
"""
import pathlib

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

HERE = pathlib.Path(__file__).resolve().parent


def write(name, header, rows):
    (HERE / name).write_text("\n".join([header] + [",".join(str(v) for v in row) for row in rows]) + "\n")


rng = np.random.default_rng(8)
common = 1.0 / np.arange(1, 26)
words = [rng.choice(25, rng.integers(1, 7), p=common / common.sum()) for _ in range(40)]
names = [" ".join(f"w{word}" for word in of) for of in words]
write("attributes.csv", "item,attribute,times", ((i, w, n) for i, of in enumerate(words) for w, n in zip(*np.unique(of, return_counts=True))))
similar = cosine_similarity(TfidfVectorizer(token_pattern=r"\S+").fit_transform(names))
pairs = ((i, j, similar[i, j]) for i in range(40) for j in range(40) if i != j and similar[i, j] > 0)
write("similar.csv", "item,similar,similarity", pairs)
