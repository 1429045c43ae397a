"""Every customer's events as lists, of a timeline in time order. Usage: python sequences_polars.py FILE RUNS THREADS"""
import json
import os
import sys
import time

file, runs = sys.argv[1], int(sys.argv[2])
os.environ["POLARS_MAX_THREADS"] = sys.argv[3]  # read when Polars is imported
import polars as pl

TEXTS = ["kind", "product_id", "category", "channel"]
ORDER = ["event_time", "known_time", "kind", "amount", "product_id", "channel"]
# Row groups of its own choice.
timeline = pl.read_parquet(file)
timeline.write_parquet(file)
del timeline


def typed(frame):
    return frame.with_columns(pl.col(TEXTS).cast(pl.Categorical), pl.col("amount").cast(pl.Float32))


def grouped(frame):
    return frame.group_by("customer_id", maintain_order=True).agg(pl.all())


def sort_then_group():
    return grouped(typed(pl.scan_parquet(file).sort(["customer_id", *ORDER], nulls_last=True))).collect()


def group_then_sort():
    values = [pl.col("event_time", "known_time", "superseded_at"), pl.col(TEXTS).cast(pl.Categorical), pl.col("amount").cast(pl.Float32)]
    ordered = [value.sort_by(ORDER, nulls_last=True) for value in values]
    return pl.scan_parquet(file).group_by("customer_id").agg(ordered).collect()


def answer(lists):
    """Sums over each customer's events, weighted by their place in the sequence."""
    times = pl.col("event_time").list
    events = lists.with_columns(place=pl.int_ranges(1, times.len() + 1), first=times.first())
    events = events.explode(["event_time", "known_time", *TEXTS, "amount", "place"])
    values = {
        "micros": (pl.col("event_time") - pl.col("first")).dt.total_microseconds(),
        "amount": pl.col("amount").fill_null(0.0).cast(pl.Float64),
        **{name: pl.col(name).cast(pl.String).str.len_bytes() for name in TEXTS},
    }
    columns = {
        name: events.select(value.count(), total=(value.cast(pl.Float64) * pl.col("place")).sum()).row(0)
        for name, value in values.items()
    }
    return {"rows": lists.height, "columns": columns}


def timed(work):
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return sorted(times)[runs // 2]


def must_equal(one, other):
    assert one["rows"] == other["rows"]
    for name, (count, total) in one["columns"].items():
        other_count, other_total = other["columns"][name]
        assert count == other_count and abs(total - other_total) <= 1e-9 * abs(total), f"{name} differs"


ordered = typed(pl.read_parquet(file).sort(["customer_id", *ORDER], nulls_last=True))
group = lambda: grouped(ordered)
first, second, third = answer(sort_then_group()), answer(group_then_sort()), answer(group())
must_equal(first, second)
must_equal(first, third)
whole = [("sort, then group", timed(sort_then_group)), ("group, then sort", timed(group_then_sort))]
print(json.dumps({
    "sort and group": first | {"forms": whole},
    "group": third | {"forms": [("group", timed(group))]},
}))
