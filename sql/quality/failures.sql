-- Rows that break a rule: one row for each of them and each check that failed; history is kept.
-- owner: perennial
-- grain: table_name, rule, key_values, checked_at
-- pii: key_values, value
-- checked_at: when the check was made.
-- snapshot: snapshot that was looked at.
-- table_name: table or view that the rule is about.
-- rule: the check as quality.results has it.
-- key_columns: columns that name the failing row.
-- key_values: their values, separated by a comma and a blank.
-- customer_id: whose row it is; NULL where rows are nobody's.
-- value: what is wrong in it; of several columns each with its name.
CREATE TABLE quality.failures (
    checked_at TIMESTAMP,
    snapshot BIGINT,
    table_name VARCHAR,
    rule VARCHAR,
    key_columns VARCHAR,
    key_values VARCHAR,
    customer_id VARCHAR,
    value VARCHAR
)
