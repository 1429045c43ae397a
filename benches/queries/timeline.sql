-- Every customer's events in the order in which sequences are packed; the last keys make equal times repeatable.
SELECT customer_id, event_time, known_time, kind, product_id, category, channel, amount
FROM core.timeline
WHERE customer_id IS NOT NULL
ORDER BY customer_id, event_time, known_time, kind, product_id, amount, channel
