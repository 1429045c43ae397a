//! Each kind of bad input gives one clear error: what, where, what would be valid. Nothing is lost.

use crate::support::Folder;
use std::path::{Path, PathBuf};

const ORDERS: &str = "order_id,customer_id,ordered_at,amount\n1,a,2024-01-05,10\n2,b,2024-02-05,20\n";

/// A warehouse with two orders in raw.mine_orders.
fn loaded() -> Folder {
    let folder = Folder::new();
    folder.write("orders.csv", ORDERS);
    folder.ok(&["init", "w"]);
    folder.ok(&["load", "raw.mine_orders", "orders.csv", "--history", "--warehouse", "w"]);
    folder
}

fn rows(folder: &Folder) -> Vec<String> {
    folder.sql("w", "SELECT count(*) FROM raw.mine_orders")
}

#[test]
fn no_warehouse_there() {
    let error = Folder::new().fails(&["sql", "SELECT 1", "--warehouse", "nowhere"]);
    assert!(error.contains("nowhere") && error.contains("perennial init"), "{error}");
}

#[test]
fn a_warehouse_is_never_made_twice() {
    let folder = loaded();
    let error = folder.fails(&["init", "w"]);
    assert!(error.contains("exists") || error.contains("already"), "{error}");
    assert_eq!(rows(&folder), ["2"]);
}

#[test]
fn a_missing_file_is_named() {
    let folder = loaded();
    let error = folder.fails(&["load", "raw.mine_orders", "nothere.csv", "--warehouse", "w"]);
    assert!(error.contains("nothere.csv"), "{error}");
    assert_eq!(rows(&folder), ["2"]);
}

#[test]
fn a_glob_without_matches_is_named() {
    let folder = loaded();
    let error = folder.fails(&["load", "raw.mine_orders", "more/*.csv", "--warehouse", "w"]);
    assert!(error.contains("more/*.csv"), "{error}");
}

#[test]
fn a_broken_row_is_named_and_nothing_is_loaded() {
    let folder = loaded();
    folder.write("broken.csv", "order_id,customer_id,ordered_at,amount\n3,c,2024-03-05,30\n4,d,2024-03-06\n");
    let error = folder.fails(&["load", "raw.mine_orders", "broken.csv", "--warehouse", "w"]);
    assert!(error.contains("broken.csv, line 3"), "{error}");
    assert_eq!(rows(&folder), ["2"]);
}

#[test]
fn a_wrong_type_names_row_column_and_value() {
    let folder = loaded();
    folder.write("typed.csv", "order_id,customer_id,ordered_at,amount\n3,c,2024-03-05,30\n4,d,2024-03-06,lots\n");
    let error = folder.fails(&["load", "raw.mine_orders", "typed.csv", "--warehouse", "w"]);
    for part in ["typed.csv, line 3", "amount", "lots"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(rows(&folder), ["2"]);
}

#[test]
fn a_column_that_staging_needs_is_named_with_what_there_is() {
    let folder = loaded();
    folder.write(
        "sql/staging/mine/orders.sql",
        "-- My orders.\nSELECT order_id, customer_id, ordered_on AS event_time, ordered_on AS known_time FROM raw.mine_orders\n",
    );
    let error = folder.fails(&["build", "--warehouse", "w"]);
    for part in ["mine/orders", "ordered_on", "ordered_at"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn staging_that_can_not_run_is_told_where_somebody_counts_on_it() {
    let folder = loaded();
    folder.write("sql/staging/mine/orders.sql", "-- My orders.\nSELECT * FROM raw.mine_ordres\n");
    let told = "sql/staging/mine/orders.sql did not run: raw.mine_ordres is not loaded";
    let text = folder.ok(&["build", "--warehouse", "w"]);
    assert!(text.contains(told) && text.contains("raw.mine_orders goes nowhere"), "{text}");
    assert_eq!(text.matches("did not run").count(), 1, "no shipped source: {text}");
    // A shipped source of which a file is missing.
    folder.ok(&["load", "raw.shop_orders", "orders.csv", "--history", "--warehouse", "w"]);
    let missing = "sql/staging/shop/orders.sql did not run: raw.shop_order_lines is not loaded";
    let text = folder.ok(&["build", "--warehouse", "w"]);
    assert!(text.contains(missing) && text.contains(told) && !text.contains("cdnow"), "{text}");
    folder.write("perennial.toml", "warehouse = 'w'\n");
    let night = folder.ok(&["run"]);
    for part in ["sql/staging/mine/orders.sql", "did not run: raw.shop_order_lines is not loaded"] {
        assert!(night.contains(part) && !night.contains("cdnow"), "{part}: {night}");
    }
}

#[test]
fn an_unknown_key_in_a_toml_is_named() {
    let folder = loaded();
    folder.write("perennial.toml", "warehouse = 'w'\npublsh = 'p'\n");
    let error = folder.fails(&["run"]);
    assert!(error.contains("perennial.toml") && error.contains("publsh") && error.contains("publish"), "{error}");
}

#[test]
fn a_night_with_an_unknown_task_ends_before_any_work() {
    let folder = loaded();
    folder.write("more.csv", "order_id,customer_id,ordered_at,amount\n5,e,2024-03-07,50\n");
    let sources = "[[sources]]\ntable = 'raw.mine_orders'\nfiles = ['more.csv']\n";
    folder.write("perennial.toml", &format!("warehouse = 'w'\n{sources}[[tasks]]\ntask = 'chrun'\n"));
    let error = folder.fails(&["run"]);
    assert!(error.contains("chrun") && error.contains("churn"), "{error}");
    assert_eq!(rows(&folder), ["2"]);
}

#[test]
fn views_in_a_cycle_are_named() {
    let folder = loaded();
    folder.write("sql/features/chicken.sql", "-- One.\nSELECT customer_id, as_of FROM features.egg\n");
    folder.write("sql/features/egg.sql", "-- Other.\nSELECT customer_id, as_of FROM features.chicken\n");
    let error = folder.fails(&["sql", "SELECT 1", "--warehouse", "w"]);
    assert!(error.contains("features.chicken") && error.contains("features.egg"), "{error}");
}

#[test]
fn a_view_that_reads_a_later_schema_is_refused() {
    let folder = loaded();
    folder.write("sql/features/early.sql", "-- Early.\nSELECT customer_id, as_of FROM marts.customer_360\n");
    let error = folder.fails(&["sql", "SELECT 1", "--warehouse", "w"]);
    assert!(error.contains("features/early.sql") && error.contains("marts.customer_360"), "{error}");
}

#[test]
fn a_query_cannot_write() {
    let folder = loaded();
    for query in ["CREATE TABLE t AS SELECT 1", "DROP TABLE raw.mine_orders"] {
        folder.fails(&["sql", query, "--warehouse", "w"]);
    }
    assert_eq!(rows(&folder), ["2"]);
}

#[test]
fn nothing_is_written_among_the_files_of_a_warehouse() {
    let folder = loaded();
    std::os::unix::fs::symlink(folder.path("w/raw"), folder.path("link")).expect("a link");
    let before = files_below(&folder.path("w"));
    let targets = ["w/out.csv", "w/raw/mine_orders/out.csv", "w/../w/_snapshots/out.csv", "link/out.csv"];
    for target in targets {
        let copy = format!("COPY raw.mine_orders TO '{target}'");
        for arguments in [&["sql", &copy][..], &["sql", "SELECT 1 AS one", "--out", target]] {
            let error = folder.fails(&[arguments, &["--warehouse", "w"]].concat());
            assert!(error.contains("out.csv lies in the warehouse") && error.contains("outside of it"), "{error}");
        }
    }
    for arguments in [
        &["publish", "w/bi", "--warehouse", "w"][..],
        &["publish", "w", "--warehouse", "w"],
        &["simulate", "--out", "w/shop"],
    ] {
        let error = folder.fails(arguments);
        assert!(error.contains("lies in the warehouse"), "{error}");
    }
    assert_eq!(files_below(&folder.path("w")), before);
    folder.ok(&["sql", "COPY raw.mine_orders TO 'w.csv'", "--warehouse", "w"]);
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> =
        entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

#[test]
fn tablesample_is_refused_because_it_would_be_ignored() {
    let error = loaded().fails(&["sql", "SELECT * FROM raw.mine_orders TABLESAMPLE (10 PERCENT)", "--warehouse", "w"]);
    assert!(error.to_uppercase().contains("TABLESAMPLE"), "{error}");
}

#[test]
fn an_unknown_table_is_named_with_near_ones() {
    let error = loaded().fails(&["sql", "SELECT * FROM core.order", "--warehouse", "w"]);
    assert!(error.contains("core.orders"), "{error}");
}

#[test]
fn a_cut_off_before_all_data_names_their_range() {
    let folder = loaded();
    folder.write("sql/staging/mine/orders.sql", crate::cli::MY_ORDERS);
    folder.ok(&["build", "--warehouse", "w"]);
    let error = folder.fails(&["features", "--as-of", "2020-01-01", "--warehouse", "w"]);
    assert!(error.contains("2020-01-01") && error.contains("2024-01-05"), "{error}");
    let error = folder.fails(&["features", "--as-of", "soon", "--warehouse", "w"]);
    assert!(error.contains("soon"), "{error}");
}

#[cfg(feature = "train")]
mod training {
    use super::*;

    #[test]
    fn an_unknown_task_is_named_with_the_shipped_ones() {
        let error = loaded().fails(&["train", "chrun", "--warehouse", "w"]);
        assert!(error.contains("chrun") && error.contains("next_purchase"), "{error}");
    }

    #[test]
    fn an_unknown_key_in_a_task_is_named() {
        let folder = loaded();
        folder.write("models/mine.toml", "task = 'mine'\nlabel = 'labels.churn'\nhead = 'churn'\nhorizn = 3\n");
        let error = folder.fails(&["train", "models/mine.toml", "--warehouse", "w"]);
        assert!(error.contains("horizn") && error.contains("horizon_days"), "{error}");
    }

    #[test]
    fn too_little_history_says_how_much_is_needed() {
        let folder = with_orders("2024-01-05", "2024-02-05");
        let error = folder.fails(&["train", "churn", "--warehouse", "w"]);
        assert!(error.contains("90 days"), "{error}");
    }

    #[test]
    fn labels_of_one_class_are_refused() {
        // Everybody buys every month, so nobody ever churns.
        let folder = Folder::new();
        let mut text = String::from("order_id,customer_id,ordered_at,amount\n");
        for month in 0..36 {
            for customer in 0..20 {
                let (year, month_of_year) = (2021 + month / 12, month % 12 + 1);
                let id = month * 100 + customer;
                text.push_str(&format!("{id},c{customer},{year}-{month_of_year:02}-11,10\n"));
            }
        }
        folder.write("orders.csv", &text);
        build(&folder);
        let error = folder.fails(&["train", "churn", "--warehouse", "w"]);
        assert!(error.contains("nothing to tell apart"), "{error}");
    }

    #[test]
    fn cuda_without_cuda_is_refused() {
        let folder = with_orders("2021-01-05", "2024-02-05");
        let error = folder.fails(&["train", "churn", "--device", "cuda", "--warehouse", "w"]);
        assert!(error.to_lowercase().contains("cuda"), "{error}");
    }

    fn with_orders(first: &str, last: &str) -> Folder {
        let folder = Folder::new();
        folder.write("orders.csv", &format!("order_id,customer_id,ordered_at,amount\n1,a,{first},10\n2,b,{last},20\n"));
        build(&folder);
        folder
    }

    fn build(folder: &Folder) {
        folder.write("sql/staging/mine/orders.sql", crate::cli::MY_ORDERS);
        folder.ok(&["init", "w"]);
        folder.ok(&["load", "raw.mine_orders", "orders.csv", "--history", "--warehouse", "w"]);
        folder.ok(&["build", "--warehouse", "w"]);
    }
}
