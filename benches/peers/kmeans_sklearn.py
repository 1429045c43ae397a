"""k-means in scikit-learn on made-up rows, which it writes for ours: `cargo bench -p analytics --bench kmeans -- FILE 20 20`.

Needs scikit-learn. Usage: python kmeans_sklearn.py points.f64 [rows=1000000] [columns=20] [clusters=20]
"""
import resource
import sys
import time

import numpy as np
from sklearn.cluster import KMeans

file = sys.argv[1]
rows, columns, clusters = (int(x) for x in sys.argv[2:] or [1_000_000, 20, 20])
random = np.random.default_rng(1)
middles = random.normal(0, 2, (clusters, columns))
points = middles[random.integers(0, clusters, rows)] + random.normal(0, 1.5, (rows, columns))
centres = points[:clusters].copy()
np.concatenate([points, centres]).tofile(file)
for _ in range(3):
    started = time.perf_counter()
    found = KMeans(clusters, init=centres, n_init=1, algorithm="lloyd").fit(points)
    seconds = time.perf_counter() - started
    print(f"{rows} rows: {seconds:.3f} s, {found.n_iter_} iterations, inertia {found.inertia_:.4f}")
print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
