//! A home of its own for each test, and programs that run in it.

use mta_core::ports::spool::MessageId;
use mta_core::rewrite::{Channel, Routed};
use mta_store::files::{Files, RealFiles};
use mta_store::log::Log;
use mta_store::queue::{Origin, Queue};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_qmail");

/// A home with control, users, a queue and bin/qmail-queue.
pub(crate) struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for part in ["bin", "control", "users"] {
            std::fs::create_dir(home.at(part)).unwrap();
        }
        std::os::unix::fs::symlink(BINARY, home.at("bin/qmail-queue")).unwrap();
        Queue::create(Arc::new(RealFiles::new()), home.at("queue")).unwrap();
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.at(path), contents).unwrap();
    }

    /// Puts a shell script somewhere and returns its path.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.at(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub(crate) fn queue(&self) -> Queue<RealFiles> {
        Queue::look_at(Arc::new(RealFiles::new()), self.at("queue")).unwrap()
    }

    /// The queued messages: envelope records and bytes of each.
    pub(crate) fn queued(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let queue = self.queue();
        let read = |path: PathBuf| RealFiles::new().read(&path, 1 << 30).unwrap();
        let one = |id: MessageId| (read(queue.layout().todo(id)), read(queue.layout().mess(id)));
        queue.todo().unwrap().into_iter().map(one).collect()
    }

    /// Gives the queue a log, as `mtad` has one in new homes, with one message in it.
    pub(crate) fn log_with_a_message(&self) -> Log<RealFiles> {
        let (log, _) = Log::open(Arc::new(RealFiles::new()), self.at("queue/log")).unwrap();
        let mut draft = log.begin(Origin { pid: 1, uid: 2 });
        draft.write(b"Subject: x\n\n").unwrap();
        let to = mta_core::Address::new(*b"box@mx.example.org").unwrap();
        let envelope = mta_core::Envelope {
            recipients: vec![to.into()],
            ..mta_core::Envelope::default()
        };
        let mut route = |to: &mta_core::Address| Routed {
            channel: Channel::Local,
            address: to.clone(),
        };
        draft
            .commit(&envelope, mta_core::Unix(1), &mut route)
            .unwrap();
        log
    }

    /// How many files lie in mess/, intd/, todo/ and pid/.
    pub(crate) fn files(&self) -> usize {
        let queue = self.at("queue");
        let mut count = 0;
        for kind in ["mess", "intd", "todo", "pid"] {
            count += count_files(&queue.join(kind));
        }
        count
    }

    pub(crate) fn run(&self, program: &str) -> Run {
        let mut command = Command::new(BINARY);
        command
            .arg0(program)
            .env_clear()
            .env("MTA_HOME", self.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(self.path());
        Run {
            command,
            input: Vec::new(),
        }
    }
}

fn count_files(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap();
    let counts = entries.map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { count_files(&path) } else { 1 }
    });
    counts.sum()
}

/// A program about to run.
pub(crate) struct Run {
    pub(crate) command: Command,
    input: Vec<u8>,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Standard input is a file, so that it can be rewound.
    pub(crate) fn end(mut self) -> Ended {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&self.input).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        self.command.stdin(file);
        let output = self.command.output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs qmail-queue or the like: message on 0, envelope on 1, both pipes.
    pub(crate) fn inject(mut self, envelope: &[u8]) -> Ended {
        let (reader, mut writer) = std::io::pipe().unwrap();
        self.command
            .stdin(Stdio::piped())
            .stdout(reader)
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        // Only the child may hold the reading end.
        drop(self.command);
        let mut input = child.stdin.take().unwrap();
        // A program that refuses does not read everything.
        let _ = input.write_all(&self.input);
        drop(input);
        let _ = writer.write_all(envelope);
        drop(writer);
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        let code = child.wait().unwrap().code().unwrap_or(-1);
        Ended {
            code,
            out: String::new(),
            err,
        }
    }
}
