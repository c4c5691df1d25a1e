//! The lines about logins that log readers know, without any password (vchkpw(8), spec §3.4).

use super::connection::Connection;
use crate::io::Io;
use mta_auth::settings::Logging;
use mta_auth::vpopmail::Service;

/// How a login went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    WrongPassword,
    NotFound,
    Denied,
    NullName,
    NullPassword,
    NoPassword,
    InvalidName,
}

/// Logs a login where the settings want it.
pub(super) fn log(
    io: &mut Io<'_>,
    logging: Logging,
    (connection, outcome, who): (&Connection, Outcome, &str),
) {
    let wanted = match logging {
        Logging::Nothing => false,
        Logging::Errors => outcome != Outcome::Success,
        Logging::Everything => true,
    };
    if wanted {
        (io.log)(&line(connection, outcome, who));
    }
}

/// The line; a percent sign, which older loggers take for a format, is a hash.
fn line(connection: &Connection, outcome: Outcome, who: &str) -> String {
    let (tag, ip) = (connection.tag(), &connection.client_text);
    let service = match connection.service() {
        Service::Smtp => "smtp",
        Service::Imap => "imap",
        Service::Webmail => "webmail",
        _ => "pop",
    };
    let text = match outcome {
        Outcome::Success => format!("{tag}: (PLAIN) login success {who}:{ip}"),
        Outcome::WrongPassword => format!("{tag}: password fail {who}:{ip}"),
        Outcome::NotFound => format!("{tag}: vpopmail user not found {who}:{ip}"),
        Outcome::Denied => format!("{tag}: {service} access denied {who}:{ip}"),
        Outcome::NullName => format!("{tag}: null user name given :{ip}"),
        Outcome::NullPassword => format!("{tag}: null password given {who}:{ip}"),
        Outcome::NoPassword => format!("{tag}: user has no password {who}:{ip}"),
        Outcome::InvalidName => format!("{tag}: invalid user/domain characters {who}:{ip}"),
    };
    text.replace('%', "#")
}
