"""The staged rows of raw orders as a Parquet file per table, sorted by customer and time: each table's rows; the raw rows,
before each staging; or the raw rows once for all tables.

FOLDER has raw.parquet. It is copied first, so that DuckDB reads row groups and encodings of its own choice, and times without a zone.
Usage: python build_duckdb.py FOLDER STAGING RUNS THREADS
"""
import functools
import json
import pathlib
import sys

import duck

folder, staging, runs, threads = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
queries = {path.stem: path.read_text() for path in staging.glob("*.sql")}
RAW, ORDER = "raw.bench_orders", "ORDER BY customer_id, event_time"

connection = duck.connect(threads)
copy = folder / "raw_duckdb.parquet"
zoneless = "* REPLACE (event_time AT TIME ZONE 'UTC' AS event_time)"
connection.execute(f"COPY (SELECT {zoneless} FROM '{folder}/raw.parquet') TO '{copy}' (FORMAT parquet)")
connection.execute(f"CREATE SCHEMA raw; CREATE VIEW {RAW} AS FROM '{copy}'")


def built(table):
    return folder / f"{table}_duckdb.parquet"


def write(select, compression):
    for table, query in queries.items():
        target = f"'{built(table)}' (FORMAT parquet, COMPRESSION {compression})"
        connection.execute(f"COPY ({select(query)}) TO {target}")


def staged_then_sorted(compression):
    write(lambda query: f"SELECT * FROM ({query}) {ORDER}", compression)


def without_insertion_order(compression):
    connection.execute("SET preserve_insertion_order = false")
    staged_then_sorted(compression)
    connection.execute("RESET preserve_insertion_order")


def sorted_then_staged(compression):
    write(lambda query: query.replace(RAW, f"(FROM {RAW} {ORDER})"), compression)


def sorted_once(compression):
    connection.execute(f"CREATE OR REPLACE TABLE raw.sorted AS FROM {RAW} {ORDER}")
    write(lambda query: query.replace(RAW, "raw.sorted"), compression)


def read():
    tables = {table: connection.sql(f"FROM '{built(table)}'").to_arrow_table() for table in queries}
    assert all(map(duck.is_sorted, tables.values()))
    return tables


forms = {
    f"DuckDB, {form.__name__.replace('_', ' ')}, {compression}": functools.partial(form, compression)
    for form in [staged_then_sorted, without_insertion_order, sorted_then_staged, sorted_once]
    for compression in ["snappy", "zstd", "lz4_raw"]
}
print(json.dumps({"build": duck.compared(forms, read, runs)}))
