"""What the peers in DuckDB share."""
import time

import duckdb
import pyarrow
import pyarrow.compute as compute


def connect(threads):
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}; SET TimeZone = 'UTC'")
    return connection


def answer(table):
    """Rows, and of each column how many values are not NULL, and their sum: of times in microseconds, of text in bytes."""
    columns = {}
    for name in table.column_names:
        values = table[name]
        if pyarrow.types.is_string(values.type):
            values = compute.binary_length(values)
        elif pyarrow.types.is_timestamp(values.type):
            values = values.cast(pyarrow.timestamp("us", values.type.tz)).cast("int64")
        total = compute.sum(values.cast("float64")).as_py()
        columns[name] = (len(values) - values.null_count, total or 0.0)
    return {"rows": table.num_rows, "columns": columns}


def must_equal(one, other, name):
    assert one["rows"] == other["rows"] and one["columns"].keys() == other["columns"].keys(), name
    for column, (count, total) in one["columns"].items():
        other_count, other_total = other["columns"][column]
        is_equal = abs(total - other_total) <= 1e-9 * max(abs(total), abs(other_total))
        assert count == other_count and is_equal, f"{name}: {column} differs"


def median_seconds(work, runs):
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return sorted(times)[runs // 2]
