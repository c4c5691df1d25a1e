//! Judges whether rules about connections let strangers send to anywhere (tcprules(1), qmail-smtpd(8)).

use super::{CDB_MAX, Judge};
use crate::config::{self, Config};
use crate::{Failure, accounts, rules};
use mta_core::cdb::Cdb;
use mta_core::tcprules::{Peer, Rules, Syntax, Table, decide};
use mta_store::files::{Files, RealFiles};
use std::io::ErrorKind;
use std::path::Path;

/// The largest source that is read.
const SOURCE_MAX: usize = 16 << 20;

impl Judge<'_> {
    /// The rules of our listeners, and those that vchkpw rebuilds.
    pub(super) fn rules(&mut self, config: Option<&Config>) -> Result<(), Failure> {
        if let Some(config) = config {
            self.listeners(&config.rules)?;
        }
        self.rebuilt()
    }

    /// The files of mtad.toml: nobody is let in where one cannot be read.
    fn listeners(&mut self, files: &config::Rules) -> Result<(), Failure> {
        let unreadable = rules::unreadable(self.home, files);
        for said in &unreadable {
            self.error(said)?;
        }
        if !unreadable.is_empty() {
            return Ok(());
        }
        for path in rules::files(self.home, files, &["smtp", "submission", "qmtp"]) {
            self.rules_cdb(&path)?;
        }
        Ok(())
    }

    /// The rules of SMTP, their source and what was made of it.
    fn rebuilt(&mut self) -> Result<(), Failure> {
        let accounts = accounts::of(self.home)?;
        let settings = match accounts.settings() {
            Ok(settings) => settings,
            Err(error) => return self.error(&error.to_string()),
        };
        let source = accounts.rules_file(&settings);
        match RealFiles::new().read(&source, SOURCE_MAX) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => self.error(&format!("{}: {error}", source.display()))?,
            Ok(text) => match Table::parse(&text, Syntax::Original) {
                Ok(table) => self.open_rule(&source, &table)?,
                Err(error) => self.error(&format!("{}: {error}", source.display()))?,
            },
        }
        let mut cdb = source.into_os_string();
        cdb.push(".cdb");
        self.rules_cdb(Path::new(&cdb))
    }

    /// One cdb of rules.
    fn rules_cdb(&mut self, path: &Path) -> Result<(), Failure> {
        let bytes = match RealFiles::new().read(path, CDB_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return self.error(&format!("{}: {error}", path.display())),
        };
        match Cdb::new(&bytes) {
            Ok(cdb) => self.open_rule(path, &cdb),
            Err(error) => self.error(&format!("{}: {error}", path.display())),
        }
    }

    fn open_rule(&mut self, path: &Path, rules: &impl Rules) -> Result<(), Failure> {
        let Some(key) = relays_for_strangers(rules) else {
            return Ok(());
        };
        self.error(&format!(
            "{}: OPEN RELAY: the rule {key:?} sets RELAYCLIENT for strangers",
            path.display()
        ))
    }
}

/// The first rule that sets RELAYCLIENT for everybody, for everybody with a name, or for a network
/// of which most belongs to strangers: that is 8 bits of IPv4 but for 10 and 127.
fn relays_for_strangers(rules: &impl Rules) -> Option<String> {
    let wide = (1..=223_u8).filter(|first| ![10, 127].contains(first));
    let networks = wide.map(|first| format!("{first}."));
    let everybody = ["", ":"].map(str::to_owned);
    let keys = everybody.into_iter().chain(networks);
    let found = |peer: &Peer<'_>, key: &str| {
        let decision = decide(rules, peer).ok()?;
        let opens = !decision.denied && decision.variable(b"RELAYCLIENT").is_some();
        (opens && decision.key.as_deref() == Some(key.as_bytes())).then(|| key.to_owned())
    };
    let named = || found(&Peer::from_text(b"").host(b""), "=");
    keys.into_iter()
        .find_map(|key| found(&Peer::from_text(key.as_bytes()), &key))
        .or_else(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_for_strangers_are_found() {
        let rows: [(&str, &str, Option<&str>); 9] = [
            ("everybody", ":allow,RELAYCLIENT=\"\"\n", Some("")),
            ("with a suffix", ":allow,RELAYCLIENT=\"@x\"\n", Some("")),
            (
                "whoever has a name",
                "=:allow,RELAYCLIENT=\"\"\n",
                Some("="),
            ),
            (
                "a wide network",
                "198.:allow,RELAYCLIENT=\"\"\n",
                Some("198."),
            ),
            (
                "as the memo has it",
                "127.:allow,RELAYCLIENT=\"\"\n:allow\n",
                None,
            ),
            ("private", "10.:allow,RELAYCLIENT=\"\"\n", None),
            ("a customer", "198.51.100.:allow,RELAYCLIENT=\"\"\n", None),
            ("denied", ":deny,RELAYCLIENT=\"\"\n", None),
            ("nothing", "", None),
        ];
        for (name, source, want) in rows {
            let table = Table::parse(source.as_bytes(), Syntax::Original).unwrap();
            assert_eq!(relays_for_strangers(&table).as_deref(), want, "{name}");
        }
    }
}
