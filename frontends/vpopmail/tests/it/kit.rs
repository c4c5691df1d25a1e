//! A home of its own for each test, and programs that run in it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use vpopmail::{Homes, Io, run};

/// Whose a home is where root runs the tests: mail is never root's.
const OWNER: u32 = 1000;

/// What a program did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Did {
    pub(crate) code: u8,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// A case: its name, arguments, the exit code, how the output begins.
pub(crate) type Row = (&'static str, &'static [&'static str], u8, &'static str);

/// Both homes in one directory.
pub(crate) struct Home {
    dir: tempfile::TempDir,
    /// What is answered when a password is asked for.
    pub(crate) answers: Vec<&'static str>,
    /// What standard input holds.
    pub(crate) input: &'static str,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) now: u64,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for part in ["control", "users", "etc"] {
            std::fs::create_dir(dir.path().join(part)).unwrap();
        }
        if nix::unistd::geteuid().is_root() {
            for path in [dir.path().to_path_buf(), dir.path().join("etc")] {
                chown(path, Some(OWNER), Some(OWNER)).unwrap();
            }
        }
        Self {
            dir,
            answers: Vec::new(),
            input: "",
            environment: Vec::new(),
            now: 1_700_000_000,
        }
    }

    /// With the domain `example.org`, whose postmaster has the password `secret`.
    pub(crate) fn with_domain() -> Self {
        let home = Self::new();
        home.quiet("vadddomain", &["example.org", "secret"]);
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub(crate) fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub(crate) fn write(&self, path: &str, contents: &str) {
        std::fs::write(self.at(path), contents).unwrap();
        if nix::unistd::geteuid().is_root() {
            chown(self.at(path), Some(OWNER), Some(OWNER)).unwrap();
        }
    }

    /// Runs a program that must succeed without a word.
    pub(crate) fn quiet(&self, program: &str, arguments: &[&str]) {
        let done = Did {
            code: 0,
            output: String::new(),
            errors: String::new(),
        };
        assert_eq!(
            self.run(program, arguments),
            done,
            "{program} {arguments:?}"
        );
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Did {
        let words: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
        self.run_bytes(program, &words)
    }

    pub(crate) fn run_bytes(&self, program: &str, arguments: &[&[u8]]) -> Did {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let mut answers = self.answers.iter();
        let variable = |(name, value): &(&str, String)| (name.into(), value.into());
        let io = Io {
            arguments: arguments
                .iter()
                .map(|word| OsString::from_vec(word.to_vec()))
                .collect(),
            environment: self.environment.iter().map(variable).collect(),
            homes: Homes {
                vpopmail: self.path().to_path_buf(),
                qmail: self.path().to_path_buf(),
            },
            input: Box::new(self.input.as_bytes()),
            output: Box::new(&mut output),
            errors: Box::new(&mut errors),
            secret: Box::new(move |_| {
                let answer = answers.next();
                answer
                    .map(|answer| answer.as_bytes().to_vec())
                    .ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
            }),
            now: mta_core::Unix(self.now),
            ..Io::nothing()
        };
        let code = run(program, io).code();
        Did {
            code,
            output: String::from_utf8(output).unwrap(),
            errors: String::from_utf8(errors).unwrap(),
        }
    }

    /// The crypt(3) string of a mailbox.
    pub(crate) fn stored(&self, name: &str) -> String {
        let file = self.text("domains/example.org/vpasswd");
        let line = file.lines().find(|l| l.starts_with(&format!("{name}:")));
        line.unwrap().split(':').nth(1).unwrap().to_owned()
    }
}

/// What a program answers that says one line and an exit code.
pub(crate) fn said(code: u8, output: &str) -> Did {
    Did {
        code,
        output: output.to_owned(),
        errors: String::new(),
    }
}
