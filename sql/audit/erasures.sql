-- Receipts of `perennial erase`: what was taken out of where. Whom it was about is not told: the receipt's number is random.
-- owner: perennial
-- grain: receipt_id, kind, name
-- receipt_id: random number of the erasure, printed when it was done; nothing about the customers can be computed from it.
-- erased_at: when it was decided.
-- program: version of the program that did it.
-- customers: customers erased together.
-- kind: table (of the warehouse), published (a published table), run (trained on the customers) or unsearched (a table to be looked at).
-- name: table, publish target and table, id of the run, or raw table.
-- row_count: rows taken out of files; one that files were merged from counts in each of them; NULL for runs and unsearched tables.
-- file_count: files rewritten, over all versions.
-- snapshots: snapshots that held the customers' rows there, such as 2-5.
-- note: of a run why it can't be repeated exactly, of an unsearched table why.
CREATE TABLE audit.erasures (
    receipt_id VARCHAR,
    erased_at TIMESTAMP,
    program VARCHAR,
    customers BIGINT,
    kind VARCHAR,
    name VARCHAR,
    row_count BIGINT,
    file_count BIGINT,
    snapshots VARCHAR,
    note VARCHAR
)
