-- Backtests: how a task, trained and judged anew at several test cut-offs, fared at each, beside the baselines. Nothing is scored by these
-- trainings.
-- owner: perennial
-- grain: backtest_id, metric, model
-- backtest_id: id of the training and its judgement.
-- task: task that was trained.
-- snapshot: warehouse snapshot that was read.
-- as_of: test cut-off; training and validation saw nothing of what came after it.
-- train_cutoffs: cut-offs of the examples that were trained on; fewer where history is short.
-- examples: customers judged.
-- place: order of the metrics and models.
-- metric: what was measured.
-- model: perennial, or the baseline beside it.
-- value: the number measured.
-- low: lower end of its bootstrap interval.
-- high: upper end of its bootstrap interval.
-- difference: our value minus this model's; NULL for our own.
-- difference_low: lower end of its interval, on the same resamples.
-- difference_high: upper end of its interval, on the same resamples.
-- higher_is_better: direction of the metric.
-- finished_at: when it was judged.
-- config: resolved task file as TOML, by which the same training is known again.
CREATE TABLE models.backtests (
    backtest_id VARCHAR,
    task VARCHAR,
    snapshot BIGINT,
    as_of TIMESTAMP,
    train_cutoffs BIGINT,
    examples BIGINT,
    place BIGINT,
    metric VARCHAR,
    model VARCHAR,
    value DOUBLE,
    low DOUBLE,
    high DOUBLE,
    difference DOUBLE,
    difference_low DOUBLE,
    difference_high DOUBLE,
    higher_is_better BOOLEAN,
    finished_at TIMESTAMP,
    config VARCHAR
)
