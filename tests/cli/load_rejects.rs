//! Rows that don't parse or don't fit: refused with the load, or set apart in `quality.rejects`, never lost.

use super::load::warehouse;
use crate::support::Folder;

const GOOD: &str = "id,at,amount\n1,2024-01-05,10\n";
/// Lines 3, 4, 6, 7 and 10 are bad, each in its own way; line 5 is blank, and the row of line 7 is two lines long.
const MIXED: &str = "id,at,amount\n2,2024-02-05,20\n3,2024-02-06\n4,05/02/2024,40\n\n\
    123456789012345678901,2024-02-07,50\n6,2024-02-08,\"si\nx\"\n7,2024-02-09,70\n8,2024-02-10,80,extra\n9,2024-02-11,90\n";

fn loaded() -> Folder {
    let folder = warehouse();
    folder.write("good.csv", GOOD);
    folder.write("mixed.csv", MIXED);
    folder.ok(&["load", "raw.mine_orders", "good.csv", "--warehouse", "w"]);
    folder
}

#[test]
fn by_default_nothing_is_loaded_and_the_first_few_are_shown() {
    let folder = loaded();
    let error = folder.fails(&["load", "raw.mine_orders", "mixed.csv", "--warehouse", "w"]);
    for part in [
        "5 rows",
        "mixed.csv, line 3: it has 2 fields, the columns are 3: 3,2024-02-06",
        "mixed.csv, line 4, column \"at\": \"05/02/2024\" is no DATE",
        "mixed.csv, line 6, column \"id\": \"123456789012345678901\" is no BIGINT",
        "mixed.csv, line 7, column \"amount\": \"si x\" is no BIGINT",
        "mixed.csv, line 10: it has 4 fields",
        "nothing was loaded",
        "new table",
        "--max-rejects",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = folder.fails(&["load", "raw.mine_orders", "mixed.csv", "--max-rejects", "4", "--warehouse", "w"]);
    assert!(error.contains("5 rows") && error.contains("4 may be rejected"), "{error}");
    assert_eq!(folder.sql("w", "SELECT count(*) FROM raw.mine_orders"), ["1"]);
    assert_eq!(folder.sql("w", "SELECT count(*) FROM quality.rejects"), ["0"]);
}

#[test]
fn rejects_come_with_their_load_in_one_snapshot() {
    let folder = loaded();
    let text = folder.ok(&["load", "raw.mine_orders", "mixed.csv", "--max-rejects", "5", "--warehouse", "w"]);
    assert!(text.contains("5 rows rejected, see quality.rejects") && text.contains("3 rows from 1 files"), "{text}");
    let rows = folder.sql("w", "SELECT id, amount, _row FROM raw.mine_orders WHERE _file = 'mixed.csv' ORDER BY _row");
    assert_eq!(rows, ["2,20,1", "7,70,6", "9,90,8"]);
    let rejects = folder.sql(
        "w",
        "SELECT raw_table, file, row_number, line_number, column_name, replace(value, chr(10), '/'), \
         replace(line, chr(10), '/') FROM quality.rejects ORDER BY row_number",
    );
    assert_eq!(
        rejects,
        [
            "raw.mine_orders,mixed.csv,2,3,,,\"3,2024-02-06\"",
            "raw.mine_orders,mixed.csv,3,4,at,05/02/2024,\"4,05/02/2024,40\"",
            "raw.mine_orders,mixed.csv,4,6,id,123456789012345678901,\"123456789012345678901,2024-02-07,50\"",
            "raw.mine_orders,mixed.csv,5,7,amount,si/x,\"6,2024-02-08,\"\"si/x\"\"\"",
            "raw.mine_orders,mixed.csv,7,10,,,\"8,2024-02-10,80,extra\"",
        ]
    );
    let unnamed = folder.sql("w", "SELECT count(*) FROM quality.rejects WHERE reason IS NULL OR loaded_at IS NULL");
    assert_eq!(unnamed, ["0"]);
    // Every row of the file is in one of the two, and the snapshot before has neither.
    let before =
        ["sql", "SELECT (SELECT count(*) FROM raw.mine_orders) AS a, (SELECT count(*) FROM quality.rejects) AS b"];
    let before = folder.ok(&[&before[..], &["--snapshot", "1", "--format", "csv", "--warehouse", "w"]].concat());
    assert_eq!(before.lines().last(), Some("1,0"));
    let again = folder.ok(&["load", "raw.mine_orders", "mixed.csv", "--max-rejects", "5", "--warehouse", "w"]);
    assert!(again.contains("skipped"), "{again}");
    assert_eq!(folder.sql("w", "SELECT count(*) FROM quality.rejects"), ["5"]);
}

#[test]
fn a_load_killed_between_its_commits_keeps_each_reject_once() {
    let folder = loaded();
    let load = ["load", "raw.mine_orders", "mixed.csv", "--max-rejects", "5", "--warehouse", "w"];
    folder.ok(&load);
    // As a kill leaves it: rejects committed, rows not, no snapshot.
    std::fs::remove_file(folder.path("w/_snapshots/00000000000000000002.json")).expect("removed");
    let log = folder.path("w/raw/mine_orders/_delta_log/00000000000000000001.json");
    std::fs::remove_file(log).expect("removed");
    assert_eq!(folder.sql("w", "SELECT count(*) FROM quality.rejects"), ["0"]);
    folder.ok(&load);
    assert_eq!(folder.sql("w", "SELECT count(*) FROM raw.mine_orders"), ["4"]);
    assert_eq!(folder.sql("w", "SELECT count(*) FROM quality.rejects"), ["5"]);
}

#[test]
fn an_open_quote_and_bad_json_and_wrong_bytes_are_rejects_too() {
    let folder = warehouse();
    folder.write("open.csv", "id,note\n1,fine\n2,\"never closed\n3,swallowed\n");
    let text = folder.ok(&["load", "raw.mine_open", "open.csv", "--max-rejects", "1", "--warehouse", "w"]);
    assert!(text.contains("open.csv, line 3: a quote is opened and never closed"), "{text}");
    folder.write("broken.ndjson", "{\"id\": 1}\n{\"id\": 2\n[3]\n{\"id\": 4}\n");
    let text = folder.ok(&["load", "raw.mine_json", "broken.ndjson", "--max-rejects", "2", "--warehouse", "w"]);
    assert!(
        text.contains("line 2: it is not one JSON object per line: EOF while parsing an object at column 8"),
        "{text}"
    );
    assert_eq!(folder.sql("w", "SELECT id, _row FROM raw.mine_json ORDER BY id"), ["1,1", "4,4"]);
    std::fs::write(folder.path("bytes.csv"), b"id,name\n1,good\n2,b\xffd\n3,good\n").expect("a file");
    folder.ok(&["load", "raw.mine_bytes", "bytes.csv", "--max-rejects", "1", "--warehouse", "w"]);
    assert_eq!(folder.sql("w", "SELECT id FROM raw.mine_bytes ORDER BY id"), ["1", "3"]);
    let lines = folder.sql("w", "SELECT line FROM quality.rejects WHERE file = 'bytes.csv'");
    assert_eq!(lines, ["\"2,b\u{fffd}d\""]);
}
