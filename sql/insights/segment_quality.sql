-- Segment quality: whether segments lie apart in how customers buy, and whether rules over that find them again. One row per
-- cut-off, segmentation and segment that anybody is in who has bought, of insights.segments. What segments are worth is in
-- insights.segment_validation.
-- owner: perennial
-- grain: as_of, segmentation, segment
-- check: range(silhouette, -1, 1)
-- check: range(stability, -1, 1)
-- as_of: cut-off of the spine.
-- segmentation: as in insights.segments.
-- segment: segment of it.
-- count_buyers: customers of the segment who have bought.
-- silhouette: how much nearer they are to one another than to those of the next segment (1 well apart, 0 on a border, below 0
-- mixed), in logarithms of days since the newest purchase, purchases, net value and days since the first, each of deviation 1;
-- of 2,000 customers at random; NULL for one segment, or one of which none was drawn.
-- stability: whether rules over these columns, learned from a resample of the customers, put the others into the segment again
-- (Jaccard, corrected for chance; after Hennig 2007), the mean of 10: 1 for all of them, 0 where the columns do not tell it;
-- NULL as silhouette.
WITH
placed AS (
    SELECT
        concat(s.as_of, '|', s.segmentation) AS measured_apart,
        s.customer_id,
        s.segment,
        ln(1.0 + r.days_since_order) AS recency,
        ln(1.0 + f.count_orders) AS frequency,
        ln(1.0 + greatest(v.net_amount, 0.0)) AS value,
        ln(1.0 + t.days_since_first_order) AS tenure
    FROM insights.segments AS s
    INNER JOIN features.recency AS r ON r.customer_id = s.customer_id AND r.as_of = s.as_of
    INNER JOIN features.frequency AS f ON f.customer_id = s.customer_id AND f.as_of = s.as_of
    INNER JOIN features.value AS v ON v.customer_id = s.customer_id AND v.as_of = s.as_of
    INNER JOIN features.tenure AS t ON t.customer_id = s.customer_id AND t.as_of = s.as_of
    WHERE r.last_order_at IS NOT NULL
)

SELECT
    cast(split_part(measured_apart, '|', 1) AS TIMESTAMP) AS as_of,
    split_part(measured_apart, '|', 2) AS segmentation,
    segment,
    rows AS count_buyers,
    silhouette,
    stability
FROM cluster_quality((
    SELECT measured_apart, customer_id, segment, recency, frequency, value, tenure FROM placed
), grouped => true, sample => 2000, resamples => 10)
