-- What a model goes by: how much worse a run is at its test cut-off once inputs are those of other customers. One row per group
-- of inputs, metric and measurement.
-- owner: perennial
-- grain: task, run_id, grouping, input_group, input, metric, recorded_at
-- check: accepted(grouping, source, group, single)
-- check: deviation >= 0
-- check: correlation between -1 and 1
-- task: task of the run.
-- run_id: run that was measured.
-- as_of: cut-off of the customers, the run's test cut-off.
-- grouping: what was shuffled together: a source (all events, all aggregates, all features), a group (one field of the events, the features of one view), or a single input.
-- input_group: the source of a group, the group of a single input; NULL for a source.
-- input: name of the source, of the group, or of the single input.
-- metric: name of the metric; of the main one the importance is what it loses, of log_loss and loss what they gain.
-- importance: mean over the shuffles; below 0 where the model did better by chance.
-- deviation: standard deviation over the shuffles.
-- repeats: shuffles.
-- customers: customers measured on.
-- is_useless: whether the loss's importance is within two deviations of 0, or below; NULL but for single aggregates and features.
-- redundant_with: a more important single input that ranks customers nearly alike, as group.input; NULL where there is none.
-- correlation: Spearman's rank correlation with it, unknown values ranking below all others.
-- recorded_at: when it was measured.
CREATE TABLE models.importance (
    task VARCHAR,
    run_id VARCHAR,
    as_of TIMESTAMP,
    grouping VARCHAR,
    input_group VARCHAR,
    input VARCHAR,
    metric VARCHAR,
    importance DOUBLE,
    deviation DOUBLE,
    repeats BIGINT,
    customers BIGINT,
    is_useless BOOLEAN,
    redundant_with VARCHAR,
    correlation DOUBLE,
    recorded_at TIMESTAMP
)
