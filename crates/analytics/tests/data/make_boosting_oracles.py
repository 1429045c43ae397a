"""boosting.csv: rows, and what LightGBM predicts of them. pip install lightgbm==4.7.0 numpy; python make_boosting_oracles.py"""
import csv
import pathlib

import lightgbm
import numpy

random = numpy.random.default_rng(5)
ROWS = 800
x = numpy.column_stack([random.integers(-8, 9, ROWS), random.integers(0, 12, ROWS) * 0.25, random.integers(0, 30, ROWS)]).astype(float)
x[random.random((ROWS, 3)) < 0.15] = numpy.nan
signal = numpy.nan_to_num(x[:, 0], nan=5.0) + numpy.where(numpy.nan_to_num(x[:, 2]) > 14, 4.0, 0.0) * numpy.nan_to_num(x[:, 1])
label = (signal + random.normal(0, 4, ROWS) > 6).astype(float)
number = numpy.round(signal + random.normal(0, 2, ROWS), 3)
settings = dict(num_leaves=7, learning_rate=0.1, min_data_in_leaf=1, min_data_in_bin=1, max_bin=255, deterministic=True,
    force_col_wise=True, num_threads=1, feature_pre_filter=False, verbosity=-1)
predictions = []
for objective, target in [("binary", label), ("regression", number)]:
    data = lightgbm.Dataset(x, target, params=settings)
    predictions.append(lightgbm.train(settings | {"objective": objective}, data, num_boost_round=20).predict(x))
with open(pathlib.Path(__file__).parent / "boosting.csv", "w", newline="") as file:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["a", "b", "c", "label", "number", "p_label", "p_number"])
    for row in zip(x.tolist(), label, number, *predictions):
        rows.writerow(["NaN" if v != v else v for v in row[0]] + [int(row[1]), row[2]] + [f"{p:.9g}" for p in row[3:]])
