//! vchkpw: checks the password of a mailbox and becomes the program that serves it (vchkpw(8), spec §3).

mod connection;
mod logging;

use crate::failure::Failure;
use crate::io::{Accounts, Io};
use crate::secret::Clear;
use applet::Exit;
use connection::Connection;
use delivery::relay::rebuild;
use logging::{Outcome, log};
use mta_auth::open_smtp::{is_openable, opens};
use mta_auth::password::HashError;
use mta_auth::vpopmail::{Login, Mailbox, Refusal, Service};
use mta_auth::{LoginName, Settings};
use nix::unistd::{getegid, geteuid};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

const CREDENTIALS: i32 = 3;
/// Name, password and challenge have so many bytes at most; the original reads 155.
const LONGEST: u64 = 512;
/// The variables that the program gets are cut at so many bytes, name and all.
const LONGEST_VARIABLE: usize = 98;

/// The original's exit codes.
const DENIED: u8 = 1;
const REFUSED: u8 = 3;
const NO_SETGID: u8 = 4;
const NO_HOME: u8 = 6;
const NO_CREDENTIALS: u8 = 11;
const NO_NAME: u8 = 12;
const NO_PASSWORD_GIVEN: u8 = 13;
const NO_PASSWORD: u8 = 15;
const BAD_NAME: u8 = 20;

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let credentials = credentials()?;
    let mut fields = credentials.bytes().split(|&b| b == 0);
    let mut next = || fields.next().unwrap_or_default();
    let (name, password, challenge) = (next(), next(), next());
    let connection = Connection::of(io);
    let accounts = io.accounts().map_err(internal)?;
    let settings = accounts.settings().map_err(|e| internal(e.into()))?;
    let tell = |io: &mut Io<'_>, outcome: Outcome, who: &str| {
        log(io, settings.logging, (&connection, outcome, who));
    };
    if name.is_empty() {
        tell(io, Outcome::NullName, "");
        return Err(ended(NO_NAME));
    }
    let Ok(login) = LoginName::parse(name) else {
        tell(io, Outcome::InvalidName, &name.escape_ascii().to_string());
        return Err(ended(BAD_NAME));
    };
    let login = with_domain(io, &accounts, (&settings, &connection, login))?;
    let who = login.to_string();
    if password.is_empty() {
        tell(io, Outcome::NullPassword, &who);
        return Err(ended(NO_PASSWORD_GIVEN));
    }
    let service = connection.service();
    let checked = accounts.verify_answer(&login, (password, challenge), service);
    let mailbox = match checked.map_err(|e| internal(e.into()))? {
        Login::Accepted(mailbox) => mailbox,
        Login::Refused(refusal) => {
            let (outcome, code) = refused(&refusal);
            tell(io, outcome, &who);
            return Err(ended(code));
        }
        _ => return Err(ended(REFUSED)),
    };
    tell(io, Outcome::Success, &who);
    admitted(io, &accounts, (&settings, &connection, &mailbox));
    Err(become_program(io, &connection, (&mailbox, name)))
}

/// Reads descriptor 3 and closes it, so that the program does not have it.
fn credentials() -> Result<Clear, Failure> {
    let by_hand = |_| {
        Failure::complaint(
            NO_CREDENTIALS,
            "vchkpw is only for talking with qmail-popup and qmail-pop3d.\n\
             It is not for runnning on the command line.",
        )
    };
    let copy = sys::adopt(CREDENTIALS).map_err(by_hand)?;
    let _ = nix::unistd::close(CREDENTIALS);
    let mut bytes = Vec::new();
    let read = File::from(copy).take(LONGEST + 1).read_to_end(&mut bytes);
    let bytes = Clear::new(bytes);
    match read {
        Ok(length) if length as u64 <= LONGEST => Ok(bytes),
        _ => Err(ended(NO_CREDENTIALS)),
    }
}

/// A name without a domain is in that of `VPOPMAIL_DOMAIN`, of the address that was connected to,
/// or of everybody.
fn with_domain(
    io: &Io<'_>,
    accounts: &Accounts,
    (settings, connection, login): (&Settings, &Connection, LoginName),
) -> Result<LoginName, Failure> {
    if login.domain().is_some() {
        return Ok(login);
    }
    let domain = match io.variable("VPOPMAIL_DOMAIN") {
        Some(domain) => Some(domain.to_string_lossy().into_owned()),
        None => {
            let local = connection.local.filter(|_| settings.ip_alias_domains);
            let domain = accounts.domain_of_bare_names(local);
            domain.map_err(|e| internal(e.into()))?
        }
    };
    let Some(domain) = domain else {
        return Ok(login);
    };
    let full = format!("{}@{domain}", login.local());
    LoginName::parse(full.as_bytes()).map_err(|_| ended(BAD_NAME))
}

const fn refused(refusal: &Refusal) -> (Outcome, u8) {
    match refusal {
        Refusal::NotFound => (Outcome::NotFound, REFUSED),
        Refusal::Denied => (Outcome::Denied, DENIED),
        Refusal::Stored(HashError::NoPassword) => (Outcome::NoPassword, NO_PASSWORD),
        _ => (Outcome::WrongPassword, REFUSED),
    }
}

/// Notes the login and lets its address send for a while. That this failed is told and no reason
/// to refuse a good login.
fn admitted(
    io: &mut Io<'_>,
    accounts: &Accounts,
    (settings, connection, mailbox): (&Settings, &Connection, &Mailbox),
) {
    let mut failed = accounts.note_login(mailbox, &connection.client_text).err();
    let flags = accounts.effective_flags(mailbox);
    let may = flags.is_ok_and(|flags| opens(settings, flags, connection.service()));
    if let Some(client) = connection.client.filter(|&ip| may && is_openable(ip)) {
        let opened = accounts.open_relay(settings, (client, io.now), |source| {
            rebuild(accounts, settings, source)
        });
        failed = failed.or_else(|| opened.err());
    }
    if let Some(error) = failed {
        let _ = writeln!(io.errors, "vchkpw: warning: {error}");
    }
}

/// Returns only where the program was not started.
fn become_program(
    io: &Io<'_>,
    connection: &Connection,
    (mailbox, typed): (&Mailbox, &[u8]),
) -> Failure {
    let Some((program, arguments)) = io.arguments.split_first() else {
        return Failure::silent(Exit::OK);
    };
    if connection.service() != Service::Smtp
        && let Err(code) = move_in(mailbox)
    {
        return ended(code);
    }
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&io.environment);
    let variables: [(&str, OsString); 4] = [
        ("USER", mailbox.name.as_str().into()),
        ("HOME", mailbox.home.clone().into_os_string()),
        ("SHELL", "NOLOGIN".into()),
        (
            "VPOPUSER",
            OsStr::from_bytes(&typed.to_ascii_lowercase()).into(),
        ),
    ];
    for (name, value) in variables {
        let room = LONGEST_VARIABLE.saturating_sub(name.len() + 1);
        let bytes = value.as_bytes();
        let value = OsStr::from_bytes(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        command.env(name, value);
    }
    let error = command.exec();
    let shown = program.display();
    Failure::complaint(111, format_args!("vchkpw: unable to run {shown}: {error}"))
}

/// Becomes the domain's user and goes to the mailbox's home.
fn move_in(mailbox: &Mailbox) -> Result<(), u8> {
    let (uid, gid) = mailbox.owner.ok_or(NO_SETGID)?;
    if geteuid().is_root() || (geteuid().as_raw(), getegid().as_raw()) != (uid, gid) {
        sys::drop_privileges(uid, gid, &[]).map_err(|_| NO_SETGID)?;
    }
    std::env::set_current_dir(&mailbox.home).map_err(|_| NO_HOME)
}

const fn ended(code: u8) -> Failure {
    Failure::silent(Exit::other(code))
}

/// The account files are not to be read: trying later may help.
fn internal(failure: Failure) -> Failure {
    Failure {
        exit: Exit::TEMPORARY,
        stream: crate::failure::Stream::Errors,
        ..failure
    }
}
