-- What checks found: one row per rule of each check; history is kept.
-- owner: perennial
-- grain: table_name, rule, checked_at
-- checked_at: when the check was made.
-- snapshot: snapshot that was looked at.
-- table_name: table or view that the rule is about.
-- rule: the check as its header has it, or the view in checks that it is.
-- dimension: accuracy, completeness, consistency or timeliness.
-- severity: error, which stops what follows, or warn.
-- passed: whether the rule holds.
-- rows_checked: rows that the rule is about; NULL where it is about the table as a whole.
-- rows_failed: rows that break it; NULL where it is about the table as a whole.
-- value: share of failing rows, or the number measured; NULL where there was nothing to measure.
-- threshold: what the value is compared with.
-- note: what else to know, such as the snapshot that drift was measured against.
CREATE TABLE quality.results (
    checked_at TIMESTAMP,
    snapshot BIGINT,
    table_name VARCHAR,
    rule VARCHAR,
    dimension VARCHAR,
    severity VARCHAR,
    passed BOOLEAN,
    rows_checked BIGINT,
    rows_failed BIGINT,
    value DOUBLE,
    threshold DOUBLE,
    note VARCHAR
)
