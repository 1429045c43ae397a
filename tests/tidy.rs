//! The invariants that are absences ("only X knows Y") and the lists that must equal their folders.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Allowed edges between the crates; the root package is the binary.
const EDGES: [(&str, &[&str]); 9] = [
    ("perennial", &["pipeline"]),
    ("pipeline", &["analytics", "sequences", "simulate", "store", "trainer", "warehouse"]),
    ("warehouse", &["analytics", "store"]),
    ("trainer", &["analytics", "sequences"]),
    ("store", &[]),
    ("analytics", &[]),
    ("sequences", &[]),
    ("simulate", &[]),
    ("xtask", &[]),
];

/// Words of source that only the named crates may contain, and why.
const OWNED: [(&str, &[&str], &str); 10] = [
    ("tch::", &["trainer"], "only the trainer knows libtorch"),
    ("object_store::", &["store"], "only the store knows where bytes lie"),
    ("deltalake::", &["store"], "only the store knows the table format"),
    ("SessionContext", &["warehouse"], "only the warehouse builds a DataFusion session"),
    ("anyhow", &["cli"], "libraries name the user's situation in an enum"),
    ("std::env::", &["cli", "xtask"], "only the binary reads the environment"),
    ("env::var", &["cli", "xtask"], "only the binary reads the environment"),
    ("println!", &["xtask"], "print.rs prints"),
    ("process::exit", &[], "main returns an exit code"),
    ("clap::", &["cli"], "only the binary parses arguments"),
];

/// A file longer than this before its tests is more than one room.
const LONGEST_FILE: usize = 600;

#[test]
fn crates_depend_only_along_the_design() {
    let names: BTreeSet<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in EDGES {
        let manifest = match name {
            "perennial" => root().join("Cargo.toml"),
            _ => root().join("crates").join(name).join("Cargo.toml"),
        };
        let text = read(&manifest);
        let dependencies = text.split("\n[dependencies]").nth(1).map_or("", |s| s.split("\n[").next().unwrap_or(""));
        for line in dependencies.lines() {
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or("");
            assert!(
                !names.contains(dependency) || allowed.contains(&dependency),
                "{name} -> {dependency} is no edge of the design"
            );
        }
    }
}

#[test]
fn what_one_crate_owns_no_other_names() {
    for (path, text) in sources() {
        let owner = path.strip_prefix(root().join("crates")).unwrap_or(&path);
        let owner = owner.iter().next().and_then(|c| c.to_str()).unwrap_or("");
        let is_test = path.components().any(|c| ["tests", "benches"].contains(&c.as_os_str().to_str().unwrap_or("")))
            || path.file_name().is_some_and(|name| name == "build.rs" || name == "tests.rs");
        if is_test {
            continue;
        }
        for (number, line) in production(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            for (word, owners, reason) in OWNED {
                assert!(
                    owners.contains(&owner) || !names(code, word),
                    "{}:{}: `{word}`: {reason}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

/// Whether code holds the word, and not as the end of a longer one.
fn names(code: &str, word: &str) -> bool {
    let starts = |(at, _): (usize, &str)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    code.match_indices(word).any(starts)
}

#[test]
fn no_file_is_several_rooms() {
    for (path, text) in sources() {
        let lines = production(&text).lines().count();
        assert!(lines <= LONGEST_FILE, "{}: {lines} lines before its tests", path.display());
    }
}

#[test]
fn every_verb_of_the_folder_is_in_the_list() {
    let folder = root().join("crates/cli/commands");
    let list = read(&folder.join("mod.rs"));
    let listed = |name: &str| list.lines().any(|line| line.trim().starts_with(&format!("{name} ")));
    for file in files(&folder, "rs") {
        let name = file.file_stem().and_then(|s| s.to_str()).unwrap_or("");
        assert!(name == "mod" || listed(name), "crates/cli/commands/{name}.rs is in no verbs! list");
    }
}

#[test]
fn every_kind_of_check_is_in_the_list_and_in_the_help() {
    let folder = root().join("crates/warehouse/src/quality/kinds");
    let list = read(&folder.join("mod.rs"));
    let list = list.split("\nkinds! {").nth(1).and_then(|rest| rest.split('}').next()).unwrap_or("");
    let help = read(&root().join("crates/cli/commands/check.rs"));
    for file in files(&folder, "rs") {
        let name = file.file_stem().and_then(|s| s.to_str()).unwrap_or("");
        assert!(name == "mod" || list.contains(&format!(" {name},")), "kinds/{name}.rs is in no kinds! list");
        // A predicate needs no name.
        assert!(["mod", "holds"].contains(&name) || names(&help, name), "`perennial check --help` lacks {name}");
    }
}

#[test]
fn every_table_function_has_its_cases() {
    let list = read(&root().join("crates/warehouse/src/functions/mod.rs"));
    let list = list.split("\nfunctions! {").nth(1).and_then(|rest| rest.split('}').next()).unwrap_or("");
    let listed: BTreeSet<&str> = list.lines().filter_map(|line| Some(line.trim().split_once(": ")?.0)).collect();
    let cases = files(&root().join("tests/sql/functions"), "slt");
    let tested: BTreeSet<&str> = cases.iter().filter_map(|file| file.file_stem()?.to_str()).collect();
    assert_eq!(listed, tested, "functions, and tests/sql/functions/<function>.slt");
}

#[test]
fn every_view_of_insights_is_in_the_readme() {
    let readme = read(&root().join("README.md"));
    for file in files(&root().join("sql/insights"), "sql") {
        let name = file.file_stem().and_then(|s| s.to_str()).unwrap_or("");
        let is_named = readme.contains(&format!("`{name}`")) || readme.contains(&format!("`insights.{name}`"));
        assert!(is_named, "README.md does not say what insights.{name} answers");
    }
}

#[test]
fn nothing_unfinished_or_bound_to_one_machine_is_committed() {
    // Put together here so that this file does not find itself.
    let words =
        [["todo", "!("].concat(), ["unimplemented", "!("].concat(), ["#[", "ignore"].concat(), ["/ro", "ot/"].concat()];
    for (path, text) in sources() {
        for word in &words {
            assert!(!text.contains(word.as_str()), "{}: {word}", path.display());
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the repository with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let folders = ["crates", "tests", "benches"].map(|folder| root().join(folder));
    let files: Vec<PathBuf> = folders.iter().flat_map(|folder| files(folder, "rs")).collect();
    assert!(files.len() > 20, "only {} source files found", files.len());
    files.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// What comes before the tests of a file.
fn production(text: &str) -> &str {
    text.split("\n#[cfg(test)]").next().unwrap_or(text)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
