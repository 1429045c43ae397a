-- How scores turned out, and how far customers have moved since a model was tested: one row per number measured.
-- owner: perennial
-- grain: task, run_id, as_of, scored_at, metric, feature, recorded_at
-- check: flag IS NULL OR flag IN ('decay', 'drift')
-- task: task that was scored.
-- run_id: run that gave the scores.
-- as_of: cut-off of the scores; of the cut-offs of a month only the first is monitored.
-- scored_at: when those scores were computed.
-- metric: a metric of models.metrics, of the scores and what followed in the horizon; or psi, of a feature.
-- feature: column of features.customer whose psi it is; NULL for metrics of scores.
-- customers: customers it was measured on.
-- value: the number measured; psi is the population stability index since the run's test cut-off.
-- low: lower end of its 95 % bootstrap interval; NULL for psi.
-- high: upper end of its 95 % bootstrap interval; NULL for psi.
-- test_value: the same metric at the run's test cut-off, from models.metrics; NULL for psi and for a run never evaluated.
-- flag: decay where the whole interval is worse than test_value, drift where psi is above .25; NULL for neither.
-- recorded_at: when it was measured.
CREATE TABLE models.monitoring (
    task VARCHAR,
    run_id VARCHAR,
    as_of TIMESTAMP,
    scored_at TIMESTAMP,
    metric VARCHAR,
    feature VARCHAR,
    customers BIGINT,
    value DOUBLE,
    low DOUBLE,
    high DOUBLE,
    test_value DOUBLE,
    flag VARCHAR,
    recorded_at TIMESTAMP
)
