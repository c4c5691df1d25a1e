//! The log lines of qmail-send, byte for byte, and those of the SMTP side (qmail-log(5), qmail-send(8)).

use crate::ports::spool::MessageId;
use crate::report::Outcome;
use crate::rewrite::Channel;
use std::fmt;

/// Shows bytes that a stranger chose so that they cannot forge a log line.
///
/// LF becomes `/`; bytes outside 33 to 126 and `%` become `_`. So a shown text has no blank.
///
/// ```
/// use mta_core::log::Filtered;
/// assert_eq!(Filtered(b"user unknown\n100%\x07").to_string(), "user_unknown/100__");
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a wrapper made by its one field")]
pub struct Filtered<'a>(pub &'a [u8]);

impl fmt::Display for Filtered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0 {
            let shown = match byte {
                b'\n' => '/',
                b'%' | 0..33 | 127.. => '_',
                printable => char::from(printable),
            };
            fmt::Write::write_char(f, shown)?;
        }
        Ok(())
    }
}

/// One line of qmail-send's log, without its LF.
///
/// Per message the order is: new, info, starting and status, delivery and status, bounce, end.
/// Programs parse these lines, so their form is fixed.
///
/// ```
/// use mta_core::{log::Send, ports::spool::MessageId};
/// assert_eq!(Send::EndMsg { id: MessageId(7) }.to_string(), "end msg 7");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub enum Send<'a> {
    /// `status: local 0/10 remote 1/20`, at start and after every start and end of a delivery.
    Status {
        /// Local deliveries under way and their limit.
        local: (u32, u32),
        /// Remote deliveries under way and their limit.
        remote: (u32, u32),
        /// The daemon was told to stop and waits for what runs.
        exit_as_soon_as_possible: bool,
    },
    /// `status: exiting`
    Exiting,
    /// `new msg 7`
    NewMsg {
        /// The message.
        id: MessageId,
    },
    /// `info msg 7: bytes 211 from <joe@example.org> qp 93 uid 1000`
    Info {
        /// The message.
        id: MessageId,
        /// The size of its file, the queue's own Received line included.
        bytes: u64,
        /// The envelope sender.
        sender: &'a [u8],
        /// The process that queued it.
        qp: u64,
        /// The user who queued it.
        uid: u64,
    },
    /// `starting delivery 3: msg 7 to remote ann@example.com`
    Starting {
        /// The delivery's number; the first of a process is 1.
        delivery: u64,
        /// The message.
        id: MessageId,
        /// How it leaves.
        channel: Channel,
        /// The recipient as routed.
        recipient: &'a [u8],
    },
    /// `delivery 3: success: did_1+0+0/`
    Delivery {
        /// The delivery's number.
        delivery: u64,
        /// What became of it.
        outcome: Outcome,
        /// The report's text.
        text: &'a [u8],
    },
    /// `delivery 3: report mangled, will defer`
    Mangled {
        /// The delivery's number.
        delivery: u64,
    },
    /// `bounce msg 7 qp 101`
    Bounce {
        /// The message that bounced.
        id: MessageId,
        /// The process that queued the bounce.
        qp: u64,
    },
    /// `triple bounce: discarding bounce/7`
    TripleBounce {
        /// The message whose bounce bounced twice.
        id: MessageId,
    },
    /// `end msg 7`
    EndMsg {
        /// The message.
        id: MessageId,
    },
    /// `warning: ` and what happened; not filtered, so the caller passes its own words only.
    Warning(&'a str),
    /// `alert: ` and what happened; not filtered, so the caller passes its own words only.
    Alert(&'a str),
}

impl fmt::Display for Send<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Status {
                local: (l, cl),
                remote: (r, cr),
                exit_as_soon_as_possible,
            } => {
                write!(f, "status: local {l}/{cl} remote {r}/{cr}")?;
                f.write_str(if exit_as_soon_as_possible {
                    " exitasap"
                } else {
                    ""
                })
            }
            Self::Exiting => f.write_str("status: exiting"),
            Self::NewMsg { id } => write!(f, "new msg {id}"),
            Self::Info {
                id,
                bytes,
                sender,
                qp,
                uid,
            } => {
                let sender = Filtered(sender);
                write!(
                    f,
                    "info msg {id}: bytes {bytes} from <{sender}> qp {qp} uid {uid}"
                )
            }
            Self::Starting {
                delivery,
                id,
                channel,
                recipient,
            } => {
                let (way, to) = (channel.name(), Filtered(recipient));
                write!(f, "starting delivery {delivery}: msg {id} to {way} {to}")
            }
            Self::Delivery {
                delivery,
                outcome,
                text,
            } => {
                let word = word_of(outcome);
                write!(f, "delivery {delivery}: {word}: {}", Filtered(text))
            }
            Self::Mangled { delivery } => {
                write!(f, "delivery {delivery}: report mangled, will defer")
            }
            Self::Bounce { id, qp } => write!(f, "bounce msg {id} qp {qp}"),
            Self::TripleBounce { id } => write!(f, "triple bounce: discarding bounce/{id}"),
            Self::EndMsg { id } => write!(f, "end msg {id}"),
            Self::Warning(text) => write!(f, "warning: {text}"),
            Self::Alert(text) => write!(f, "alert: {text}"),
        }
    }
}

const fn word_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Deferral => "deferral",
    }
}

/// A session by which mail comes in: its protocol and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a session has these two names")]
pub struct Session {
    /// `smtp`, `qmtp` or `qmqp`.
    pub protocol: &'static str,
    /// The first is 1.
    pub number: u64,
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol, self.number)
    }
}

/// One line of the log of incoming mail, without its LF. The original logged nothing here; the
/// form follows qmail-send's: words, then filtered values.
///
/// ```
/// use mta_core::log::{Intake, Session};
/// let session = Session { protocol: "smtp", number: 4 };
/// let line = Intake::Connect { session, peer: "192.0.2.1:40000".parse().unwrap() };
/// assert_eq!(line.to_string(), "smtp 4: connect from 192.0.2.1:40000");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub enum Intake<'a> {
    /// `smtp 4: connect from 192.0.2.1:40000`
    Connect {
        /// The session.
        session: Session,
        /// Who connected.
        peer: std::net::SocketAddr,
    },
    /// `smtp 4: rcpt refused: from <a@b> to <c@d>: 550 5.1.1 no mailbox`
    Refused {
        /// The session.
        session: Session,
        /// The command in lower case.
        command: &'a str,
        /// The envelope sender, where known.
        sender: &'a [u8],
        /// The recipient, where known.
        recipient: &'a [u8],
        /// The reply that was given.
        reply: &'a [u8],
    },
    /// `smtp 4: queued msg 7: bytes 211 from <a@b> recipients 2`
    Queued {
        /// The session.
        session: Session,
        /// The message's name in the queue.
        id: MessageId,
        /// Octets taken in.
        bytes: u64,
        /// The envelope sender.
        sender: &'a [u8],
        /// How many recipients it has.
        recipients: usize,
    },
    /// `smtp 4: given to QMAILQUEUE qp 93: bytes 211 from <a@b> recipients 2`
    Given {
        /// The session.
        session: Session,
        /// The process that took it.
        qp: u32,
        /// Octets taken in.
        bytes: u64,
        /// The envelope sender.
        sender: &'a [u8],
        /// How many recipients it has.
        recipients: usize,
    },
    /// `smtp 4: end: quit`
    End {
        /// The session.
        session: Session,
        /// Why it ended.
        reason: &'a str,
    },
}

impl fmt::Display for Intake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Connect { session, peer } => write!(f, "{session}: connect from {peer}"),
            Self::Refused {
                session,
                command,
                sender,
                recipient,
                reply,
            } => {
                let (from, to) = (Filtered(sender), Filtered(recipient));
                write!(
                    f,
                    "{session}: {command} refused: from <{from}> to <{to}>: {}",
                    Filtered(reply)
                )
            }
            Self::Queued {
                session,
                id,
                bytes,
                sender,
                recipients,
            } => {
                let from = Filtered(sender);
                write!(
                    f,
                    "{session}: queued msg {id}: bytes {bytes} from <{from}> recipients {recipients}"
                )
            }
            Self::Given {
                session,
                qp,
                bytes,
                sender,
                recipients,
            } => {
                let from = Filtered(sender);
                write!(
                    f,
                    "{session}: given to QMAILQUEUE qp {qp}: bytes {bytes} from <{from}> recipients {recipients}"
                )
            }
            Self::End { session, reason } => write!(f, "{session}: end: {reason}"),
        }
    }
}
