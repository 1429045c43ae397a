"""Writes the oracle files of association rules. Needs mlxtend 0.25.

baskets.csv           2,000 random baskets: the second 6 items come in pairs with the first, so that there are rules
baskets_itemsets.csv  their itemsets with min_support .01
baskets_rules.csv     the rules of those with confidence .5 or more
mlxtend_itemsets.csv  the same of the 5 baskets of mlxtend's documentation, min_support .6 (items: see ITEMS)
mlxtend_rules.csv     their rules with confidence .7 or more
"""
import pathlib
import random

import pandas as pd
from mlxtend.frequent_patterns import association_rules, fpgrowth
from mlxtend.preprocessing import TransactionEncoder

HERE = pathlib.Path(__file__).resolve().parent
ITEMS = ["Apple", "Corn", "Dill", "Eggs", "Ice cream", "Kidney Beans", "Milk", "Nutmeg", "Onion", "Unicorn", "Yogurt"]
DOCUMENTATION = [
    ["Milk", "Onion", "Nutmeg", "Kidney Beans", "Eggs", "Yogurt"],
    ["Dill", "Onion", "Nutmeg", "Kidney Beans", "Eggs", "Yogurt"],
    ["Milk", "Apple", "Kidney Beans", "Eggs"],
    ["Milk", "Unicorn", "Corn", "Kidney Beans", "Yogurt"],
    ["Corn", "Onion", "Onion", "Kidney Beans", "Ice cream", "Eggs"],
]
METRICS = ["support", "antecedent support", "consequent support", "confidence", "lift", "leverage", "conviction", "zhangs_metric"]  # fmt: skip


def write(name, header, rows):
    lines = [header] + [",".join(str(v) for v in row) for row in rows]
    (HERE / name).write_text("\n".join(lines) + "\n")


def text(items):
    return " ".join(str(i) for i in sorted(items))


def random_baskets():
    rng = random.Random(11)
    for _ in range(2000):
        basket = {min(int(rng.expovariate(0.12)), 39) for _ in range(rng.randrange(0, 9))}
        basket |= {i + 40 for i in basket if i < 6 and rng.random() < 0.2 + 0.1 * i}
        yield sorted(basket)


def mine(name, baskets, min_support, min_confidence):
    encoder = TransactionEncoder()
    frame = pd.DataFrame(encoder.fit_transform(baskets), columns=encoder.columns_)
    sets = fpgrowth(frame, min_support=min_support, use_colnames=True)
    rows = sorted((text(s), v) for s, v in zip(sets["itemsets"], sets["support"]))
    write(f"{name}_itemsets.csv", "items,support", rows)
    rules = association_rules(sets, metric="confidence", min_threshold=min_confidence)
    columns = [rules[m] for m in METRICS]
    rows = sorted((text(a), text(c), *m) for a, c, *m in zip(rules["antecedents"], rules["consequents"], *columns))
    write(f"{name}_rules.csv", "antecedent,consequent," + ",".join(METRICS).replace(" ", "_"), rows)


baskets = list(random_baskets())
write("baskets.csv", "items", [(text(b),) for b in baskets])
mine("baskets", baskets, 0.01, 0.5)
mine("mlxtend", [[ITEMS.index(i) for i in basket] for basket in DOCUMENTATION], 0.6, 0.7)
