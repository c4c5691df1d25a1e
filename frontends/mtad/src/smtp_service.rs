//! One SMTP session: the machine's questions answered by the intake (RFC 5321, RFC 3848, qmail-smtpd(8)).

use crate::intake::{Connection, Intake};
use crate::listen::{Entry, Pass};
use crate::server::Server as Shared;
use crate::stop::{Phase, Stop};
use driver::{Clock, Closed, Link};
use mta_core::log::{self, Session as Named};
use mta_proto::smtp::server::{AbortReason, Event, Server, Verdict};
use mta_proto::smtp::{Enhanced, Reply};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

const STOPPING: Reply =
    Reply::fixed(421, "the server is stopping; try again soon").with(Enhanced::new(3, 2));

/// Serves one client until it leaves, is sent away, or the server stops.
pub async fn serve(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, pass: Pass) {
    let connection = Connection {
        session: Named {
            protocol: "smtp",
            number: pass.number(),
        },
        peer,
        local: stream.local_addr().ok(),
        variables: shared.variables(peer.ip()),
    };
    let named = connection.session;
    tracing::info!(
        "{}",
        log::Intake::Connect {
            session: named,
            peer
        }
    );
    let config = shared.smtp_config(&connection.variables);
    let server = Server::new(config, shared.clock().now());
    let mut stop = shared.stop();
    let mut session = Session {
        link: Link::new(server, stream, shared.clock())
            .with_tls(shared.snapshot().tls.server.handshake())
            .with_share(shared.incoming.share()),
        intake: Intake::new(shared, connection),
        extended: false,
        end: None,
    };
    let mut cut = stop.clone();
    tokio::select! {
        () = session.run(&mut stop, pass.entry()) => {}
        () = cut.reached(Phase::Cut) => session.cut().await,
    }
    let reason = match session.end {
        Some(end) => end,
        None => end_words(session.link.machine().ended()),
    };
    tracing::info!(
        "{}",
        log::Intake::End {
            session: named,
            reason
        }
    );
}

struct Session {
    link: Link<Server, TcpStream>,
    intake: Intake,
    /// The client said EHLO.
    extended: bool,
    /// Why, where the machine does not know.
    end: Option<&'static str>,
}

impl Session {
    async fn run(&mut self, stop: &mut Stop, entry: Entry) {
        if entry == Entry::Tls {
            match self.link.start_tls().await {
                Ok(()) => self.tell_tls(),
                Err(closed) => return self.ended(&closed),
            }
        }
        let mut stopping = false;
        loop {
            let event = tokio::select! {
                event = self.link.next() => event,
                () = stop.reached(Phase::Finish), if !stopping => {
                    stopping = true;
                    self.end = Some("server stops");
                    self.link.machine().shutdown(STOPPING);
                    continue;
                }
            };
            let handled = match event {
                Ok(event) => Box::pin(self.handle(event)).await,
                Err(closed) => Err(closed),
            };
            if let Err(closed) = handled {
                return self.ended(&closed);
            }
        }
    }

    fn tell_tls(&self) {
        if let Some(facts) = self.link.tls() {
            tracing::info!("{}: {facts}", self.intake.session());
        }
    }

    /// The machine knows why a session ends, but for what happens below it.
    fn ended(&mut self, closed: &Closed) {
        if let Closed::Handshake(error) = closed {
            tracing::info!("{}: TLS handshake failed: {error}", self.intake.session());
            self.end = Some("no TLS");
        }
    }

    /// The server's time is over: whatever was under way is dropped and the client told.
    async fn cut(&mut self) {
        self.end = Some("server stops");
        self.intake.drop_mail();
        self.link.machine().cut(&STOPPING);
        let farewell = async { while self.link.next().await.is_ok() {} };
        // A client that does not take the farewell must not hold the server.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(200), farewell).await;
    }

    async fn handle(&mut self, event: Event) -> Result<(), Closed> {
        let Self { link, intake, .. } = self;
        match event {
            Event::Connected(ticket) => link.machine().answer(ticket, Verdict::Accept),
            Event::Hello {
                name,
                extended,
                ticket,
            } => {
                intake.hello(&name);
                self.extended = extended;
                link.machine().answer(ticket, Verdict::Accept);
            }
            Event::Mail {
                from,
                params,
                ticket,
                ..
            } => {
                intake.open(&from, params);
                link.machine().answer(ticket, Verdict::Accept);
            }
            Event::Rcpt { to, params, ticket } => {
                let judged = link.while_waiting(intake.judge(to, params)).await?;
                let verdict = judged.map_or_else(|no| Verdict::Reply(no.reply()), |()| ACCEPT);
                link.machine().answer(ticket, verdict);
            }
            Event::Data(ticket) => {
                let tls = link.tls().map(ToString::to_string);
                let with = match (intake.is_smtputf8(), self.extended, tls.is_some()) {
                    (true, _, false) => "UTF8SMTP",
                    (true, _, true) => "UTF8SMTPS",
                    (false, true, false) => "ESMTP",
                    (false, true, true) => "ESMTPS",
                    (false, false, _) => "SMTP",
                };
                let begin = intake.begin(with, tls.as_deref());
                let begun = link.while_waiting(begin).await?;
                let verdict = begun.map_or_else(|no| Verdict::Reply(no.reply()), |()| ACCEPT);
                link.machine().answer(ticket, verdict);
            }
            Event::Body(bytes) => link.while_waiting(intake.body(bytes)).await?,
            Event::End { size, ticket } => {
                let reply = match link.while_waiting(intake.commit(size)).await? {
                    Ok(taken) => Reply::new(250, format!("ok {} {taken}", Clock::unix().0))
                        .with(Enhanced::new(0, 0)),
                    Err(no) => no.reply(),
                };
                link.machine().answer(ticket, Verdict::Reply(reply));
            }
            Event::Abort(reason) => self.abort(reason),
            Event::TlsStarted => {
                intake.forget_hello();
                self.tell_tls();
            }
            _ => {}
        }
        Ok(())
    }

    fn abort(&mut self, reason: AbortReason) {
        let why = match reason {
            AbortReason::TooBig => "it is larger than the limit",
            AbortReason::HeaderTooBig => "its header is larger than the limit",
            AbortReason::TooManyHops => "it has passed too many hosts",
            AbortReason::BareLf => "a line ended with LF alone",
            AbortReason::BareCr => "a CR stood without LF",
            AbortReason::Nul => "it holds a NUL byte",
            _ => return self.intake.drop_mail(),
        };
        self.intake.abort(&format!("refused: {why}"));
    }
}

const ACCEPT: Verdict = Verdict::Accept;

/// The words for the end of a session.
const fn end_words(reason: Option<AbortReason>) -> &'static str {
    match reason {
        Some(AbortReason::Quit) => "quit",
        Some(AbortReason::Timeout) => "timeout",
        Some(AbortReason::TooManyErrors) => "too many errors",
        Some(AbortReason::Closed) => "closed by us",
        _ => "the client hung up",
    }
}
