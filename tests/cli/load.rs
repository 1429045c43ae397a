//! Text files as they come from the world: encodings, delimiters, quotes, compression. Each holds the same few orders,
//! and has to give the same rows.

use crate::support::Folder;
use std::io::Write;

/// What every form of [`NAMES`] must become.
const ROWS: [&str; 3] = ["1,张三,茶; 绿,10.5", "2,José,\"two\nlines, \"\"quoted\"\"\",20.0", "3,,,30.0"];
const NAMES: &str =
    "id,name,note,amount\r\n1,张三,茶; 绿,10.5\r\n2,José,\"two\nlines, \"\"quoted\"\"\",20\r\n3,,,30\r\n";

pub fn warehouse() -> Folder {
    let folder = Folder::new();
    folder.ok(&["init", "w"]);
    folder
}

/// Loads `bytes` as `name` into a table of its own and gives the table's rows in the order of the file.
fn rows(folder: &Folder, name: &str, bytes: &[u8], options: &[&str]) -> String {
    std::fs::write(folder.path(name), bytes).expect("a file");
    let table = format!("raw.mine_{}", name.replace(['.', '-'], "_"));
    folder.ok(&[&["load", &table, name, "--warehouse", "w"], options].concat());
    let query = format!("SELECT id, name, note, amount FROM {table} ORDER BY _row");
    let text = folder.ok(&["sql", &query, "--format", "csv", "--warehouse", "w"]);
    text.split_once('\n').expect("a header").1.trim_end().to_string()
}

#[test]
fn one_table_in_any_encoding_and_compression() {
    let folder = warehouse();
    let expected = ROWS.join("\n");
    let utf16: Vec<u8> = NAMES.encode_utf16().flat_map(u16::to_le_bytes).collect();
    // GB18030 by its own table: 张三 D5C5 C8FD, 茶 B2E8, 绿 C2CC, é A8A6.
    let gb18030 = replaced(
        NAMES.as_bytes(),
        &[("张三", b"\xd5\xc5\xc8\xfd"), ("茶", b"\xb2\xe8"), ("绿", b"\xc2\xcc"), ("é", b"\xa8\xa6")],
    );
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(NAMES.as_bytes()).expect("written");
    let gzip = gzip.finish().expect("compressed");
    // Two members, as `cat a.gz b.gz` makes them.
    let (head, tail) = NAMES.split_at(20);
    let zstd = [head, tail].map(|part| zstd::encode_all(part.as_bytes(), 0).expect("compressed")).concat();
    for (name, bytes, options) in [
        ("utf8.csv", NAMES.as_bytes(), [].as_slice()),
        ("mark.csv", &[b"\xef\xbb\xbf", NAMES.as_bytes()].concat(), &[]),
        // What the file says of itself counts more.
        ("mark-and-option.csv", &[b"\xef\xbb\xbf", NAMES.as_bytes(), b"\n"].concat(), &["--encoding", "gb18030"]),
        ("utf16.csv", &[b"\xff\xfe".as_slice(), &utf16].concat(), &[]),
        ("gb.csv", &gb18030, &["--encoding", "gb18030"]),
        ("packed.csv.gz", &gzip, &[]),
        ("packed.csv.zst", &zstd, &[]),
    ] {
        assert_eq!(rows(&folder, name, bytes, options), expected, "{name}");
    }
    let json = "{\"id\":1,\"name\":\"张三\",\"note\":\"茶; 绿\",\"amount\":10.5}\n\
        {\"id\":2,\"name\":\"José\",\"note\":\"two\\nlines, \\\"quoted\\\"\",\"amount\":20}\n\n{\"id\":3,\"amount\":30}\n";
    let json = zstd::encode_all(json.as_bytes(), 0).expect("compressed");
    assert_eq!(rows(&folder, "packed.ndjson.zst", &json, &[]), expected);
    // The same content under another compression is the same file.
    std::fs::write(folder.path("again.csv"), NAMES).expect("a file");
    let again = folder.ok(&["load", "raw.mine_packed_csv_gz", "again.csv", "--warehouse", "w"]);
    assert!(again.contains("skipped again.csv: loaded before"), "{again}");
}

#[test]
fn delimiters_and_quotes_are_told_or_named() {
    let folder = warehouse();
    let expected = "1,a;b,\"say \"\"hi\"\"\",10.5\n2,c,,20.0";
    for (name, text, options) in [
        ("semicolon.csv", "id;name;note;amount\n1;\"a;b\";\"say \"\"hi\"\"\";10.5\n2;c;;20\n", [].as_slice()),
        ("tab.tsv", "id\tname\tnote\tamount\n1\ta;b\t\"say \"\"hi\"\"\"\t10.5\n2\tc\t\t20", &[]),
        // More commas than bars in the first line.
        ("bars.csv", "id|name|note|amount\r\n1|a;b|\"say \"\"hi\"\"\"|10.5\r\n2|c||20\r\n", &["--delimiter", "|"]),
        ("apostrophe.csv", "id,name,note,amount\n1,'a;b','say \"hi\"',10.5\n2,c,'',20\n", &["--quote", "'"]),
        (
            "bare.tsv",
            "id\tname\tnote\tamount\n1\ta;b\tsay \"hi\"\t10.5\n2\tc\t\t20\n",
            &["--quote", "none", "--delimiter", "tab"],
        ),
        (
            "headless.csv",
            "1^a;b^say \"hi\"^10.5\n2^c^^20\n",
            &["--delimiter", "^", "--quote", "none", "--columns", "id,name,note,amount"],
        ),
    ] {
        assert_eq!(rows(&folder, name, text.as_bytes(), options), expected, "{name}");
    }
    for (option, value, valid) in
        [("--delimiter", ",,", "one ASCII character"), ("--quote", "“", "\"none\""), ("--encoding", "utf-9", "gb18030")]
    {
        let error = folder.fails(&["load", "raw.mine_x", "bare.tsv", option, value, "--warehouse", "w"]);
        assert!(error.contains(value) && error.contains(valid), "{error}");
    }
}

#[test]
fn wrong_bytes_are_named_with_the_likely_encoding() {
    let folder = warehouse();
    // 客户姓名在这里，订单金额很大 in GB18030, on line 3 of the file.
    let text = b"id,name\n1,plain\n2,\xbf\xcd\xbb\xa7\xd0\xd5\xc3\xfb\xd4\xda\xd5\xe2\xc0\xef\xa3\xac\xb6\xa9\xb5\xa5\xbd\xf0\xb6\xee\xba\xdc\xb4\xf3\n";
    std::fs::write(folder.path("gb.csv"), text).expect("a file");
    let error = folder.fails(&["load", "raw.mine_names", "gb.csv", "--warehouse", "w"]);
    for part in ["gb.csv, line 3", "byte 19", "0xBF", "UTF-8", "--encoding gb18030"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    folder.ok(&["load", "raw.mine_names", "gb.csv", "--encoding", "gb18030", "--warehouse", "w"]);
    assert_eq!(folder.sql("w", "SELECT name FROM raw.mine_names WHERE id = 2"), ["客户姓名在这里，订单金额很大"]);
    let latin = b"id,name\n1,Jos\xe9 Garc\xeda\n2,Fran\xe7ois Lef\xe8vre d\x92Or\n";
    std::fs::write(folder.path("latin.csv"), latin).expect("a file");
    let error = folder.fails(&["load", "raw.mine_latin", "latin.csv", "--warehouse", "w"]);
    assert!(error.contains("latin.csv, line 2") && error.contains("--encoding latin1"), "{error}");
    folder.ok(&["load", "raw.mine_latin", "latin.csv", "--encoding", "latin1", "--warehouse", "w"]);
    assert_eq!(folder.sql("w", "SELECT name FROM raw.mine_latin"), ["José García", "François Lefèvre d’Or"]);
    // One that ends in the middle.
    std::fs::write(folder.path("cut.csv.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b]).expect("a file");
    let error = folder.fails(&["load", "raw.mine_cut", "cut.csv.gz", "--warehouse", "w"]);
    assert!(error.contains("cut.csv.gz"), "{error}");
}

#[test]
fn files_are_named_by_path_folder_or_glob() {
    let folder = warehouse();
    for (name, id) in [("drop/a.csv", 1), ("drop/2024/b.csv", 2), ("drop/2024/c.csv", 3)] {
        folder.write(name, &format!("id\n{id}\n"));
    }
    folder.write("drop/_SUCCESS", "");
    folder.write("drop/.hidden.csv", "id\nx\n");
    folder.ok(&["load", "raw.mine_glob", "drop/2024/*.csv", "--warehouse", "w"]);
    assert_eq!(folder.sql("w", "SELECT id FROM raw.mine_glob ORDER BY id"), ["2", "3"]);
    folder.ok(&["load", "raw.mine_folder", "drop", "--warehouse", "w"]);
    assert_eq!(folder.sql("w", "SELECT id FROM raw.mine_folder ORDER BY id"), ["1", "2", "3"]);
    folder.write("drop/notes.docx", "");
    let error = folder.fails(&["load", "raw.mine_folder", "drop", "--warehouse", "w"]);
    assert!(error.contains("notes.docx") && error.contains(".csv"), "{error}");
}

#[test]
fn urls_name_a_file_a_prefix_or_a_glob() {
    let folder = warehouse();
    for (name, id) in [("drop/a.csv", 1), ("drop/2024/b c.csv", 2), ("drop/2024/d.csv", 3), ("drop/_old/e.csv", 4)] {
        folder.write(name, &format!("id\n{id}\n"));
    }
    let url = |rest: &str| format!("file://{}/{rest}", folder.path("drop").display());
    for (table, rest, ids) in [
        ("file", "2024/b c.csv", vec!["2"]),
        ("prefix", "", vec!["1", "2", "3"]),
        ("below", "2024", vec!["2", "3"]),
        ("glob", "*.csv", vec!["1"]),
        ("deep", "**/[a-c]*.csv", vec!["1", "2"]),
    ] {
        let table = format!("raw.mine_{table}");
        folder.ok(&["load", &table, &url(rest), "--warehouse", "w"]);
        assert_eq!(folder.sql("w", &format!("SELECT id FROM {table} ORDER BY id")), ids, "{rest}");
    }
    let files = folder.sql("w", "SELECT _file FROM raw.mine_file");
    assert_eq!(files, ["b c.csv"], "the name is the file's own, wherever it came from");
    for rest in ["nothing.csv", "2023/*.csv"] {
        let error = folder.fails(&["load", "raw.mine_none", &url(rest), "--warehouse", "w"]);
        assert!(error.contains(rest) && error.contains("no file lies there"), "{error}");
    }
    folder.write("drop/bad.csv", "id\n1\n2,3\n");
    let error = folder.fails(&["load", "raw.mine_bad", &url("bad.csv"), "--warehouse", "w"]);
    assert!(error.contains("drop/bad.csv, line 3"), "{error}");
    let error = folder.fails(&["load", "raw.mine_ftp", "ftp://host/a.csv", "--warehouse", "w"]);
    assert!(error.contains("ftp") && error.contains("s3://"), "{error}");
}

fn replaced(text: &[u8], table: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(&first) = rest.first() {
        match table.iter().find(|(from, _)| rest.starts_with(from.as_bytes())) {
            Some((from, to)) => {
                bytes.extend_from_slice(to);
                rest = &rest[from.len()..];
            }
            None => {
                bytes.push(first);
                rest = &rest[1..];
            }
        }
    }
    bytes
}
