//! The reports of a delivery by QMTP or QMQP, in the words that qmail-remote(8) has for SMTP.

use crate::netstring::Malformed;
use crate::smtp::client::remote_said;
use mta_core::report::{Outcome, Report};

/// What a server answered for one recipient, or for all.
pub(super) fn answered(peer: &str, response: &Report) -> Report {
    let sentence = match response.outcome {
        Outcome::Success => format!("{peer} accepted message.\n"),
        Outcome::Deferral | Outcome::Failure => format!("{peer} does not like recipient.\n"),
    };
    let mut text = sentence.into_bytes();
    text.extend(remote_said(&response.text));
    Report::new(response.outcome, text)
}

/// The connection is gone; `critical` where the message may have been accepted.
pub(super) fn died(peer: &str, critical: bool) -> Report {
    Report::deferral(format!(
        "Connected to {peer} but connection died.{} (#4.4.2)\n",
        duplicate(critical)
    ))
}

/// What the server sent is not the protocol.
pub(super) fn bad_response(peer: &str, critical: bool, why: Malformed) -> Report {
    Report::deferral(format!(
        "Connected to {peer} but its reply was bad: {why}.{} (#4.5.0)\n",
        duplicate(critical)
    ))
}

pub(super) fn unreadable_message() -> Report {
    Report::deferral("Unable to read message. (#4.3.0)\n")
}

pub(super) fn unsendable_address() -> Report {
    Report::failure("Sorry, that address cannot be sent. (#5.1.3)\n")
}

const fn duplicate(critical: bool) -> &'static str {
    if critical { " Possible duplicate!" } else { "" }
}
