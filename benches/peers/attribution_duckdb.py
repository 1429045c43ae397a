"""insights.attribution in DuckDB, from the very same SQL files, over a plain and a sorted file of the same orders and touches;
and over these as if nothing had ever been corrected, which spares it to look for newer versions.

FOLDER has orders.parquet and touches.parquet; SQL is the folder of the views. Usage: python attribution_duckdb.py FOLDER SQL RUNS THREADS
"""
import json
import pathlib
import sys

import duck

folder, sql, runs, threads = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
TABLES = {"orders": "order_versions", "touches": "touch_versions"}
VIEWS = ["attribution_touches", "attribution"]
first, forms = None, []
for kind, order in duck.ORDERS.items():
    connection = duck.shop(folder, sql, ["core"], TABLES, threads, kind, order)
    connection.execute("CREATE SCHEMA insights")
    for view in VIEWS:
        connection.execute(f"CREATE VIEW insights.{view} AS {duck.statement(sql / 'insights' / f'{view}.sql')}")
    for versions in ["versions", "one version"]:
        if versions == "one version":
            for table, view in TABLES.items():
                uncorrected = f"SELECT *, cast(NULL AS TIMESTAMP) AS superseded_at FROM core.{table}"
                connection.execute(f"CREATE OR REPLACE VIEW core.{view} AS {uncorrected}")
        ask = lambda: connection.sql("SELECT * FROM insights.attribution").to_arrow_table()
        answer = duck.answer(ask())
        first = first or answer
        duck.must_equal(first, answer, f"{kind} file, {versions}")
        forms.append((f"{kind} file, {versions}", duck.median_seconds(ask, runs)))
print(json.dumps({"attribution": first | {"forms": forms}}))
