-- Keys that passed from one customer to another, written by build: from the known time on the key was another customer's.
-- owner: perennial
-- grain: of_table, id, sub_id, customer_id, known_time
-- key: of_table, id
-- of_table: core table whose key it is, such as orders.
-- id: the first column of the key, such as the id of the order.
-- sub_id: the second column of the key, such as the id of the line; NULL where there is none.
-- customer_id: who had it before; NULL for a guest.
-- event_time: event time of the version that ends.
-- known_time: when the company could have known that it was another customer's.
CREATE TABLE core.moves (
    of_table VARCHAR,
    id VARCHAR,
    sub_id VARCHAR,
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP
)
