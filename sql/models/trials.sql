-- Trials of searches for better settings: one row per trial and metric. A trial is no run: nothing is scored by it.
-- owner: perennial
-- grain: trial_id, metric
-- trial_id: id of the trial.
-- task: task whose settings were searched for.
-- snapshot: warehouse snapshot that the trial read.
-- seed: seed of the draws; the seed of the training is in config.
-- trial: number of the trial in its search, from 1, which is the task file as it was.
-- settings: what was searched for, as lines of a task file.
-- valid_as_of: cut-off of the examples that the trial was judged by. No trial sees the test cut-off.
-- best_epoch: epoch of these metrics; NULL where the loss became no number.
-- epochs: epochs trained.
-- metric: loss, by which trials are compared, or a metric of the task.
-- value: the number measured at the validation cut-off; NULL for a loss that became no number.
-- higher_is_better: direction of the metric.
-- finished_at: when the trial ended.
-- config: resolved task file as TOML, by which the same trial is known again.
CREATE TABLE models.trials (
    trial_id VARCHAR,
    task VARCHAR,
    snapshot BIGINT,
    seed BIGINT,
    trial BIGINT,
    settings VARCHAR,
    valid_as_of TIMESTAMP,
    best_epoch BIGINT,
    epochs BIGINT,
    metric VARCHAR,
    value DOUBLE,
    higher_is_better BOOLEAN,
    finished_at TIMESTAMP,
    config VARCHAR
)
