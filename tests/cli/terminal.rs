//! `perennial sql` in front of a person: the real binary in a pseudo-terminal, which `script` of util-linux makes.

use crate::cli::sql::loaded;
use crate::support::Folder;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

/// How long the terminal may take to show what it must, on a machine that is very busy.
const PATIENCE_SECONDS: usize = 120;
const UP: &str = "\x1b[A";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<String>>,
    /// Up to here it was expected already.
    seen: usize,
}

impl Terminal {
    fn open(folder: &Folder, arguments: &str) -> Terminal {
        let mut command = Command::new("script");
        let program =
            format!("stty cols 100 rows 40; exec '{}' sql {arguments} --warehouse w", env!("CARGO_BIN_EXE_perennial"));
        command.args(["-qec", &program, "/dev/null"]).current_dir(folder.path(""));
        command.env("XDG_STATE_HOME", folder.path("state")).env("SHELL", "/bin/sh").env("TERM", "xterm");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("script, of util-linux, runs");
        let (keys, mut output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let shown: Arc<Mutex<String>> = Arc::default();
        let sink = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                sink.lock().expect("no panic").push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        });
        Terminal { child, keys, shown, seen: 0 }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("written");
        self.keys.flush().expect("flushed");
    }

    /// Waits until the text is shown, after what was expected before. Returns what was shown up to its end.
    fn expect(&mut self, text: &str) -> String {
        for _ in 0..PATIENCE_SECONDS * 20 {
            let shown = self.shown.lock().expect("no panic").clone();
            if let Some(at) = shown[self.seen..].find(text) {
                let end = self.seen + at + text.len();
                let part = shown[self.seen..end].to_string();
                self.seen = end;
                return part;
            }
            sleep(Duration::from_millis(50));
        }
        let shown = self.shown.lock().expect("no panic");
        panic!("{text:?} is not shown after: {:?}", &shown[self.seen..]);
    }

    fn enter(&mut self, line: &str) {
        self.press(&format!("{line}\r"));
    }

    fn leave(mut self) {
        self.press(CTRL_D);
        let end = (0..PATIENCE_SECONDS * 20).find_map(|_| {
            sleep(Duration::from_millis(50));
            self.child.try_wait().expect("the child's state")
        });
        if end.is_none() {
            self.child.kill().expect("killed");
        }
        assert!(end.expect("the shell ends").success());
    }
}

#[test]
fn a_shell_runs_statements_and_commands() {
    let folder = loaded();
    let mut terminal = Terminal::open(&folder, "");
    terminal.expect("perennial> ");
    terminal.enter("SELECT count(*) AS n");
    terminal.expect("        -> ");
    terminal.enter("FROM raw.mine_orders;");
    terminal.expect("| 3 |");
    terminal.expect("1 row in 0.");
    terminal.enter("\\timing");
    terminal.expect("timing is off");
    terminal.enter("SELECT 6 * 7 AS n; SELECT 'x';");
    terminal.expect("| 42 |");
    assert!(!terminal.expect("1 row\r\n").contains(" in "));
    terminal.enter("SELECT amuont FROM raw.mine_orders;");
    terminal.expect("no column amuont");
    terminal.expect("line 1, column 8");
    terminal.enter("\\d");
    terminal.expect("features.recency");
    terminal.enter("\\d raw.mine_orders");
    terminal.expect("row of the file, from 1");
    terminal.enter("\\d raw.mine_order");
    terminal.expect("Similar names: raw.mine_orders");
    terminal.enter("\\nonsense");
    terminal.expect("no command \\nonsense");
    terminal.enter("\\?");
    terminal.expect("\\timing");
    // What another program loads is seen by the next statement.
    folder.write("three.csv", "order_id,customer_id,ordered_at,amount\n4,d,2024-04-05,40\n");
    folder.ok(&["load", "raw.mine_orders", "three.csv", "--history", "--warehouse", "w"]);
    terminal.enter("SELECT count(*) AS after_load FROM raw.mine_orders;");
    terminal.expect("| 4          |");
    terminal.expect("perennial> ");
    terminal.leave();
}

#[test]
fn the_line_is_edited_completed_and_remembered() {
    let folder = loaded();
    let mut terminal = Terminal::open(&folder, "--format csv");
    terminal.expect("perennial> ");
    terminal.press("SEL\tcount(*) AS n FROM raw.mi\t");
    terminal.expect("SELECT count(*) AS n FROM raw.mine_orders ");
    terminal.enter("WHERE ordered_a\t> '2024-02-01';");
    terminal.expect("\nn\r\n2\r\n");
    terminal.press("SELECT forgotten");
    terminal.expect("SELECT forgotten");
    terminal.press(CTRL_C);
    terminal.expect("^C\r\n");
    // Back over `' AS t;`, and the é is gone.
    terminal.enter(&format!("SELECT 'né' AS t;{}\x7f", "\x1b[D".repeat(7)));
    terminal.expect("\nt\r\nn\r\n");
    terminal.press(CTRL_D);
    drop(terminal);
    let mut terminal = Terminal::open(&folder, "--format csv");
    terminal.expect("perennial> ");
    terminal.press(UP);
    terminal.press(UP);
    terminal.expect("SELECT count(*) AS n FROM raw.mine_orders WHERE ordered_at > '2024-02-01';");
    terminal.press("\r");
    terminal.expect("\nn\r\n2\r\n");
    terminal.leave();
}

#[test]
fn ctrl_c_ends_the_query_and_not_the_shell() {
    let folder = loaded();
    let mut terminal = Terminal::open(&folder, "");
    terminal.expect("perennial> ");
    let endless = "SELECT count(*) FROM generate_series(1, 1000) a, generate_series(1, 10000000000) b \
        WHERE a.value + b.value < 0;";
    for answer in [41, 42] {
        terminal.enter(endless);
        // The spinner of a long query.
        terminal.expect("query ");
        terminal.press(CTRL_C);
        terminal.expect("cancelled");
        terminal.expect("perennial> ");
        terminal.enter(&format!("SELECT {answer} + 1 AS n;"));
        terminal.expect(&format!("| {} |", answer + 1));
    }
    terminal.expect("perennial> ");
    terminal.leave();
}

#[test]
fn a_terminal_gets_no_bytes_of_parquet() {
    let folder = loaded();
    let mut terminal = Terminal::open(&folder, "'SELECT 1' --format parquet");
    terminal.expect("--out");
}
