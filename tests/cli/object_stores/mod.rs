//! Object stores behind a network: the same answers as in a folder, whatever happens to single calls, or a clear error.

mod emulators;
mod proxy;

use crate::cli::till::STAGING;
use crate::support::Folder;
use emulators::{Cloud, Emulator};
use proxy::{Fault, Proxy};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::{Mutex, OnceLock};

/// What the whole path answers.
#[derive(Debug, PartialEq)]
struct Answers {
    rows: Vec<Vec<String>>,
    reports: Vec<Value>,
}

/// A till of two years, with customers who stay away in the second.
fn write_till(folder: &Folder) {
    folder.write("sql/staging/till/orders.sql", STAGING);
    for month in 0..24 {
        let (year, of_year) = (2023 + month / 12, month % 12 + 1);
        let buys =
            |customer: &usize| !(customer + month).is_multiple_of(4) && (year == 2023 || !customer.is_multiple_of(3));
        let row = |customer: usize| {
            let day = 1 + (customer * 7 + month) % 28;
            format!("{month}-{customer},card-{customer},{year}-{of_year:02}-{day:02}T10:00:00Z,{customer}.5\n")
        };
        let rows: String = (0..40).filter(buys).map(row).collect();
        folder.write(&format!("till/{year}-{of_year:02}.csv"), &format!("receipt,card,sold_at,total\n{rows}"));
    }
}

/// Everything that a warehouse below `url` and what it publishes go through.
fn whole_path(folder: &Folder, url: &str) -> Answers {
    write_till(folder);
    let ok = |arguments: &[&str]| folder.ok(arguments);
    let (w, bi) = (&format!("{url}/w"), &format!("{url}/bi"));
    ok(&["init", w, "--buckets", "2"]);
    for files in ["till/2023-*.csv", "till/2024-*.csv"] {
        ok(&["load", "raw.till_receipts", files, "--history", "--warehouse", w]);
        ok(&["build", "--warehouse", w]);
    }
    ok(&["publish", bi, "--warehouse", w]);
    let report = |arguments: &[&str]| {
        let mut report = serde_json::from_str(&ok(arguments)).expect("JSON");
        forget(&mut report);
        report
    };
    let mut erased =
        report(&["erase", "--customer", "card-4", "--yes", "--published", bi, "--format", "json", "--warehouse", w]);
    // One file more where `current/` is a copy.
    erased["published"].take();
    let reports = vec![
        erased,
        report(&["check", "core.orders", "--format", "json", "--warehouse", w]),
        report(&["optimize", "--format", "json", "--warehouse", w]),
        report(&["vacuum", "--keep-snapshots", "1", "--format", "json", "--warehouse", w]),
        report(&["history", "--format", "json", "--warehouse", w]),
        report(&["doctor", "--published", bi, "--format", "json", "--warehouse", w]),
    ];
    let sql = |query: &str| {
        let text = ok(&["sql", query, "--format", "csv", "--warehouse", w]);
        text.lines().skip(1).map(String::from).collect()
    };
    let rows: Vec<Vec<String>> = vec![
        sql("SELECT * FROM core.orders ORDER BY order_id, known_time"),
        sql("SELECT * FROM marts.customer_360 ORDER BY customer_id"),
        sql(&format!("SELECT * FROM '{bi}/v1/customer_360/*.parquet' ORDER BY customer_id")),
    ];
    Answers { rows, reports }
}

/// Takes out what no two warehouses have in common: times, ids, places, and sizes of files that hold those.
fn forget(report: &mut Value) {
    match report {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                let is_of_one = name.ends_with("_at") || name.ends_with("bytes");
                !is_of_one && !["url", "receipt_id", "run_id", "runs"].contains(&name.as_str())
            });
            fields.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        Value::String(text) => *text = text.split("/bi/").last().unwrap_or_default().to_owned(),
        _ => {}
    }
}

fn in_a_folder() -> &'static Answers {
    static ANSWERS: OnceLock<Answers> = OnceLock::new();
    ANSWERS.get_or_init(|| {
        let answers = whole_path(&Folder::new(), ".");
        assert!(answers.rows.iter().all(|rows| !rows.is_empty()), "{answers:#?}");
        answers
    })
}

/// One after the other would take as long again.
fn in_each_cloud(check: impl Fn(&Emulator) + Sync) {
    std::thread::scope(|scope| {
        for cloud in [Cloud::S3, Cloud::Azure] {
            let check = &check;
            scope.spawn(move || Emulator::start(cloud).iter().for_each(check));
        }
    });
}

#[test]
fn a_bucket_and_a_container_answer_as_a_folder_does() {
    let expected = in_a_folder();
    in_each_cloud(|emulator| {
        let answers = whole_path(&emulator.folder(emulator.port), &emulator.url("shop"));
        assert_eq!(&answers, expected, "{}", emulator.url(""));
    });
}

#[test]
fn one_call_in_ten_fails_and_the_answers_stay() {
    let expected = in_a_folder();
    in_each_cloud(|emulator| {
        std::thread::scope(|scope| {
            for seed in 1..=2 {
                scope.spawn(move || whole_path_with_faults(emulator, seed, expected));
            }
        });
    });
}

fn whole_path_with_faults(emulator: &Emulator, seed: u64, expected: &Answers) {
    let proxy = Proxy::one_in_ten(emulator.port, seed);
    let url = emulator.url(&format!("seed-{seed}"));
    let answers = whole_path(&emulator.folder(proxy.port), &url);
    assert_eq!(&answers, expected, "{url}");
    assert!(proxy.faults() > 50, "{url}: {} faults", proxy.faults());
    let (w, bi) = (&format!("{url}/w"), &format!("{url}/bi"));
    emulator.folder(emulator.port).ok(&["doctor", "--published", bi, "--warehouse", w]);
}

#[test]
fn a_file_whose_creation_was_not_answered_is_ours() {
    in_each_cloud(|emulator| {
        // The first attempt at each file that must not be there yet, in turn in each way.
        let seen = Mutex::new(HashSet::new());
        let proxy = Proxy::start(emulator.port, move |head, _| {
            let line = head.lines().next().unwrap_or_default().to_owned();
            let mut seen = seen.lock().expect("no panic");
            let is_first = head.contains("if-none-match: *") && seen.insert(line);
            is_first.then(|| [Fault::Silence, Fault::Torn, Fault::LateReset][seen.len() % 3])
        });
        let folder = emulator.folder(proxy.port);
        write_till(&folder);
        let (w, bi) = (&emulator.url("w"), &emulator.url("bi"));
        folder.ok(&["init", w, "--buckets", "2"]);
        assert!(folder.fails(&["init", w]).contains("there is a warehouse"), "another one's is not ours");
        folder.ok(&["load", "raw.till_receipts", "till/*.csv", "--history", "--warehouse", w]);
        folder.ok(&["build", "--warehouse", w]);
        let published = folder.ok(&["publish", bi, "--format", "json", "--warehouse", w]);
        assert_eq!(serde_json::from_str::<Value>(&published).expect("JSON")["version"], 1, "{published}");
        let history = folder.ok(&["history", "--format", "json", "--warehouse", w]);
        let history: Vec<Value> = serde_json::from_str(&history).expect("JSON");
        let operations: Vec<_> = history.iter().map(|snapshot| &snapshot["operation"]).collect();
        assert_eq!(operations, ["build", "load raw.till_receipts"], "each is there once");
        assert!(proxy.faults() > 5, "{} faults", proxy.faults());
    });
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    in_each_cloud(|emulator| {
        let proxy = Proxy::start(emulator.port, |_, _| Some(Fault::Busy));
        let error = emulator.folder(proxy.port).fails(&["init", &emulator.url("w")]);
        assert!(error.contains(&emulator.url("w")) && error.contains("after 10 retries"), "{error}");
        assert_eq!(proxy.faults(), 11);
    });
}

/// The error of reading, of listing and of writing at `url`: each must have all of the words, and no XML.
fn assert_refused(folder: Folder, url: &str, words: &[&str]) {
    folder.write("a.csv", "a\n1\n");
    folder.ok(&["init", "local"]);
    for command in [
        &["sql", "SELECT 1", "--warehouse", url][..],
        &["load", "raw.till_a", &format!("{url}/*.csv"), "--warehouse", "local"],
        &["publish", url, "--warehouse", "local"],
        &["init", url],
    ] {
        let error = folder.fails(command);
        for word in words.iter().chain([&url]) {
            assert!(error.contains(word), "{word}: {}\n{error}", command.join(" "));
        }
        assert!(!error.contains("<Code>") && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn a_bucket_that_is_not_there_is_named() {
    for (cloud, url) in [(Cloud::S3, "s3://nowhere/shop"), (Cloud::Azure, "az://nowhere/shop")] {
        let Some(emulator) = Emulator::start(cloud) else { return };
        assert_refused(emulator.folder(emulator.port), url, &["no bucket or container", "create it first"]);
    }
}

#[test]
fn s3_tells_wrong_credentials_from_missing_rights() {
    let Some(emulator) = Emulator::start(Cloud::S3) else { return };
    let users = emulator.prepare("s3_users");
    let users: Vec<_> = users.lines().filter_map(|user| user.split_once(' ')).collect();
    let [owner, stranger] = users.as_slice() else { panic!("{users:?}") };
    let url = emulator.url("shop");
    let folder = |(id, secret): (&str, &str)| {
        emulator.folder(emulator.port).with("AWS_ACCESS_KEY_ID", id).with("AWS_SECRET_ACCESS_KEY", secret)
    };
    folder(*owner).ok(&["init", &url]);
    let settings = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY";
    assert_refused(folder((owner.0, "wrong")), &url, &["credentials", settings, "SignatureDoesNotMatch"]);
    assert_refused(folder(("nobody", owner.1)), &url, &["credentials", settings, "InvalidAccessKeyId"]);
    assert_refused(folder(*stranger), &url, &["no permission", "rights to read, write", "AccessDenied"]);
}

#[test]
fn azure_tells_wrong_credentials_from_missing_rights() {
    let Some(emulator) = Emulator::start(Cloud::Azure) else { return };
    let url = emulator.url("shop");
    let folder = || emulator.folder(emulator.port);
    let settings = "AZURE_STORAGE_ACCOUNT_KEY";
    let wrong = folder().with(settings, "d3Jvbmc=");
    assert_refused(wrong, &url, &["credentials", settings, "Server failed to authenticate"]);
    folder().ok(&["init", &url]);
    let reader = folder().with("AZURE_STORAGE_SAS_KEY", emulator.prepare("azure_reader").trim());
    reader.write("a.csv", "a\n1\n");
    reader.ok(&["sql", "SELECT 1", "--warehouse", &url]);
    let error = reader.fails(&["load", "raw.till_a", "a.csv", "--warehouse", &url]);
    assert!(error.contains("no permission") && error.contains("AuthorizationPermissionMismatch"), "{error}");
}
