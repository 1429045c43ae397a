"""Item neighbours and ALS in implicit on a file of `user item …` lines, each user's last item held out.

The same settings as `cargo bench -p analytics --bench recommend`. Usage: python recommend_implicit.py ml-1m.txt
"""
import resource
import sys
import time

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix

users = {}
for line in open(sys.argv[1]):
    user, *items = map(int, line.split())
    users.setdefault(user, []).extend(items)
last = [users[u].pop() for u in sorted(users)]
pairs = [(n, item) for n, u in enumerate(sorted(users)) for item in users[u]]
rows, columns = zip(*pairs)
matrix = csr_matrix((np.ones(len(pairs)), (rows, columns)), shape=(len(users), max(max(columns), max(last)) + 1))


def report(model):
    started = time.perf_counter()
    ids, _ = model.recommend(np.arange(len(users)), matrix, N=10)
    seconds = time.perf_counter() - started
    ranks = [list(row).index(item) + 1 if item in row else None for row, item in zip(ids, last)]
    hits, gain = np.mean([r is not None for r in ranks]), np.mean([1 / np.log2(1 + r) if r else 0 for r in ranks])
    print(f"  10 best of {len(users)} users: {seconds:.3f} s, HR@10 {hits:.4f}, NDCG@10 {gain:.4f}")


started = time.perf_counter()
knn = CosineRecommender(K=51)
knn.fit(matrix, show_progress=False)
print(f"neighbours: {time.perf_counter() - started:.3f} s")
report(knn)
confidence = (matrix * 2.0).astype(np.float32)
started = time.perf_counter()
als = AlternatingLeastSquares(factors=64, iterations=15, regularization=1.0, use_cg=True, random_state=0)
als.fit(confidence, show_progress=False)
print(f"ALS, 64 factors, 15 iterations: {time.perf_counter() - started:.3f} s")
report(als)
print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
