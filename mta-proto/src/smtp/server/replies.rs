//! Every reply that the session gives by itself, in one place (RFC 5321 §4.2.2, RFC 3463 §3).

use super::config::Config;
use super::event::AbortReason;
use crate::sasl::Offer;
use crate::smtp::command::BadCommand;
use crate::smtp::xclient;
use crate::smtp::{Enhanced, Reply};

macro_rules! replies {
    ($($(#[$doc:meta])* $name:ident = $code:literal ($subject:literal, $detail:literal) $text:expr;)*) => {
        $($(#[$doc])* pub(super) const $name: Reply =
            Reply::fixed($code, $text).with(Enhanced::new($subject, $detail));)*
    };
}

replies! {
    MAIL_OK = 250 (1, 0) "ok";
    RCPT_OK = 250 (1, 5) "ok";
    OK = 250 (0, 0) "ok";
    FLUSHED = 250 (0, 0) "flushed";
    VRFY = 252 (1, 5) "send some mail, i'll try my best";
    HELP = 214 (0, 0) "HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\nsee RFC 5321";
    START_TLS = 220 (0, 0) "ready to start TLS";
    GO_AHEAD = 354 (0, 0) "go ahead";
    NESTED_MAIL = 503 (5, 1) "a transaction is open already; send RSET first";
    MAIL_FIRST = 503 (5, 1) "MAIL first";
    RCPT_FIRST = 503 (5, 1) "RCPT first";
    BDAT_BEGUN = 503 (5, 1) "BDAT has begun; go on with BDAT or send RSET";
    NOT_WELCOME = 503 (5, 1) "you were refused; send QUIT";
    NO_TLS = 454 (7, 0) "TLS not available due to temporary reason";
    TLS_ALREADY = 503 (5, 1) "TLS is on already";
    TLS_INJECTION = 554 (5, 1) "bytes came behind STARTTLS; closing";
    TOO_MANY_RECIPIENTS = 452 (5, 3) "too many recipients; send this message to them again";
    TOO_BIG = 552 (3, 4) "sorry, that message size exceeds my limit";
    HEADER_TOO_BIG = 552 (3, 4) "sorry, that message's header exceeds my limit";
    TOO_MANY_HOPS = 554 (4, 6) "too many hops, this message is looping";
    BARE_LF = 554 (6, 0) "a line of the message ended with LF alone; lines end with CRLF";
    BARE_CR = 554 (6, 0) "the message holds a CR without LF; lines end with CRLF";
    NUL = 554 (6, 0) "the message holds a NUL byte";
    NEEDS_SMTPUTF8 = 553 (6, 7) "an address that is not ASCII needs the parameter SMTPUTF8";
    NOT_HTTP = 500 (5, 2) "this is SMTP and not HTTP; closing";
    AUTHENTICATED = 235 (7, 0) "welcome";
    LOGGED_IN = 503 (5, 1) "you are logged in already";
    AUTH_IN_TRANSACTION = 503 (5, 1) "a transaction is open; log in before MAIL";
    XCLIENT_IN_TRANSACTION = 503 (5, 1) "a transaction is open; XCLIENT comes before MAIL";
    EHLO_FIRST = 503 (5, 1) "EHLO first";
    TLS_FIRST = 538 (7, 11) "logins are encrypted here; send STARTTLS first";
    NO_SUCH_MECHANISM = 504 (5, 4) "that mechanism is not offered; see the reply to EHLO";
    AUTH_CANCELLED = 501 (7, 0) "the login was cancelled";
    TOO_MANY_LOGINS = 421 (7, 0) "too many failed logins, closing";
    TIMEOUT = 421 (4, 2) "timeout, closing";
    TOO_MANY_COMMANDS = 421 (7, 0) "too many commands in a short time, closing";
    TOO_MANY_ERRORS = 421 (7, 0) "too many errors, closing";
}

/// Replaces an application's reply that does not fit its question.
pub(super) const MISFIT: Reply =
    Reply::fixed(451, "sorry, that failed here; try again later").with(Enhanced::new(3, 0));

/// 220 with our name.
pub(super) fn greeting(config: &Config) -> Reply {
    Reply::new(220, format!("{} ESMTP", config.greeting))
}

/// 250 for HELO.
pub(super) fn helo(config: &Config) -> Reply {
    Reply::new(250, config.greeting.clone())
}

/// 250 for EHLO: one line for each extension behind `first` (RFC 5321 §4.1.1.1).
pub(super) fn ehlo(config: &Config, first: &str, tls_possible: TlsPossible, auth: &Offer) -> Reply {
    let first = first.lines().next().unwrap_or_default();
    let mut text = format!("{first}\nPIPELINING\n8BITMIME\nENHANCEDSTATUSCODES\nSIZE");
    if config.limits.message_size > 0 {
        text.push_str(&format!(" {}", config.limits.message_size));
    }
    for (offered, line) in [
        (config.smtputf8, "\nSMTPUTF8"),
        (config.chunking, "\nCHUNKING"),
        (config.dsn, "\nDSN"),
        (tls_possible == TlsPossible::Yes, "\nSTARTTLS"),
    ] {
        if offered {
            text.push_str(line);
        }
    }
    if let Some(mechanisms) = auth.list() {
        text.push_str(&format!("\nAUTH {mechanisms}"));
    }
    if config.xclient {
        text.push('\n');
        text.push_str(xclient::OFFER);
    }
    text.push_str("\nHELP");
    Reply::new(250, text)
}

/// Whether STARTTLS may be offered now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsPossible {
    Yes,
    No,
}

/// 250 for a chunk that is not the last (RFC 3030 §2).
pub(super) fn chunk_taken(octets: u64) -> Reply {
    Reply::new(250, format!("{octets} octets received")).with(Enhanced::new(0, 0))
}

/// 221 for QUIT.
pub(super) fn goodbye(config: &Config) -> Reply {
    Reply::new(221, config.greeting.clone()).with(Enhanced::new(0, 0))
}

/// The reply to a command that cannot be carried out as it stands.
pub(super) fn bad_command(bad: BadCommand) -> Reply {
    let (code, subject, detail, text) = match bad {
        BadCommand::Unknown => (500, 5, 2, "unrecognized command"),
        BadCommand::Unimplemented => (502, 5, 1, "unimplemented"),
        BadCommand::TooLong => (500, 5, 2, "command line too long"),
        BadCommand::BareLf => (
            500,
            5,
            2,
            "the line ended with LF alone; lines end with CRLF",
        ),
        BadCommand::BareCr => (500, 5, 2, "the line holds a CR without LF"),
        BadCommand::Nul => (500, 5, 2, "the line holds a NUL byte"),
        BadCommand::Argument(expected) => (501, 5, 4, expected),
        BadCommand::BdatArgument => (501, 5, 4, "syntax: BDAT size [LAST]; closing"),
        BadCommand::ReversePath => (501, 1, 7, "syntax: MAIL FROM:<address> [parameters]"),
        BadCommand::ForwardPath => (501, 1, 3, "syntax: RCPT TO:<address> [parameters]"),
        BadCommand::ParameterUnknown => (555, 5, 4, "parameter not recognized or not implemented"),
        BadCommand::ParameterMalformed => (501, 5, 4, "parameter value malformed"),
        BadCommand::ParameterTwice => (501, 5, 4, "parameter given twice"),
        BadCommand::Base64 => (501, 5, 2, "expected base64"),
        BadCommand::NeedsSmtpUtf8 => return NEEDS_SMTPUTF8,
    };
    Reply::fixed(code, text).with(Enhanced::new(subject, detail))
}

/// The reply at the end of a message that was found bad on its way.
pub(super) const fn bad_message(reason: AbortReason) -> Reply {
    match reason {
        AbortReason::TooBig => TOO_BIG,
        AbortReason::HeaderTooBig => HEADER_TOO_BIG,
        AbortReason::TooManyHops => TOO_MANY_HOPS,
        AbortReason::BareLf => BARE_LF,
        AbortReason::BareCr => BARE_CR,
        AbortReason::Nul => NUL,
        _ => MISFIT,
    }
}
