"""Reads a clustered table with other programs and prints its rows as JSON, by order of id.

usage: readers.py <folder of the Delta table>
"""
import calendar
import json
import sys

import duckdb
import pyarrow.parquet
from deltalake import DeltaTable


def microseconds(time):
    return time and calendar.timegm(time.utctimetuple()) * 1_000_000 + time.microsecond


table = DeltaTable(sys.argv[1])
assert table.metadata().partition_columns == ["bucket"], table.metadata()
assert table.protocol().min_reader_version == 1, table.protocol()
rows = table.to_pyarrow_table().sort_by("id")
assert str(rows.schema.field("event_time").type) == "timestamp[us, tz=UTC]", rows.schema
old = DeltaTable(sys.argv[1], version=0).to_pyarrow_table()

for file in table.file_uris():
    metadata = pyarrow.parquet.read_metadata(file)
    for group in range(metadata.num_row_groups):
        order = metadata.row_group(group).sorting_columns
        assert [column.column_index for column in order] == [0, 1, 2, 3], order

# The files by themselves, without the log.
files = table.file_uris()
query = "SELECT count(*), count(DISTINCT id), epoch_us(max(event_time)) FROM read_parquet($files, hive_partitioning = true)"
counted = duckdb.execute(query, {"files": files}).fetchall()[0]
newest = max(row["event_time"] for row in rows.to_pylist())
assert counted == (rows.num_rows, rows.num_rows, microseconds(newest)), counted

out = [
    {
        "customer_id": row["customer_id"],
        "event_time": microseconds(row["event_time"]),
        "id": row["id"],
        "note": row["note"],
        "amount": row["amount"],
        "bucket": row["bucket"],
    }
    for row in rows.to_pylist()
]
print(json.dumps({"rows": out, "old": old.num_rows}))
