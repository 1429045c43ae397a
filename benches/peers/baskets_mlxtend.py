"""Itemsets and rules (confidence .3) of real invoices in mlxtend, to lay beside `cargo bench -p analytics --bench baskets`.

Usage: python baskets_mlxtend.py online_retail.parquet baskets.txt .005 (writes the baskets for the other program, too)
"""
import resource
import sys
import time

import pandas as pd
from mlxtend.frequent_patterns import association_rules, fpgrowth
from mlxtend.preprocessing import TransactionEncoder

SOURCE, BASKETS, MIN_SUPPORT = sys.argv[1], sys.argv[2], float(sys.argv[3])

lines = pd.read_parquet(SOURCE, columns=["InvoiceNo", "StockCode", "Quantity"])
lines = lines[~lines.InvoiceNo.astype(str).str.startswith("C") & (lines.Quantity > 0)]
lines["item"] = pd.factorize(lines.StockCode)[0]
baskets = lines.groupby("InvoiceNo").item.unique().tolist()
with open(BASKETS, "w") as file:
    file.writelines(" ".join(map(str, basket)) + "\n" for basket in baskets)

encoder = TransactionEncoder()
started = time.perf_counter()
matrix = encoder.fit(baskets).transform(baskets)
print(f"{matrix.shape[0]} baskets x {matrix.shape[1]} items to a matrix: {time.perf_counter() - started:.3f} s")
frame = pd.DataFrame(matrix, columns=encoder.columns_)
started = time.perf_counter()
sets = fpgrowth(frame, min_support=MIN_SUPPORT, use_colnames=True)
total = round(sets.support.sum() * len(baskets))
print(f"{len(sets)} itemsets (counts add up to {total}): {time.perf_counter() - started:.3f} s")
started = time.perf_counter()
rules = association_rules(sets, metric="confidence", min_threshold=0.3)
print(f"{len(rules)} rules: {time.perf_counter() - started:.3f} s")
print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
