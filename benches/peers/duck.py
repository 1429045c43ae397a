"""What the peers in DuckDB share."""
import re
import time

import duckdb
import pyarrow
import pyarrow.compute as compute

# What DuckDB calls otherwise.
DIALECT = {r"\bLEFT (SEMI|ANTI) JOIN\b": r"\1 JOIN", r"\bfirst_value\(": "first("}
# As a shop's own systems export its facts, and as whoever asks about customers would keep them.
ORDERS = {"plain": "", "sorted": "ORDER BY customer_id, event_time"}


def connect(threads):
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}; SET TimeZone = 'UTC'")
    return connection


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


def shop(folder, sql, schemas, tables, threads, kind, order):
    """A connection to the views of SQL files over Parquet copies of the tables, sorted so; all other tables are empty."""
    connection = connect(threads)
    for schema in schemas:
        connection.execute(f"CREATE SCHEMA {schema}")
    connection.execute("CREATE TABLE spine (customer_id VARCHAR, as_of TIMESTAMP)")
    for path in (sql / "core").glob("*.sql"):
        if "CREATE TABLE" in (text := statement(path)):
            connection.execute(text)
    for table in tables:
        copy = folder / f"{table}_{kind}.parquet"
        connection.execute(f"COPY ({zoneless(connection, folder / f'{table}.parquet', order)}) TO '{copy}' (FORMAT parquet)")
        connection.execute(f"DROP TABLE core.{table}; CREATE VIEW core.{table} AS SELECT * FROM '{copy}'")
    views = [path for schema in schemas for path in (sql / schema).glob("*.sql")]
    views = {f"{path.parent.name}.{path.stem}": text for path in views if "CREATE TABLE" not in (text := statement(path))}
    while views:
        ready = [name for name in views if not any(re.search(rf"\b{re.escape(other)}\b", views[name]) for other in views if other != name)]
        assert ready, f"none of {list(views)} can be made"
        for name in ready:
            connection.execute(f"CREATE VIEW {name} AS {views.pop(name)}")
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
