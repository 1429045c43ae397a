-- Action decisions: what became of every candidate for action, and why. One row per customer, cut-off and rule that holds.
-- Of the open candidates the one with the highest expected gain comes first; each takes its place if the customer's channel is
-- free, contacts are left and its cost fits the budgets.
-- owner: perennial
-- grain: customer_id, as_of, rule
-- check: accepted(decision, act, hold_out, outranked, over_budget, contact_limit, channel_limit, no_gain, unknown_gain, no_consent, unknown_customer)
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- channel: channel of the action.
-- action: what is proposed.
-- rule: rule that proposes it.
-- trigger: trigger that made the rule hold; NULL for none.
-- probability: that the action works; NULL where a number that it needs is not known.
-- value: what it is worth then; NULL likewise.
-- cost: what it costs; NULL likewise.
-- gain: expected gain, probability * value - cost.
-- is_held_out: whether the customer is in the action's holdout.
-- decision: act, hold_out (it would be done, but the customer is held out), outranked (the customer's channel has an action with
-- at least this gain), over_budget, contact_limit and channel_limit (too many messages lately), no_gain (0 or less),
-- unknown_gain (a number is missing), no_consent (of every purpose, the newest decision in force must be a consent) or
-- unknown_customer (not known at the cut-off, or deleted).
-- evidence: every number that the rule read.
WITH
wanted AS (
    SELECT rule, channel, cardinality(purposes) AS count_purposes, unnest(purposes) AS purpose
    FROM insights.action_rules
),

-- At one time, a withdrawal counts and not a consent.
in_force AS (
    SELECT k.customer_id, k.as_of, w.rule, w.count_purposes, k.is_granted
    FROM features.known_consents AS k
    INNER JOIN wanted AS w ON w.purpose = k.purpose AND (k.channel IS NULL OR k.channel = w.channel)
    QUALIFY row_number() OVER (
        PARTITION BY k.customer_id, k.as_of, w.rule, w.purpose ORDER BY k.event_time DESC, coalesce(k.is_granted, false)
    ) = 1
),

consented AS (
    SELECT customer_id, as_of, rule
    FROM in_force
    WHERE is_granted
    GROUP BY customer_id, as_of, rule, count_purposes
    HAVING count(*) = count_purposes
),

sent AS (
    SELECT
        t.customer_id,
        t.as_of,
        r.rule,
        count(*) FILTER (
            WHERE t.channel = r.channel
            AND t.event_time >= t.as_of - arrow_cast(r.channel_days * 86400000000, 'Duration(Microsecond)')
        ) AS count_on_channel,
        count(*) FILTER (
            WHERE t.event_time >= t.as_of - arrow_cast(r.contacts_days * 86400000000, 'Duration(Microsecond)')
        ) AS count_anywhere
    FROM features.known_touches AS t
    CROSS JOIN insights.action_rules AS r
    WHERE t.kind = 'sent'
    GROUP BY t.customer_id, t.as_of, r.rule
)

SELECT customer_id, as_of, channel, action, rule, trigger, probability, value, cost, gain, is_held_out, decision, evidence
FROM best_actions((
    SELECT
        c.as_of,
        c.customer_id,
        c.channel,
        c.action,
        c.rule,
        c.probability,
        c.value,
        c.cost,
        r.budget,
        r.total_budget,
        r.contacts_at_most - coalesce(s.count_anywhere, 0) AS contacts_left,
        c.is_held_out,
        CASE
            WHEN k.signed_up_at IS NULL THEN 'unknown_customer'
            WHEN o.customer_id IS NULL THEN 'no_consent'
            WHEN coalesce(s.count_on_channel, 0) >= r.channel_at_most THEN 'channel_limit'
        END AS refusal,
        c.trigger,
        c.evidence
    FROM insights.action_candidates AS c
    INNER JOIN insights.action_rules AS r ON r.rule = c.rule
    LEFT JOIN features.known_customers AS k ON k.customer_id = c.customer_id AND k.as_of = c.as_of
    LEFT JOIN consented AS o ON o.customer_id = c.customer_id AND o.as_of = c.as_of AND o.rule = c.rule
    LEFT JOIN sent AS s ON s.customer_id = c.customer_id AND s.as_of = c.as_of AND s.rule = c.rule
))
