-- Next best action: what to do for whom, at most one action per channel. One row per customer, cut-off and channel.
-- The rules, budgets and limits are those of sql/insights/actions.toml; insights.action_decisions tells why anything else is not
-- done. Whoever is held out must not be contacted: without them nobody can tell what the action brought.
-- owner: perennial
-- grain: customer_id, as_of, channel
-- check: gain > 0
-- check: probability between 0 and 1
-- customer_id: customer of the spine, with consent in force for every purpose of the action.
-- as_of: cut-off of the spine row.
-- channel: channel of the action.
-- action: what to do.
-- rule: rule that led to it.
-- trigger: trigger that made the rule hold; NULL for none.
-- probability: that the action works.
-- value: what it is worth then.
-- cost: what it costs.
-- gain: expected gain, probability * value - cost.
-- gain_rank: place among all actions of the cut-off, 1 for the highest gain.
-- is_held_out: whether it is decided but must not be done.
-- evidence: every number that the rule read.
SELECT
    customer_id,
    as_of,
    channel,
    action,
    rule,
    trigger,
    probability,
    value,
    cost,
    gain,
    cast(row_number() OVER (PARTITION BY as_of ORDER BY gain DESC, customer_id, channel) AS BIGINT) AS gain_rank,
    is_held_out,
    evidence
FROM insights.action_decisions
WHERE decision IN ('act', 'hold_out')
