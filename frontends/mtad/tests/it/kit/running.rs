//! The program while it serves.

use super::{Home, Line, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

pub(crate) struct Running {
    child: Child,
    out: Lines,
    log: Lines,
}

type Lines = Arc<Mutex<Vec<String>>>;

fn follow(from: impl Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let kept = Arc::clone(&lines);
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line)
                .trim_end_matches('\n')
                .to_owned();
            kept.lock().unwrap().push(text);
            line.clear();
        }
    });
    lines
}

impl Running {
    pub(crate) fn start(home: &Home) -> Self {
        Self::start_with(home, &[])
    }

    /// Starts with further arguments.
    pub(crate) fn start_with(home: &Home, further: &[&str]) -> Self {
        let mut command = Self::command(home);
        command.args(further);
        Self::spawn(command)
    }

    /// Starts with further variables.
    pub(crate) fn start_in(home: &Home, variables: &[(&str, &str)]) -> Self {
        let mut command = Self::command(home);
        command.envs(variables.iter().copied());
        Self::spawn(command)
    }

    fn command(home: &Home) -> Command {
        let ports = ["serve", "--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"];
        let mut command = home.command(&ports);
        command.env_remove("QMAILQUEUE");
        command
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = follow(child.stdout.take().unwrap());
        let log = follow(child.stderr.take().unwrap());
        let mut this = Self { child, out, log };
        this.listening("pop3");
        this
    }

    pub(crate) fn listening(&mut self, service: &str) -> SocketAddr {
        let prefix = format!("listening {service} ");
        until(&prefix, || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", self.log().join("\n"));
            let lines = self.out.lock().unwrap();
            lines
                .iter()
                .find_map(|line| line.strip_prefix(&prefix)?.parse().ok())
        })
    }

    /// Where it listens on IPv6 besides.
    pub(crate) fn listening_v6(&mut self, service: &str) -> SocketAddr {
        let prefix = format!("listening {service} [");
        until(&prefix, || {
            let lines = self.out.lock().unwrap();
            let line = lines.iter().find(|line| line.starts_with(&prefix))?;
            line.rsplit(' ').next()?.parse().ok()
        })
    }

    pub(crate) fn smtp(&mut self) -> SocketAddr {
        self.listening("smtp")
    }

    pub(crate) fn pop3(&mut self) -> SocketAddr {
        self.listening("pop3")
    }

    /// Sends one message over a connection of its own.
    pub(crate) fn message(&mut self, from: &str, to: &[&str], text: &str) -> String {
        Line::smtp(self.smtp()).message(from, to, text)
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line that holds a text.
    pub(crate) fn logged(&self, text: &str) -> String {
        until(
            &format!("the log line {text:?} in\n{}", self.log().join("\n")),
            || self.log().into_iter().find(|line| line.contains(text)),
        )
    }

    pub(crate) fn alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.ended()
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        until("the end", || self.child.try_wait().unwrap())
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "the log:\n{}", self.log().join("\n"));
        }
    }
}
