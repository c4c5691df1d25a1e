//! What the programs behind tcpserver share: who the client is, and its message's way to the queue program
//! (qmail-smtpd(8), qmail-qmtpd(8), qmail-qmqpd(8), tcp-environ(5)).

use crate::injection::{Injection, NotBegun};
use crate::io::Io;
use delivery::dates::Dates;
use driver::Clock;
use mta_core::qq::Refusal;
use mta_core::received::{self, HopCount};
use mta_core::report::Report;
use mta_core::{Address, Unix};
use std::io::Write;

/// `Received:` and `Delivered-To:` lines at which a message is taken to loop.
pub(crate) const HOPS: u32 = 100;

/// The client, as the environment describes it.
#[derive(Debug)]
pub(crate) struct Peer {
    host: Option<Vec<u8>>,
    ip: Option<Vec<u8>>,
    info: Option<Vec<u8>>,
    local: Option<Vec<u8>>,
    dates: Dates,
}

impl Peer {
    pub(crate) fn new(io: &Io<'_>) -> Self {
        let local = io.variable("TCPLOCALHOST");
        Self {
            host: io.variable("TCPREMOTEHOST"),
            ip: io.variable("TCPREMOTEIP"),
            info: io.variable("TCPREMOTEINFO"),
            local: local.or_else(|| io.variable("TCPLOCALIP")),
            dates: io.dates(),
        }
    }

    /// Its address, for the log.
    pub(crate) fn ip(&self) -> &[u8] {
        self.ip.as_deref().unwrap_or(b"unknown")
    }

    /// The field that goes before the message.
    pub(crate) fn received(&self, helo: Option<&[u8]>, with: &str, now: Unix) -> Vec<u8> {
        let line = received::Smtp {
            remote_host: self.host.as_deref(),
            remote_ip: self.ip.as_deref(),
            remote_info: self.info.as_deref(),
            helo,
            local: self.local.as_deref(),
            with,
            tls: None,
            now: self.dates.stamp(now),
        };
        line.line()
    }
}

/// A message on its way in.
#[derive(Debug)]
pub(crate) struct Reception {
    pub(crate) sender: Address,
    pub(crate) recipients: Vec<Address>,
    queue: Result<Injection, Refusal>,
    hops: HopCount,
}

impl Reception {
    /// Starts the queue program and gives it the field that goes before the message.
    pub(crate) fn begin(io: &Io<'_>, received: &[u8]) -> Self {
        let mut queue = Injection::begin(io).map_err(|error| match error {
            NotBegun::Fork(_) => Refusal::NOT_FORKED,
            NotBegun::Refused(refusal) => refusal,
        });
        if let Ok(queue) = &mut queue {
            // What it thinks of the message it says at the end.
            let _ = queue.write_all(received);
        }
        Self {
            sender: Address::null(),
            recipients: Vec::new(),
            queue,
            hops: HopCount::new(),
        }
    }

    /// Why nothing was begun, where nothing was.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.queue.as_ref().err()
    }

    pub(crate) fn body(&mut self, bytes: &[u8]) {
        self.hops.feed(bytes);
        if let Ok(queue) = &mut self.queue {
            let _ = queue.write_all(bytes);
        }
    }

    /// Takes the message back.
    pub(crate) fn abandon(self) {
        if let Ok(queue) = self.queue {
            queue.abandon();
        }
    }

    /// Hands over the envelope; returns the number of the queue program's process.
    pub(crate) fn finish(self) -> Result<u32, Refusal> {
        let mut recipients = self.recipients.iter().map(Address::as_bytes);
        self.queue?.finish(self.sender.as_bytes(), &mut recipients)
    }
}

/// What QMTP and QMQP answer at a message's end. Unlike the originals, they refuse one that has
/// passed too many hosts.
pub(crate) fn verdict(mail: Option<Reception>) -> Report {
    let refused = |refusal: Refusal| {
        let text = refusal.text.into_owned();
        if refusal.permanent {
            Report::failure(text)
        } else {
            Report::deferral(text)
        }
    };
    let Some(mail) = mail else {
        return refused(Refusal::LOST);
    };
    if mail.hops.hops() >= HOPS {
        mail.abandon();
        return Report::failure("too many hops, this message is looping (#5.4.6)");
    }
    match mail.finish() {
        Ok(qp) => Report::success(format!("ok {} qp {qp}", Clock::unix().0)),
        Err(refusal) => refused(refusal),
    }
}
