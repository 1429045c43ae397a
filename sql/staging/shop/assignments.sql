-- Who of the simulated shop could be sent a campaign, and whether a coin sent it: every campaign is an experiment.
-- owner: perennial
-- grain: assignment_id
-- assignment_id: assignment_id.
-- customer_id: customer_id.
-- event_time: assigned_at, when the campaign was sent.
-- known_time: when the rows were loaded, or the assignment for a historical load.
-- experiment: id of the campaign.
-- arm: sent or holdout.
SELECT
    assignment_id,
    customer_id,
    cast(assigned_at AS TIMESTAMP) AS event_time,
    coalesce(_loaded_at, cast(assigned_at AS TIMESTAMP)) AS known_time,
    experiment,
    lower(arm) AS arm
FROM raw.shop_assignments
