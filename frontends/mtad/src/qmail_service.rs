//! QMTP and QMQP sessions: only listed networks come in; in QMTP each recipient is judged as by SMTP,
//! in QMQP nobody is (qmail-qmtpd(8), qmail-qmqpd(8)).

use crate::intake::{Connection, Intake, Refused, Taken};
use crate::listen::Pass;
use crate::server::Server as Shared;
use crate::stop::{Phase, Stop};
use driver::{Clock, Closed, Link};
use mta_core::Address;
use mta_core::envelope::{MailParams, RcptParams};
use mta_core::log::{self, Session as Named};
use mta_core::report::Report;
use mta_proto::qmtp::server::Verdict;
use mta_proto::{Machine, qmqp, qmtp};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Serves one QMTP client until it leaves, is sent away, or the server stops.
pub async fn qmtp(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, pass: Pass) {
    shared.refresh_roaming().await;
    let connection = connection("qmtp", &shared, &stream, peer, &pass);
    let config = shared.qmtp_config(&connection.variables);
    let machine = qmtp::server::Server::new(config, shared.clock().now());
    let welcome = shared.config().may_qmtp(peer.ip());
    let link = Link::new(machine, stream, shared.clock()).with_share(shared.incoming.share());
    Session::new(link, Intake::new(shared, connection))
        .serve(welcome)
        .await;
}

/// Serves one QMQP client until it leaves, is sent away, or the server stops.
pub async fn qmqp(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, pass: Pass) {
    let connection = connection("qmqp", &shared, &stream, peer, &pass);
    let config = Arc::clone(&shared.snapshot().qmqp);
    let machine = qmqp::server::Server::new(config, shared.clock().now());
    let welcome = shared.config().may_qmqp(peer.ip());
    let link = Link::new(machine, stream, shared.clock()).with_share(shared.incoming.share());
    Session::new(link, Intake::new(shared, connection))
        .serve(welcome)
        .await;
}

fn connection(
    protocol: &'static str,
    shared: &Shared,
    stream: &TcpStream,
    peer: SocketAddr,
    pass: &Pass,
) -> Connection {
    Connection {
        session: Named {
            protocol,
            number: pass.number(),
        },
        peer,
        local: pass.local(stream),
        name: None,
        variables: shared.variables(peer.ip(), pass.rule()),
        rule: pass.rule().clone(),
    }
}

struct Session<M> {
    link: Link<M, TcpStream>,
    intake: Intake,
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
    const fn new(link: Link<M, TcpStream>, intake: Intake) -> Self {
        Self {
            link,
            intake,
            welcome: Verdict::Close,
        }
    }

    async fn serve(mut self, welcome: bool) {
        let (session, peer) = (self.intake.session(), self.intake.peer());
        tracing::info!("{}", log::Intake::Connect { session, peer });
        if welcome {
            self.welcome = Verdict::Accept;
        } else {
            let protocol = session.protocol;
            tracing::warn!("{session}: {peer} is in no network of {protocol}_from in mtad.toml");
        }
        let mut stop = self.intake.server().stop();
        let mut cut = stop.clone();
        tokio::select! {
            () = self.run(&mut stop) => {}
            () = cut.reached(Phase::Cut) => self.link.machine().cut_off(),
        }
        let reason = &self.link.machine().end();
        tracing::info!("{}", log::Intake::End { session, reason });
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
}

impl Intake {
    /// Begins a message of which nothing is known yet. Who refuses it is told at its end.
    async fn begin_unknown(&mut self, with: &str) {
        let _ = self.open(&Address::null(), MailParams::default());
        let _ = self.begin(with, None).await;
    }
}

/// The answer for a message as a whole.
fn report(committed: Result<Taken, Refused>) -> Verdict {
    Verdict::Report(match committed {
        Ok(Taken::Queued(id)) => Report::success(format!("ok {} qp {id}", Clock::unix().0)),
        Ok(Taken::Given(qp)) => Report::success(format!("ok {} qp {qp}", Clock::unix().0)),
        Err(refused) => refused.report(),
    })
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
            Event::Message { .. } => {
                link.while_waiting(intake.begin_unknown("QMTP")).await?;
            }
            Event::Body(bytes) => link.while_waiting(intake.body(bytes)).await?,
            Event::Sender(from) => intake.sender(&from),
            Event::Rcpt { to, ticket } => {
                let judging = intake.judge(to, RcptParams::default());
                let judged = link.while_waiting(judging).await?;
                let verdict = judged.map_or_else(
                    |refused| Verdict::Report(refused.report()),
                    |()| Verdict::Accept,
                );
                link.machine().answer(ticket, verdict);
            }
            Event::End { size, ticket } => {
                let committed = link.while_waiting(intake.commit(size)).await?;
                link.machine().answer(ticket, report(committed));
            }
            Event::Abort(reason) => intake.abort(&format!("dropped: {reason}")),
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
            Event::Message { .. } => {
                link.while_waiting(intake.begin_unknown("QMQP")).await?;
            }
            Event::Body(bytes) => link.while_waiting(intake.body(bytes)).await?,
            Event::Sender(from) => intake.sender(&from),
            Event::Recipient(to) => intake.recipient(to),
            Event::End { size, ticket } => {
                let committed = link.while_waiting(intake.commit(size)).await?;
                link.machine().answer(ticket, report(committed));
            }
            Event::Abort(reason) => intake.abort(&format!("dropped: {reason}")),
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
