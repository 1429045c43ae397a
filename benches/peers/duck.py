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
    """Rows, and of each column how many values are not NULL, and their sum: of times in microseconds, of text the bytes and
    the number it ends in."""
    columns = {}
    for name in table.column_names:
        values = table[name]
        if pyarrow.types.is_string(values.type):
            numbers = compute.struct_field(compute.extract_regex(values, "(?P<number>[0-9]{1,15})$"), "number").cast("int64")
            values = compute.add(compute.binary_length(values).cast("int64"), compute.fill_null(numbers, 0))
        elif pyarrow.types.is_timestamp(values.type):
            values = values.cast(pyarrow.timestamp("us", values.type.tz)).cast("int64")
        total = compute.sum(values.cast("float64")).as_py()
        columns[name] = (len(values) - values.null_count, total or 0.0)
    return {"rows": table.num_rows, "columns": columns}


def answer_of(tables):
    """Of several tables by name."""
    answers = {name: answer(table) for name, table in tables.items()}
    columns = {f"{name}.{column}": sums for name, one in answers.items() for column, sums in one["columns"].items()}
    return {"rows": sum(one["rows"] for one in answers.values()), "columns": columns}


def must_equal(one, other, name):
    assert one["rows"] == other["rows"] and one["columns"].keys() == other["columns"].keys(), name
    for column, (count, total) in one["columns"].items():
        other_count, other_total = other["columns"][column]
        is_equal = abs(total - other_total) <= 1e-9 * max(abs(total), abs(other_total))
        assert count == other_count and is_equal, f"{name}: {column} differs"


def is_sorted(table):
    """By customer and time."""
    customers, times = (table[name].combine_chunks() for name in ["customer_id", "event_time"])
    same = compute.equal(customers[:-1], customers[1:])
    later = compute.and_(same, compute.less_equal(times[:-1], times[1:]))
    return compute.all(compute.or_(compute.less(customers[:-1], customers[1:]), later)).as_py()


def compared(forms, read, runs):
    """The answer that `read` finds after each of the forms, and their median seconds."""
    first, timed = None, []
    for name, work in forms.items():
        work()
        answer = answer_of(read())
        first = first or answer
        must_equal(first, answer, name)
        timed.append((name, median_seconds(work, runs)))
    return first | {"forms": timed}


def median_seconds(work, runs):
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return sorted(times)[runs // 2]
