//! One session: the machine's questions answered by the policy and by the queue program (spec §8.3 to §8.5).

use super::replies;
use crate::io::Io;
use crate::net::Net;
use crate::reception::{Peer, Reception};
use driver::{BlockingLink, Clock};
use mta_core::Address;
use mta_core::control::Controls;
use mta_core::log::Filtered;
use mta_core::policy::{Client, Policy, Refusal, Settings, Variables};
use mta_proto::smtp::server::{Event, Server, Verdict};
use mta_proto::smtp::{Enhanced, Reply};
use std::net::IpAddr;

pub(super) struct Session<'a, 'io> {
    pub(super) io: &'a mut Io<'io>,
    pub(super) link: BlockingLink<Server, Net>,
    pub(super) controls: Controls,
    pub(super) variables: Variables,
    pub(super) settings: Settings,
    /// Our addresses.
    pub(super) own: Vec<IpAddr>,
    pub(super) peer: Peer,
    pub(super) hello: Option<Hello>,
    pub(super) sender: Option<Address>,
    pub(super) recipients: Vec<Address>,
    pub(super) mail: Option<Reception>,
}

/// How the client greeted.
pub(super) struct Hello {
    name: Vec<u8>,
    extended: bool,
}

impl Session<'_, '_> {
    /// Does what the client wants next; tells whether it may want more.
    pub(super) fn step(&mut self) -> bool {
        let Ok(event) = self.link.next() else {
            self.drop_mail();
            return false;
        };
        match event {
            Event::Connected(ticket) => self.link.machine().answer(ticket, Verdict::Accept),
            Event::Hello {
                name,
                extended,
                ticket,
            } => {
                let name = name.to_vec();
                self.hello = Some(Hello { name, extended });
                self.link.machine().answer(ticket, Verdict::Accept);
            }
            Event::Mail { from, ticket, .. } => {
                self.sender = Some(self.at_localiphost(&from));
                self.recipients = Vec::new();
                self.link.machine().answer(ticket, Verdict::Accept);
            }
            Event::Rcpt { to, ticket, .. } => {
                let verdict = self.recipient(&to);
                self.link.machine().answer(ticket, verdict);
            }
            Event::Data(ticket) => {
                let verdict = self.begin();
                self.link.machine().answer(ticket, verdict);
            }
            Event::Body(bytes) => {
                if let Some(mail) = &mut self.mail {
                    mail.body(&bytes);
                }
            }
            Event::End { ticket, .. } => {
                let verdict = Verdict::Reply(self.end());
                self.link.machine().answer(ticket, verdict);
            }
            Event::Abort(_) => self.drop_mail(),
            _ => {}
        }
        true
    }

    fn policy(&self) -> Policy<'_> {
        Policy::new(&self.controls, self.settings)
    }

    /// The address with our own IP address replaced by our name (spec §8.3).
    fn at_localiphost(&self, address: &Address) -> Address {
        let ours = |ip: IpAddr| ip.is_unspecified() || self.own.contains(&ip.to_canonical());
        self.policy().localiphost(address, ours)
    }

    fn recipient(&mut self, to: &Address) -> Verdict {
        let to = self.at_localiphost(to);
        let sender = self.sender.clone().unwrap_or_default();
        let hello = self.hello.as_ref();
        let client = Client {
            relay: &self.variables.relay,
            hello: hello.and_then(|hello| self.variables.hello(&hello.name)),
        };
        match self.policy().rcpt(&client, &sender, &to) {
            Ok(accepted) => {
                self.recipients.push(accepted.address);
                Verdict::Accept
            }
            Err(refusal) => {
                self.log(refusal, &sender, &to);
                Verdict::Reply(replies::policy(refusal))
            }
        }
    }

    /// Writes the line that the qregex patch writes (spec §8.7).
    fn log(&mut self, refusal: Refusal, sender: &Address, to: &Address) {
        let hello = self.hello.as_ref().map(|hello| &*hello.name);
        let (list, value) = match refusal {
            Refusal::HelloDenied => ("badhelo", hello.unwrap_or_default()),
            Refusal::BadMailFrom | Refusal::SenderDenied => ("badmailfrom", sender.as_bytes()),
            Refusal::RecipientDenied => ("badmailto", to.as_bytes()),
            _ => return,
        };
        let (value, ip) = (Filtered(value), Filtered(self.peer.ip()));
        // A log that is full is no reason to take the mail.
        let _ = writeln!(self.io.errors, "qmail-smtpd: {list}: <{value}> at {ip}");
    }

    fn begin(&mut self) -> Verdict {
        let hello = self.hello.as_ref();
        let with = match hello {
            Some(hello) if hello.extended => "ESMTP",
            _ => "SMTP",
        };
        let name = hello.map(|hello| &*hello.name);
        let line = self.peer.received(name, with, Clock::unix());
        let mail = Reception::begin(self.io, &line);
        if let Some(refusal) = mail.refusal() {
            return Verdict::Reply(replies::queue(refusal));
        }
        self.mail = Some(mail);
        Verdict::Accept
    }

    fn end(&mut self) -> Reply {
        let Some(mut mail) = self.mail.take() else {
            return replies::queue(&mta_core::qq::Refusal::LOST);
        };
        mail.sender = self.sender.take().unwrap_or_default();
        mail.recipients = std::mem::take(&mut self.recipients);
        match mail.finish() {
            Ok(qp) => {
                let text = format!("ok {} qp {qp}", Clock::unix().0);
                Reply::new(250, text).with(Enhanced::new(0, 0))
            }
            Err(refusal) => replies::queue(&refusal),
        }
    }

    fn drop_mail(&mut self) {
        self.sender = None;
        self.recipients = Vec::new();
        if let Some(mail) = self.mail.take() {
            mail.abandon();
        }
    }
}
