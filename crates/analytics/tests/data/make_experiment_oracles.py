"""Writes experiments.csv: statsmodels 0.15, SciPy 1.17.1, python-xxhash, and beta integrals by mpmath.

Each row: what, then its inputs, then its answers; the test of that name knows how many of each.
cuped.csv: metric, covariate and group of 60 customers, whose ordinary least squares are the rows `cuped`.
"""
import pathlib
import random

import numpy as np
import statsmodels.api as sm
import xxhash
from mpmath import beta, betainc, mp, mpf, quad
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower, TTestIndPower
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_effectsize, proportions_ztest

HERE = pathlib.Path(__file__).resolve().parent
mp.dps = 20


def proportions():
    for x0, n0, x1, n1, level in [(120, 1000, 150, 1000, 0.95), (0, 20, 3, 25, 0.9), (5, 9, 0, 11, 0.95),
                                  (52000, 1000000, 52600, 1010000, 0.99), (7, 7, 5, 8, 0.8)]:  # fmt: skip
        z, p = proportions_ztest([x1, x0], [n1, n0])
        difference = confint_proportions_2indep(x1, n1, x0, n0, method="newcomb", compare="diff", alpha=1 - level)
        ratio = confint_proportions_2indep(x1, n1, x0, n0, method="log-adjusted", compare="ratio", alpha=1 - level)
        yield ("proportions", x0, n0, x1, n1, level, p, *difference, ratio[0] - 1, ratio[1] - 1)


def power():
    t, z = TTestIndPower(), NormalIndPower()
    for d, level, goal, ratio in [(0.2, 0.95, 0.8, 1), (0.02, 0.95, 0.9, 1), (1.5, 0.99, 0.8, 0.5), (0.5, 0.9, 0.6, 3), (2.5, 0.95, 0.8, 1)]:
        n = t.solve_power(d, None, 1 - level, goal, ratio)
        at = 8.5
        yield ("power_means", d, level, goal, ratio, n, t.power(d, at, 1 - level, ratio=ratio), t.solve_power(None, at, 1 - level, goal, ratio))
    for p0, p1, level, goal, ratio in [(0.1, 0.12, 0.95, 0.8, 1), (0.5, 0.45, 0.99, 0.9, 2), (0.02, 0.021, 0.95, 0.8, 0.25), (0.3, 0.8, 0.9, 0.7, 1)]:
        h = proportion_effectsize(p1, p0)
        n = z.solve_power(h, None, 1 - level, goal, ratio)
        yield ("power_rates", p0, p1, level, goal, ratio, n, z.power(h, 250, 1 - level, ratio=ratio))


def corrections():
    rng = random.Random(3)
    for count in (1, 2, 6, 9):
        p = [round(rng.random() ** 3, 4) for _ in range(count)]
        if count == 9:
            p[3], p[5], p[8] = p[0], 0.0, 1.0
        for name in ("bonferroni", "holm", "fdr_bh"):
            yield ("adjust", name, *p, *multipletests(p, method=name)[1])


def welch():
    rng = np.random.default_rng(5)
    for n, m in [(2, 2), (3, 40), (150, 150), (101, 102), (400, 900)]:
        a, b = np.round(rng.normal(10, 2, n), 2), np.round(rng.normal(10.4, 3, m), 2)
        r = stats.ttest_ind(b, a, equal_var=False)
        ci = r.confidence_interval(0.95)
        yield ("welch", n, m, a.mean(), a.var(ddof=1), b.mean(), b.var(ddof=1), r.pvalue, ci.low, ci.high)


def student():
    for degrees in (1, 1.7, 3, 30, 199, 200.5, 201, 1000, 123456.7, 1e9):
        for p in (0.9, 0.2, 0.05, 1e-3, 1e-7):
            yield ("student", degrees, p, stats.t.isf(p / 2, degrees))


def srm():
    for counts, weights in [((1000, 1100), (1, 1)), ((5010, 3020, 1970), (0.5, 0.3, 0.2)), ((10, 0), (3, 1))]:
        expected = np.array(weights) / sum(weights) * sum(counts)
        r = stats.chisquare(counts, expected)
        yield ("srm", *counts, *weights, r.statistic, r.pvalue)


def bayes():
    """By mpmath up to some hundred customers, by SciPy's beta on 100 Gauss-Legendre nodes a panel beyond."""
    for x0, n0, x1, n1, a, b in [(49, 100, 51, 100, 1, 1), (0, 10, 2, 12, 0.5, 0.5), (0, 3, 0, 2, 1, 1), (20, 20, 20, 20, 0.5, 1),
                                 (3, 5000, 9, 5100, 2, 50), (90, 100, 12000, 20000, 1, 1), (300000, 1000000, 301500, 1000000, 1, 1)]:  # fmt: skip
        pair = [(a + x, b + n - x) for x, n in ((x0, n0), (x1, n1))]
        if n1 <= 100:
            pdf = [lambda x, p=p, q=q: x ** (p - 1) * (1 - x) ** (mpf(q) - 1) / beta(p, q) for p, q in pair]
            cdf = [lambda x, p=p, q=q: betainc(p, q, 0, x, regularized=True) for p, q in pair]
            sf = [lambda x, p=p, q=q: betainc(p, q, x, 1, regularized=True) for p, q in pair]
            integral = lambda f: quad(f, [0, mpf(1) / 4, mpf(1) / 2, mpf(3) / 4, 1])  # noqa: E731
        else:
            both = [stats.beta(p, q) for p, q in pair]
            pdf, cdf, sf = [d.pdf for d in both], [d.cdf for d in both], [d.sf for d in both]
            cuts = np.unique([np.clip(d.mean() + k * d.std(), 0, 1) for d in both for k in range(-16, 60)])
            nodes, weights = np.polynomial.legendre.leggauss(100)

            def integral(f):
                return sum((f((u + v) / 2 + (v - u) / 2 * nodes) * weights).sum() * (v - u) / 2 for u, v in zip(cuts, cuts[1:]))

        # E[max(A - B, 0)] = integral of P(B < p) P(A > p).
        losses = [integral(lambda x: cdf[j](x) * sf[i](x)) for i, j in ((0, 1), (1, 0))]
        yield ("bayes", x0, n0, x1, n1, a, b, integral(lambda x: pdf[1](x) * cdf[0](x)), *losses)


def bayes_quantiles():
    """Of B - A and of B / A - 1: the distribution by 2,000 Gauss-Legendre nodes, inverted by brentq."""
    for x0, n0, x1, n1 in [(49, 100, 51, 100), (2, 30, 9, 31)]:
        a, b = (stats.beta(1 + x, 1 + n - x) for x, n in ((x0, n0), (x1, n1)))
        grid = np.polynomial.legendre.leggauss(2000)
        x, w = (grid[0] + 1) / 2, grid[1] / 2
        for p in (0.025, 0.5, 0.975):
            difference = brentq(lambda d: (w * a.pdf(x) * b.cdf(x + d)).sum() - p, -1, 1, xtol=1e-14)
            ratio = brentq(lambda r: (w * a.pdf(x) * b.cdf(x * r)).sum() - p, 1e-6, 1e4, xtol=1e-13)
            yield ("bayes_quantile", x0, n0, x1, n1, p, difference, ratio - 1)


def assignments():
    for salt, holdout_salt in (("checkout-button", "holdout"), ("", "2026")):
        for customer in ("17850", "c1", "", "日本", "x" * 300):
            share = lambda s: (xxhash.xxh3_64_intdigest(customer.encode(), xxhash.xxh3_64_intdigest(s.encode())) >> 11) / 2**53  # noqa: E731
            yield ("assignment", salt, holdout_salt, customer, share(salt), share(holdout_salt))


def cuped():
    rng = random.Random(11)
    rows = []
    for i in range(60):
        x = round(rng.gauss(20, 6), 1)
        rows.append((round(3 + 0.8 * x + 1.5 * (i % 3 == 1) + rng.gauss(0, 3), 2), x, i % 3))
    (HERE / "cuped.csv").write_text("metric,covariate,group\n" + "\n".join(",".join(map(str, r)) for r in rows) + "\n")
    y, x, g = (np.array(c) for c in zip(*rows))
    fit = sm.OLS(y, np.column_stack([np.ones(60), x, g == 1, g == 2]).astype(float)).fit()
    yield ("cuped", *fit.params[1:], *fit.bse[2:])


def text(value):
    return value if isinstance(value, str) else mp.nstr(value, 17) if isinstance(value, mpf) else repr(float(value))


with (HERE / "experiments.csv").open("w") as file:
    file.write("what,inputs and answers\n")
    for part in (proportions, power, corrections, welch, student, srm, bayes, bayes_quantiles, assignments, cuped):
        for row in part():
            file.write(",".join(text(v) for v in row) + "\n")
