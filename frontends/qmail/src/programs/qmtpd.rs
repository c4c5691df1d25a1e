//! qmail-qmtpd: takes messages by QMTP on descriptors 0 and 1 (qmail-qmtpd(8), spec §10).

use crate::controls;
use crate::failure::Failure;
use crate::io::Io;
use crate::net::Net;
use crate::reception::{Peer, Reception, verdict};
use applet::Exit;
use driver::{BlockingLink, Clock};
use mta_core::control::Controls;
use mta_core::policy::{Client, Policy, Settings, Variables};
use mta_core::report::Report;
use mta_core::{Address, Mono};
use mta_proto::netstring::Malformed;
use mta_proto::qmtp::server::{AbortReason, Config, Event, Server, Verdict};
use std::sync::Arc;

/// What the decision about a recipient depends on.
const FILES: [&str; 14] = [
    "me",
    "badmailfrom",
    "badmailfromnorelay",
    "badmailto",
    "badmailtonorelay",
    "databytes",
    "envnoathost",
    "locals",
    "morercpthosts",
    "morercpthosts.cdb",
    "percenthack",
    "rcpthosts",
    "virtualdomains",
    "badhelo",
];

/// 0 where the client hung up, 100 where it spoke no QMTP, 111 otherwise; says nothing but answers.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let Ok(controls) = controls::load(io, &FILES) else {
        return Ok(Exit::TEMPORARY);
    };
    let Ok(net) = Net::open() else {
        return Ok(Exit::OK);
    };
    let variables = Variables::read(|name| io.variable(name));
    let mut config = Config::default();
    config.limits.message_size = variables.databytes.unwrap_or(controls.databytes);
    let server = Server::new(Arc::new(config), Mono::ZERO);
    let mut session = Session {
        link: BlockingLink::new(server, net),
        settings: Settings::from_variables(|name| io.variable(name)),
        peer: Peer::new(io),
        io,
        controls,
        variables,
        mail: None,
    };
    while session.step() {}
    Ok(match session.link.machine().ended() {
        Some(AbortReason::Malformed(Malformed::TooLong) | AbortReason::Timeout) => Exit::TEMPORARY,
        Some(AbortReason::Malformed(_)) => Exit::PERMANENT,
        _ => Exit::OK,
    })
}

struct Session<'a, 'io> {
    io: &'a Io<'io>,
    link: BlockingLink<Server, Net>,
    peer: Peer,
    controls: Controls,
    variables: Variables,
    settings: Settings,
    mail: Option<Reception>,
}

impl Session<'_, '_> {
    /// Does what the client wants next; tells whether it may want more.
    fn step(&mut self) -> bool {
        let Ok(event) = self.link.next() else {
            return false;
        };
        match event {
            Event::Connected(ticket) => self.link.machine().answer(ticket, Verdict::Accept),
            Event::Message { .. } => {
                let line = self.peer.received(None, "QMTP", Clock::unix());
                self.mail = Some(Reception::begin(self.io, &line));
            }
            Event::Body(bytes) => {
                if let Some(mail) = &mut self.mail {
                    mail.body(&bytes);
                }
            }
            Event::Sender(from) => {
                if let Some(mail) = &mut self.mail {
                    mail.sender = from;
                }
            }
            Event::Rcpt { to, ticket } => {
                let verdict = self.recipient(&to);
                self.link.machine().answer(ticket, verdict);
            }
            Event::End { ticket, .. } => {
                let report = verdict(self.mail.take());
                self.link.machine().answer(ticket, Verdict::Report(report));
            }
            Event::Abort(_) => {
                if let Some(mail) = self.mail.take() {
                    mail.abandon();
                }
            }
            _ => {}
        }
        true
    }

    fn recipient(&mut self, to: &Address) -> Verdict {
        let Some(mail) = &mut self.mail else {
            return Verdict::Close;
        };
        let policy = Policy::new(&self.controls, self.settings);
        let client = Client::silent(&self.variables.relay);
        match policy.rcpt(&client, &mail.sender, to) {
            Ok(accepted) => {
                mail.recipients.push(accepted.address);
                Verdict::Accept
            }
            Err(refusal) if refusal.code() >= 500 => {
                Verdict::Report(Report::failure(refusal.to_string()))
            }
            Err(refusal) => Verdict::Report(Report::deferral(refusal.to_string())),
        }
    }
}
