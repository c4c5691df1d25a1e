//! QMTP and QMQP sessions: only listed networks come in; in QMTP each recipient is judged as by SMTP,
//! in QMQP nobody is (qmail-qmtpd(8), qmail-qmqpd(8)).

use crate::intake::Intake;
use crate::listen::Pass;
use crate::recipient::{self, Judged};
use crate::server::Server as Shared;
use crate::stop::{Phase, Stop};
use driver::{Closed, Link};
use mta_core::Address;
use mta_core::log::Filtered;
use mta_core::policy::{Client, Relay};
use mta_core::report::Report;
use mta_proto::qmtp::server::Verdict;
use mta_proto::{Machine, qmqp, qmtp};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Serves one QMTP client until it leaves, is sent away, or the server stops.
pub async fn qmtp(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, pass: Pass) {
    let machine =
        qmtp::server::Server::new(Arc::clone(&shared.snapshot().qmtp), shared.clock().now());
    let welcome = shared.config().may_qmtp(peer.ip());
    let session = Session::new(machine, ("qmtp", "QMTP"), shared, stream, peer, &pass);
    session.serve(welcome).await;
}

/// Serves one QMQP client until it leaves, is sent away, or the server stops.
pub async fn qmqp(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, pass: Pass) {
    let machine =
        qmqp::server::Server::new(Arc::clone(&shared.snapshot().qmqp), shared.clock().now());
    let welcome = shared.config().may_qmqp(peer.ip());
    let session = Session::new(machine, ("qmqp", "QMQP"), shared, stream, peer, &pass);
    session.serve(welcome).await;
}

struct Session<M> {
    link: Link<M, TcpStream>,
    intake: Intake,
    relay: Relay,
    welcome: Verdict,
}

/// What the two protocols answer differently.
trait Conversation: Machine {
    async fn handle(session: &mut Session<Self>, event: Self::Event) -> Result<(), Closed>
    where
        Self: Sized;
    fn finish(&mut self);
    fn cut_off(&mut self);
    fn end(&self) -> String;
}

impl<M: Conversation> Session<M> {
    fn new(
        machine: M,
        (name, with): (&'static str, &'static str),
        server: Arc<Shared>,
        stream: TcpStream,
        peer: SocketAddr,
        pass: &Pass,
    ) -> Self {
        let relay = if server.config().may_relay(peer.ip()) {
            Relay::Allowed
        } else {
            Relay::Refused
        };
        Self {
            link: Link::new(machine, stream, server.clock()),
            intake: Intake {
                server,
                with,
                name,
                number: pass.number(),
                peer,
                mail: None,
            },
            relay,
            welcome: Verdict::Close,
        }
    }

    async fn serve(mut self, welcome: bool) {
        let (name, number, peer) = (self.intake.name, self.intake.number, self.intake.peer);
        tracing::info!("{name} {number}: connect from {peer}");
        if welcome {
            self.welcome = Verdict::Accept;
        } else {
            tracing::warn!("{name} {number}: {peer} is in no network of {name}_from in mtad.toml");
        }
        let mut stop = self.intake.server.stop();
        let mut cut = stop.clone();
        tokio::select! {
            () = self.run(&mut stop) => {}
            () = cut.reached(Phase::Cut) => self.link.machine().cut_off(),
        }
        let end = self.link.machine().end();
        tracing::info!("{name} {number}: end: {end}");
    }

    async fn run(&mut self, stop: &mut Stop) {
        let mut stopping = false;
        loop {
            let event = tokio::select! {
                event = self.link.next() => event,
                () = stop.reached(Phase::Finish), if !stopping => {
                    stopping = true;
                    self.link.machine().finish();
                    continue;
                }
            };
            let handled = match event {
                Ok(event) => Box::pin(M::handle(self, event)).await,
                Err(closed) => Err(closed),
            };
            if handled.is_err() {
                return;
            }
        }
    }

    /// Judges a recipient, and notes one that is taken.
    async fn recipient(&mut self, to: Address) -> Result<Verdict, Closed> {
        let Some(mail) = &self.intake.mail else {
            return Ok(Verdict::Close);
        };
        let server = &self.intake.server;
        let to = recipient::localiphost(server, &mail.snapshot, &to);
        let sender = &mail.envelope.reverse_path;
        let client = Client::silent(&self.relay);
        let judging = recipient::judge(server, &mail.snapshot, &client, sender, &to);
        let report = match self.link.while_waiting(judging).await? {
            Judged::Taken(address) => {
                self.intake.recipient(address);
                return Ok(Verdict::Accept);
            }
            Judged::Refused(refusal) if refusal.code() >= 500 => {
                Report::failure(refusal.to_string())
            }
            Judged::Refused(refusal) => Report::deferral(refusal.to_string()),
            Judged::Unknown => Report::failure("sorry, no mailbox here by that name (#5.1.1)"),
            Judged::Unsure(why) => {
                tracing::warn!("unable to look a recipient up: {why}");
                Report::deferral("unable to look that mailbox up now (#4.3.0)")
            }
        };
        let (name, number) = (self.intake.name, self.intake.number);
        let (from, shown) = (Filtered(sender.as_bytes()), Filtered(to.as_bytes()));
        let text = Filtered(&report.text);
        tracing::info!("{name} {number}: refused rcpt from <{from}> to <{shown}>: {text}");
        Ok(Verdict::Report(report))
    }
}

impl Conversation for qmtp::server::Server {
    async fn handle(session: &mut Session<Self>, event: Self::Event) -> Result<(), Closed> {
        use qmtp::server::Event;
        let Session {
            link,
            intake,
            welcome,
            ..
        } = session;
        match event {
            Event::Connected(ticket) => link.machine().answer(ticket, welcome.clone()),
            Event::Message { .. } => link.while_waiting(intake.begin()).await?,
            Event::Body(bytes) => link.while_waiting(intake.body(bytes)).await?,
            Event::Sender(from) => intake.sender(from),
            Event::Rcpt { to, ticket } => {
                let verdict = session.recipient(to).await?;
                session.link.machine().answer(ticket, verdict);
            }
            Event::End { size, ticket } => {
                let report = link.while_waiting(intake.commit(size)).await?;
                link.machine().answer(ticket, Verdict::Report(report));
            }
            Event::Abort(reason) => intake.abort(&reason.to_string()),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.shutdown();
    }

    fn cut_off(&mut self) {
        self.cut();
    }

    fn end(&self) -> String {
        let ended = self.ended().map(|reason| reason.to_string());
        ended.unwrap_or_else(|| "the connection broke".to_owned())
    }
}

impl Conversation for qmqp::server::Server {
    async fn handle(session: &mut Session<Self>, event: Self::Event) -> Result<(), Closed> {
        use qmqp::server::Event;
        let Session {
            link,
            intake,
            welcome,
            ..
        } = session;
        match event {
            Event::Connected(ticket) => link.machine().answer(ticket, welcome.clone()),
            Event::Message { .. } => link.while_waiting(intake.begin()).await?,
            Event::Body(bytes) => link.while_waiting(intake.body(bytes)).await?,
            Event::Sender(from) => intake.sender(from),
            Event::Recipient(to) => intake.recipient(to),
            Event::End { size, ticket } => {
                let report = link.while_waiting(intake.commit(size)).await?;
                link.machine().answer(ticket, Verdict::Report(report));
            }
            Event::Abort(reason) => intake.abort(&reason.to_string()),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.shutdown();
    }

    fn cut_off(&mut self) {
        self.cut();
    }

    fn end(&self) -> String {
        let ended = self.ended().map(|reason| reason.to_string());
        ended.unwrap_or_else(|| "answered".to_owned())
    }
}
