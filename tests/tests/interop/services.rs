//! The service directories under the supervisors of Debian (supervise(8), svc(8), runsv(8), sv(8)).

use mta_tests::{Home, LineClient, TempDir, run, skip, tool, until};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// One supervisor with what it runs; dropping it ends both.
struct Supervised {
    dir: PathBuf,
    control: PathBuf,
    status: PathBuf,
    kind: Kind,
    child: Child,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Daemontools,
    Runit,
}

impl Supervised {
    /// Starts what watches over `name` in `scan`, or says which program is missing.
    fn start(
        kind: Kind,
        scan: &Path,
        name: &str,
        env: &[(&str, &str)],
    ) -> Result<Self, &'static str> {
        let (watcher, control, status) = match kind {
            Kind::Daemontools => ("svscan", "svc", "svstat"),
            Kind::Runit => ("runsv", "sv", "sv"),
        };
        let control = tool(control).ok_or(control)?;
        let status = tool(status).ok_or(status)?;
        let dir = scan.join(name);
        let mut command = Command::new(tool(watcher).ok_or(watcher)?);
        command.arg(if kind == Kind::Runit { &dir } else { scan });
        command.envs(env.iter().copied());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        Ok(Self {
            dir,
            control,
            status,
            kind,
            child,
        })
    }

    fn order(&self, svc: &str, sv: &str) {
        let mut command = Command::new(&self.control);
        command.arg(if self.kind == Kind::Runit { sv } else { svc });
        let _ = run(command.arg(&self.dir), b"").ok();
    }

    fn status(&self) -> String {
        let mut command = Command::new(&self.status);
        if self.kind == Kind::Runit {
            command.arg("status");
        }
        run(command.arg(&self.dir), b"").stdout
    }

    /// The process that runs.
    fn pid(&self) -> Option<u32> {
        let said = self.status();
        // Behind it runit tells of the log.
        let (_, rest) = said.split(';').next()?.split_once("pid ")?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log/main/current")).unwrap_or_default()
    }

    fn logged(&self, what: &str, times: usize) -> String {
        until(what, || {
            let log = self.log();
            (log.matches(what).count() >= times).then_some(log)
        })
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let words: &[&str] = match self.kind {
            Kind::Daemontools => &["-dx"],
            Kind::Runit => &["exit"],
        };
        let mut command = Command::new(&self.control);
        command.args(words).arg(&self.dir);
        if self.kind == Kind::Daemontools {
            // Or it would start what ends anew.
            let _ = self.child.kill();
            command.arg(self.dir.join("log"));
        }
        let _ = command.output();
        let _ = self.child.wait();
    }
}

/// Where the service listened last.
fn listening(log: &str) -> SocketAddr {
    let line = log
        .lines()
        .rev()
        .find(|line| line.contains("listening smtp "))
        .unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn greets(to: SocketAddr) {
    let mut client = LineClient::connect(to);
    let greeting = client.reply().unwrap_or_default();
    assert!(greeting.starts_with("220 "), "{greeting}");
}

fn mtad_lives(test: &str, kind: Kind) {
    let home = Home::new();
    let place = TempDir::new();
    let scan = place.path().join("service");
    let written = home
        .mtad(
            &["service-dir", scan.to_str().unwrap(), "--account", "nobody"],
            b"",
        )
        .ok();
    assert_eq!(written.trim_end(), scan.join("mtad").display().to_string());
    let again = home.mtad(
        &["service-dir", scan.to_str().unwrap(), "--account", "nobody"],
        b"",
    );
    assert!(!again.status.success(), "what is there is not written over");
    let options = [("MTAD_OPTIONS", "--smtp 127.0.0.1:0 --pop3 127.0.0.1:0")];
    let service = match Supervised::start(kind, &scan, "mtad", &options) {
        Ok(service) => service,
        Err(missing) => return skip(test, &format!("{missing} is not installed")),
    };
    let log = service.logged("listening pop3", 1);
    assert!(log.starts_with('@'), "TAI64N: {log}");
    greets(listening(&log));
    let first = service.pid().unwrap();

    service.order("-h", "hup");
    service.logged("control files read again", 1);
    assert_eq!(service.pid(), Some(first), "a reload is no restart");

    service.order("-t", "term");
    let log = service.logged("listening pop3", 2);
    greets(listening(&log));
    assert_ne!(service.pid(), Some(first));

    service.order("-d", "down");
    until("the end", || service.pid().is_none().then_some(()));
    assert!(service.status().contains("down"), "{}", service.status());
    service.order("-u", "up");
    let log = service.logged("listening pop3", 3);
    greets(listening(&log));
}

#[test]
fn mtad_lives_under_svscan_and_multilog() {
    mtad_lives("mtad_lives_under_svscan_and_multilog", Kind::Daemontools);
}

#[test]
fn mtad_lives_under_runsv() {
    mtad_lives("mtad_lives_under_runsv", Kind::Runit);
}
