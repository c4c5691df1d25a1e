//! The reports of a delivery by SMTP, in qmail-remote's words (qmail-remote(8), qmail-rspawn(8)).

use crate::smtp::reply_parser::{RemoteReply, ReplyError};
use mta_core::report::{Outcome, Report};

/// The report where no host could be connected to.
pub const NO_CONNECTION: &str = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n";

/// Returns `Remote host said: ` with the reply's text, which ends its lines in LF; nothing for an
/// empty text.
#[must_use]
pub fn remote_said(text: &[u8]) -> Vec<u8> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut said = [b"Remote host said: ", text].concat();
    if !text.ends_with(b"\n") {
        said.push(b'\n');
    }
    said
}

/// Returns the sentence that ends a report where no recipient was accepted; `peer` is what
/// [`Client::new`](super::Client::new) was told.
#[must_use]
pub fn giving_up(peer: &str) -> String {
    format!("Giving up on {peer}.\n")
}

/// Writes the reports of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts<'a> {
    /// The server's address or name as reports show it.
    pub(super) peer: &'a str,
}

impl Texts<'_> {
    pub(super) fn greeting(&self, reply: &RemoteReply) -> Report {
        self.connected_but("greeting failed", reply, outcome(reply))
    }

    /// Unlike the greeting, a refused name is our own fault and may be mended, so it is retried.
    pub(super) fn name_rejected(&self, reply: &RemoteReply) -> Report {
        self.connected_but("my name was rejected", reply, Outcome::Deferral)
    }

    pub(super) fn sender_rejected(&self, reply: &RemoteReply) -> Report {
        self.connected_but("sender was rejected", reply, outcome(reply))
    }

    pub(super) fn recipient_refused(&self, reply: &RemoteReply) -> Report {
        let sentence = format!("{} does not like recipient.\n", self.peer);
        said(outcome(reply), sentence, reply)
    }

    /// Completes the report of a recipient where none was accepted.
    pub(super) fn giving_up(&self, report: &mut Report) {
        report
            .text
            .extend_from_slice(giving_up(self.peer).as_bytes());
    }

    pub(super) fn data_refused(&self, reply: &RemoteReply) -> Report {
        let sentence = format!("{} failed on DATA command.\n", self.peer);
        said(outcome(reply), sentence, reply)
    }

    pub(super) fn message_refused(&self, reply: &RemoteReply) -> Report {
        let sentence = format!("{} failed after I sent the message.\n", self.peer);
        said(outcome(reply), sentence, reply)
    }

    pub(super) fn accepted(&self, reply: &RemoteReply) -> Report {
        let sentence = format!("{} accepted message.\n", self.peer);
        said(Outcome::Success, sentence, reply)
    }

    /// The connection is gone; `critical` where the message may have been accepted.
    pub(super) fn died(&self, critical: bool, last: Option<&RemoteReply>) -> Report {
        let duplicate = if critical { " Possible duplicate!" } else { "" };
        let peer = self.peer;
        let sentence = format!("Connected to {peer} but connection died.{duplicate} (#4.4.2)\n");
        Report::deferral(with_said(sentence, last.map_or(&[][..], |r| &r.text)))
    }

    /// What the server sent is no SMTP.
    pub(super) fn not_smtp(&self, critical: bool, why: ReplyError, said: &[u8]) -> Report {
        let duplicate = if critical { " Possible duplicate!" } else { "" };
        let peer = self.peer;
        let sentence =
            format!("Connected to {peer} but its reply was bad: {why}.{duplicate} (#4.5.0)\n");
        Report::deferral(with_said(sentence, said))
    }

    /// STARTTLS is required and was not to be had.
    pub(super) fn no_tls(&self, last: Option<&RemoteReply>) -> Report {
        let sentence = format!("Connected to {} but STARTTLS failed. (#4.7.0)\n", self.peer);
        Report::deferral(with_said(sentence, last.map_or(&[][..], |r| &r.text)))
    }

    pub(super) fn needs_smtputf8(&self) -> Report {
        Report::failure(format!(
            "{} does not support internationalized addresses (SMTPUTF8). (#5.6.7)\n",
            self.peer
        ))
    }

    pub(super) fn too_big(&self, limit: u64) -> Report {
        Report::failure(format!(
            "{} does not take messages of more than {limit} bytes. (#5.3.4)\n",
            self.peer
        ))
    }

    pub(super) fn unsendable_address(&self) -> Report {
        Report::failure("Sorry, that address cannot be sent by SMTP. (#5.1.3)\n")
    }

    pub(super) fn unreadable_message(&self) -> Report {
        Report::deferral("Unable to read message. (#4.3.0)\n")
    }

    fn connected_but(&self, what: &str, reply: &RemoteReply, outcome: Outcome) -> Report {
        said(
            outcome,
            format!("Connected to {} but {what}.\n", self.peer),
            reply,
        )
    }
}

/// A refusal is permanent from 500 on; whatever else was not wanted is retried.
const fn outcome(reply: &RemoteReply) -> Outcome {
    if reply.is_permanent() {
        Outcome::Failure
    } else {
        Outcome::Deferral
    }
}

fn said(outcome: Outcome, sentence: String, reply: &RemoteReply) -> Report {
    Report::new(outcome, with_said(sentence, &reply.text))
}

fn with_said(sentence: String, text: &[u8]) -> Vec<u8> {
    let mut whole = sentence.into_bytes();
    whole.extend(remote_said(text));
    whole
}
