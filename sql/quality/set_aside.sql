-- Raw rows that staging left out of core, and why: one row per source, core table and reason of each build.
-- owner: perennial
-- grain: source, core_table, reason
-- check: row_count > 0
-- source: source whose staging left rows out, the folder name under sql/staging.
-- core_table: core table that the rows would have gone to.
-- reason: why they were left out.
-- row_count: raw rows left out.
CREATE TABLE quality.set_aside (
    source VARCHAR,
    core_table VARCHAR,
    reason VARCHAR,
    row_count BIGINT
)
