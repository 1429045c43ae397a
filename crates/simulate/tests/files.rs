//! What the written folder promises: the same bytes for a seed, the dirt it announces, and no half-written output.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use simulate::{Config, Error, Kind, Report};

fn write(config: &Config, out: &Path) -> Report {
    simulate::write(config, out, |_| ()).unwrap()
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

/// File contents by path relative to the folder, written with a number of threads.
fn bytes(config: &Config, threads: usize) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shop");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| write(config, &out));
    files(&out).into_iter().map(|(path, bytes)| (path.strip_prefix(&out).unwrap().into(), bytes)).collect()
}

/// Rows of a CSV file by column name; the shop's values hold no quotes or commas.
fn csv(path: &Path) -> Vec<HashMap<String, String>> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| {
            let values: Vec<&str> = line.split(',').collect();
            assert_eq!(values.len(), header.len(), "{}: {line}", path.display());
            header.iter().zip(values).map(|(name, value)| (name.to_string(), value.to_string())).collect()
        })
        .collect()
}

fn orders(out: &Path) -> Vec<HashMap<String, String>> {
    let paths = fs::read_dir(out.join("orders")).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| csv(&path)).collect()
}

fn parquet(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    arrow::compute::concat_batches(&schema, &batches).unwrap()
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.iter().map(|value| value.unwrap_or_default().to_string()).collect()
}

fn numbers(batch: &RecordBatch, column: &str) -> Vec<f64> {
    batch.column_by_name(column).unwrap().as_primitive::<Float64Type>().values().to_vec()
}

fn micros(time: &str) -> i64 {
    DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros()
}

#[test]
fn the_same_seed_gives_the_same_bytes_for_any_number_of_threads() {
    let config = Config::new(5_000, 12, 7);
    let one = bytes(&config, 1);
    assert_eq!(one.len(), 12 + 5 + 11);
    assert!(one == bytes(&config, 2), "the bytes depend on the number of threads");
    assert!(one != bytes(&Config { seed: 8, ..config }, 2), "the bytes do not depend on the seed");
}

#[test]
fn more_customers_leave_the_first_ones_as_they_were() {
    let few = bytes(&Config::new(100, 12, 7), 2);
    let more = bytes(&Config::new(300, 12, 7), 2);
    let customers = Path::new("customers.csv");
    assert!(more[customers].starts_with(&few[customers]));
}

#[test]
fn every_promised_dirt_is_there_and_everything_else_is_clean() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shop");
    let report = write(&Config::new(5_000, 12, 7), &out);

    let customers = csv(&out.join("customers.csv"));
    assert_eq!(report.rows["customers.csv"], customers.len() as u64);
    let ids: HashSet<&String> = customers.iter().map(|row| &row["customer_id"]).collect();
    assert_eq!(ids.len(), 5_000);
    let share = |count: usize| count as f64 / customers.len() as f64;
    let duplicates = share(customers.len() - ids.len());
    let blank = share(customers.iter().filter(|row| row["email"].is_empty()).count());
    let broken = share(customers.iter().filter(|row| row["birth_date"].parse::<NaiveDate>().is_err()).count());
    let padded = share(customers.iter().filter(|row| row["name"].trim() != row["name"]).count());
    let odd = share(
        customers
            .iter()
            .filter(|row| row["country"].chars().nth(1) != row["country"].to_lowercase().chars().nth(1))
            .count(),
    );
    assert!((0.01..0.03).contains(&duplicates) && (0.02..0.04).contains(&blank), "{duplicates} {blank}");
    assert!((0.002..0.01).contains(&broken) && (0.01..0.03).contains(&padded), "{broken} {padded}");
    assert!((0.01..0.05).contains(&odd), "{odd}");

    let orders = orders(&out);
    let mut seen: HashMap<&String, &HashMap<String, String>> = HashMap::new();
    for row in &orders {
        if let Some(earlier) = seen.insert(&row["order_id"], row) {
            assert_eq!(earlier, row, "a repeated order is an exact copy");
        }
    }
    let repeated = (orders.len() - seen.len()) as f64 / orders.len() as f64;
    let guests = orders.iter().filter(|row| row["customer_id"].is_empty()).count() as f64 / orders.len() as f64;
    assert!((0.001..0.006).contains(&repeated) && (0.005..0.03).contains(&guests), "{repeated} {guests}");
    assert!(orders.iter().all(|row| row["customer_id"].is_empty() || ids.contains(&row["customer_id"])));

    let lines = parquet(&out.join("order_lines.parquet"));
    let (line_orders, quantities) = (texts(&lines, "order_id"), numbers(&lines, "quantity"));
    let line_orders_set: HashSet<&String> = line_orders.iter().collect();
    assert!(line_orders_set == seen.keys().copied().collect(), "orders and lines belong together");
    assert!(quantities.contains(&0.0));
    for (order, quantity) in line_orders.iter().zip(&quantities) {
        assert_eq!(*quantity < 0.0, seen[order]["status"] != "completed", "{order}");
    }
}

#[test]
fn what_is_late_is_in_the_late_file_and_nothing_is_known_after_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shop");
    write(&Config::new(5_000, 12, 7), &out);
    let end = micros("2024-01-01T00:00:00Z");
    let day = 86_400_000_000;

    let late = csv(&out.join("orders/late.csv"));
    assert!(!late.is_empty());
    let delay = |row: &HashMap<String, String>| micros(&row["recorded_at"]) - micros(&row["ordered_at"]);
    assert!(late.iter().all(|row| delay(row) >= day));
    for row in csv(&out.join("orders/orders-2023-03.csv")) {
        assert!((0..day).contains(&delay(&row)) && row["ordered_at"].starts_with("2023-03-"), "{row:?}");
    }
    assert!(orders(&out).iter().all(|row| micros(&row["recorded_at"]) < end));
    let share = late.len() as f64 / orders(&out).len() as f64;
    assert!((0.005..0.02).contains(&share), "{share}");

    let events = parquet(&out.join("events.parquet"));
    let times = |name: &str| events.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>().clone();
    let (occurred, recorded) = (times("occurred_at"), times("recorded_at"));
    assert!(occurred.values().iter().zip(recorded.values()).all(|(at, known)| at <= known && *known < end));
    assert!(occurred.values().iter().zip(recorded.values()).any(|(at, known)| known - at > day));
}

#[test]
fn the_truth_covers_the_customers_known_at_the_cut_off_with_twenty_products_each() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shop");
    let report = write(&Config::new(3_000, 12, 7), &out);
    assert!(report.truth.ends_with("shop/truth"));
    let as_of = micros("2023-10-03T00:00:00Z");
    let known: HashSet<String> = orders(&out)
        .iter()
        .filter(|row| row["status"] == "completed" && !row["customer_id"].is_empty())
        .filter(|row| micros(&row["ordered_at"]) < as_of && micros(&row["recorded_at"]) < as_of)
        .map(|row| row["customer_id"].clone())
        .collect();
    let attainable = parquet(&out.join("truth/attainable.parquet"));
    assert!(texts(&attainable, "customer_id").into_iter().collect::<HashSet<_>>() == known);
    assert_eq!(attainable.num_rows(), known.len());
    let as_ofs = attainable.column_by_name("as_of").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert!(as_ofs.values().iter().all(|&value| value == as_of));

    let next = parquet(&out.join("truth/attainable_next.parquet"));
    assert_eq!(next.num_rows(), 20 * known.len());
    let ranks = next.column_by_name("rank").unwrap().as_primitive::<Int64Type>().values().to_vec();
    let probabilities = numbers(&next, "probability");
    for (ranks, probabilities) in ranks.chunks(20).zip(probabilities.chunks(20)) {
        assert!(ranks.iter().copied().eq(1..=20));
        assert!(probabilities.is_sorted_by(|a, b| a >= b) && probabilities.iter().sum::<f64>() <= 1.0 + 1e-9);
    }
    assert_eq!(parquet(&out.join("truth/latent.parquet")).num_rows(), 3_000);
}

#[test]
fn those_assigned_to_be_sent_a_campaign_are_those_who_were_and_each_has_a_true_effect() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shop");
    write(&Config::new(3_000, 12, 7), &out);
    let assignments = parquet(&out.join("assignments.parquet"));
    let increments = parquet(&out.join("truth/increments.parquet"));
    for column in ["assignment_id", "customer_id", "experiment", "arm"] {
        assert_eq!(texts(&assignments, column), texts(&increments, column));
    }
    let pairs = |batch: &RecordBatch, campaign: &str, kind: &str, wanted: &str| -> HashSet<(String, String)> {
        let kinds = texts(batch, kind);
        let rows = texts(batch, "customer_id").into_iter().zip(texts(batch, campaign)).zip(kinds);
        rows.filter(|(_, kind)| kind == wanted).map(|(pair, _)| pair).collect()
    };
    let sent = pairs(&assignments, "experiment", "arm", "sent");
    assert_eq!(sent, pairs(&parquet(&out.join("touches.parquet")), "campaign_id", "kind", "sent"));
    let holdout = pairs(&assignments, "experiment", "arm", "holdout");
    assert!(sent.is_disjoint(&holdout) && sent.len() + holdout.len() == assignments.num_rows());
    let share = sent.len() as f64 / assignments.num_rows() as f64;
    assert!((0.45..0.55).contains(&share), "{share}");
    let (orders, bought) = (numbers(&increments, "effect_orders"), numbers(&increments, "effect_bought"));
    assert!(orders.iter().zip(&bought).all(|(orders, bought)| 0.0 <= *bought && bought <= orders));
    assert!(numbers(&increments, "effect_value").iter().any(|value| *value < 0.0), "a discount costs");
}

#[test]
fn the_attainable_truth_reads_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let report = write(&Config::new(300, 12, 7), &folder.path().join("shop"));
    let read = simulate::read_attainable(&report.truth).unwrap();
    assert_eq!((read.as_of, read.horizon_days), (micros("2023-10-03T00:00:00Z"), 90));
    let attainable = parquet(&report.truth.join("attainable.parquet"));
    assert_eq!(read.customers.len(), attainable.num_rows());
    let (p_churn, values) = (numbers(&attainable, "p_churn"), numbers(&attainable, "expected_value"));
    for ((customer, p_churn), value) in texts(&attainable, "customer_id").iter().zip(p_churn).zip(values) {
        let truth = read.customers[customer];
        assert_eq!((truth.p_churn, truth.expected_value), (p_churn, value));
        assert_eq!(read.next_products[customer].len(), 20);
    }
    let missing = simulate::read_attainable(folder.path()).unwrap_err();
    assert!(matches!(missing, Error::Read { .. }), "{missing}");
}

#[test]
fn the_control_has_no_dirt_and_one_line_per_order() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shop");
    let report = write(&Config { kind: Kind::ParetoNbd, ..Config::new(2_000, 18, 7) }, &out);
    assert_eq!(report.rows["customers.csv"], 2_000);
    for empty in
        ["events.parquet", "touches.parquet", "assignments.parquet", "campaigns.csv", "consents.csv", "orders/late.csv"]
    {
        assert_eq!(report.rows[empty], 0, "{empty}");
    }
    let orders = orders(&out);
    assert!(orders.iter().all(|row| row["status"] == "completed" && row["ordered_at"] == row["recorded_at"]));
    let lines = parquet(&out.join("order_lines.parquet"));
    assert_eq!(lines.num_rows(), orders.len());
    assert!(numbers(&lines, "quantity").iter().all(|&quantity| quantity == 1.0));
    assert_eq!(parquet(&out.join("events.parquet")).num_columns(), 10);
}

#[test]
fn a_bad_output_or_setting_is_one_clear_error_and_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(10, 12, 7);
    fs::write(folder.path().join("note.txt"), "mine").unwrap();
    let refused = |config: &Config, out: &Path| simulate::write(config, out, |_| ()).unwrap_err();
    assert!(matches!(refused(&config, folder.path()), Error::OutputNotEmpty { .. }));
    assert!(matches!(refused(&config, &folder.path().join("note.txt")), Error::OutputNotAFolder { .. }));

    let out = folder.path().join("shop");
    let cases = [
        (Config { customers: 0, ..config.clone() }, "customers"),
        (Config { months: 0, ..config.clone() }, "months"),
        (Config { horizon_days: 0, ..config.clone() }, "horizon_days"),
        (Config { horizon_days: 184, ..config.clone() }, "horizon_days"),
        (Config { months: 2, ..config.clone() }, "horizon_days"),
        (Config { truth_as_of: Some("2023-12-01T00:00:00Z".parse().unwrap()), ..config.clone() }, "truth_as_of"),
        (Config { start: NaiveDate::MAX, ..config.clone() }, "start"),
    ];
    for (config, name) in cases {
        let error = refused(&config, &out);
        assert!(matches!(error, Error::Setting { setting, .. } if setting == name), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was left behind");
    fs::create_dir(&out).unwrap();
    write(&config, &out);
    assert!(out.join("truth/attainable.parquet").is_file());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn what_brought_customers_and_what_they_say_and_collect_follows_from_what_the_other_files_say() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shop");
    write(&Config::new(3_000, 12, 7), &out);
    let time = |batch: &RecordBatch, column: &str| -> Vec<i64> {
        batch.column_by_name(column).unwrap().as_primitive::<TimestampMicrosecondType>().values().to_vec()
    };
    let customers = csv(&out.join("customers.csv"));
    let created: HashMap<&str, i64> =
        customers.iter().map(|row| (row["customer_id"].as_str(), micros(&row["created_at"]))).collect();

    let touches = parquet(&out.join("touches.parquet"));
    let brought =
        texts(&touches, "channel").into_iter().zip(texts(&touches, "customer_id")).zip(time(&touches, "sent_at"));
    let brought: Vec<_> =
        brought.filter(|((channel, _), _)| !["email", "sms", "push"].contains(&channel.as_str())).collect();
    assert!(brought.iter().all(|((_, customer), at)| *at <= created[customer.as_str()]));
    let share = brought.len() as f64 / created.len() as f64;
    assert!((0.65..0.75).contains(&share), "{share}");

    let referrals = parquet(&out.join("referrals.parquet"));
    let ends = texts(&referrals, "referrer_id").into_iter().zip(texts(&referrals, "referred_id"));
    assert!(referrals.num_rows() > 100 && ends.into_iter().all(|(by, of)| created[by.as_str()] < created[of.as_str()]));

    // The visit of an online order is known when the order is, not before.
    let events = parquet(&out.join("events.parquet"));
    let known: HashSet<(String, i64)> = texts(&events, "customer_id")
        .into_iter()
        .zip(time(&events, "recorded_at").into_iter().map(|at| at / 1_000_000))
        .collect();
    let online = orders(&out).into_iter().filter(|row| row["channel"] != "store" && row["status"] == "completed");
    let mut online = online.filter(|row| !row["customer_id"].is_empty());
    assert!(online.all(|row| known.contains(&(row["customer_id"].clone(), micros(&row["recorded_at"]) / 1_000_000))));

    let answers = parquet(&out.join("feedback.parquet"));
    for (kind, score) in texts(&answers, "kind").iter().zip(numbers(&answers, "score")) {
        let (low, high) = if kind == "nps" { (0.0, 10.0) } else { (1.0, 5.0) };
        assert!((low..=high).contains(&score), "{kind} {score}");
    }
    let loyalty = parquet(&out.join("loyalty.parquet"));
    let mut balances: HashMap<String, f64> = HashMap::new();
    for (customer, points) in texts(&loyalty, "customer_id").into_iter().zip(numbers(&loyalty, "points")) {
        let balance = balances.entry(customer).or_default();
        *balance += points;
        assert!(*balance >= 0.0);
    }
    let members = balances.len() as f64 / created.len() as f64;
    assert!((0.55..0.65).contains(&members), "{members}");
}
