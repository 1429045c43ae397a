//! The shell for people: statements until `;`, commands that begin with a backslash.

use super::Desk;
use super::editor::{Editor, Input};
use super::history::History;
use super::names::Names;
use crate::commands::describe;
use crate::print;
use anyhow::{Result, bail};
use pipeline::Statement;
use std::path::PathBuf;
use std::time::Instant;

const PROMPT: &str = "perennial> ";
const CONTINUED: &str = "        -> ";
const COMMANDS: &str = "\
\\d         tables and views
\\d NAME    columns of a table or view, or settings of a function, and what they mean
\\timing    show how long each statement takes, or don't
\\?         this
\\q         leave (or Ctrl-D)
Statements end with ;  Tab completes, the arrow keys go back in history, Ctrl-C cancels.
";

impl Desk<'_> {
    /// Reads and runs what a person at the terminal enters, until they leave. What fails is said, and the shell goes on.
    pub async fn converse(mut self, history: Option<PathBuf>) -> Result<()> {
        self.format.check()?;
        self.context.enter_shell();
        let mut history = History::open(history);
        let mut names = Names::of(&self.session).await?;
        let mut is_timing = true;
        let mut text = String::new();
        print::line(&format!("snapshot {}; \\? for help", self.session.snapshot().id))?;
        loop {
            let prompt = if text.is_empty() { PROMPT } else { CONTINUED };
            let line = match Editor::read(prompt, &history, &|before| names.complete(before))? {
                Input::Line(line) => line,
                Input::Cleared => {
                    text.clear();
                    continue;
                }
                Input::End => return Ok(()),
            };
            history.add(&line);
            let done = match (text.is_empty(), line.trim()) {
                (true, "") => continue,
                (true, "\\q" | "exit" | "quit") => return Ok(()),
                (true, "\\timing") => {
                    is_timing = !is_timing;
                    print::line(if is_timing { "timing is on" } else { "timing is off" })
                }
                (true, command) if command.starts_with('\\') => self.command(command).await,
                _ => {
                    text.push_str(&line);
                    text.push('\n');
                    if !pipeline::is_complete(&text) {
                        continue;
                    }
                    self.statements(&std::mem::take(&mut text), is_timing, &mut names).await
                }
            };
            if let Err(error) = done {
                print::error(&error);
            }
        }
    }

    async fn command(&self, command: &str) -> Result<()> {
        match command.trim_end_matches(';').split_whitespace().collect::<Vec<_>>().as_slice() {
            ["\\?"] => print::out(COMMANDS),
            ["\\d"] => {
                let overview = self.session.overview().into_iter();
                let rows: Vec<Vec<String>> =
                    overview.map(|(name, kind, what)| vec![name, kind.name().into(), what]).collect();
                print::out(&print::columns(&["name", "kind", "what"], &rows))
            }
            ["\\d", name] => match describe::known_function(name) {
                Some(function) => print::out(&describe::function(&function)),
                None => print::out(&describe::columns(&self.session.describe(name).await?)),
            },
            _ => bail!("there is no command {command}; \\? lists them"),
        }
    }

    async fn statements(&mut self, text: &str, is_timing: bool, names: &mut Names) -> Result<()> {
        let statements = Statement::parse_all(text)?;
        // Each input sees the newest snapshot, unless one was asked for.
        if self.options.snapshot.is_none() && !self.session.is_newest().await? {
            self.renew().await?;
            *names = Names::of(&self.session).await?;
        }
        let context = self.context;
        for statement in &statements {
            let start = Instant::now();
            let rows = tokio::select! {
                rows = self.answer(statement) => rows?,
                () = context.cancelled() => bail!("cancelled"),
            };
            if statement.change()?.is_some() {
                *names = Names::of(&self.session).await?;
            }
            let time = if is_timing { format!(" in {:.3} s", start.elapsed().as_secs_f64()) } else { String::new() };
            let noun = if rows == 1 { "row" } else { "rows" };
            print::line(&format!("{rows} {noun}{time}\n"))?;
        }
        Ok(())
    }
}
