-- What customers speak of: topics of all feedback texts, by month. One row per month and topic; none below 50 texts.
-- Topics are words that texts have together, so that new texts may move them; each is named by its own words.
-- owner: perennial
-- grain: month, topic_id
-- check: share between 0 and 1
-- check: share_negative between 0 and 1
-- month: first instant (UTC) of the month in which it was said.
-- topic_id: 1 for the topic of most texts of all months, 8 at most; NULL for texts that have no word of any.
-- topic: the heaviest words of the topic.
-- count_texts: texts whose main topic it is.
-- share: of the texts of the month.
-- count_told: texts among them whose sentiment is known, by insights.feedback_sentiment.
-- share_negative: of these, those that are negative; NULL without any.
WITH
texts AS (
    SELECT feedback_id, event_time, text
    FROM core.feedback_versions
    WHERE superseded_at IS NULL
),

said AS (
    SELECT feedback_id, date_trunc('month', event_time) AS month, text, count(*) OVER () AS count_all
    FROM texts
    WHERE trim(text) <> ''
),

found AS (
    SELECT feedback_id, topic_id, topic
    FROM topics((SELECT feedback_id, text FROM said WHERE count_all >= 50), count => 8)
),

counted AS (
    SELECT
        s.month,
        f.topic_id,
        f.topic,
        count(*) AS count_texts,
        count(t.sentiment) AS count_told,
        count(*) FILTER (WHERE t.sentiment = 'negative') AS count_negative
    FROM found AS f
    JOIN said AS s ON f.feedback_id = s.feedback_id
    JOIN insights.feedback_sentiment AS t ON f.feedback_id = t.feedback_id
    GROUP BY s.month, f.topic_id, f.topic
)

SELECT
    month,
    topic_id,
    topic,
    count_texts,
    cast(count_texts AS DOUBLE) / sum(count_texts) OVER (PARTITION BY month) AS share,
    count_told,
    cast(count_negative AS DOUBLE) / nullif(count_told, 0) AS share_negative
FROM counted
