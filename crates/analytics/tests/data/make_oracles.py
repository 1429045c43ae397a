"""Writes the oracle files of this folder. Needs lifetimes 0.11.3, scikit-learn 1.9, scipy, mpmath, numpy < 2.1.

metric_rows.csv    labels, scores (with ties), probabilities, values; metrics.csv and logistic.csv are of these rows
btyd.csv           exact answers of BG/NBD and Pareto/NBD from their published 2F1 forms, in 60 digits and more
"""
import pathlib
import random

import numpy as np
from mpmath import beta, gamma, hyp2f1, log, mp, mpf
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

HERE = pathlib.Path(__file__).resolve().parent
mp.dps = 60


def write(name, header, rows):
    lines = [header] + [",".join(str(v) for v in row) for row in rows]
    (HERE / name).write_text("\n".join(lines) + "\n")


def metric_rows():
    rng = random.Random(7)
    rows = []
    for _ in range(60):
        y = int(rng.random() < 0.35)
        score = round(rng.gauss(0.8 * y, 1), 1)
        probability = round(min(1, max(0, rng.gauss(0.3 + 0.3 * y, 0.25))), 2)
        actual = round(rng.expovariate(0.05), 2) if rng.random() < 0.6 else 0.0
        rows.append((y, score, probability, actual, round(0.5 * actual + rng.expovariate(0.1), 0)))
    return rows


def gini(actual, predicted):
    """Area by numerical integration of the curve through the ends of groups of equal predictions."""
    xs, ys = [0.0], [0.0]
    for p in sorted(set(predicted), reverse=True):
        xs.append(xs[-1] + (predicted == p).sum() / len(actual))
        ys.append(ys[-1] + actual[predicted == p].sum() / actual.sum())
    return np.trapezoid(ys, xs) - 0.5


def metric_oracles(rows):
    y, score, probability, actual, predicted = map(np.array, zip(*rows))
    ranks = [1, 2, 3, 7, 10, 11, 400]
    relevance = [[1.0 if i + 1 == r else 0.0 for i in range(400)] for r in ranks]
    scores = [[float(-i) for i in range(400)]] * len(ranks)
    # Distinct, so that ten bins of six rows are the same for everybody.
    distinct = 0.99 * probability + 1e-4 * np.arange(len(rows))
    happened, called = calibration_curve(y, distinct, n_bins=10, strategy="quantile")
    top = np.isin(np.arange(len(rows)), np.argsort(score + 1e-4 * np.arange(len(rows)))[-6:])
    return [
        ("auc", metrics.roc_auc_score(y, score)),
        ("average_precision", metrics.average_precision_score(y, score)),
        ("log_loss", metrics.log_loss(y, probability)),
        ("brier", metrics.brier_score_loss(y, probability)),
        ("mae", metrics.mean_absolute_error(actual, predicted)),
        ("rmse", metrics.root_mean_squared_error(actual, predicted)),
        ("pearson", stats.pearsonr(actual, predicted)[0]),
        ("poisson_deviance", metrics.mean_poisson_deviance(actual, predicted + 1)),
        ("spearman", stats.spearmanr(actual, predicted)[0]),
        ("normalised_gini", gini(actual, predicted) / gini(actual, actual)),
        ("calibration_error", np.abs(happened - called).mean()),
        ("top_decile_precision", metrics.precision_score(y, top)),
        ("top_decile_lift", metrics.recall_score(y, top) * 10),
        ("ndcg@10", metrics.ndcg_score(relevance, scores, k=10)),
    ]


def bg_nbd(r, alpha, a, b, x, tx, t, h):
    def likelihood(end):
        stay = beta(a, b + x) / beta(a, b) * (alpha + end) ** -(r + x)
        leave = beta(a + 1, b + x - 1) / beta(a, b) * (alpha + tx) ** -(r + x) if x else mpf(0)
        return gamma(r + x) * alpha**r / gamma(r) * (stay + leave), stay / (stay + leave)

    now, alive = likelihood(t)
    f = hyp2f1(r + x, b + x, a + b + x - 1, h / (alpha + t + h))
    expected = (a + b + x - 1) / (a - 1) * (1 - ((alpha + t) / (alpha + t + h)) ** (r + x) * f) * alive
    return log(now), alive, expected, likelihood(t + h)[0] / now


def pareto_nbd(r, alpha, s, beta_, x, tx, t, h):
    def likelihood(end):
        def term(at):
            z = abs(alpha - beta_) / (max(alpha, beta_) + at)
            second = s + 1 if alpha >= beta_ else r + x
            return hyp2f1(r + s + x, second, r + s + x + 1, z) / (max(alpha, beta_) + at) ** (r + s + x)

        stay = (alpha + end) ** -(r + x) * (beta_ + end) ** -s
        leave = s / (r + s + x) * (term(tx) - term(end))
        return gamma(r + x) * alpha**r * beta_**s / gamma(r) * (stay + leave), stay / (stay + leave)

    now, alive = likelihood(t)
    active = (r + x) * (beta_ + t) / ((alpha + t) * (s - 1)) * (1 - ((beta_ + t) / (beta_ + t + h)) ** (s - 1))
    return log(now), alive, active * alive, likelihood(t + h)[0] / now


def btyd_rows():
    histories = [(0, 0, 0, 1), (0, 0, 38.86, 39), (2, 30.43, 38.86, 39), (2, 1.5, 38.86, 39), (7, 38.86, 38.86, 4),
                 (26, 30.86, 31, 52), (120, 20, 100, 13), (400, 90, 93, 26), (60, 30, 31, 700), (3, 2, 2.5, 900)]  # fmt: skip
    bg = [(".2426", "4.4135", ".7929", "2.4258"), ("3", ".7", ".05", ".4"), (".02", "60", "1.001", "30"), ("12", "2", "5", ".3")]
    pareto = [(".5533", "10.577", ".6062", "11.669"), ("4.1", ".5", ".08", "900"), (".05", "300", "2.001", ".02"),
              ("20.3", "8", "9.1", "8.5"), (".9", ".01", ".3", "40")]  # fmt: skip
    for model, sets in ((bg_nbd, bg), (pareto_nbd, pareto)):
        for parameters in sets:
            for history in histories:
                exact = None
                # The published forms cancel: add digits until two precisions agree.
                for digits in (50, 120, 400, 1200):
                    mp.dps = digits
                    args = [mpf(p) for p in parameters] + [mpf(str(v)) for v in history]
                    last, exact = exact, model(*args)
                    if last and all(abs(p - q) <= mpf(10) ** -25 * abs(q) for p, q in zip(last, exact)):
                        break
                mp.dps = 25
                yield (model.__name__, *parameters, *history, *(mp.nstr(+v, 20) for v in exact))


def logistic_oracle(rows):
    x = np.array([(score, probability * 100, 3.0, actual) for _, score, probability, actual, _ in rows])
    y = np.array([row[0] for row in rows])
    for l2 in (0.1, 10.0):
        scale = StandardScaler().fit(x)
        fit = LogisticRegression(C=1 / l2, tol=1e-14, max_iter=100_000, solver="newton-cholesky").fit(scale.transform(x), y)
        coefficients = fit.coef_[0] / scale.scale_
        yield (l2, fit.intercept_[0] - (coefficients * scale.mean_).sum(), *coefficients)


rows = metric_rows()
write("metric_rows.csv", "label,score,probability,actual,predicted", rows)
write("metrics.csv", "metric,value", metric_oracles(rows))
write("btyd.csv", "model,p1,p2,p3,p4,x,t_x,t,horizon,log_likelihood,p_alive,expected,p_zero", btyd_rows())
write("logistic.csv", "l2,intercept,score,probability_percent,constant,actual", logistic_oracle(rows))
