"""The feature queries in DuckDB: as users write them, and in forms that give equal rows, on a plain and on a sorted file.

FOLDER has orders.parquet and order_lines.parquet in time order. They are copied first, so that DuckDB reads row groups and
encodings of its own choice, and times without a zone. Usage: python features_duckdb.py FOLDER QUERIES RUNS THREADS
"""
import json
import pathlib
import sys

import duck

folder, queries, runs, threads = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

CUT_OFFS = [f"TIMESTAMP '2024-{month:02d}-01 00:00:00'" for month in range(1, 13)]
WIDE = ", ".join(
    f"count(*) FILTER (WHERE event_time < {at}) AS n{i}, sum(amount) FILTER (WHERE event_time < {at}) AS m{i}"
    for i, at in enumerate(CUT_OFFS)
)
LONG = " UNION ALL ".join(
    f"SELECT customer_id, {at} AS as_of, n{i} AS orders, m{i} AS spend FROM wide" for i, at in enumerate(CUT_OFFS)
)
OTHER_FORMS = {
    "distinct": [
        """SELECT customer_id, len(list_distinct(list(product_id))) AS products, len(list_distinct(list(channel))) AS channels
        FROM core.order_lines GROUP BY customer_id"""
    ],
    "cutoffs": [
        f"WITH wide AS (SELECT customer_id, {WIDE} FROM core.orders WHERE customer_id IS NOT NULL GROUP BY customer_id) {LONG}"
    ],
}

connections = {}
for kind, order in {"plain": "", "sorted": "ORDER BY customer_id, event_time"}.items():
    connections[kind] = connection = duck.connect(threads)
    connection.execute("CREATE SCHEMA core")
    for table in ["orders", "order_lines"]:
        copy = folder / f"{table}_{kind}.parquet"
        zoneless = "event_time AT TIME ZONE 'UTC' AS event_time, known_time AT TIME ZONE 'UTC' AS known_time"
        rows = f"SELECT * REPLACE ({zoneless}) FROM '{folder / table}.parquet' {order}"
        connection.execute(f"COPY ({rows}) TO '{copy}' (FORMAT parquet)")
        connection.execute(f"CREATE VIEW core.{table} AS SELECT * FROM '{copy}'")

answers = {}
for name in ["windows", "distinct", "gaps", "cutoffs", "rfm", "cohorts"]:
    forms, first = [], None
    for kind, connection in connections.items():
        for number, query in enumerate([(queries / f"{name}.sql").read_text(), *OTHER_FORMS.get(name, [])], 1):
            form, ask = f"{kind} file, form {number}", lambda: connection.sql(query).to_arrow_table()
            answer = duck.answer(ask())
            first = first or answer
            duck.must_equal(first, answer, f"{name}, {form}")
            forms.append((form, duck.median_seconds(ask, runs)))
    answers[name] = first | {"forms": forms}
print(json.dumps(answers))
