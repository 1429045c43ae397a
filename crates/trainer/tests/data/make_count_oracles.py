"""Negative binomial log-probabilities and their slopes, by SciPy, into negative_binomial.csv.

pip install scipy; python make_count_oracles.py
The slopes are central differences of nbinom.logpmf in the logarithms of mean and shape.
"""

import math
from pathlib import Path

from scipy.stats import nbinom


def loss(count, log_mean, log_shape):
    mean, shape = math.exp(log_mean), math.exp(log_shape)
    return -nbinom.logpmf(count, shape, shape / (shape + mean))


def slope(f, x, step=1e-4):
    return (f(x + step) - f(x - step)) / (2 * step)


rows = ["count,mean,shape,loss,by_log_mean,by_log_shape,p_zero"]
for count in [0, 1, 3, 40]:
    for mean in [0.05, 1.2, 30.0]:
        for shape in [0.1, 1.0, 7.5]:
            m, s = math.log(mean), math.log(shape)
            numbers = [
                loss(count, m, s),
                slope(lambda x: loss(count, x, s), m),
                slope(lambda x: loss(count, m, x), s),
                nbinom.pmf(0, shape, shape / (shape + mean)),
            ]
            rows.append(",".join([str(count), str(mean), str(shape), *(f"{x:.12g}" for x in numbers)]))
Path(__file__).with_name("negative_binomial.csv").write_text("\n".join(rows) + "\n")
