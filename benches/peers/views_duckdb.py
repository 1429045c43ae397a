"""The shipped feature views in DuckDB, from the very same SQL files, over a plain and a sorted file of the same orders.

FOLDER has orders.parquet, order_lines.parquet and spine_<cut-offs>.parquet; SQL is the folder of the views; CUTOFFS says
which spines, as in 1,12. Usage: python views_duckdb.py FOLDER SQL CUTOFFS RUNS THREADS
"""
import json
import pathlib
import sys

import duck

folder, sql, runs, threads = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[4]), int(sys.argv[5])
cut_offs = sys.argv[3].split(",")
VIEW = "features.customer"
TABLES = ["orders", "order_lines"]

answers = {}
shops = {kind: duck.shop(folder, sql, ["core", "features"], TABLES, threads, kind, order) for kind, order in duck.ORDERS.items()}
for count in cut_offs:
    forms, first = [], None
    for kind, connection in shops.items():
        connection.execute(f"DELETE FROM spine; INSERT INTO spine {duck.zoneless(connection, folder / f'spine_{count}.parquet')}")
        ask = lambda: connection.sql(f"SELECT * FROM {VIEW}").to_arrow_table()
        answer = duck.answer(ask())
        first = first or answer
        duck.must_equal(first, answer, f"{count} cut-offs, {kind} file")
        forms.append((f"{kind} file", duck.median_seconds(ask, runs)))
    answers[count] = first | {"forms": forms}
print(json.dumps(answers))
