//! qmail-remote: hands one message to another host and reports each recipient (qmail-remote(8), spec §7).

mod converse;
mod hosts;
mod report;
mod tcpto;

use crate::controls;
use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use converse::{Ended, Link, Message};
use mta_core::Address;
use mta_core::report::Report;
use mta_proto::smtp::client::{NO_CONNECTION, Transaction};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use tcpto::Tcpto;

const FILES: [&str; 5] = [
    "me",
    "helohost",
    "smtproutes",
    "timeoutconnect",
    "timeoutremote",
];

/// The code is always 0: what happened stands in the reports.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let ended = deliver(io).unwrap_or_else(|report| Ended::without_link(&report));
    // Whoever started us takes the lack of a report for what it is.
    let _ = io.output.write_all(&ended.text);
    let _ = io.output.flush();
    if let Some(link) = ended.link {
        goodbye(link);
    }
    Ok(Exit::OK)
}

/// What the server answers to QUIT changes nothing, so it is not waited for.
fn goodbye(mut link: Link) {
    if link.machine().quit() {
        let _ = link.finish();
    }
}

fn deliver(io: &Io<'_>) -> Result<Ended, Report> {
    let (host, transaction) = arguments(&io.arguments)
        .ok_or_else(|| Report::failure("I (qmail-remote) was invoked improperly. (#5.3.5)\n"))?;
    if io.home.join("control").read_dir().is_err() {
        let text = "Unable to switch to home directory. (#4.3.0)\n";
        return Err(Report::deferral(text));
    }
    let controls = controls::load(io, &FILES)
        .map_err(|_| Report::deferral("Unable to read control files. (#4.3.0)\n"))?;
    let targets = hosts::targets(io, &controls, &host)?;
    let mut message = Message::open(transaction);
    let tcpto = Tcpto::new(io.home.join("queue/lock/tcpto"));
    let mut last = None;
    for target in &targets {
        let Some(stream) = hosts::connect(target, controls.timeoutconnect, &tcpto) else {
            continue;
        };
        match converse::converse(&controls, stream, target.address, &mut message) {
            Ok(ended) => return Ok(ended),
            // Nothing is decided yet, so the next host may serve.
            Err(report) => last = Some(report),
        }
    }
    Err(last.unwrap_or_else(|| Report::deferral(NO_CONNECTION)))
}

/// Reads `host sender recipient …`.
fn arguments(words: &[OsString]) -> Option<(Vec<u8>, Transaction)> {
    let [host, sender, recipients @ ..] = words else {
        return None;
    };
    if recipients.is_empty() {
        return None;
    }
    // An argument holds no NUL, so each is an address.
    let address = |word: &OsString| Address::new(word.as_bytes()).ok();
    let recipients: Option<Vec<_>> = recipients.iter().map(address).collect();
    let transaction = Transaction::new(address(sender)?, recipients?);
    Some((host.as_bytes().to_vec(), transaction))
}
