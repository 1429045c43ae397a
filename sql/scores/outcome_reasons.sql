-- Why a customer's score of a label of one's own is what it is: the inputs that moved it most. One row per customer, scoring and rank; history is kept.
-- owner: perennial
-- grain: customer_id, run_id, as_of, scored_at, rank
-- check: rank >= 1
-- check: not_null(input_group, input, contribution, baseline, output)
-- customer_id: whose score is explained.
-- task: task that the model was trained for.
-- run_id: run whose model gave the score.
-- snapshot: warehouse snapshot that the model read.
-- as_of: cut-off; only rows before it by both clocks were used.
-- scored_at: when the reasons were computed.
-- rank: place among the inputs by size of the contribution, 1 for the largest, whichever way it points.
-- input_group: events, aggregates, or the view that the feature is of.
-- input: the input: a field of the events, an aggregate, or a feature.
-- contribution: what it added to the output; above 0 makes it likelier, or more.
-- value: the customer's own value of an aggregate, as the model reads it, or of a feature; NULL where unknown, and for fields of events.
-- baseline: output of an average customer with as many events; with all contributions, those not listed too, it comes to output.
-- output: of a label the logit ln(p / (1 - p)) of the customer, of an amount or count the natural logarithm of what is expected.
CREATE TABLE scores.outcome_reasons (
    customer_id VARCHAR,
    task VARCHAR,
    run_id VARCHAR,
    snapshot BIGINT,
    as_of TIMESTAMP,
    scored_at TIMESTAMP,
    rank BIGINT,
    input_group VARCHAR,
    input VARCHAR,
    contribution DOUBLE,
    value DOUBLE,
    baseline DOUBLE,
    output DOUBLE
)
