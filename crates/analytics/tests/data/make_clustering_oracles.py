"""Writes the clustering oracles of this folder. Needs scikit-learn 1.9 and numpy.

iris.csv                Fisher's iris (scikit-learn's copy): four measures in cm, species
clustering.csv          name, value: numbers of scikit-learn on iris
clustering_rows.csv     250 rows of five clouds with the labels of scikit-learn's algorithms
kmeans_centres.csv      k-means on these rows from their first five rows
tree_leaves.csv         DecisionTreeClassifier on these rows and their k-means labels: leaves as intervals of the columns
rand_index.csv          two labellings, row by row as digits, and their adjusted_rand_score
"""
import pathlib

import numpy as np
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score, silhouette_samples, silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.tree import DecisionTreeClassifier

HERE = pathlib.Path(__file__).resolve().parent


def write(name, header, rows):
    lines = [header] + [",".join(str(v) for v in row) for row in rows]
    (HERE / name).write_text("\n".join(lines) + "\n")


def on_iris(x):
    kmeans = KMeans(3, n_init=20, random_state=0, tol=1e-12).fit(x)
    yield "inertia", kmeans.inertia_
    yield "silhouette", silhouette_score(x, kmeans.labels_)
    for k in (2, 4, 5):
        labels = KMeans(k, n_init=50, random_state=0, tol=1e-12).fit(x).labels_
        yield f"silhouette_{k}", silhouette_score(x, labels)
    dbscan = DBSCAN(eps=0.5, min_samples=5).fit(x)
    yield "dbscan_clusters", dbscan.labels_.max() + 1
    yield "dbscan_noise", (dbscan.labels_ < 0).sum()
    yield "dbscan_core", len(dbscan.core_sample_indices_)
    for k in (1, 2, 3):
        start = GaussianMixture(k, tol=1e-12, max_iter=10_000, init_params="kmeans", random_state=0, n_init=5).fit(x)
        yield f"mixture_log_likelihood_{k}", start.score(x) * len(x)
        yield f"mixture_bic_{k}", start.bic(x)
        if k == 3:
            order = np.argsort(start.means_[:, 0])
            for i, c in enumerate(order):
                yield f"mixture_weight_{i}", start.weights_[c]
                for j in range(4):
                    yield f"mixture_mean_{i}{j}", start.means_[c, j]
                yield f"mixture_covariance_{i}", start.covariances_[c][0, 3]
                yield f"mixture_variance_{i}", start.covariances_[c][2, 2]


def leaves(tree, node=0, bounds=()):
    t = tree.tree_
    if t.children_left[node] < 0:
        counts = (t.value[node][0] * t.n_node_samples[node]).round().astype(int)
        nearest = {(c, low): v for c, low, v in bounds}  # the last of several is the nearest
        conditions = " ".join(f"{c}{'<=' if low else '>'}{v!r}" for (c, low), v in nearest.items())
        yield conditions, t.n_node_samples[node], counts.argmax(), counts.max()
        return
    column, threshold = int(t.feature[node]), float(t.threshold[node])
    yield from leaves(tree, t.children_left[node], (*bounds, (column, True, threshold)))
    yield from leaves(tree, t.children_right[node], (*bounds, (column, False, threshold)))


iris = load_iris()
write("iris.csv", "sepal_length,sepal_width,petal_length,petal_width,species", [(*r, s) for r, s in zip(iris.data, iris.target)])
write("clustering.csv", "name,value", on_iris(iris.data))

rng = np.random.default_rng(4)
clouds = rng.normal(size=(5, 3)) * 4
x = np.round(clouds[np.arange(250) % 5] + rng.normal(size=(250, 3)) * rng.uniform(0.5, 2, size=(250, 1)), 3)
kmeans = KMeans(5, init=x[:5], n_init=1, algorithm="lloyd").fit(x)
dbscan = DBSCAN(eps=1.0, min_samples=4).fit(x)
silhouettes = silhouette_samples(x, kmeans.labels_)
rows = zip(x, kmeans.labels_, dbscan.labels_, silhouettes)
write("clustering_rows.csv", "x,y,z,kmeans,dbscan,silhouette", [(*v, k, d, s) for v, k, d, s in rows])
write("kmeans_centres.csv", f"x,y,z,iterations,inertia", [(*c, kmeans.n_iter_, kmeans.inertia_) for c in kmeans.cluster_centers_])

tree = DecisionTreeClassifier(max_depth=4, min_samples_leaf=5, random_state=0).fit(x, kmeans.labels_)
write("tree_leaves.csv", "conditions,rows,majority,majority_rows", leaves(tree))

pairs = []
for n, k, noise in ((30, 3, 0.2), (60, 5, 0.5), (25, 2, 1.0), (40, 9, 0.05)):
    a = rng.integers(0, k, n)
    b = np.where(rng.random(n) < noise, rng.integers(0, k, n), (a + 1) % k)
    pairs.append(("".join(map(str, a)), "".join(map(str, b)), adjusted_rand_score(a, b)))
pairs += [("0000", "1111", 1.0), ("0123", "3210", 1.0), ("0000", "0123", adjusted_rand_score([0] * 4, [0, 1, 2, 3]))]
write("rand_index.csv", "a,b,adjusted_rand_score", pairs)
