"""A CSV file to a Parquet file. Usage: python load_duckdb.py FILE RUNS THREADS"""
import json
import pathlib
import sys

import duck

file, runs, threads = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
out = file.with_suffix(".parquet")
connection = duck.connect(threads)


def load(compression):
    connection.execute(f"COPY (SELECT * FROM read_csv('{file}')) TO '{out}' (FORMAT parquet, COMPRESSION {compression})")


forms, first = [], None
for compression in ["snappy", "zstd"]:  # DuckDB's default, and what ours writes
    load(compression)
    answer = duck.answer(connection.sql(f"SELECT * FROM '{out}'").to_arrow_table())
    first = first or answer
    duck.must_equal(first, answer, compression)
    forms.append((compression, duck.median_seconds(lambda: load(compression), runs)))
print(json.dumps({"load": first | {"forms": forms}}))
