"""Writes series_values.csv, ets.csv, survival_rows.csv, kaplan_meier.csv, log_rank.csv, mix_rows.csv and mix.csv: what statsmodels
0.15.0, lifelines 0.30.3, scikit-learn 1.9.1 and scipy answer, for series/, survival.rs and marketing_mix/.

Three series are public-domain data that come with statsmodels (Nile, quarterly investment, sea temperatures); days with
a week in them are made here.
"""
import pathlib
import warnings

import lifelines
import numpy as np
import pandas as pd
import statsmodels.api as sm
from lifelines.datasets import load_waltons
from lifelines.statistics import logrank_test
from scipy.optimize import lsq_linear
from sklearn.linear_model import Ridge
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.holtwinters import ExponentialSmoothing

HERE = pathlib.Path(__file__).resolve().parent
AHEAD = 26
KEPT = (0, 1, 2, 3, 4, 6, 7, 11, 12, 13, 24, 25)
rng = np.random.default_rng(11)
warnings.simplefilter("ignore")


def write(name, header, rows):
    lines = [header] + [",".join(repr(float(c)) if isinstance(c, (float, np.floating)) else str(c) for c in row) for row in rows]
    (HERE / name).write_text("\n".join(lines) + "\n")


def all_series():
    days = 40 + 0.1 * np.arange(90) + np.tile([0, 1, 2, 1, 6, 9, -4], 13)[:90] + rng.normal(0, 2, 90)
    sea = sm.datasets.elnino.load_pandas().data.drop(columns="YEAR").to_numpy().ravel()[-120:]
    return {
        "nile": (1, sm.datasets.nile.load_pandas().data["volume"].to_numpy(float)),
        "investment": (4, sm.datasets.macrodata.load_pandas().data["realinv"].to_numpy(float)[-80:]),
        "sea": (12, sea),
        "days": (7, np.round(days, 3)),
    }


def forms(season):
    for trend, damped in (("none", False), ("linear", False), ("damped", True)):
        for m in {1, season}:
            yield trend, damped, m


def ets():
    for name, (season, y) in all_series().items():
        for trend, damped, m in forms(season):
            kind = {"trend": None if trend == "none" else "add", "damped_trend": damped}
            seasonal = {"seasonal": "add" if m > 1 else None, "seasonal_periods": m if m > 1 else None}
            fit = ETSModel(pd.Series(y), error="add", **kind, **seasonal).fit(maxiter=2000, disp=0)
            frame = fit.get_prediction(start=len(y), end=len(y) + AHEAD - 1).summary_frame(alpha=0.05)
            old = ExponentialSmoothing(y, **kind, **seasonal, initialization_method="estimated").fit()
            given = {
                "alpha": fit.alpha,
                "beta": fit.beta if kind["trend"] else 0.0,
                "gamma": fit.gamma if m > 1 else 0.0,
                "phi": fit.phi if damped else 1.0,
                "level": fit.initial_level,
                "slope": fit.initial_trend if kind["trend"] else 0.0,
                "log_likelihood": fit.llf,
                "sum_of_squares": fit.sse,
                "holt_winters_sum_of_squares": old.sse,
            }
            for what, value in given.items():
                yield name, trend, m, what, 0, float(value)
            for i, value in enumerate(fit.initial_seasonal if m > 1 else []):
                yield name, trend, m, "season", i, value
            for what in ("mean", "pi_lower", "pi_upper"):
                for i in KEPT:
                    yield name, trend, m, what, i, frame[what].iloc[i]


def survival_data():
    waltons = load_waltons()
    yield "waltons", waltons["T"].to_numpy(float), waltons["E"].to_numpy(bool), (waltons["group"] == "control").to_numpy()
    group = rng.random(80) < 0.4
    event, leave = rng.exponential(np.where(group, 9, 6)), rng.exponential(10, 80)
    yield "drawn", np.ceil(np.minimum(event, leave)), event <= leave, group


def survival():
    rows, curves, tests = [], [], []
    for name, time, seen, group in survival_data():
        rows += [(name, t, int(e), int(g)) for t, e, g in zip(time, seen, group)]
        for level in (0.95, 0.8):
            km = lifelines.KaplanMeierFitter(alpha=1 - level).fit(time, seen)
            table, bounds = km.event_table, km.confidence_interval_survival_function_.to_numpy()
            for i, t in enumerate(table.index):
                at = table.loc[t]
                if at["observed"] + at["censored"] > 0:
                    curves.append((name, level, t, int(at["at_risk"]), int(at["observed"]), float(km.predict(t)), *map(float, bounds[i])))
        found = logrank_test(time[group], time[~group], seen[group], seen[~group])
        median = lifelines.KaplanMeierFitter().fit(time, seen).median_survival_time_
        tests.append((name, float(found.test_statistic), float(found.p_value), float(median)))
    write("survival_rows.csv", "data,duration,observed,second_group", rows)
    write("kaplan_meier.csv", "data,level,time,at_risk,events,survival,low,high", curves)
    write("log_rank.csv", "data,statistic,p_value,median", tests)


def adstock(spend, rate):
    stock, out = 0.0, []
    for s in spend:
        stock = s + rate * stock
        out.append(stock)
    return np.array(out)


def mix():
    """Four channels, of which the third harms in truth, and two controls."""
    n = 90
    spend = np.round(rng.gamma(2.0, 50.0, (n, 4)) * (rng.random((n, 4)) < 0.8), 2)
    spend[:, 1] = np.round(0.6 * spend[:, 0] + 0.4 * spend[:, 1], 2)
    controls = np.column_stack([np.arange(n) / n, np.round(np.sin(np.arange(n) / 8), 6)])
    truth = adstock(spend[:, 0], 0.5) * 0.8 + spend[:, 1] - 0.5 * spend[:, 2] + 200 * np.log1p(spend[:, 3] / 40)
    sales = np.round(1000 + 300 * controls[:, 0] + 80 * controls[:, 1] + truth + rng.normal(0, 60, n), 2)
    rows = [(y, *s, *c) for y, s, c in zip(sales, spend, controls)]
    write("mix_rows.csv", "sales,spend_0,spend_1,spend_2,spend_3,trend,wave", rows)
    shapes = {
        "none": lambda a, k: a,
        "log": lambda a, k: np.log1p(a / k),
        "hill": lambda a, k: a**1.5 / (a**1.5 + k**1.5),
    }
    answers = []
    for name, shape in shapes.items():
        for rate in (0.0, 0.6):
            columns = np.column_stack([shape(adstock(spend[:, c], rate), 2 * spend[:, c].mean()) for c in range(4)])
            z = (columns - columns.mean(0)) / columns.std(0)
            for l2 in (0.001, 20.0):
                # The controls are free and cost nothing; the ridge is four more rows.
                free = np.column_stack([np.ones(n), controls])
                left = np.block([[z, free], [np.sqrt(l2) * np.eye(4), np.zeros((4, 3))]])
                right = np.concatenate([sales, np.zeros(4)])
                low = [0] * 4 + [-np.inf] * 3
                bounded = lsq_linear(left, right, (low, np.inf), method="bvls", tol=1e-15).x[:4]
                ridge = Ridge(alpha=l2, positive=True, tol=1e-14, max_iter=100000).fit(z, sales).coef_
                for with_controls, w in ((1, bounded), (0, ridge)):
                    for c in range(4):
                        b = w[c] / columns[:, c].std()
                        answers.append((name, rate, l2, with_controls, c, float(b), float(b * columns[:, c].sum())))
    write("mix.csv", "saturation,rate,l2,controls,channel,coefficient,contribution", answers)


write("series_values.csv", "series,value", [(name, float(v)) for name, (_, y) in all_series().items() for v in y])
rng = np.random.default_rng(11)
write("ets.csv", "series,trend,season,what,index,value", ets())
survival()
mix()
