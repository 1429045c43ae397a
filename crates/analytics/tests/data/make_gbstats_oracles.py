"""Writes gbstats.csv: what GrowthBook's gbstats 0.8.0 (numpy < 2, pandas < 2) answers.

Each row: test, relative, control rows, mean, variance, treatment rows, mean, variance, level, then what the test takes
(tuning; prior mean and deviation) and five answers. welch and sequential: estimate, low, high, p value, standard error.
bayes: mean, low, high, chance to win, risk of the treatment, risk of the control.
"""
import pathlib

import numpy as np
from gbstats.bayesian.tests import EffectBayesianABTest, EffectBayesianConfig, GaussianPrior
from gbstats.frequentist.tests import FrequentistConfig, SequentialConfig, SequentialTwoSidedTTest, TwoSidedTTest
from gbstats.models.statistics import SampleMeanStatistic

HERE = pathlib.Path(__file__).resolve().parent
GROUPS = [
    ((3407, 1396.87, 52377.9767), (3461, 2422.7, 134698.29)),
    ((3000, 1396.87, 52377.9767), (3461, 2422.7, 134698.29)),
    ((100, 0.49, 0.2499), (100, 0.51, 0.2499)),
    ((12, 5.0, 4.0), (30, 4.2, 1.5)),
    ((200000, 31.5, 900.0), (199000, 31.9, 950.0)),
]  # fmt: skip


def statistic(n, total, variance):
    """gbstats takes sums: its published test gives them as sums of squares."""
    return SampleMeanStatistic(n=n, sum=total, sum_squares=variance * (n - 1) + total * total / n)


def groups():
    for a, b in GROUPS:
        # The first two are gbstats' own test data, given as sum and sum of squares.
        if a[1] > 1000:
            a, b = (SampleMeanStatistic(n=n, sum=s, sum_squares=q) for n, s, q in (a, b))
        else:
            a, b = (statistic(n, m * n, v) for n, m, v in (a, b))
        yield a, b


def rows():
    for a, b in groups():
        numbers = (a.n, a.mean, a.variance, b.n, b.mean, b.variance)
        for kind in ("absolute", "relative"):
            head = (int(kind == "relative"), *numbers)
            test = TwoSidedTTest(a, b, FrequentistConfig(alpha=0.1, difference_type=kind))
            r = test.compute_result()
            yield ("welch", *head, 0.9, 0, 0, r.expected, *r.ci, r.p_value, r.uplift.stddev, 0)
            test = TwoSidedTTest(a, b, FrequentistConfig(difference_type=kind))
            r = test.compute_result()
            yield ("welch", *head, 0.95, 0, 0, r.expected, *r.ci, r.p_value, r.uplift.stddev, 0)
            for tuning in (1000, 5000):
                config = SequentialConfig(difference_type=kind, sequential_tuning_parameter=tuning)
                r = SequentialTwoSidedTTest(a, b, config).compute_result()
                yield ("sequential", *head, 0.95, tuning, 0, r.expected, *r.ci, r.p_value, r.uplift.stddev, 0)
            for prior in (None, (0.05, 0.2)):
                g = GaussianPrior(prior[0], prior[1] ** 2, True) if prior else GaussianPrior()
                r = EffectBayesianABTest(a, b, EffectBayesianConfig(difference_type=kind, prior_type=kind, prior_effect=g)).compute_result()
                yield ("bayes", *head, 0.95, *(prior or (0, 0)), r.expected, *r.ci, r.chance_to_win, r.risk[1], r.risk[0])


lines = [",".join(str(float(v)) if not isinstance(v, str) else v for v in row) for row in rows()]
header = "test,relative,rows_a,mean_a,variance_a,rows_b,mean_b,variance_b,level,setting,deviation,estimate,low,high,p,fifth,sixth"
(HERE / "gbstats.csv").write_text("\n".join([header, *lines]) + "\n")
