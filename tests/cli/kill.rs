//! `kill -9` in the middle of each verb: readers see one version, and the same command afterwards succeeds with the
//! rows that an undisturbed run gives.

use crate::cli::shop::{self, W};
use crate::support::Folder;
use std::io::Read;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

/// When after its start a command is killed. Where in its work that falls differs from machine to machine, and is
/// meant to: every moment must be safe.
const MOMENTS: [u64; 5] = [15, 40, 90, 180, 350];

/// Starts the command, kills it, and looks at the warehouse as a reader; once per moment.
fn killed(folder: &Folder, arguments: &[&str], reader: impl Fn(&Folder)) {
    for moment in MOMENTS {
        let mut command = folder.command(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
        sleep(Duration::from_millis(moment));
        // Already finished is fine: then this moment lies after the end.
        let _ = child.kill();
        child.wait().expect("the child ends");
        reader(folder);
    }
}

#[test]
fn load_is_all_or_nothing() {
    let folder = shop::simulated();
    folder.ok(&["init", W]);
    let load = ["load", "raw.shop_events", "shop/events.parquet", "--history", "--warehouse", W];
    let all: usize = {
        let other = shop::simulated();
        other.ok(&["init", W]);
        other.ok(&load);
        shop::count(&other, "raw.shop_events")
    };
    killed(&folder, &load, |folder| {
        let tables = folder.sql(W, "SELECT count(*) FROM information_schema.tables WHERE table_name = 'shop_events'");
        if tables == ["1"] {
            assert_eq!(shop::count(folder, "raw.shop_events"), all);
        }
    });
    folder.ok(&load);
    assert_eq!(shop::count(&folder, "raw.shop_events"), all);
}

/// Also a query that computes without ever waiting for anything.
#[test]
fn ctrl_c_ends_a_query() {
    let folder = shop::built();
    let endless =
        "SELECT count(*) FROM core.timeline a, core.timeline b, core.timeline c WHERE a.amount < b.amount + c.amount";
    let mut command = folder.command(&["sql", endless, "--out", "out.csv", "--warehouse", W]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
    let unfinished = || {
        let entries = std::fs::read_dir(folder.path("")).expect("readable").flatten();
        entries.map(|entry| entry.file_name()).find(|name| name.to_string_lossy().contains("out.csv"))
    };
    let begun = (0..600).any(|_| {
        sleep(Duration::from_millis(100));
        unfinished().is_some()
    });
    assert!(begun, "the query has not begun");
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    let end = (0..600).find_map(|_| {
        sleep(Duration::from_millis(100));
        child.try_wait().expect("the child's state")
    });
    if end.is_none() {
        child.kill().expect("killed");
    }
    assert_eq!(end.expect("the query ends").code(), Some(130));
    let mut told = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut told).expect("UTF-8");
    assert!(told.contains("sql was interrupted") && !told.contains("train"), "{told}");
    assert_eq!(unfinished(), None);
}

#[test]
fn build_never_shows_some_tables_of_a_load_without_the_others() {
    let folder = shop::loaded();
    killed(&folder, &["build", "--warehouse", W], |folder| {
        let orders = shop::count(folder, "core.orders");
        let lines = shop::count(folder, "core.order_lines");
        assert_eq!(orders == 0, lines == 0, "{orders} orders, {lines} lines");
    });
    folder.ok(&["build", "--warehouse", W]);
    let undisturbed = shop::loaded();
    undisturbed.ok(&["build", "--warehouse", W]);
    for table in ["core.customers", "core.products", "core.orders", "core.order_lines", "core.events", "core.touches"] {
        assert_eq!(shop::count(&folder, table), shop::count(&undisturbed, table), "{table}");
    }
}

#[cfg(feature = "train")]
#[test]
fn train_goes_on_and_score_and_publish_are_whole() {
    let folder = shop::built();
    killed(&folder, &["train", "churn", "--warehouse", W, "--resume"], |folder| {
        let runs = shop::count(folder, "models.runs");
        assert!(runs <= MOMENTS.len(), "{runs}");
    });
    folder.ok(&["train", "churn", "--warehouse", W, "--resume"]);
    one_process_trains_a_run(&folder);
    let customers = folder.sql(W, "SELECT count(*) FROM spine")[0].parse::<usize>().expect("a count");
    killed(&folder, &["score", "churn", "--warehouse", W], |folder| {
        let scores = shop::count(folder, "scores.churn");
        assert_eq!(scores % customers, 0, "{scores} scores of {customers} customers");
    });
    folder.ok(&["score", "churn", "--warehouse", W]);
    killed(&folder, &["publish", "p", "--warehouse", W], |folder| shop::assert_published_whole(folder, "p"));
    folder.ok(&["publish", "p", "--warehouse", W]);
    shop::assert_published_whole(&folder, "p");
    assert!(folder.path("p/current").exists());
}

/// As where a night's run is started again while it trains.
#[cfg(feature = "train")]
fn one_process_trains_a_run(folder: &Folder) {
    let train = ["train", "clv", "--warehouse", W, "--resume", "--work", "work"];
    let mut command = folder.command(&train);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
    let begun = || {
        let names = std::fs::read_dir(folder.path("work")).ok()?.flatten().map(|entry| entry.file_name());
        let run = names.map(|name| name.to_string_lossy().into_owned()).find(|name| !name.ends_with(".lock"))?;
        folder.path("work").join(&run).join("plan.json").exists().then_some(run)
    };
    let run = loop {
        match begun() {
            Some(run) => break run,
            None => sleep(Duration::from_millis(5)),
        }
    };
    let _ = child.kill();
    child.wait().expect("the child ends");
    let lock = std::fs::File::create(folder.path("work").join(format!("{run}.lock"))).expect("writable");
    lock.lock().expect("nobody else holds it");
    let error = folder.fails(&train);
    assert!(error.contains(&run) && error.contains("another process"), "{error}");
    drop(lock);
    folder.ok(&train);
    let left = std::fs::read_dir(folder.path("work")).expect("readable").count();
    assert_eq!(left, 0, "nothing of a finished run is left");
}
