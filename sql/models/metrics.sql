-- Metrics of models and of their baselines: one row per number measured.
-- owner: perennial
-- grain: run_id, task, split, epoch, model, protocol, metric, slice, recorded_at
-- run_id: run that was measured, also for the baselines beside it.
-- task: task that was measured.
-- split: train, valid or test.
-- epoch: epoch that was measured; NULL for the finished model and for baselines.
-- model: the trained model, a baseline or the attainable truth.
-- protocol: how candidates, cut-offs and ties were handled, in a few words.
-- metric: name of the metric, or of a difference between two models.
-- slice: part of the customers that was measured, as `channel: web`, or `horizon: 30 days` where another horizon than the task's was asked for; NULL for all of them.
-- value: the number measured.
-- low: lower end of its bootstrap interval; NULL where none was computed.
-- high: upper end of its bootstrap interval; NULL where none was computed.
-- higher_is_better: direction of the metric.
-- recorded_at: when it was measured.
CREATE TABLE models.metrics (
    run_id VARCHAR,
    task VARCHAR,
    split VARCHAR,
    epoch BIGINT,
    model VARCHAR,
    protocol VARCHAR,
    metric VARCHAR,
    slice VARCHAR,
    value DOUBLE,
    low DOUBLE,
    high DOUBLE,
    higher_is_better BOOLEAN,
    recorded_at TIMESTAMP
)
