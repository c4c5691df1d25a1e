//! The programs, one file each, and the table by which they are found (qmail(7)).

mod bouncesaying;
mod checkpassword;
mod clean;
mod condredirect;
mod datemail;
mod except;
mod forward;
mod getpw;
mod inject;
mod local;
mod lspawn;
mod maildir2mbox;
mod maildirmake;
mod mailsubj;
mod newmrh;
mod newu;
mod pop3d;
mod popup;
mod predate;
mod preline;
mod pw2u;
mod qbiff;
mod qmqpc;
mod qmqpd;
mod qmtpd;
mod qread;
mod qreceipt;
mod qstat;
mod queue;
mod remote;
mod rspawn;
mod send;
mod sendmail;
mod showctl;
mod smtpd;
mod splogger;
mod start;
mod tcpto;

use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;

type Program = fn(&mut Io<'_>) -> Result<Exit, Failure>;

/// The names under which the binary may be called.
pub const NAMES: &[&str] = &[
    "bouncesaying",
    "checkpassword",
    "condredirect",
    "datemail",
    "except",
    "forward",
    "maildir2mbox",
    "maildirmake",
    "mailq",
    "mailsubj",
    "newaliases",
    "predate",
    "preline",
    "qbiff",
    "qmail-clean",
    "qmail-getpw",
    "qmail-inject",
    "qmail-local",
    "qmail-lspawn",
    "qmail-newmrh",
    "qmail-newu",
    "qmail-pop3d",
    "qmail-popup",
    "qmail-pw2u",
    "qmail-qmqpc",
    "qmail-qmqpd",
    "qmail-qmtpd",
    "qmail-qread",
    "qmail-qstat",
    "qmail-queue",
    "qmail-remote",
    "qmail-rspawn",
    "qmail-send",
    "qmail-showctl",
    "qmail-smtpd",
    "qmail-start",
    "qmail-tcpok",
    "qmail-tcpto",
    "qreceipt",
    "sendmail",
    "splogger",
];

/// The program of that name.
pub(crate) fn find(name: &str) -> Option<Program> {
    Some(match name {
        "bouncesaying" => bouncesaying::run,
        "checkpassword" => checkpassword::run,
        "condredirect" => condredirect::run,
        "datemail" => datemail::run,
        "except" => except::run,
        "forward" => forward::run,
        "maildir2mbox" => maildir2mbox::run,
        "maildirmake" => maildirmake::run,
        "mailq" => sendmail::mailq,
        "mailsubj" => mailsubj::run,
        "newaliases" => sendmail::newaliases,
        "predate" => predate::run,
        "preline" => preline::run,
        "qbiff" => qbiff::run,
        "qmail-clean" => clean::run,
        "qmail-getpw" => getpw::run,
        "qmail-inject" => inject::run,
        "qmail-local" => local::run,
        "qmail-lspawn" => lspawn::run,
        "qmail-newmrh" => newmrh::run,
        "qmail-newu" => newu::run,
        "qmail-pop3d" => pop3d::run,
        "qmail-popup" => popup::run,
        "qmail-pw2u" => pw2u::run,
        "qmail-qmqpc" => qmqpc::run,
        "qmail-qmqpd" => qmqpd::run,
        "qmail-qmtpd" => qmtpd::run,
        "qmail-qread" => qread::run,
        "qmail-qstat" => qstat::run,
        "qmail-queue" => queue::run,
        "qmail-remote" => remote::run,
        "qmail-rspawn" => rspawn::run,
        "qmail-send" => send::run,
        "qmail-showctl" => showctl::run,
        "qmail-smtpd" => smtpd::run,
        "qmail-start" => start::run,
        "qmail-tcpok" => tcpto::forget,
        "qmail-tcpto" => tcpto::show,
        "qreceipt" => qreceipt::run,
        "sendmail" => sendmail::run,
        "splogger" => splogger::run,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_name_has_its_program() {
        for name in super::NAMES {
            assert!(super::find(name).is_some(), "{name}");
        }
        assert!(super::NAMES.is_sorted());
    }
}
