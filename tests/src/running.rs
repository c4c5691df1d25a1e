//! A running `mtad serve`: its ports from its own words, its log kept, ended by id.

use crate::home::{Home, mtad_binary};
use crate::wait::until;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

/// `mtad serve` on loopback ports of the system's choice.
#[derive(Debug)]
pub struct Mtad {
    child: Child,
    stdout: Arc<Mutex<Vec<String>>>,
    log: Arc<Mutex<Vec<String>>>,
}

fn follow(from: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            kept.lock().unwrap().push(text);
            line.clear();
        }
    });
    lines
}

impl Mtad {
    /// Starts it with an SMTP and a POP3 listener and waits until both accept.
    #[must_use]
    pub fn start(home: &Home) -> Self {
        Self::start_with(home, &[])
    }

    /// Starts it with further arguments.
    ///
    /// # Panics
    /// Panics with its log where it ends or says nothing within a minute.
    #[must_use]
    pub fn start_with(home: &Home, args: &[&str]) -> Self {
        let mut command = Command::new(mtad_binary());
        command.args(["serve", "--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"]);
        command.args(args).arg("--home").arg(home.path());
        Self::spawn(&mut command)
    }

    /// Starts it by way of another program, such as prlimit(1), that ends up executing it.
    #[must_use]
    pub fn start_under(home: &Home, program: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(args).arg(mtad_binary());
        command.args(["serve", "--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"]);
        Self::spawn(command.arg("--home").arg(home.path()))
    }

    /// Kibibytes of memory that it holds now.
    ///
    /// # Panics
    /// Panics where it is gone.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Starts any command that ends up being `mtad serve` with both listeners.
    ///
    /// # Panics
    /// Panics as [`Self::start_with`] does.
    #[must_use]
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .env_remove("MTA_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = follow(child.stdout.take().unwrap());
        let log = follow(child.stderr.take().unwrap());
        let mut this = Self { child, stdout, log };
        let _ = this.listening("smtp");
        let _ = this.listening("pop3");
        this
    }

    /// Where a service listens, by its name in `listening NAME ADDRESS`.
    ///
    /// # Panics
    /// Panics with its log where it ends or says nothing within a minute.
    pub fn listening(&mut self, service: &str) -> SocketAddr {
        let prefix = format!("listening {service} ");
        let log = Arc::clone(&self.log);
        let child = &mut self.child;
        let stdout = &self.stdout;
        until(&prefix, || {
            let found = stdout
                .lock()
                .unwrap()
                .iter()
                .find_map(|l| l.strip_prefix(&prefix)?.parse().ok());
            if found.is_none()
                && let Some(status) = child.try_wait().unwrap()
            {
                panic!(
                    "mtad ended with {status}:\n{}",
                    log.lock().unwrap().join("\n")
                );
            }
            found
        })
    }

    /// Where it takes mail.
    #[must_use]
    pub fn smtp(&mut self) -> SocketAddr {
        self.listening("smtp")
    }

    /// Where it hands mail out.
    #[must_use]
    pub fn pop3(&mut self) -> SocketAddr {
        self.listening("pop3")
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log so far.
    ///
    /// # Panics
    /// Panics where the follower of the log did.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a log line that contains `text` and returns it.
    ///
    /// # Panics
    /// Panics where none came within a minute.
    #[must_use]
    pub fn logged(&self, text: &str) -> String {
        until(&format!("the log line {text:?}"), || {
            self.log().into_iter().find(|l| l.contains(text))
        })
    }

    /// Tells whether it still runs.
    ///
    /// # Panics
    /// Panics where the system cannot tell.
    #[must_use]
    pub fn alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal by name, `TERM` or `HUP`.
    ///
    /// # Panics
    /// Panics where kill(1) cannot.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Runs `work` while the process stands still: no thread of it is inside a system call.
    ///
    /// # Panics
    /// Panics where it cannot be stopped within a minute.
    pub fn frozen<T>(&self, work: impl FnOnce() -> T) -> T {
        self.signal("STOP");
        let tasks = format!("/proc/{}/task", self.child.id());
        until("every thread to stand still", || {
            let mut states = std::fs::read_dir(&tasks).unwrap().flatten().map(|task| {
                let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
                stat.rsplit(") ")
                    .next()
                    .unwrap_or_default()
                    .starts_with('T')
            });
            states.all(|stopped| stopped).then_some(())
        });
        let done = work();
        self.signal("CONT");
        done
    }

    /// Asks it to end and waits for it.
    ///
    /// # Panics
    /// Panics where it is still there after a minute.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        let child = &mut self.child;
        until("mtad to end", || child.try_wait().unwrap())
    }

    /// Ends it without warning, as a crash would.
    ///
    /// # Panics
    /// Panics where the system cannot.
    pub fn kill9(&mut self) {
        self.child.kill().unwrap();
        let _ = self.child.wait().unwrap();
    }
}

impl Drop for Mtad {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of mtad:\n{}", self.log().join("\n"));
        }
    }
}
