//! Telling `etc/onchange` what changed, so that others can follow: after what comes, before what goes (vpopmail's README.onchange, spec §2).
//!
//! It is run only where `etc/vpopmail.conf` says `onchange-script=y`, as `onchange CHANGE WHOM …`,
//! without a shell. Unlike the original, root runs it as the owner of vpopmail's home, to whom it
//! belongs.

use crate::failure::Failure;
use crate::io::{Accounts, Io};
use mta_auth::{DomainName, MailboxName};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What came, changed or is about to go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    DomainCame(&'a DomainName),
    DomainGoes(&'a DomainName),
    /// An alias of a domain, and the domain.
    AliasDomainCame(&'a DomainName, &'a str),
    UserCame(&'a DomainName, &'a MailboxName),
    UserChanged(&'a DomainName, &'a MailboxName),
    UserGoes(&'a DomainName, &'a MailboxName),
    /// An alias's address, and the line that was added.
    AliasCame(&'a str, &'a str),
    AliasGoes(&'a str),
}

impl Change<'_> {
    fn words(&self) -> Vec<String> {
        let user = |domain: &DomainName, name: &MailboxName| format!("{name}@{domain}");
        let (word, about) = match self {
            Self::DomainCame(domain) => ("add_domain", vec![domain.to_string()]),
            Self::DomainGoes(domain) => ("del_domain", vec![domain.to_string()]),
            Self::AliasDomainCame(alias, real) => (
                "add_alias_domain",
                vec![alias.to_string(), (*real).to_owned()],
            ),
            Self::UserCame(domain, name) => ("add_user", vec![user(domain, name)]),
            Self::UserChanged(domain, name) => ("mod_user", vec![user(domain, name)]),
            Self::UserGoes(domain, name) => ("del_user", vec![user(domain, name)]),
            Self::AliasCame(address, line) => (
                "valias_insert",
                vec![(*address).to_owned(), (*line).to_owned()],
            ),
            Self::AliasGoes(address) => ("valias_delete", vec![(*address).to_owned()]),
        };
        [vec![word.to_owned()], about].concat()
    }
}

/// Runs the script, if it is wanted and there. That it failed is said, and undoes nothing.
///
/// # Errors
/// Fails where the settings cannot be read or standard error not be written.
pub(crate) fn tell(
    io: &mut Io<'_>,
    accounts: &Accounts,
    change: &Change<'_>,
) -> Result<(), Failure> {
    let script = io.homes.vpopmail.join("etc/onchange");
    if !accounts.settings()?.onchange_script || !script.exists() {
        return Ok(());
    }
    let ended = run(&script, &io.homes.vpopmail, change);
    let shown = script.display();
    let said = match ended {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => format!("ONCHANGE script {shown} did not exit gracefully: {status}"),
        Err(error) => format!("ONCHANGE script {shown} unable to exec: {error}"),
    };
    writeln!(io.errors, "{said}")?;
    Ok(())
}

fn run(
    script: &Path,
    home: &Path,
    change: &Change<'_>,
) -> std::io::Result<std::process::ExitStatus> {
    let mut command = Command::new(script);
    command
        .arg0("onchange")
        .args(change.words())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if nix::unistd::geteuid().is_root() {
        let owner = home.metadata()?;
        command.uid(owner.uid()).gid(owner.gid());
    }
    command.status()
}
