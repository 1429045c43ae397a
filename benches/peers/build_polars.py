"""The staged rows of raw orders as a Parquet file per table, sorted by customer and time.

FOLDER has raw.parquet. Usage: python build_polars.py FOLDER STAGING RUNS THREADS
"""
import functools
import itertools
import json
import os
import pathlib
import sys

import duck

folder, staging, runs, threads = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
os.environ["POLARS_MAX_THREADS"] = threads  # read when Polars is imported
import polars as pl

queries = {path.stem: path.read_text().replace("raw.bench_orders", "bench_orders") for path in staging.glob("*.sql")}
raw = folder / "raw_polars.parquet"
# Row groups of its own choice.
pl.read_parquet(folder / "raw.parquet").write_parquet(raw)


def built(table):
    return folder / f"{table}_polars.parquet"


def build(is_streamed, compression):
    for table, query in queries.items():
        rows = pl.SQLContext(bench_orders=pl.scan_parquet(raw)).execute(query).sort("customer_id", "event_time")
        if is_streamed:
            rows.sink_parquet(built(table), compression=compression)
        else:
            rows.collect().write_parquet(built(table), compression=compression)


def read():
    connection = duck.connect(threads)
    tables = {table: connection.sql(f"FROM '{built(table)}'").to_arrow_table() for table in queries}
    assert all(map(duck.is_sorted, tables.values()))
    return tables


forms = {
    f"Polars, {compression}, {'streamed' if is_streamed else 'in memory'}": functools.partial(build, is_streamed, compression)
    for is_streamed, compression in itertools.product([True, False], ["zstd", "snappy", "lz4"])
}
print(json.dumps({"build": duck.compared(forms, read, runs)}))
