//! A home in a directory of its own, made by the program itself.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A home for mx.example.org with the domain example.org and the mailbox joe.
pub(crate) struct Home {
    dir: PathBuf,
    program: PathBuf,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }
}

impl Home {
    /// An empty directory's path that does not exist yet.
    pub(crate) fn nowhere() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mtad-it-{}-{n}", std::process::id());
        Self {
            dir: std::env::temp_dir().join(name),
            program: env!("CARGO_BIN_EXE_mtad").into(),
        }
    }

    pub(crate) fn new() -> Self {
        let home = Self::nowhere();
        home.fill();
        home
    }

    /// One whose messages lie in qmail's layout alone.
    pub(crate) fn in_qmail_layout() -> Self {
        let home = Self::new();
        // What init makes for `--spool qmail`; no message has come yet.
        fs::remove_dir_all(home.dir.join("queue/log")).unwrap();
        home
    }

    /// Makes the home with its domain and its mailbox.
    pub(crate) fn fill(&self) {
        self.run(
            &[
                "init",
                "--me",
                "mx.example.org",
                "--admin",
                "joe@example.org",
            ],
            "",
        )
        .ok();
        self.run(
            &["domain", "add", "example.org", "--password-stdin"],
            "post secret\n",
        )
        .ok();
        self.run(
            &["user", "add", "joe@example.org", "--password-stdin"],
            "joe secret\n",
        )
        .ok();
    }

    /// Uses a copy of the program inside the home from now on: other accounts may be kept out of
    /// the directory it was built in.
    pub(crate) fn with_own_program(&mut self) {
        let copy = self.dir.join("mtad");
        fs::copy(&self.program, &copy).unwrap();
        self.program = copy;
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Runs a command on this home to its end.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that fails at once does not wait for its input.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .arg("--home")
            .arg(&self.dir)
            .env_remove("MTA_HOME");
        command
    }

    pub(crate) fn control(&self, name: &str, text: &str) {
        fs::write(self.dir.join("control").join(name), text).unwrap();
    }

    /// Replaces mtad.toml.
    pub(crate) fn config(&self, text: &str) {
        fs::write(self.dir.join("mtad.toml"), text).unwrap();
    }

    pub(crate) fn maildir(&self, user: &str) -> PathBuf {
        self.dir
            .join("domains/example.org")
            .join(user)
            .join("Maildir")
    }

    /// The messages in a mailbox of example.org.
    pub(crate) fn mail(&self, user: &str) -> Vec<String> {
        messages(&self.maildir(user))
    }

    /// How many messages are not finished.
    pub(crate) fn queued(&self) -> usize {
        let list = self.run(&["queue", "list"], "").ok();
        list.lines().filter(|line| !line.starts_with('\t')).count()
    }
}

/// The texts of all messages in a Maildir.
pub(crate) fn messages(maildir: &Path) -> Vec<String> {
    let folders = ["new", "cur"].map(|folder| maildir.join(folder));
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten();
    let texts = entries.filter_map(|entry| fs::read(entry.ok()?.path()).ok());
    texts
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .collect()
}

/// Every file below a directory.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}
