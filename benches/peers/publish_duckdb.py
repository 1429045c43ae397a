"""The marts of orders as a Parquet file each, of the orders in a plain file and in one sorted by customer and time.

FOLDER has orders.parquet in time order. It is copied first, so that DuckDB reads row groups and encodings of its own choice,
and times without a zone. Usage: python publish_duckdb.py FOLDER MARTS RUNS THREADS
"""
import functools
import json
import pathlib
import sys

import duck

folder, marts, runs, threads = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
queries = {path.stem: path.read_text() for path in marts.glob("*.sql")}

connection = duck.connect(threads)
connection.execute("CREATE SCHEMA core")
zoneless = "event_time AT TIME ZONE 'UTC' AS event_time, known_time AT TIME ZONE 'UTC' AS known_time"
for kind, order in {"plain": "", "sorted": "ORDER BY customer_id, event_time"}.items():
    rows = f"SELECT * REPLACE ({zoneless}) FROM '{folder}/orders.parquet' {order}"
    connection.execute(f"COPY ({rows}) TO '{folder}/orders_{kind}.parquet' (FORMAT parquet)")


def published(mart):
    return folder / f"{mart}_duckdb.parquet"


def publish(kind, compression, keeps_order):
    connection.execute(f"CREATE OR REPLACE VIEW core.orders AS FROM '{folder}/orders_{kind}.parquet'")
    connection.execute(f"SET preserve_insertion_order = {keeps_order}")
    for mart, query in queries.items():
        connection.execute(f"COPY ({query}) TO '{published(mart)}' (FORMAT parquet, COMPRESSION {compression})")


def read():
    return {mart: connection.sql(f"FROM '{published(mart)}'").to_arrow_table() for mart in queries}


forms = {
    f"DuckDB, {kind} file, {compression}{'' if keeps_order else ', any order'}": functools.partial(
        publish, kind, compression, keeps_order
    )
    for kind in ["plain", "sorted"]
    for compression in ["snappy", "zstd", "lz4_raw"]
    for keeps_order in [True, False]
}
print(json.dumps({"publish": duck.compared(forms, read, runs)}))
