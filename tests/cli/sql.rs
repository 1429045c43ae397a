//! `perennial sql`: statements in, rows out, in every form; files, versions and mistakes.

use crate::support::Folder;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Stdio;

const W: [&str; 2] = ["--warehouse", "w"];

/// A warehouse with two loads of orders: two rows, then one more.
pub fn loaded() -> Folder {
    let folder = Folder::new();
    folder.ok(&["init", "w"]);
    for (file, rows) in [("one.csv", "1,007,2024-01-05,10.5\n2,b,2024-02-05,20\n"), ("two.csv", "3,c,2024-03-05,30\n")]
    {
        folder.write(file, &format!("order_id,customer_id,ordered_at,amount\n{rows}"));
        folder.ok(&["load", "raw.mine_orders", file, "--history", "--warehouse", "w"]);
    }
    folder
}

fn sql(folder: &Folder, arguments: &[&str]) -> String {
    folder.ok(&[&["sql"], arguments, &W].concat())
}

fn fails(folder: &Folder, query: &str) -> String {
    folder.fails(&["sql", query, "--warehouse", "w"])
}

/// The URL of a web server that has one file, for as long as the tests run.
fn web_server(path: &'static str, content: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let request = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let request = request.collect::<Vec<_>>().concat();
            let (status, content) = match request.split(' ').nth(1) == Some(path) {
                true => ("200 OK", content),
                false => ("404 Not Found", ""),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
            let body = if request.starts_with("GET") { content } else { "" };
            // Who has read enough closes.
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    url
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "\"{part}\" is not in: {text}");
    }
}

#[test]
fn statements_run_in_order_wherever_they_come_from() {
    let folder = loaded();
    let text = "SELECT 1 AS a; -- one; not two\nSELECT ';' AS b;";
    let wanted = "a\n1\nb\n;\n";
    assert_eq!(sql(&folder, &[text, "--format", "csv"]), wanted);
    folder.write("both.sql", text);
    assert_eq!(sql(&folder, &["--file", "both.sql", "--format", "csv"]), wanted);
    let mut command = folder.command(&["sql", "--format", "csv", "--warehouse", "w"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("the end");
    assert_eq!(String::from_utf8_lossy(&output.stdout), wanted);
    // What is wrong further down is found before anything runs.
    let output = folder.run(&["sql", "COPY (SELECT 1) TO 'early.csv'; SELEC 2", "--warehouse", "w"]);
    assert!(!output.status.success() && !folder.path("early.csv").exists());
    let error = folder.fails(&["sql", "SELECT 1; SELECT 2", "--out", "x.csv", "--warehouse", "w"]);
    assert_says(&error, &["--out", "2", "COPY"]);
}

#[test]
fn rows_come_in_every_form() {
    let folder = loaded();
    let query = "SELECT order_id, customer_id AS \"who|what\", nullif(amount, 20) AS amount FROM raw.mine_orders \
        WHERE order_id < 3 ORDER BY order_id";
    let forms = [
        ("csv", "order_id,who|what,amount\n1,007,10.5\n2,b,\n"),
        (
            "json",
            "[{\"order_id\":1,\"who|what\":\"007\",\"amount\":10.5},{\"order_id\":2,\"who|what\":\"b\",\"amount\":null}]\n",
        ),
        (
            "ndjson",
            "{\"order_id\":1,\"who|what\":\"007\",\"amount\":10.5}\n{\"order_id\":2,\"who|what\":\"b\",\"amount\":null}\n",
        ),
        ("markdown", "| order_id | who\\|what | amount |\n| ---: | --- | ---: |\n| 1 | 007 | 10.5 |\n| 2 | b |  |\n"),
        (
            "table",
            "+----------+----------+--------+\n| order_id | who|what | amount |\n+----------+----------+--------+\n\
             | 1        | 007      | 10.5   |\n| 2        | b        |        |\n+----------+----------+--------+\n",
        ),
    ];
    for (form, wanted) in forms {
        assert_eq!(sql(&folder, &[query, "--format", form]), wanted, "{form}");
    }
    let output = folder.run(&["sql", query, "--format", "parquet", "--warehouse", "w"]);
    std::fs::write(folder.path("piped.parquet"), output.stdout).expect("a file");
    let back = "SELECT * FROM 'piped.parquet'";
    assert_eq!(sql(&folder, &[back, "--format", "csv"]), forms[0].1);
    let nothing = "SELECT order_id FROM raw.mine_orders WHERE order_id < 0";
    for (form, wanted) in
        [("csv", "order_id\n"), ("json", "[]\n"), ("ndjson", ""), ("markdown", "| order_id |\n| ---: |\n")]
    {
        assert_eq!(sql(&folder, &[nothing, "--format", form]), wanted, "{form}");
    }
}

#[test]
fn nested_values_and_numbers_that_are_none_come_in_every_form() {
    let folder = loaded();
    let nested = "SELECT 1 AS id, [1, NULL] AS list, named_struct('a', 'x,y', 'b', true) AS pair, \
                  CASE WHEN false THEN [1] END AS none";
    let pair = "{\"a\":\"x,y\",\"b\":true}";
    assert_eq!(
        sql(&folder, &[nested, "--format", "csv"]),
        format!("id,list,pair,none\n1,\"[1,null]\",\"{}\",\n", pair.replace('"', "\"\""))
    );
    let object = format!("{{\"id\":1,\"list\":[1,null],\"pair\":{pair},\"none\":null}}\n");
    assert_eq!(sql(&folder, &[nested, "--format", "ndjson"]), object);
    sql(&folder, &[&format!("COPY ({nested}) TO 'nested.csv'")]);
    assert_eq!(sql(&folder, &["SELECT list, none FROM 'nested.csv'", "--format", "csv"]), "list,none\n\"[1,null]\",\n");
    let odd = "SELECT cast('NaN' AS DOUBLE) AS a, cast('-Infinity' AS DOUBLE) AS b, [cast('Infinity' AS DOUBLE)] AS c";
    assert_eq!(sql(&folder, &[odd, "--format", "json"]), "[{\"a\":null,\"b\":null,\"c\":[null]}]\n");
    assert_eq!(sql(&folder, &[odd, "--format", "ndjson"]), "{\"a\":null,\"b\":null,\"c\":[null]}\n");
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let folder = loaded();
    let mistakes: [(&str, &[&str]); 7] = [
        ("SELECT order_id\nFROM raw.mine_orders\nWHER amount > 3", &["line 3, column 6:\nWHER amount > 3\n     ^"]),
        (
            "SELECT 1,\n  amuont FROM raw.mine_orders",
            &["no column amuont", "names: amount\nline 2, column 3:\n  amuont FROM raw.mine_orders\n  ^"],
        ),
        ("SELECT passsed, rul FROM quality.results", &["no column passsed", "names: passed\nline 1, column 8:"]),
        ("SELECT o.amuont FROM raw.mine_orders o", &["no column o.amuont", "o.amount\nline 1, column 8:"]),
        ("SELECT cuont(*) FROM raw.mine_orders", &["no function cuont", "count", "line 1, column 8:\nSELECT cuont(*)"]),
        ("SELECT 1; SELECT *\nFROM core.order", &["core.orders", "line 2, column 6:\nFROM core.order\n     ^"]),
        ("SELECT 'open", &["line 1, column 8:"]),
    ];
    for (query, parts) in mistakes {
        assert_says(&fails(&folder, query), parts);
    }
    folder.write("till.csv", "Total,item count,note\n1.5,2,x\n");
    folder.ok(&["load", "raw.mine_till", "till.csv", "--warehouse", "w"]);
    for (name, known) in
        [("Total", "\"Total\""), ("t.total", "t.\"Total\""), ("TOTAL", "\"Total\""), ("item_count", "\"item count\"")]
    {
        assert_says(
            &fails(&folder, &format!("SELECT {name} FROM raw.mine_till AS t")),
            &["no column", &format!("names: {known}")],
        );
    }
    for (query, parts) in [
        ("SELECT sum(note) FROM raw.mine_till", ["call \"sum(VARCHAR)\" is not valid: it takes ", "cast(x AS DOUBLE)"]),
        ("SELECT cast('abc' AS INT)", ["value \"abc\" is not valid: it is no INT;", "try_cast"]),
        ("SELECT cast(note AS BIGINT) FROM raw.mine_till", ["value \"x\" is not valid: it is no BIGINT;", "try_cast"]),
    ] {
        let error = fails(&folder, query);
        assert_says(&error, &parts);
        assert!(!error.contains("DataFusion") && !error.contains("Utf8"), "{error}");
    }
    for file in std::fs::read_dir(folder.path("w/raw/mine_till")).expect("a folder").flatten() {
        if file.path().is_file() {
            std::fs::remove_file(file.path()).expect("removed");
        }
    }
    let gone = fails(&folder, "SELECT * FROM raw.mine_till");
    assert_says(&gone, &["w/raw/mine_till/", ".parquet is not there any more", "perennial doctor"]);
    // In a view the place is one of the view.
    folder.write("sql/features/mine.sql", "-- Mine.\nSELECT\n    days_sinse_order FROM features.recency\n");
    assert_says(
        &fails(&folder, "SELECT * FROM features.mine"),
        &["sql/features/mine.sql", "days_since_order", "line 3, column 5:\n    days_sinse_order FROM"],
    );
}

#[test]
fn plans_are_explained() {
    let folder = loaded();
    assert_says(&sql(&folder, &["EXPLAIN SELECT count(*) FROM raw.mine_orders"]), &["logical_plan", "physical_plan"]);
    let analyzed = sql(&folder, &["EXPLAIN ANALYZE SELECT count(*) FROM raw.mine_orders WHERE amount > 15"]);
    assert_says(&analyzed, &["output_rows=1", "elapsed_compute"]);
}

#[test]
fn files_are_queried_by_their_path() {
    let folder = loaded();
    // As load reads them: 007 is no number.
    assert_eq!(
        sql(&folder, &["SELECT * FROM 'one.csv' LIMIT 1", "--format", "csv"]).lines().nth(1),
        Some("1,007,2024-01-05,10.5")
    );
    let all = "SELECT count(*) AS n, sum(amount) AS total FROM ";
    for file in ["copy.csv", "copy.ndjson", "copy.parquet"] {
        sql(&folder, &[&format!("COPY raw.mine_orders TO '{file}'")]);
        assert_eq!(sql(&folder, &[&format!("{all}'{file}'"), "--format", "csv"]), "n,total\n3,60.5\n", "{file}");
    }
    let joined = "SELECT count(*) AS n FROM 'one.csv' AS f JOIN raw.mine_orders AS o USING (order_id)";
    assert_eq!(sql(&folder, &[joined, "--format", "csv"]), "n\n2\n");
    // Several files are one table of all their columns; a name is no pattern where a file has it.
    let several = "SELECT count(*) AS n, sum(order_id) AS ids, sum(amount) AS total, count(note) AS notes FROM ";
    folder.write("drop/more/three.csv", "order_id,note\n4,kept\n");
    std::fs::copy(folder.path("one.csv"), folder.path("drop/[one].csv")).expect("copied");
    assert_eq!(sql(&folder, &[&format!("{several}'drop'"), "--format", "csv"]).lines().nth(1), Some("3,7,30.5,1"));
    assert_eq!(sql(&folder, &[&format!("{all}'drop/[one].csv'"), "--format", "csv"]).lines().nth(1), Some("2,30.5"));
    for (n, part) in ["order_id < 3", "order_id = 3"].iter().enumerate() {
        sql(&folder, &[&format!("COPY (SELECT * FROM raw.mine_orders WHERE {part}) TO 'part {n}.parquet'")]);
    }
    assert_eq!(sql(&folder, &[&format!("{all}'part*.parquet'"), "--format", "csv"]).lines().nth(1), Some("3,60.5"));
    let mixed = fails(&folder, "SELECT * FROM 'copy.*'");
    assert_says(&mixed, &["copy.parquet", "one kind"]);
    for missing in ["gone.csv", "more/gone.parquet", "gone*.csv"] {
        assert_says(&fails(&folder, &format!("SELECT * FROM '{missing}'")), &["no file", missing]);
    }
    assert_says(&fails(&folder, "SELECT * FROM 'ftp://host/rows.csv'"), &["ftp://host", "give a folder"]);
    let site = web_server("/rows.csv", "id,text\n1,a\n2,b\n");
    let of_web = format!("SELECT sum(id) AS n, max(text) AS last FROM '{site}/rows.csv'");
    assert_eq!(sql(&folder, &[&of_web, "--format", "csv"]), "n,last\n3,b\n");
    for missing in ["gone.csv", "*.csv"] {
        assert_says(&fails(&folder, &format!("SELECT * FROM '{site}/{missing}'")), &["no file", "web", missing]);
    }
    assert_says(&folder.fails(&["init", &site]), &[&site, "only be read"]);
    folder.write("odd.xlsx", "x");
    assert_says(&fails(&folder, "SELECT * FROM 'odd.xlsx'"), &["odd.xlsx", ".parquet"]);
}

#[test]
fn copy_writes_whole_files_again_and_again() {
    let folder = loaded();
    for _ in 0..2 {
        sql(&folder, &["COPY (SELECT order_id, amount FROM raw.mine_orders ORDER BY order_id) TO 'out.csv'"]);
    }
    let written = std::fs::read_to_string(folder.path("out.csv")).expect("a file");
    assert_eq!(written, "order_id,amount\n1,10.5\n2,20.0\n3,30.0\n");
    sql(&folder, &["COPY (SELECT * FROM raw.mine_orders WHERE false) TO 'none.parquet'"]);
    let columns = sql(&folder, &["DESCRIBE raw.mine_orders", "--format", "csv"]).lines().count();
    assert_eq!(sql(&folder, &["SELECT * FROM 'none.parquet'", "--format", "csv"]).split(',').count(), columns - 1);
    // A query that fails leaves what was there.
    fails(&folder, "COPY (SELECT cast(customer_id AS BIGINT) AS n FROM raw.mine_orders) TO 'out.csv'");
    assert_eq!(std::fs::read_to_string(folder.path("out.csv")).expect("a file"), written);
    for (query, parts) in [
        ("COPY raw.mine_orders TO 'out.xlsx'", ["out.xlsx", ".parquet"]),
        ("COPY raw.mine_orders TO 's3://bucket/out.csv'", ["s3://bucket/out.csv", "local"]),
        ("COPY raw.mine_orders TO 'out.csv' STORED AS CSV", ["STORED AS", "ending"]),
        ("COPY raw.mine_order TO 'out.csv'", ["raw.mine_orders", "line 1"]),
    ] {
        assert_says(&fails(&folder, query), &parts);
    }
}

#[test]
fn a_table_is_read_at_an_older_version() {
    let folder = loaded();
    let count = |version: u32| {
        let query = format!("SELECT count(*) AS n FROM at_version('raw.mine_orders', {version})");
        sql(&folder, &[&query, "--format", "csv"])
    };
    assert_eq!((count(0).as_str(), count(1).as_str()), ("n\n2\n", "n\n3\n"));
    let both =
        "SELECT o.order_id FROM raw.mine_orders o LEFT ANTI JOIN at_version('raw.mine_orders', 0) v USING (order_id)";
    assert_eq!(sql(&folder, &[both, "--format", "csv"]), "order_id\n3\n");
    for (query, parts) in [
        ("SELECT * FROM at_version('raw.mine_orders', 9)", ["no version 9", "0 to 1"]),
        ("SELECT * FROM at_version('raw.mine_order', 0)", ["no versions", "raw.mine_orders"]),
        ("SELECT * FROM at_version('raw.mine_orders')", ["at_version", "a table and a version"]),
    ] {
        assert_says(&fails(&folder, query), &parts);
    }
}

#[test]
fn views_and_tables_are_defined_as_files() {
    let folder = loaded();
    let write = |text: &str| sql(&folder, &["--write", text, "--format", "csv"]);
    let refused = |text: &str| folder.fails(&["sql", "--write", text, "--warehouse", "w"]);
    let best = "VIEW marts.best COMMENT = 'Whose orders are large.' AS SELECT order_id, amount FROM raw.mine_orders";
    assert_says(&fails(&folder, &format!("CREATE {best}")), &["--write"]);
    assert!(!folder.path("sql").exists());

    let count = "SELECT count(*) AS n FROM marts.best";
    assert_eq!(write(&format!("CREATE {best} WHERE amount > 15; {count}")), "n\n2\n");
    let file = folder.path("sql/marts/best.sql");
    let text = || std::fs::read_to_string(&file).expect("a file");
    assert_says(&text(), &["-- Whose orders are large.\nSELECT", "raw.mine_orders"]);
    assert_says(&refused(&format!("CREATE {best}")), &["marts.best", "OR REPLACE"]);
    write(&format!("CREATE OR REPLACE {best}"));
    write("CREATE VIEW IF NOT EXISTS marts.best AS SELECT 1 AS one");
    assert_eq!(sql(&folder, &[count, "--format", "csv"]), "n\n3\n");
    // What can't be planned changes nothing.
    let before = text();
    let error = refused("CREATE OR REPLACE VIEW marts.best AS SELECT amuont FROM raw.mine_orders");
    assert_says(&error, &["sql/marts/best.sql", "amount"]);
    assert_eq!(text(), before);
    write("CREATE VIEW marts.few AS SELECT * FROM marts.best LIMIT 1");
    assert_says(&refused("DROP VIEW marts.best"), &["sql/marts/few.sql", "marts.best"]);
    assert_eq!(text(), before);
    write("DROP VIEW marts.few; DROP VIEW marts.best; DROP VIEW IF EXISTS marts.best");
    assert!(!file.exists());
    assert_says(&fails(&folder, count), &["marts.best"]);

    assert_eq!(
        write("CREATE TABLE core.cards (card VARCHAR, points BIGINT); SELECT * FROM core.cards"),
        "card,points\n"
    );
    for (text, parts) in [
        ("DROP VIEW core.cards", ["core.cards", "table"]),
        ("DROP TABLE core.card", ["core.card", "core.cards"]),
        ("DROP VIEW features.recency", ["features.recency", "program"]),
        ("CREATE TABLE core.more AS SELECT 1 AS one", ["AS", "view"]),
        ("CREATE TABLE core.\"../../more\" (a BIGINT)", ["../../more", "letters"]),
        ("CREATE VIEW best AS SELECT 1 AS one", ["best", "schema.name"]),
        ("CREATE MATERIALIZED VIEW marts.best AS SELECT 1 AS one", ["CREATE VIEW", "OR REPLACE"]),
        ("CREATE VIEW raw.best AS SELECT 1 AS one", ["raw/best.sql", "sql/<schema>"]),
        ("INSERT INTO core.cards VALUES ('a', 1)", ["INSERT", "load"]),
    ] {
        assert_says(&refused(text), &parts);
    }
    write("DROP TABLE core.cards");
    assert!(!folder.path("sql/core/cards.sql").exists());
}

#[test]
fn a_query_keeps_to_its_memory() {
    let folder = loaded();
    let join = "SELECT count(*) AS n FROM generate_series(1, 300000) AS a(x) JOIN generate_series(1, 300000) AS b(x) ON a.x = b.x";
    assert_eq!(sql(&folder, &[join, "--format", "csv", "--memory-limit", "256MB"]), "n\n300000\n");
    let error = folder.fails(&["sql", join, "--memory-limit", "1MB", "--warehouse", "w"]);
    assert_says(&error, &["not enough memory for HashJoinInput", "--memory-limit"]);
    // A sort goes to temporary files instead.
    let sort =
        "SELECT max(x) AS m FROM (SELECT x, row_number() OVER (ORDER BY -x) FROM generate_series(1, 2000000) AS a(x))";
    assert_eq!(sql(&folder, &[sort, "--format", "csv", "--memory-limit", "32MB"]), "m\n2000000\n");
    let error = folder.fails(&["sql", "SELECT 1", "--memory-limit", "lots", "--warehouse", "w"]);
    assert_says(&error, &["lots", "2GB"]);
}

#[test]
fn a_cut_off_that_leaves_nothing_out_is_noted() {
    let folder = loaded();
    folder.write("sql/staging/mine/orders.sql", crate::cli::MY_ORDERS);
    folder.ok(&["build", "--warehouse", "w"]);
    let notes = |query: &str, more: &[&str]| {
        let output = folder.run(&[&["sql", query], more, &W].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        told.contains("reads none of it, and sees everything loaded")
    };
    let as_of = ["--as-of", "2024-02-10"];
    let of_table = "SELECT count(*) FROM core.orders";
    assert!(notes(of_table, &as_of));
    assert!(notes(of_table, &[&as_of[..], &["--out", "orders.csv"]].concat()));
    assert!(notes("COPY core.orders TO 'orders.csv'", &as_of));
    assert!(!notes(of_table, &[]));
    for query in [
        "SELECT count(*) FROM features.recency",
        "SELECT count(*) FROM core.orders WHERE customer_id IN (SELECT customer_id FROM spine)",
        "EXPLAIN SELECT count(*) FROM features.recency",
    ] {
        assert!(!notes(query, &as_of), "{query}");
    }
}
