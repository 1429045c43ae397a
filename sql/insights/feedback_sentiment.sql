-- Sentiment of what customers said: by its score where it has one, else by its text, in the newest version known. One row per answer.
-- The shop's own scored texts teach what texts say, in any language that they are in; there is no list of good and bad words.
-- owner: perennial
-- grain: feedback_id
-- check: accepted(sentiment, positive, neutral, negative)
-- check: range(probability, 0.5, 1)
-- feedback_id: id of the answer.
-- customer_id: who said it.
-- event_time: when it was said.
-- kind: review, nps, complaint or a kind of the source's own.
-- score: grade given, on the scale of its kind.
-- sentiment: positive, neutral or negative; NULL where nothing tells. By score it is positive from 9 of 10 (nps) or 4 of 5
--   (csat, review), negative up to 6 of 10 or 2 of 5, else neutral; by text it is text_sentiment.
-- is_from_score: whether the score tells.
-- text_sentiment: what the text alone says, neutral where positive and negative are less than 2 to 1. A text whose score
--   taught had no part in its own answer, so that comparing with sentiment where is_from_score tells how far to trust it.
-- probability: of the likelier of positive and negative, by the text; NULL without text_sentiment.
-- reason: why sentiment is NULL: neither score nor text, or too few scored texts: 20 different ones are needed of each.
WITH
answers AS (
    SELECT
        feedback_id,
        customer_id,
        event_time,
        kind,
        score,
        CASE WHEN trim(text) <> '' THEN text END AS text,
        CASE
            WHEN kind = 'nps' AND score BETWEEN 9 AND 10 THEN 'positive'
            WHEN kind = 'nps' AND score BETWEEN 0 AND 6 THEN 'negative'
            WHEN kind = 'nps' AND score BETWEEN 0 AND 10 THEN 'neutral'
            WHEN kind IN ('csat', 'review') AND score BETWEEN 4 AND 5 THEN 'positive'
            WHEN kind IN ('csat', 'review') AND score BETWEEN 1 AND 2 THEN 'negative'
            WHEN kind IN ('csat', 'review') AND score BETWEEN 1 AND 5 THEN 'neutral'
        END AS graded
    FROM core.feedback_versions
    WHERE superseded_at IS NULL
),

teachers AS (
    SELECT
        count(DISTINCT text) FILTER (WHERE graded = 'positive') >= 20
        AND count(DISTINCT text) FILTER (WHERE graded = 'negative') >= 20 AS are_enough
    FROM answers
),

heard AS (
    SELECT feedback_id, predicted, probability
    FROM text_classes((
        SELECT a.feedback_id, a.text, CASE WHEN a.graded <> 'neutral' THEN a.graded END AS label
        FROM answers AS a
        CROSS JOIN teachers AS t
        WHERE t.are_enough AND a.text IS NOT NULL
    ))
),

told AS (
    SELECT
        a.*,
        h.probability,
        CASE WHEN h.probability < 2.0 / 3.0 THEN 'neutral' ELSE h.predicted END AS text_sentiment
    FROM answers AS a
    LEFT JOIN heard AS h ON a.feedback_id = h.feedback_id
)

SELECT
    feedback_id,
    customer_id,
    event_time,
    kind,
    score,
    coalesce(graded, text_sentiment) AS sentiment,
    graded IS NOT NULL AS is_from_score,
    text_sentiment,
    probability,
    CASE
        WHEN coalesce(graded, text_sentiment) IS NOT NULL THEN NULL
        WHEN text IS NULL THEN 'neither a score on a known scale nor a text'
        ELSE 'too few scored texts to learn from'
    END AS reason
FROM told
