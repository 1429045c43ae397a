"""The marts of orders as a Parquet file each. FOLDER has orders.parquet.

Usage: python publish_polars.py FOLDER MARTS RUNS THREADS
"""
import functools
import json
import os
import pathlib
import sys

import duck

folder, marts, runs, threads = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
os.environ["POLARS_MAX_THREADS"] = threads  # read when Polars is imported
import polars as pl

queries = {path.stem: path.read_text().replace("core.orders", "orders") for path in marts.glob("*.sql")}
orders = folder / "orders_polars.parquet"
# Row groups of its own choice.
pl.read_parquet(folder / "orders.parquet").write_parquet(orders)


def published(mart):
    return folder / f"{mart}_published_polars.parquet"


def publish(is_streamed, compression):
    for mart, query in queries.items():
        rows = pl.SQLContext(orders=pl.scan_parquet(orders)).execute(query)
        if is_streamed:
            rows.sink_parquet(published(mart), compression=compression)
        else:
            rows.collect().write_parquet(published(mart), compression=compression)


def read():
    connection = duck.connect(threads)
    return {mart: connection.sql(f"FROM '{published(mart)}'").to_arrow_table() for mart in queries}


forms = {
    f"Polars, {'streamed' if is_streamed else 'in memory'}, {compression}": functools.partial(publish, is_streamed, compression)
    for is_streamed in [True, False]
    for compression in ["zstd", "snappy", "lz4"]
}
print(json.dumps({"publish": duck.compared(forms, read, runs)}))
