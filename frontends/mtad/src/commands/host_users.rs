//! `mtad host-users`: the accounts of qmail and vpopmail on this host (INSTALL.ids, vpopmail's INSTALL).

use crate::Failure;
use nix::unistd::{Group, User, geteuid};
use std::io::Write;
use std::process::Command;

/// The groups.
const GROUPS: [&str; 3] = ["nofiles", "qmail", "vchkpw"];
/// The users with their groups and homes.
const USERS: [(&str, &str, &str); 8] = [
    ("alias", "nofiles", "/var/qmail/alias"),
    ("qmaild", "nofiles", "/var/qmail"),
    ("qmaill", "nofiles", "/var/qmail"),
    ("qmailp", "nofiles", "/var/qmail"),
    ("qmailq", "qmail", "/var/qmail"),
    ("qmailr", "qmail", "/var/qmail"),
    ("qmails", "qmail", "/var/qmail"),
    ("vpopmail", "vchkpw", "/home/vpopmail"),
];

/// What is done with the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// They are shown, all of them.
    Print,
    /// Those whose account is missing are carried out.
    Make,
}

/// Prints the commands, or carries out those that are still to be done.
pub(super) fn run(wish: Wish, out: &mut dyn Write) -> Result<(), Failure> {
    if wish == Wish::Make && !geteuid().is_root() {
        return Err(Failure::permanent(
            "making accounts: expected to be root".to_owned(),
        ));
    }
    for (words, exists) in commands()? {
        if wish == Wish::Print {
            writeln!(out, "{}", words.join(" "))?;
        } else if !exists {
            writeln!(out, "{}", words.join(" "))?;
            carry_out(&words)?;
        }
    }
    Ok(())
}

/// Every command, and whether what it makes is there.
fn commands() -> Result<Vec<(Vec<&'static str>, bool)>, Failure> {
    let trouble = |error| Failure::temporary(format!("unable to look the accounts up: {error}"));
    let mut all = Vec::new();
    for name in GROUPS {
        let exists = Group::from_name(name).map_err(trouble)?.is_some();
        all.push((vec!["groupadd", "--system", name], exists));
    }
    for (name, group, home) in USERS {
        let exists = User::from_name(name).map_err(trouble)?.is_some();
        let words = vec![
            "useradd",
            "--system",
            "--no-create-home",
            "-g",
            group,
            "-d",
            home,
            "-s",
            "/bin/false",
            name,
        ];
        all.push((words, exists));
    }
    Ok(all)
}

fn carry_out(words: &[&str]) -> Result<(), Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let ended = Command::new(program).args(arguments).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::temporary(format!("{program}: {status}"))),
        Err(error) => Err(Failure::temporary(format!(
            "unable to run {program}: {error}"
        ))),
    }
}
