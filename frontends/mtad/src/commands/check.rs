//! `mtad check`: judges the configuration, naming file, line and what was expected.

use crate::config::Config;
use crate::home::Home;
use crate::{Failure, PERMANENT, accounts};
use mta_auth::vpasswd;
use mta_core::assign::{Assign, Key};
use mta_core::control::{Controls, Weight};
use mta_core::policy::{Policy, Settings};
use mta_store::control_dir::ControlDir;
use mta_store::files::{Files, RealFiles};
use mta_store::queue::Queue;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// The largest vpasswd that is read.
const VPASSWD_MAX: usize = 256 << 20;

/// Writes what it finds, and counts what keeps mail from working.
struct Judge<'a> {
    home: &'a Home,
    out: &'a mut dyn Write,
    errors: usize,
}

pub(super) fn run(home: &Home, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let mut judge = Judge {
        home,
        out,
        errors: 0,
    };
    let config = judge.config()?;
    let controls = judge.controls()?;
    judge.users()?;
    judge.domains()?;
    judge.aliases()?;
    judge.queue()?;
    if let Some(controls) = &controls {
        let verdict = relay_verdict(controls, config.as_ref());
        writeln!(judge.out, "{verdict}")?;
    }
    if judge.errors == 0 {
        writeln!(judge.out, "{} is in order", home.root().display())?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(judge.out, "{} errors", judge.errors)?;
    Ok(ExitCode::from(PERMANENT))
}

/// Says in one line whether strangers may send to anywhere through this host, and why or why not.
fn relay_verdict(controls: &Controls, config: Option<&Config>) -> String {
    let strangers = Policy::new(controls, Settings::default()).relay_verdict();
    let Some(config) = config else {
        return format!("{strangers}; relay_from in mtad.toml cannot be judged");
    };
    let networks: Vec<String> = config.relay_from.iter().map(ToString::to_string).collect();
    if let Some(all) = config
        .relay_from
        .iter()
        .find(|network| network.is_everything())
    {
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

    /// Each domain's account file, line by line.
    fn domains(&mut self) -> Result<(), Failure> {
        let listed = match accounts::of(self.home)?.domains() {
            Ok(listed) => listed,
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
                Ok(text) => self.vpasswd(&path, &text)?,
            }
            self.dot_qmail(&domain.dir.join(".qmail-default"))?;
        }
        Ok(())
    }

    fn vpasswd(&mut self, path: &Path, text: &[u8]) -> Result<(), Failure> {
        for (number, line) in (1..).zip(text.split(|&b| b == b'\n')) {
            if line.is_empty() {
                continue;
            }
            if let Err(error) = vpasswd::Entry::parse(line) {
                self.error(&format!("{}:{number}: {error}", path.display()))?;
            }
        }
        Ok(())
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
