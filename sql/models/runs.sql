-- Trainings: one row per run of a task.
-- owner: perennial
-- grain: run_id
-- run_id: id of the run, also the name of its folder under runs/.
-- task: task that was trained.
-- label: label view that the task learns.
-- snapshot: warehouse snapshot that the training read.
-- seed: seed of every random choice of the run.
-- started_at: when the training began.
-- finished_at: when the training ended.
-- train_as_of_from: earliest cut-off of the training examples.
-- train_as_of_to: latest cut-off of the training examples; its horizon ends no later than the validation cut-off.
-- valid_as_of: cut-off of the examples that chose the best epoch.
-- test_as_of: cut-off of the examples that the metrics of the test split speak of.
-- best_epoch: epoch whose weights were kept.
-- config: resolved task file as TOML.
-- from_run: run whose weights the training started from; NULL where it started anew.
CREATE TABLE models.runs (
    run_id VARCHAR,
    task VARCHAR,
    label VARCHAR,
    snapshot BIGINT,
    seed BIGINT,
    started_at TIMESTAMP,
    finished_at TIMESTAMP,
    train_as_of_from TIMESTAMP,
    train_as_of_to TIMESTAMP,
    valid_as_of TIMESTAMP,
    test_as_of TIMESTAMP,
    best_epoch BIGINT,
    config VARCHAR,
    from_run VARCHAR
)
