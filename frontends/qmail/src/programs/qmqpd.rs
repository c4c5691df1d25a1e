//! qmail-qmqpd: takes one message by QMQP on descriptors 0 and 1, from whoever is let through to it (qmail-qmqpd(8), spec §10).

use crate::failure::Failure;
use crate::io::Io;
use crate::net::Net;
use crate::reception::{Peer, Reception, verdict};
use applet::Exit;
use driver::{BlockingLink, Clock};
use mta_core::Mono;
use mta_proto::netstring::Malformed;
use mta_proto::qmqp::server::{AbortReason, Event, Server, Verdict};
use std::sync::Arc;

/// 0 where the client was answered or hung up, 100 where it spoke no QMQP, 111 otherwise; says
/// nothing but answers.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let Ok(net) = Net::open() else {
        return Ok(Exit::OK);
    };
    let peer = Peer::new(io);
    let server = Server::new(Arc::default(), Mono::ZERO);
    let mut link = BlockingLink::new(server, net);
    let mut mail: Option<Reception> = None;
    while let Ok(event) = link.next() {
        match event {
            Event::Connected(ticket) => link.machine().answer(ticket, Verdict::Accept),
            Event::Message { .. } => {
                let line = peer.received(None, "QMQP", Clock::unix());
                mail = Some(Reception::begin(io, &line));
            }
            Event::Body(bytes) => {
                if let Some(mail) = &mut mail {
                    mail.body(&bytes);
                }
            }
            Event::Sender(from) => {
                if let Some(mail) = &mut mail {
                    mail.sender = from;
                }
            }
            Event::Recipient(to) => {
                if let Some(mail) = &mut mail {
                    mail.recipients.push(to);
                }
            }
            Event::End { ticket, .. } => {
                let report = verdict(mail.take());
                link.machine().answer(ticket, Verdict::Report(report));
            }
            Event::Abort(_) => {
                if let Some(mail) = mail.take() {
                    mail.abandon();
                }
            }
            _ => {}
        }
    }
    Ok(match link.machine().ended() {
        Some(AbortReason::Malformed(Malformed::TooLong) | AbortReason::Timeout) => Exit::TEMPORARY,
        Some(AbortReason::Malformed(_)) => Exit::PERMANENT,
        _ => Exit::OK,
    })
}
