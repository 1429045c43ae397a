-- Online Retail customers: everybody on an invoice, first seen at the first one.
-- owner: perennial
-- grain: customer_id
-- customer_id: CustomerID as whole number.
-- event_time: date of the customer's first invoice.
-- known_time: when the lines were loaded, or the first invoice for a historical load.
-- country: country of the newest invoice; a few customers moved.
-- signup_channel: always web.
WITH
invoices AS (
    SELECT
        cast(cast("CustomerID" AS BIGINT) AS VARCHAR) AS customer_id,
        cast("InvoiceDate" AS TIMESTAMP) AS event_time,
        "Country" AS country,
        _loaded_at
    FROM raw.online_retail_lines
    WHERE "CustomerID" IS NOT NULL
)

SELECT
    customer_id,
    min(event_time) AS event_time,
    coalesce(max(_loaded_at), min(event_time)) AS known_time,
    first_value(country ORDER BY event_time DESC, country) AS country,
    'web' AS signup_channel
FROM invoices
GROUP BY customer_id
