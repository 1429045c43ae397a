"""Polars as a peer: SQL files over one Parquet file, the rows of each written to a Parquet file of its own.

A script that imports this is called with FOLDER QUERIES RUNS THREADS.
"""
import functools
import itertools
import json
import os
import pathlib
import sys

import duck

folder, queries, runs, threads = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
os.environ["POLARS_MAX_THREADS"] = threads  # read when Polars is imported
import polars as pl


def compare(work, table, file, order=()):
    """Prints what `work` answers: the queries read `table`, which is `file` of the folder."""
    name = table.rpartition(".")[2]
    texts = {path.stem: path.read_text().replace(table, name) for path in queries.glob("*.sql")}
    source = folder / f"{name}_polars.parquet"
    # Row groups of its own choice.
    pl.read_parquet(folder / file).write_parquet(source)

    def written(query):
        return folder / f"{query}_{work}_polars.parquet"

    def write(is_streamed, compression):
        for query, text in texts.items():
            rows = pl.SQLContext({name: pl.scan_parquet(source)}).execute(text)
            rows = rows.sort(order) if order else rows
            if is_streamed:
                rows.sink_parquet(written(query), compression=compression)
            else:
                rows.collect().write_parquet(written(query), compression=compression)

    def read():
        connection = duck.connect(threads)
        tables = {query: connection.sql(f"FROM '{written(query)}'").to_arrow_table() for query in texts}
        assert not order or all(map(duck.is_sorted, tables.values()))
        return tables

    forms = {
        f"Polars, {'streamed' if is_streamed else 'in memory'}, {compression}": functools.partial(write, is_streamed, compression)
        for is_streamed, compression in itertools.product([True, False], ["zstd", "snappy", "lz4"])
    }
    print(json.dumps({work: duck.compared(forms, read, runs)}))
