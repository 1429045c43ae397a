-- Promotions of runs, and their undoing: one row each, never changed. models.current_champions is what they come to.
-- owner: perennial
-- grain: task, promoted_at
-- check: accepted(operation, promote, rollback)
-- check: run_id IS NOT NULL OR operation = 'rollback'
-- task: task whose scores it is about.
-- run_id: run that scores from then on; NULL where a rollback leaves the task without a champion, so that its newest run does.
-- promoted_at: when that was decided.
-- operation: promote, or rollback to the champion before.
-- reason: why, in the words of who decided; NULL for none.
CREATE TABLE models.champions (
    task VARCHAR,
    run_id VARCHAR,
    promoted_at TIMESTAMP,
    operation VARCHAR,
    reason VARCHAR
)
