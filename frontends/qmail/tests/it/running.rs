//! A whole installation with qmail-start running in it, as an ordinary user even where root runs the tests.

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, chown, geteuid};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A user that owns nothing.
pub(crate) const NOBODY: u32 = 65_534;
/// After so long something has gone wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A home with all programs under bin/, the alias user's directory and a name.
pub(crate) struct Installed {
    pub(crate) home: crate::kit::Home,
}

impl Installed {
    pub(crate) fn new() -> Self {
        let home = crate::kit::Home::new();
        // Another user may not reach what the tests were built into.
        fs::copy(crate::kit::BINARY, home.at("qmail")).unwrap();
        fs::remove_file(home.at("bin/qmail-queue")).unwrap();
        for name in qmail::NAMES {
            std::os::unix::fs::symlink(home.at("qmail"), home.at("bin").join(name)).unwrap();
        }
        home.write("control/me", "mx.example.org\n");
        fs::create_dir(home.at("alias")).unwrap();
        let installed = Self { home };
        installed.alias("box", "./box\n");
        installed
    }

    /// Gives the user alias a .qmail file.
    pub(crate) fn alias(&self, ext: &str, lines: &str) {
        let path = self.home.at(&format!("alias/.qmail-{ext}"));
        fs::write(&path, lines).unwrap();
        give(&path);
    }

    /// A program of the test's own in place of one of ours.
    pub(crate) fn replace(&self, name: &str, script: &str) {
        let path = self.home.at("bin").join(name);
        // Written to elsewhere, since the name leads to the binary of all.
        let _ = fs::remove_file(&path);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A program of this installation, as its user.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.home.at("bin").join(name));
        command
            .env_clear()
            .env("MTA_HOME", self.home.path())
            .env("PATH", path(&self.home.at("bin")))
            .current_dir(self.home.path());
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Gives everything to the user that runs it.
    pub(crate) fn give(&self) {
        give(self.home.path());
    }

    /// Queues a message and returns qmail-queue's exit code.
    pub(crate) fn inject(&self, sender: &str, recipients: &[&str], message: &str) -> i32 {
        self.give();
        let (reader, mut envelope) = std::io::pipe().unwrap();
        let mut command = self.program("qmail-queue");
        command.stdin(Stdio::piped()).stdout(reader);
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut input = child.stdin.take().unwrap();
        input.write_all(message.as_bytes()).unwrap();
        drop(input);
        write!(envelope, "F{sender}\0").unwrap();
        for to in recipients {
            write!(envelope, "T{to}\0").unwrap();
        }
        envelope.write_all(b"\0").unwrap();
        drop(envelope);
        child.wait().unwrap().code().unwrap()
    }

    pub(crate) fn start(&self) -> Running<'_> {
        self.start_with(&["./Mailbox"])
    }

    pub(crate) fn start_with(&self, arguments: &[&str]) -> Running<'_> {
        self.start_in(&[], arguments)
    }

    /// Starts it with these variables besides.
    pub(crate) fn start_in(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Running<'_> {
        self.give();
        let log = self.home.at("log");
        let out = fs::OpenOptions::new().create(true).append(true).open(&log);
        let mut command = self.program("qmail-start");
        command.args(arguments).envs(variables.iter().copied());
        command.stdout(out.unwrap());
        Running {
            installed: self,
            child: command.spawn().unwrap(),
        }
    }

    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.home.at("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    pub(crate) fn read(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.home.at(path)).unwrap_or_default()).into_owned()
    }

    /// Waits for a line of the log that contains `part`, and returns it.
    pub(crate) fn logged(&self, part: &str) -> String {
        let find = || {
            let log = self.log();
            // The last line may not be whole yet.
            let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let line = whole.lines().find(|line| line.contains(part));
            line.map(str::to_owned)
        };
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = find() {
                return line;
            }
            let log = self.log();
            assert!(Instant::now() < give_up, "no {part:?} in the log:\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub(crate) fn path(bin: &Path) -> String {
    format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display())
}

fn give(path: &Path) {
    if !geteuid().is_root() {
        return;
    }
    let user = (Some(Uid::from_raw(NOBODY)), Some(Gid::from_raw(NOBODY)));
    let mut all: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(path) = all.pop() {
        let Ok(stat) = fs::symlink_metadata(&path) else {
            continue;
        };
        if stat.is_symlink() {
            continue;
        }
        // What a running drainer removes meanwhile needs no owner.
        let _ = chown(&path, user.0, user.1);
        if stat.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            all.extend(entries.map(|entry| entry.path()));
        }
    }
}

/// A running qmail-send with its children.
pub(crate) struct Running<'a> {
    installed: &'a Installed,
    pub(crate) child: Child,
}

impl Running<'_> {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        assert!(
            self.installed.log().ends_with("status: exiting\n"),
            "{}",
            self.installed.log()
        );
        status
    }

    /// Tells it to exit and waits until it has.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        assert!(self.ended().success());
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
