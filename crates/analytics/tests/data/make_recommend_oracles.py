"""Writes the oracle files of recommenders. Needs implicit 0.7.

interactions.csv      made-up purchases: 60 users, 30 items
neighbours.csv        item, neighbour, similarity: CosineRecommender(K=6); an item's nearest is itself and left out
knn_top.csv           user, item, score: its 5 best for each user, bought ones left out
als_items.csv         item factors of AlternatingLeastSquares(factors=4), confidence 1 + 2 * weight, l2 .5
als_users.csv         the users' exact factors given those (recalculate_user)

With --ranking ml-100k.inter it prints what tests/recommend.rs compares with on MovieLens-100K: hit rate and NDCG at 10 of
each user's last item, over seeds.
"""
import pathlib
import sys

import numpy as np
import pandas as pd
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix

HERE = pathlib.Path(__file__).resolve().parent


def write(name, header, rows):
    lines = [header] + [",".join(str(v) for v in row) for row in rows]
    (HERE / name).write_text("\n".join(lines) + "\n")


def small():
    rng = np.random.default_rng(5)
    rows = []
    for user in range(60):
        # Users and items of the same parity like each other.
        liking = np.where(np.arange(30) % 2 == user % 2, 3.0, 1.0) / np.arange(2, 32)
        for item in rng.choice(30, rng.integers(1, 9), replace=False, p=liking / liking.sum()):
            rows.append((user, int(item), rng.integers(1, 64) / 8))
    write("interactions.csv", "user,item,weight", rows)
    user, item, weight = zip(*rows)
    matrix = csr_matrix((np.array(weight), (user, item)), shape=(60, 30))

    knn = CosineRecommender(K=6)
    knn.fit(matrix, show_progress=False)
    similar = knn.similarity.tocsr()
    pairs = [(i, j, similar[i, j]) for i in range(30) for j in similar[i].indices if i != j]
    write("neighbours.csv", "item,neighbour,similarity", sorted(pairs, key=lambda r: (r[0], -r[2])))
    top = []
    for u in range(60):
        top += [(u, i, s) for i, s in zip(*knn.recommend(u, matrix[u], N=5)) if s > 0]
    write("knn_top.csv", "user,item,score", top)

    confidence = matrix.copy()
    confidence.data = 1 + 2 * confidence.data
    als = AlternatingLeastSquares(factors=4, regularization=0.5, use_cg=True, random_state=3, dtype=np.float64)
    als.fit(confidence, show_progress=False)
    write("als_items.csv", "f1,f2,f3,f4", als.item_factors)
    write("als_users.csv", "f1,f2,f3,f4", (als.recalculate_user(u, confidence[u]) for u in range(60)))


def ranking(file):
    frame = pd.read_csv(file, sep="\t")
    frame.columns = ["user", "item", "rating", "timestamp"]
    frame = frame.sort_values(["user", "timestamp", "item"])
    last = frame.groupby("user").tail(1)
    train = frame.drop(last.index)
    shape = (frame.user.max() + 1, frame.item.max() + 1)

    def metrics(model, matrix):
        ids, _ = model.recommend(last.user.values, matrix[last.user.values], N=10)
        rank = [list(row).index(i) + 1 if i in row else None for row, i in zip(ids, last.item.values)]
        return np.mean([r is not None for r in rank]), np.mean([1 / np.log2(1 + r) if r else 0 for r in rank])

    matrix = csr_matrix((np.ones(len(train)), (train.user, train.item)), shape=shape)
    knn = CosineRecommender(K=51)
    knn.fit(matrix, show_progress=False)
    print("knn", metrics(knn, matrix))
    results = []
    for seed in range(20):
        als = AlternatingLeastSquares(factors=32, regularization=1.0, iterations=15, use_cg=True, random_state=seed)
        als.fit(matrix * 2.0, show_progress=False)
        results.append(metrics(als, matrix))
    print("als mean", np.mean(results, axis=0), "deviation", np.std(results, axis=0, ddof=1))


if sys.argv[1:2] == ["--ranking"]:
    ranking(sys.argv[2])
else:
    small()
