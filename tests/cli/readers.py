"""Reads every table of a published folder in DuckDB, Polars and pyarrow, and fails where two of them differ."""
import pathlib
import sys

import duckdb
import polars
import pyarrow.parquet as parquet

folder = pathlib.Path(sys.argv[1])
tables = sorted({path.parent for path in folder.rglob("*.parquet")})
assert tables, f"no table in {folder}"
for table in tables:
    files = sorted(str(path) for path in table.glob("*.parquet"))
    arrow = parquet.read_table(files)
    duck = duckdb.sql(f"SELECT * FROM read_parquet({files})").to_arrow_table()
    polar = polars.read_parquet(files).to_arrow()
    assert arrow.column_names == duck.column_names == polar.column_names, table
    for name in arrow.column_names:
        values = arrow[name].to_pylist()
        same = values == duck[name].to_pylist() == polar[name].to_pylist()
        # NaN differs from itself; nothing published may hold one.
        assert same, f"{table.name}.{name} reads differently"
        kind = str(arrow.schema.field(name).type)
        assert not kind.startswith(("uint", "list", "struct", "dictionary")), f"{table.name}.{name} is {kind}"
        if kind.startswith("timestamp"):
            assert kind == "timestamp[us, tz=UTC]", f"{table.name}.{name} is {kind}"
print(f"{len(tables)} tables read equal")
