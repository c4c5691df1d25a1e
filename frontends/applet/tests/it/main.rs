//! Dispatch, installing, home and exit codes of multi-call programs.
#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use applet::{Exit, InstallError, Selection, home, install, select};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

const APPLETS: [&str; 2] = ["qmail-send", "qmail-clean"];

type Chosen = Result<Selection, String>;

fn chosen(line: &[&str]) -> Chosen {
    let line = line.iter().map(OsString::from);
    select("qmail", &APPLETS, line).map_err(|usage| usage.to_string())
}

fn runs(applet: &'static str, arguments: &[&str]) -> Chosen {
    let arguments = arguments.iter().map(OsString::from).collect();
    Ok(Selection::Run { applet, arguments })
}

fn installs(directory: &str) -> Chosen {
    let directory = directory.into();
    Ok(Selection::Install { directory })
}

#[test]
fn the_name_it_was_called_by_decides_before_the_first_argument() {
    let table: [(&str, &[&str], Chosen); 6] = [
        ("bare", &["qmail-send"], runs("qmail-send", &[])),
        (
            "with directories",
            &["/var/qmail/bin/qmail-clean", "a"],
            runs("qmail-clean", &["a"]),
        ),
        (
            "another applet's name is an argument",
            &["qmail-send", "qmail-clean"],
            runs("qmail-send", &["qmail-clean"]),
        ),
        (
            "first argument",
            &["./qmail", "qmail-clean", "--install", "x"],
            runs("qmail-clean", &["--install", "x"]),
        ),
        (
            "an applet keeps its own --install",
            &["qmail-send", "--install", "x"],
            runs("qmail-send", &["--install", "x"]),
        ),
        ("install", &["qmail", "--install", "/x"], installs("/x")),
    ];
    for (name, line, expected) in table {
        assert_eq!(chosen(line), expected, "{name}");
    }
}

#[test]
fn without_an_applet_the_usage_names_them_all() {
    let usage = "usage: qmail APPLET [ARGUMENT]...\n       qmail --install DIRECTORY\n\
                 applets: qmail-send qmail-clean";
    let lines: [&[&str]; 5] = [
        &[],
        &["qmail"],
        &["qmail", "--help"],
        &["qmail", "--install"],
        &["qmail", "--install", "a", "b"],
    ];
    for line in lines {
        assert_eq!(chosen(line), Err(usage.to_owned()), "{line:?}");
    }
    let unknown = chosen(&["qmail", "nonsense"]).unwrap_err();
    assert!(unknown.starts_with("qmail: there is no applet \"nonsense\"\n"));
}

/// A fresh directory that is removed afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("applet-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn installing_links_every_name_and_can_be_repeated() {
    let scratch = Scratch::new("twice");
    let dir = &scratch.0;
    for program in ["/elsewhere/qmail", "/opt/qmail"] {
        install(Path::new(program), &APPLETS, dir).unwrap();
        for name in APPLETS {
            let target = fs::read_link(dir.join(name)).unwrap();
            assert_eq!(target, Path::new(program));
        }
    }
    install(&dir.join("qmail"), &APPLETS, dir).unwrap();
    let beside = fs::read_link(dir.join("qmail-send")).unwrap();
    assert_eq!(beside, Path::new("qmail"));
    assert_eq!(fs::read_dir(dir).unwrap().count(), APPLETS.len());
}

#[test]
fn installing_never_replaces_an_original_program() {
    let scratch = Scratch::new("original");
    let original = scratch.0.join("qmail-send");
    fs::write(&original, "the original").unwrap();
    let result = install(Path::new("/opt/qmail"), &APPLETS, &scratch.0);
    assert!(matches!(result, Err(InstallError::Occupied(path)) if path == original));
    assert_eq!(fs::read_to_string(&original).unwrap(), "the original");
    let missing = install(Path::new("/opt/qmail"), &APPLETS, &scratch.0.join("no"));
    assert!(matches!(missing, Err(InstallError::Failed { .. })));
}

#[test]
fn the_option_beats_the_variable_and_the_variable_the_default() {
    let default = Path::new("/var/qmail");
    let table: [(Option<&str>, Option<&str>, &str); 5] = [
        (Some("/a"), Some("/b"), "/a"),
        (None, Some("/b"), "/b"),
        (Some(""), Some("/b"), "/b"),
        (None, Some(""), "/var/qmail"),
        (None, None, "/var/qmail"),
    ];
    for (option, variable, expected) in table {
        let found = home(option.map(Into::into), variable.map(Into::into), default);
        assert_eq!(found, Path::new(expected), "{option:?} {variable:?}");
    }
}

#[test]
fn exit_codes_are_qmails() {
    let codes = [
        (Exit::OK, 0),
        (Exit::NO, 1),
        (Exit::STOP, 99),
        (Exit::PERMANENT, 100),
        (Exit::TEMPORARY, 111),
        (Exit::other(31), 31),
    ];
    for (exit, code) in codes {
        assert_eq!(exit.code(), code);
    }
}
