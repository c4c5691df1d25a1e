//! What `mtad check` says of etc/vpopmail.conf: each setting with its value and where that comes from (vpopmail(8)).

use super::Judge;
use crate::{Failure, accounts};
use mta_auth::Settings;
use mta_auth::settings::{InForce, MAX_FILE};
use mta_store::files::{Files, RealFiles};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const FILE: &str = "etc/vpopmail.conf";

impl Judge<'_> {
    /// The settings that the original fixes when it is configured.
    pub(super) fn vpopmail(&mut self) -> Result<(), Failure> {
        let path = self.home.root().join(FILE);
        let file = match RealFiles::new().read(&path, MAX_FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return self.error(&format!("{FILE}: {error}")),
            Ok(file) => file,
        };
        let (settings, listed) = match (Settings::parse(&file), Settings::in_force(&file)) {
            (Ok(settings), Ok(listed)) => (settings, listed),
            (Err(bad), _) | (_, Err(bad)) => {
                return self.error(&format!("{FILE}:{}: expected {}", bad.line, bad.expected));
            }
        };
        for one in &listed {
            self.in_force(one)?;
        }
        if settings.clear_passwd {
            let warning =
                "passwords are kept readable; expected n unless APOP or CRAM-MD5 is needed";
            writeln!(self.out, "{FILE}: warning: clear-passwd: {warning}")?;
        }
        if let Some(program) = &settings.tcprules_prog
            && !is_program(program)
        {
            let shown = program.display();
            self.error(&format!(
                "{FILE}: tcprules-prog: expected a program at {shown}"
            ))?;
        }
        if settings.roaming_users {
            let minutes = settings.relay_clear_minutes;
            let rules = accounts::of(self.home)?.rules_file(&settings);
            let note = "whoever fetches mail may send to anywhere from the same address for";
            let rules = rules.display();
            writeln!(
                self.out,
                "{FILE}: note: {note} {minutes} minutes; {rules}.cdb says so to tcpserver"
            )?;
        }
        Ok(())
    }

    fn in_force(&mut self, one: &InForce) -> Result<(), Failure> {
        let name = one.name;
        let value = match (&one.value, name) {
            (Some(value), _) => value.clone(),
            (None, "tcpserver-file") => {
                let usual = self.home.root().join("etc/tcp.smtp");
                usual.display().to_string()
            }
            (None, _) => "(compiled here)".to_owned(),
        };
        match one.line {
            Some(line) => writeln!(self.out, "{FILE}:{line}: {name} = {value}")?,
            None => writeln!(self.out, "{FILE}: {name} = {value} (default)")?,
        }
        Ok(())
    }
}

fn is_program(path: &Path) -> bool {
    let stat = path.metadata();
    stat.is_ok_and(|stat| stat.is_file() && stat.permissions().mode() & 0o111 != 0)
}
