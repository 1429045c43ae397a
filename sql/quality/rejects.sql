-- Rows of loaded files that did not parse or did not fit their raw table, and why: one row each, as far as `load --max-rejects` lets them pass.
-- owner: perennial
-- grain: raw_table, file, row_number
-- pii: value, line
-- raw_table: raw table that the row would have gone to.
-- file: name of the file, as in _file of the raw table.
-- row_number: row of the file, from 1, as in _row of the raw table.
-- line_number: line of the file on which the row begins, from 1; NULL for Parquet.
-- column_name: column whose value does not fit; NULL where the row as a whole can't be read.
-- value: the value that does not fit.
-- reason: what is wrong.
-- line: the row as it stands in the file; NULL for Parquet.
-- loaded_at: when the file was loaded.
CREATE TABLE quality.rejects (
    raw_table VARCHAR,
    file VARCHAR,
    row_number BIGINT,
    line_number BIGINT,
    column_name VARCHAR,
    value VARCHAR,
    reason VARCHAR,
    line VARCHAR,
    loaded_at TIMESTAMP
)
