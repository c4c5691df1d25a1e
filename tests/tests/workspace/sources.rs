//! Reads the workspace's own sources for the other checks, and the rules every file keeps.

use std::path::{Path, PathBuf};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// The five library crates.
pub(crate) const LIBRARIES: [&str; 5] =
    ["mta-core", "mta-proto", "mta-store", "mta-auth", "mta-list"];

/// All Rust files below `dir`, sorted.
pub(crate) fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(dir) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file's text without its comment lines and without an inline test module at its end.
pub(crate) fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// Fails with every finding at once, each as `file: what`.
pub(crate) fn none(findings: &[(PathBuf, String)]) {
    let lines: Vec<_> = findings
        .iter()
        .map(|(path, what)| format!("{}: {what}", relative(path)))
        .collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn every_file_opens_with_one_sentence_of_what_it_holds() {
    let mut findings = Vec::new();
    for path in rust_files(&root()) {
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.starts_with("//! ") {
            findings.push((path, "does not open with a `//! ` sentence".to_owned()));
        }
    }
    none(&findings);
}

#[test]
fn no_file_is_longer_than_seven_hundred_lines() {
    let mut findings = Vec::new();
    for path in rust_files(&root()) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        if lines > 700 {
            findings.push((path, format!("has {lines} lines")));
        }
    }
    none(&findings);
}

#[test]
fn nothing_is_left_undone_in_the_sources() {
    // Built from halves so that this file does not find itself.
    let words: Vec<String> = ["todo", "unimplemented", "dbg"]
        .iter()
        .map(|w| format!("{w}{}", "!("))
        .collect();
    let mut findings = Vec::new();
    for path in rust_files(&root()) {
        let text = code(&path);
        for word in &words {
            if text.contains(word.as_str()) {
                findings.push((path.clone(), format!("contains {word}")));
            }
        }
    }
    none(&findings);
}

#[test]
fn unsafe_code_stands_in_frontends_sys_only() {
    let mut findings = Vec::new();
    for path in rust_files(&root()) {
        if relative(&path).starts_with("frontends/sys/") {
            continue;
        }
        let text = code(&path);
        if text.contains(&format!("{} {{", "unsafe"))
            || text.contains(&format!("allow({}_code", "unsafe"))
        {
            findings.push((path, "uses unsafe code".to_owned()));
        }
    }
    none(&findings);
}
