"""Writes the oracle files of attribution, uplift and graphs. Needs ChannelAttribution 2.2.5, scikit-uplift 0.5.1,
scikit-learn 1.9, networkx 3.6 and, in an environment of its own whose python is the first argument,
marketing-attribution-models 1.0.10 with pandas < 2.2, numpy < 2, matplotlib < 3.8. The folder of shared data is the second argument.

attribution_heuristics.csv  ChannelAttribution.heuristic_models on channel_attribution/Data.csv
attribution_transitions.csv ChannelAttribution.transition_matrix of the same; of order 2 and 3 every 20th row
attribution_removal.csv     removal effects of ChannelAttribution.markov_model (simulated), and by a dense solve in numpy
attribution_paths.csv       small made-up paths; attribution_mam.csv: what mam makes of them
uplift_rows.csv             label, arm, score (with ties) and two columns; uplift.csv: sklift and scikit-learn on them
uplift_curves.csv           sklift.metrics.qini_curve and uplift_curve of the same
hillstrom.csv               sklift on hillstrom/hillstrom.csv, men's mail against none, visits, ranked by history
karate.csv                  Zachary's karate club (networkx), weighted; karate_nodes.csv and graph.csv: networkx on it
digraph.csv                 a random weighted digraph with dangling nodes; digraph_rank.csv: its PageRank in networkx
"""
import itertools
import json
import pathlib
import random
import subprocess
import sys

import networkx as nx
import numpy as np
import pandas as pd

HERE = pathlib.Path(__file__).resolve().parent


def write(name, header, rows):
    lines = [header] + [",".join(str(v) for v in row) for row in rows]
    (HERE / name).write_text("\n".join(lines) + "\n")


def channel_attribution(shared):
    import ChannelAttribution as ca

    data = pd.read_csv(f"{shared}/channel_attribution/Data.csv", sep=";")
    found = ca.heuristic_models(data, "path", "total_conversions", var_value="total_conversion_value", flg_pro=False)
    write("attribution_heuristics.csv", ",".join(found.columns), found.itertuples(index=False))
    rows, effects = [], {}
    for order in (1, 2, 3):
        found = ca.transition_matrix(data, "path", "total_conversions", "total_null", order=order, flg_pro=False)
        names = dict(zip(found["channels"].id_channel.astype(str), found["channels"].channel_name))
        spell = lambda s: s if str(s).startswith("(") else " ".join(names[c] for c in str(s).split())
        matrix = found["transition_matrix"]
        every = 1 if order == 1 else 20
        all_rows = [(order, spell(a), spell(b), p) for a, b, p in matrix.itertuples(index=False)]
        rows += [(*row, len(all_rows)) for row in all_rows[::every]]
        model = ca.markov_model(data, "path", "total_conversions", var_value="total_conversion_value", var_null="total_null",
                                order=order, nsim_start=5e6, conv_par=0.005, out_more=True, flg_pro=False, verbose=False)  # fmt: skip
        simulated = model["removal_effects"].set_index("channel_name")
        exact = dense_effects(data, order)
        for channel in simulated.index:
            effects[order, channel] = (*simulated.loc[channel], *exact[channel])
    write("attribution_transitions.csv", "order,from,to,probability,all_rows", rows)
    header = "order,channel,simulated_conversions,simulated_value,exact_conversions,exact_value"
    write("attribution_removal.csv", header, [(*key, *value) for key, value in effects.items()])


def dense_effects(data, order):
    """Removal effects by the dense fundamental system, one solve per channel."""
    number, rows = {}, []
    for path, conversions, value, nulls in data.itertuples(index=False):
        touches = path.split(" > ")
        size = min(order, len(touches))
        windows = [tuple(touches[i : i + size]) for i in range(len(touches) - size + 1)]
        rows.append(([number.setdefault(w, len(number)) for w in windows], conversions, value, nulls))
    n = len(number)
    moves, ends, start = np.zeros((n, n)), np.zeros((n, 2)), np.zeros(n)
    total = np.zeros(n)
    for states, conversions, value, nulls in rows:
        weight = conversions + nulls
        start[states[0]] += weight
        for a, b in itertools.pairwise(states):
            moves[a, b] += weight
        for s in states:
            total[s] += weight
        ends[states[-1]] += (conversions, value)
    start /= start.sum()
    moves, ends = moves / total[:, None], ends / total[:, None]

    def expected(keep):
        return start[keep] @ np.linalg.solve(np.eye(len(keep)) - moves[np.ix_(keep, keep)], ends[keep])

    everything = expected(np.arange(n))
    channels = sorted({c for w in number for c in w})
    keep = {c: np.array([i for w, i in number.items() if c not in w]) for c in channels}
    return {c: 1 - expected(keep[c]) / everything for c in channels}


MAM = """
import json, sys
import pandas as pd
from marketing_attribution_models import MAM
rows = json.load(sys.stdin)
frame = pd.DataFrame(rows)
m = MAM(frame, channels_colname="channels", journey_with_conv_colname="converted", conversion_value="value",
        group_channels_by_id_list=["id"], time_till_conv_colname="hours", path_separator=" > ")
out = {}
# A touch loses half per day of 24 hours, and the made-up times are whole days.
out["time_decay"] = m.attribution_time_decay(decay_over_time=0.5, frequency=24)[1]
out["position"] = m.attribution_position_based()[1]
out["position_30_20"] = m.attribution_position_based([0.3, 0.5, 0.2])[1]
out["shapley_rate"] = m.attribution_shapley(size=10, values_col="conv_rate")[1]
out["shapley_conversions"] = m.attribution_shapley(size=10, values_col="conversions")[1]
for name, frame in out.items():
    frame = frame.reset_index() if isinstance(frame, pd.Series) else frame
    for channel, value in frame.iloc[:, [0, -1]].itertuples(index=False):
        print(name, channel, repr(float(value)), sep=",")
"""


def mam(python):
    rng = random.Random(11)
    rows = []
    for i in range(120):
        touches = [rng.choice("01234") for _ in range(rng.choice([1, 1, 2, 2, 3, 4, 6]))]
        days = sorted(rng.randrange(0, 30) for _ in touches)
        converted = rng.random() < 0.45
        value = rng.randrange(1, 50) if converted else 0
        hours = [24 * (days[-1] - d) for d in days]
        rows.append({"id": i, "channels": " > ".join(touches), "hours": " > ".join(map(str, hours)),
                     "converted": converted, "value": value, "days": " ".join(map(str, days))})  # fmt: skip
    given = [{k: r[k] for k in ("id", "channels", "hours", "converted", "value")} for r in rows]
    run = subprocess.run([python, "-W", "ignore", "-c", MAM], input=json.dumps(given), capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    lines = [line.split(",") for line in run.stdout.splitlines() if line.count(",") == 2]
    paths = [(r["channels"].replace(" > ", " "), r["days"], int(r["converted"]), r["value"]) for r in rows]
    write("attribution_paths.csv", "channels,days,converted,value", paths)
    write("attribution_mam.csv", "model,channel,value", lines)


def uplift(shared):
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklift import metrics
    from sklift.models import TwoModels

    rng = np.random.default_rng(5)
    n = 400
    x = np.round(rng.normal(size=(n, 2)) * [1, 30], 2)
    t = (rng.random(n) < 0.4).astype(int)
    y = (rng.random(n) < 1 / (1 + np.exp(1 - 0.6 * x[:, 0] - t * (0.5 + 0.02 * x[:, 1])))).astype(int)
    score = np.round(0.02 * x[:, 1] + rng.normal(size=n), 1)
    write("uplift_rows.csv", "label,treated,score,x1,x2", zip(y, t, score, x[:, 0], x[:, 1]))
    rows = [("qini_auc", 0, metrics.qini_auc_score(y, score, t)), ("uplift_auc", 0, metrics.uplift_auc_score(y, score, t))]
    more = (y | (rng.random(n) < 0.6)).astype(int)  # where control positives outnumber treated negatives
    rows += [("qini_auc_more", 0, metrics.qini_auc_score(more, score, t))]
    rows += [("uplift_auc_more", 0, metrics.uplift_auc_score(more, score, t))]
    rows += [("more", i, v) for i, v in enumerate(more)]
    logistic = lambda: make_pipeline(StandardScaler(), LogisticRegression(C=1 / 2.0, tol=1e-14, max_iter=10**5, solver="newton-cholesky"))
    effects = TwoModels(logistic(), logistic(), method="vanilla").fit(x, y, t).predict(x)
    rows += [("two_logistic", i, v) for i, v in enumerate(effects[:50])]
    ridge = lambda x, y: make_pipeline(StandardScaler(), Ridge(alpha=2.0)).fit(x, y)
    effects = ridge(x[t == 1], y[t == 1]).predict(x) - ridge(x[t == 0], y[t == 0]).predict(x)
    rows += [("two_linear", i, v) for i, v in enumerate(effects[:50])]
    e = t.mean()
    effects = ridge(x, y * (t - e) / (e * (1 - e))).predict(x)
    rows += [("transformed", i, v) for i, v in enumerate(effects[:50])]
    write("uplift.csv", "what,row,value", rows)
    curves = [("qini", metrics.qini_curve), ("uplift", metrics.uplift_curve)]
    write("uplift_curves.csv", "curve,rows,gain", [(k, *p) for k, f in curves for p in zip(*f(y, score, t))])

    data = pd.read_csv(f"{shared}/hillstrom/hillstrom.csv")
    data = data[data.segment != "Womens E-Mail"]
    y, t, score = data.visit.values, (data.segment == "Mens E-Mail").astype(int).values, data.history.values
    write("hillstrom.csv", "metric,value", [(f.__name__, f(y, score, t)) for f in (metrics.qini_auc_score, metrics.uplift_auc_score)])


def degree_discount(graph, p, count):
    """Chen, Wang & Yang 2009, algorithm 4, recomputed from its definition at every choice."""
    chosen = []
    for _ in range(count):
        def score(v):
            d, t = graph.degree(v), sum(u in chosen for u in graph[v])
            return d - 2 * t - (d - t) * t * p
        chosen.append(max((v for v in graph if v not in chosen), key=lambda v: (score(v), -v)))
    return chosen


def graphs():
    karate = nx.karate_club_graph()
    write("karate.csv", "from,to,weight", [(a, b, d["weight"]) for a, b, d in karate.edges(data=True)])
    weighted = nx.pagerank(karate, tol=1e-15, max_iter=10**4)
    plain = nx.pagerank(karate, weight=None, tol=1e-15, max_iter=10**4)
    club = {v: int(d["club"] == "Officer") for v, d in karate.nodes(data=True)}
    write("karate_nodes.csv", "node,club,rank_weighted,rank_plain", [(v, club[v], weighted[v], plain[v]) for v in karate])
    clubs = [{v for v in club if club[v] == side} for side in (0, 1)]
    rows = [("modularity_weighted", nx.community.modularity(karate, clubs))]
    rows += [("modularity_plain", nx.community.modularity(karate, clubs, weight=None))]
    rows += [("modularity_resolution_2", nx.community.modularity(karate, clubs, resolution=2))]
    looped = karate.copy()
    looped.add_edge(3, 3, weight=5)
    rows += [("modularity_loop", nx.community.modularity(looped, clubs))]
    for name, weight in (("weighted", "weight"), ("plain", None)):
        found = [nx.community.modularity(karate, nx.community.louvain_communities(karate, weight=weight, seed=s), weight=weight)
                 for s in range(200)]  # fmt: skip
        rows += [(f"louvain_{name}_{k}", v) for k, v in (("least", min(found)), ("mean", np.mean(found)), ("most", max(found)))]
    rows += [(f"degree_discount_{i}", v) for i, v in enumerate(degree_discount(karate, 0.1, 6))]
    write("graph.csv", "what,value", rows)

    rng = random.Random(3)
    edges = {(rng.randrange(30), rng.randrange(40)): rng.randrange(0, 9) for _ in range(140)}
    digraph = nx.DiGraph()
    digraph.add_nodes_from(range(40))
    digraph.add_weighted_edges_from((a, b, w) for (a, b), w in edges.items())
    write("digraph.csv", "from,to,weight", [(a, b, w) for (a, b), w in edges.items()])
    rank = {d: nx.pagerank(digraph, alpha=d, tol=1e-15, max_iter=10**4) for d in (0.85, 0.5)}
    write("digraph_rank.csv", "node,rank_85,rank_50", [(v, rank[0.85][v], rank[0.5][v]) for v in digraph])


mam(sys.argv[1])
uplift(sys.argv[2])
graphs()
channel_attribution(sys.argv[2])
