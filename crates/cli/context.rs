//! What every verb shares: where the warehouse is, the environment, progress bars, Ctrl-C.

use crate::memory;
use anyhow::{Context as _, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use pipeline::{Project, Warehouse};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::Notify;

/// Work that takes no longer shows no spinner.
const PATIENCE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(200);

/// Where the warehouse is.
#[derive(Args, Clone)]
pub struct Place {
    /// Root of the warehouse: a folder or a URL (s3://, gs://, az://). Default: what perennial.toml says.
    #[arg(long, short, env = "PERENNIAL_WAREHOUSE", value_name = "URL")]
    warehouse: Option<String>,
    /// Folder with perennial.toml, and with sql/ and models/ that add to or override the shipped ones.
    #[arg(long, short, default_value = ".", value_name = "DIR")]
    project: PathBuf,
    /// Memory for queries, such as 2GB or 50%; beyond it sorts and aggregates go to temporary files. Default: 60 % of
    /// the machine's.
    #[arg(long, env = "PERENNIAL_MEMORY_LIMIT", value_name = "SIZE", value_parser = memory::size)]
    memory_limit: Option<usize>,
}

pub struct Context {
    quiet: bool,
    interrupted: Arc<AtomicBool>,
    /// Somebody watches `interrupted`, so the first Ctrl-C only asks.
    is_watched: AtomicBool,
    /// A shell is open, so Ctrl-C only ends what it runs.
    is_shell: AtomicBool,
    cancel: Notify,
}

impl Context {
    pub fn new(quiet: bool) -> Context {
        Context {
            quiet,
            interrupted: Arc::default(),
            is_watched: AtomicBool::new(false),
            is_shell: AtomicBool::new(false),
            cancel: Notify::new(),
        }
    }

    /// Set by Ctrl-C: work that watches it stops at its next safe point.
    pub fn interrupted(&self) -> Arc<AtomicBool> {
        self.is_watched.store(true, Ordering::Relaxed);
        self.interrupted.clone()
    }

    /// From now on Ctrl-C ends what waits for [`Context::cancelled`], and not the program.
    pub fn enter_shell(&self) {
        self.is_shell.store(true, Ordering::Relaxed);
    }

    /// Ready at the next Ctrl-C.
    pub async fn cancelled(&self) {
        self.cancel.notified().await;
    }

    /// Ready when work must be dropped: at the first Ctrl-C, or at the second where the work watches for the first.
    pub async fn abandoned(&self) {
        while tokio::signal::ctrl_c().await.is_ok() {
            if self.is_shell.load(Ordering::Relaxed) {
                self.cancel.notify_waiters();
                continue;
            }
            if self.interrupted.swap(true, Ordering::Relaxed) || !self.is_watched.load(Ordering::Relaxed) {
                return;
            }
            crate::print::status("stopping at the next safe point; Ctrl-C again stops at once");
        }
        std::future::pending().await
    }

    /// The project in the folder, where it has a perennial.toml.
    pub fn project(&self, place: &Place) -> Result<Option<Project>> {
        match place.project.join(pipeline::project::FILE).is_file() {
            true => Ok(Some(Project::read(&place.project)?)),
            false => Ok(None),
        }
    }

    /// Where the warehouse publishes to: as given, or else as the project says.
    pub fn published(&self, place: &Place, given: Option<String>) -> Result<Option<String>> {
        Ok(given.or(self.project(place)?.and_then(|project| project.publish_url())))
    }

    pub async fn open(&self, place: &Place) -> Result<Warehouse> {
        let project = self.project(place)?;
        let url = place.warehouse.clone().or(project.as_ref().map(Project::warehouse_url)).with_context(|| {
            format!(
                "no warehouse given: add --warehouse URL, set PERENNIAL_WAREHOUSE, or stand in a folder with {}",
                pipeline::project::FILE
            )
        })?;
        let sql = Some(self.sql_dir(place)).filter(|path| path.is_dir());
        let warehouse = pipeline::open(&url, sql.as_deref(), environment()).await?;
        Ok(match place.memory_limit.or_else(memory::default) {
            Some(bytes) => warehouse.with_memory_limit(bytes),
            None => warehouse,
        })
    }

    /// Where the project's SQL files are, if it has any.
    pub fn sql_dir(&self, place: &Place) -> PathBuf {
        place.project.join("sql")
    }

    /// A task by its file or name.
    pub fn task(&self, place: &Place, name: &str) -> Result<pipeline::Task> {
        let folder = if Path::new(name).is_file() { Path::new("") } else { &place.project };
        Ok(pipeline::Task::read(name, folder)?)
    }

    /// The project's tasks and the shipped ones.
    pub fn tasks(&self, place: &Place) -> Result<Vec<pipeline::Task>> {
        Ok(pipeline::Task::all(&place.project)?)
    }

    /// Waits for `work`, with a spinner on a terminal where that takes longer.
    pub async fn watch<T>(&self, what: &'static str, work: impl Future<Output = T>) -> T {
        let _spinner = (!self.quiet && std::io::stderr().is_terminal()).then(|| Spinner::start(what));
        work.await
    }

    pub fn progress(&self) -> Bars {
        Bars { quiet: self.quiet, bar: Mutex::new(None) }
    }
}

/// The program's folder of the kind that `variable` names, by default below the user's home.
pub fn user_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let given = std::env::var_os(variable).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = given.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(below_home)))?;
    Some(folder.join("perennial"))
}

/// Settings of object stores (AWS_…, AZURE_…, GOOGLE_…): the library itself never reads the environment.
pub fn environment() -> Vec<(String, String)> {
    const PREFIXES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];
    std::env::vars().filter(|(name, _)| PREFIXES.iter().any(|p| name.starts_with(p))).collect()
}

/// Turns, after a moment, until it is dropped. In a thread of its own: a query can keep every thread of the runtime busy.
struct Spinner {
    end: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Spinner {
    fn start(what: &'static str) -> Spinner {
        let (end, ended) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            if ended.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let style = ProgressStyle::with_template("{prefix} {spinner} {elapsed}");
            let bar = ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            let bar = bar.with_prefix(what);
            bar.enable_steady_tick(TICK);
            // Ends with an error: nothing is ever sent.
            let _ = ended.recv();
            bar.finish_and_clear();
        });
        Spinner { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.end.take();
        // What is printed next must not meet the spinner.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// One progress bar at a time on standard error; hidden where that is no terminal, where only finished stages show.
pub struct Bars {
    quiet: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Bars {
    fn with(&self, act: impl FnOnce(&ProgressBar)) {
        if let Ok(bar) = self.bar.lock()
            && let Some(bar) = bar.as_ref()
        {
            act(bar);
        }
    }
}

impl pipeline::Progress for Bars {
    fn start(&self, stage: &str, total: Option<u64>) {
        if self.quiet {
            return;
        }
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), "{prefix:<24} {bar:30} {pos}/{len} {per_sec} {eta} {msg}"),
            None => (ProgressBar::no_length(), "{prefix:<24} {spinner} {human_pos} {per_sec} {msg}"),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar.with_style(style).with_prefix(stage.to_string());
        bar.enable_steady_tick(TICK);
        if let Ok(mut current) = self.bar.lock() {
            *current = Some(bar);
        }
    }

    fn total(&self, total: u64) {
        self.with(|bar| bar.set_length(total));
    }

    fn at(&self, done: u64) {
        self.with(|bar| bar.set_position(done));
    }

    fn note(&self, text: &str) {
        self.with(|bar| bar.set_message(text.to_string()));
    }

    fn finish(&self, summary: &str) {
        if self.quiet {
            return;
        }
        let bar = self.bar.lock().ok().and_then(|mut bar| bar.take());
        let (stage, seconds) = bar.map_or((String::new(), 0.0), |bar| {
            bar.finish_and_clear();
            (bar.prefix(), bar.elapsed().as_secs_f64())
        });
        crate::print::status(&format!("{stage:<24} {summary} ({seconds:.1} s)"));
    }
}
