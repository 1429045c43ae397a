//! Change rows of a source database: each is a version of its key, a deletion the version that ends it, and every cut-off
//! sees what was known then.

use crate::support::Folder;

/// As Debezium writes them, flattened: `c`reate, `u`pdate, `d`elete, `r`ead for the first copy. Deletions bring the key.
const ORDERS: &str = "op,order_id,customer_id,ordered_at,amount,changed_at\n\
    r,1,ann,2024-01-05,10,2024-01-06\n\
    c,2,ann,2024-02-05,20,2024-02-06\n\
    u,2,ann,2024-02-05,25,2024-02-20\n\
    c,3,ann,2024-02-07,40,2024-02-08\n\
    d,3,,,,2024-03-10\n";
const CUSTOMERS: &str = "op,customer_id,city,created_at,changed_at\n\
    r,ann,Lyon,2024-01-01,2024-01-01\n\
    u,ann,Paris,2024-01-01,2024-02-15\n\
    d,ann,,,2024-03-20\n";

#[test]
fn updates_and_deletes_count_from_when_they_were_known() {
    let folder = Folder::new();
    folder.write("orders.csv", ORDERS);
    folder.write("customers.csv", CUSTOMERS);
    folder.write(
        "sql/staging/db/orders.sql",
        "-- Orders of the database, by change.\nSELECT order_id, customer_id, coalesce(ordered_at, changed_at) AS event_time,\n\
         changed_at AS known_time, CASE WHEN op = 'd' THEN 'cancelled' ELSE 'completed' END AS status, amount\nFROM raw.db_orders\n",
    );
    folder.write(
        "sql/staging/db/customers.sql",
        "-- Customers of the database, by change.\nSELECT customer_id, coalesce(created_at, changed_at) AS event_time,\n\
         changed_at AS known_time, city, op = 'd' AS is_deleted\nFROM raw.db_customers\n",
    );
    folder.ok(&["init", "w"]);
    for table in ["orders", "customers"] {
        folder.ok(&["load", &format!("raw.db_{table}"), &format!("{table}.csv"), "--warehouse", "w"]);
    }
    folder.ok(&["build", "--warehouse", "w"]);
    let at = |as_of: &str| {
        let query = "SELECT count_orders, total_amount, city FROM features.customer \
            JOIN features.known_customers USING (customer_id, as_of)";
        let text = folder.ok(&["sql", query, "--as-of", as_of, "--format", "csv", "--warehouse", "w"]);
        text.lines().skip(1).map(String::from).collect::<Vec<_>>()
    };
    // Worked out by hand from the rows above: what was known before each date.
    assert_eq!(at("2024-02-01"), ["1,10.0,Lyon"]);
    assert_eq!(at("2024-02-10"), ["3,70.0,Lyon"]);
    assert_eq!(at("2024-03-01"), ["3,75.0,Paris"]);
    assert_eq!(at("2024-03-15"), ["2,35.0,Paris"]);
    assert_eq!(at("2024-03-25"), ["2,35.0,"]);
    // Both clocks are kept: the raw rows and every version are still there.
    assert_eq!(folder.sql("w", "SELECT count(*) FROM core.orders"), ["5"]);
}
