-- Champions: the run that scores each task for which one was promoted. The newest run scores every other task.
-- owner: perennial
-- grain: task
-- task: task that is scored.
-- run_id: run whose model scores it.
-- promoted_at: since when.
-- operation: promote, or rollback where it was the champion before another.
-- reason: why, in the words of who decided; NULL for none.
WITH
newest AS (
    SELECT task, run_id, promoted_at, operation, reason
    FROM models.champions
    QUALIFY row_number() OVER (PARTITION BY task ORDER BY promoted_at DESC) = 1
)

SELECT task, run_id, promoted_at, operation, reason
FROM newest
WHERE run_id IS NOT NULL
