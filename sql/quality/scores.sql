-- How good tables are: the share of rows that pass, as the mean of the rules of a dimension, in which a rule of severity error counts twice. One row per table, dimension and check.
-- owner: perennial
-- grain: table_name, dimension, checked_at
-- check: score between 0 and 1
-- table_name: table or view that was checked.
-- dimension: accuracy, completeness, consistency or timeliness.
-- checked_at: when the check was made.
-- snapshot: snapshot that was looked at.
-- score: from 0 to 1; a rule about the table as a whole is 1 where it holds and else 0.
-- count_rules: rules of the dimension.
-- count_failed: those of them that do not hold.
WITH
shares AS (
    SELECT
        table_name,
        dimension,
        checked_at,
        snapshot,
        passed,
        CASE severity WHEN 'error' THEN 2.0 ELSE 1.0 END AS weight,
        CASE
            WHEN rows_checked > 0 THEN greatest(1.0 - cast(rows_failed AS DOUBLE) / rows_checked, 0.0)
            WHEN passed THEN 1.0
            ELSE 0.0
        END AS share
    FROM quality.results
)

SELECT
    table_name,
    dimension,
    checked_at,
    snapshot,
    sum(weight * share) / sum(weight) AS score,
    count(*) AS count_rules,
    count(*) FILTER (WHERE NOT passed) AS count_failed
FROM shares
GROUP BY table_name, dimension, checked_at, snapshot
