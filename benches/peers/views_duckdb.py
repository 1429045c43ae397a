"""The shipped feature views in DuckDB, from the very same SQL files, over a plain and a sorted file of the same orders.

FOLDER has orders.parquet, order_lines.parquet and spine_<cut-offs>.parquet; SQL is the folder of the views; CUTOFFS says
which spines, as in 1,12. Usage: python views_duckdb.py FOLDER SQL CUTOFFS RUNS THREADS
"""
import json
import pathlib
import re
import sys

import duck

folder, sql, runs, threads = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[4]), int(sys.argv[5])
cut_offs = sys.argv[3].split(",")
VIEW = "features.customer"
TABLES = ["orders", "order_lines"]
# What DuckDB calls otherwise.
DIALECT = {r"\bLEFT (SEMI|ANTI) JOIN\b": r"\1 JOIN", r"\bfirst_value\(": "first("}


def statement(path):
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("--"))
    for ours, theirs in DIALECT.items():
        text = re.sub(ours, theirs, text)
    return text


def zoneless(connection, file, order=""):
    """The file's rows with times as DuckDB compares them fastest."""
    columns = connection.execute(f"DESCRIBE FROM '{file}'").fetchall()
    times = [name for name, kind, *_ in columns if kind == "TIMESTAMP WITH TIME ZONE"]
    replaced = ", ".join(f"{name} AT TIME ZONE 'UTC' AS {name}" for name in times)
    return f"SELECT * REPLACE ({replaced}) FROM '{file}' {order}"


def shop(kind, order):
    connection = duck.connect(threads)
    connection.execute("CREATE SCHEMA core; CREATE SCHEMA features")
    connection.execute("CREATE TABLE spine (customer_id VARCHAR, as_of TIMESTAMP)")
    for path in (sql / "core").glob("*.sql"):
        if "CREATE TABLE" in (text := statement(path)):
            connection.execute(text)
    for table in TABLES:
        copy = folder / f"{table}_{kind}.parquet"
        connection.execute(f"COPY ({zoneless(connection, folder / f'{table}.parquet', order)}) TO '{copy}' (FORMAT parquet)")
        connection.execute(f"DROP TABLE core.{table}; CREATE VIEW core.{table} AS SELECT * FROM '{copy}'")
    views = [path for schema in ["core", "features"] for path in (sql / schema).glob("*.sql")]
    views = {f"{path.parent.name}.{path.stem}": text for path in views if "CREATE TABLE" not in (text := statement(path))}
    while views:
        ready = [name for name in views if not any(re.search(rf"\b{re.escape(other)}\b", views[name]) for other in views if other != name)]
        assert ready, f"none of {list(views)} can be made"
        for name in ready:
            connection.execute(f"CREATE VIEW {name} AS {views.pop(name)}")
    return connection


answers = {}
shops = {kind: shop(kind, order) for kind, order in {"plain": "", "sorted": "ORDER BY customer_id, event_time"}.items()}
for count in cut_offs:
    forms, first = [], None
    for kind, connection in shops.items():
        connection.execute(f"DELETE FROM spine; INSERT INTO spine {zoneless(connection, folder / f'spine_{count}.parquet')}")
        ask = lambda: connection.sql(f"SELECT * FROM {VIEW}").to_arrow_table()
        answer = duck.answer(ask())
        first = first or answer
        duck.must_equal(first, answer, f"{count} cut-offs, {kind} file")
        forms.append((f"{kind} file", duck.median_seconds(ask, runs)))
    answers[count] = first | {"forms": forms}
print(json.dumps(answers))
