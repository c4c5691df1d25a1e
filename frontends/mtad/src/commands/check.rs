//! `mtad check`: judges the configuration, naming file, line and what was expected.

mod names;
mod rules;
mod secrets;
mod tls;
mod vpopmail;

use super::instcheck;
use crate::config::{Config, hold_everything};
use crate::home::Home;
use crate::privileges::{self, Privileges};
use crate::{Failure, PERMANENT, accounts};
use mta_auth::vpasswd;
use mta_core::assign::{Assign, Key};
use mta_core::cdb::Cdb;
use mta_core::control::{Controls, Weight};
use mta_core::policy::Policy;
use mta_store::control_dir::ControlDir;
use mta_store::files::{Files, RealFiles};
use mta_store::queue::Queue;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// The largest users/cdb that is read.
const CDB_MAX: usize = 256 << 20;
/// The largest vpasswd that is read.
const VPASSWD_MAX: usize = 256 << 20;

/// Writes what it finds, and counts what keeps mail from working.
struct Judge<'a> {
    home: &'a Home,
    out: &'a mut dyn Write,
    errors: usize,
}

/// Whether name servers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Judged,
    Alone,
}

pub(super) fn run(home: &Home, names: Names, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    // It is the server that must be able to read all this, so look as the server does.
    let privileges = privileges::drop_to_owner(home.root())?;
    let mut judge = Judge {
        home,
        out,
        errors: 0,
    };
    if privileges == Privileges::Root {
        let warning =
            "root owns it; expected an account of its own, because the server runs as the owner";
        writeln!(judge.out, "{}: warning: {warning}", home.root().display())?;
    }
    let config = judge.config()?;
    if let Some(said) = config.as_ref().and_then(Config::unfenced) {
        writeln!(judge.out, "{}: error: {said}", home.config().display())?;
        judge.errors += 1;
    }
    if let Some(listener) = config.as_ref().and_then(clear_logins) {
        let warning = "expected a loopback address, because POP3 passwords travel in the clear";
        let file = home.config();
        writeln!(
            judge.out,
            "{}: warning: pop3 {listener}: {warning}",
            file.display()
        )?;
    }
    if let Some(config) = &config {
        judge.queue_program(config, privileges)?;
    }
    let controls = judge.controls()?;
    if let (Some(config), Some(controls)) = (&config, &controls) {
        judge.tls(config, &String::from_utf8_lossy(&controls.me))?;
    }
    judge.vpopmail()?;
    let before = judge.errors;
    judge.users()?;
    judge.domains(before, config.as_ref())?;
    judge.first_user()?;
    judge.rules(config.as_ref())?;
    judge.aliases()?;
    judge.queue()?;
    for said in instcheck::deviations(home.root()) {
        judge.error(&said)?;
    }
    if let (Names::Judged, Some(config), Some(controls)) = (names, &config, &controls) {
        judge.names(config, controls)?;
    }
    let verdict = match (&controls, &config) {
        (Some(controls), Some(config)) => relay_verdict(controls, config),
        _ => "not an open relay: mtad does not start before the errors above are mended".to_owned(),
    };
    if verdict.starts_with("OPEN RELAY") {
        judge.errors += 1;
    }
    writeln!(judge.out, "{verdict}")?;
    if judge.errors == 0 {
        writeln!(judge.out, "{} is in order", home.root().display())?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(judge.out, "{} errors", judge.errors)?;
    Ok(ExitCode::from(PERMANENT))
}

/// The first POP3 listener that is reached from other hosts.
fn clear_logins(config: &Config) -> Option<std::net::SocketAddr> {
    let reached = |it: &&std::net::SocketAddr| !it.ip().to_canonical().is_loopback();
    config.pop3.iter().find(reached).copied()
}

/// Says in one line whether strangers may send to anywhere through this host, and why or why not.
fn relay_verdict(controls: &Controls, config: &Config) -> String {
    let strangers = Policy::new(controls, config.policy()).relay_verdict();
    let networks: Vec<String> = config.relay_from.iter().map(ToString::to_string).collect();
    if !config.qmqp.is_empty() && hold_everything(&config.qmqp_from) {
        return "OPEN RELAY: qmqp_from in mtad.toml lists networks that are everybody".to_owned();
    }
    if hold_everything(&config.relay_from) {
        let all = networks.join(", ");
        return format!("OPEN RELAY: relay_from in mtad.toml lists {all}, which is everybody");
    }
    if networks.is_empty() {
        format!("{strangers}; relay_from in mtad.toml is unset, so nobody may relay")
    } else {
        format!("{strangers}; only {} may relay", networks.join(", "))
    }
}

impl Judge<'_> {
    fn error(&mut self, said: &str) -> Result<(), Failure> {
        self.errors += 1;
        // Every path as it stands in the home, as the control files' findings have it.
        let root = format!("{}/", self.home.root().display());
        let said = said.strip_prefix(&root).unwrap_or(said);
        writeln!(self.out, "{said}")?;
        Ok(())
    }

    fn config(&mut self) -> Result<Option<Config>, Failure> {
        match Config::read(&self.home.config()) {
            Ok(config) => Ok(Some(config)),
            Err(failure) => {
                self.error(&failure.to_string())?;
                Ok(None)
            }
        }
    }

    /// The program of QMAILQUEUE, as mtad.toml names it.
    fn queue_program(&mut self, config: &Config, privileges: Privileges) -> Result<(), Failure> {
        if config.qmailqueue.is_empty() {
            return Ok(());
        }
        let path = self.home.root().join(&config.qmailqueue);
        let stat = fs::metadata(&path);
        if !stat.is_ok_and(|s| s.is_file() && s.permissions().mode() & 0o111 != 0) {
            let shown = path.display();
            self.error(&format!(
                "mtad.toml: qmailqueue: expected a program at {shown}"
            ))?;
        }
        if privileges == Privileges::Root {
            let warning = "the program runs as root, because root owns the home";
            writeln!(self.out, "mtad.toml: warning: qmailqueue: {warning}")?;
        }
        Ok(())
    }

    fn controls(&mut self) -> Result<Option<Controls>, Failure> {
        let files = RealFiles::new();
        let loaded = match ControlDir::new(&files, self.home.control()).load() {
            Ok(loaded) => loaded,
            Err(error) => {
                self.error(&error.to_string())?;
                return Ok(None);
            }
        };
        for finding in loaded.findings {
            if finding.weight == Weight::Error {
                self.errors += 1;
            }
            writeln!(self.out, "{finding}")?;
        }
        Ok(Some(loaded.controls))
    }

    /// users/assign against the users/cdb that is looked into.
    fn users(&mut self) -> Result<(), Failure> {
        let path = self.home.users().join("assign");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return self.error(&format!("{}: {error}", path.display())),
        };
        let assign = match Assign::parse(&text) {
            Ok(assign) => assign,
            Err(bad) => {
                return self.error(&format!(
                    "users/assign:{}: expected {}",
                    bad.line, bad.expected
                ));
            }
        };
        if !self.is_in_cdb(&assign) {
            self.error("users/cdb: expected every line of users/assign; run qmail-newu")?;
        }
        for entry in assign.entries() {
            let home = String::from_utf8_lossy(&entry.account.home).into_owned();
            if !Path::new(&home).is_dir() {
                let (Key::Wildcard(name) | Key::Exact(name)) = &entry.key;
                let name = String::from_utf8_lossy(name);
                self.error(&format!(
                    "users/assign: {name}: expected a directory at {home}"
                ))?;
            }
        }
        Ok(())
    }

    /// Only users/cdb is looked into when mail comes.
    fn is_in_cdb(&self, assign: &Assign) -> bool {
        if assign.entries().next().is_none() {
            return true;
        }
        let bytes = RealFiles::new().read(&self.home.users().join("cdb"), CDB_MAX);
        let Ok(bytes) = bytes else {
            return false;
        };
        Cdb::new(&bytes).is_ok_and(|cdb| {
            let mut records = assign.to_cdb_records().into_iter();
            records.all(|(key, _)| matches!(cdb.find(&key), Ok(Some(_))))
        })
    }

    /// Each domain's account file, line by line; `before` is how many errors there were without users/.
    fn domains(&mut self, before: usize, config: Option<&Config>) -> Result<(), Failure> {
        let listed = match accounts::of(self.home)?.domains() {
            Ok(listed) => listed,
            // users/assign was judged before, with its line.
            Err(_) if self.errors > before => return Ok(()),
            Err(error) => return self.error(&error.to_string()),
        };
        for domain in listed
            .into_iter()
            .filter(|listed| listed.alias_of.is_none())
        {
            let path = domain.dir.join("vpasswd");
            match RealFiles::new().read(&path, VPASSWD_MAX) {
                Err(error) => self.error(&format!(
                    "{}: expected a readable file: {error}",
                    path.display()
                ))?,
                Ok(text) => self.vpasswd(&path, &text, config)?,
            }
            self.account_files(&domain.dir)?;
            self.dot_qmail(&domain.dir.join(".qmail-default"))?;
        }
        Ok(())
    }

    fn vpasswd(
        &mut self,
        path: &Path,
        text: &[u8],
        config: Option<&Config>,
    ) -> Result<(), Failure> {
        let mut entries = Vec::new();
        for (number, line) in (1..).zip(text.split(|&b| b == b'\n')) {
            if line.is_empty() {
                continue;
            }
            match vpasswd::Entry::parse(line) {
                Ok(entry) => entries.push(entry),
                Err(error) => self.error(&format!("{}:{number}: {error}", path.display()))?,
            }
        }
        self.hashes(path, &entries, config)
    }

    fn dot_qmail(&mut self, path: &Path) -> Result<(), Failure> {
        match fs::metadata(path) {
            Err(error) => self.error(&format!(
                "{}: expected a readable file: {error}",
                path.display()
            )),
            Ok(stat) if stat.permissions().mode() & 0o002 != 0 => self.error(&format!(
                "{}: expected a file that only its owner can write",
                path.display()
            )),
            Ok(_) => Ok(()),
        }
    }

    /// Mail to the postmaster must go somewhere (RFC 5321 §4.5.1).
    fn aliases(&mut self) -> Result<(), Failure> {
        let alias = self.home.alias();
        for name in ["postmaster", "mailer-daemon", "root"] {
            self.dot_qmail(&alias.join(format!(".qmail-{name}")))?;
        }
        Ok(())
    }

    fn queue(&mut self) -> Result<(), Failure> {
        match Queue::open(Arc::new(RealFiles::new()), self.home.queue()) {
            Ok(_) => Ok(()),
            Err(error) => self.error(&error.to_string()),
        }
    }
}
