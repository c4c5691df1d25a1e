//! One SMTP session: the machine's questions answered by policy, directory and spool (RFC 5321, RFC 3848, qmail-smtpd(8)).

use crate::listen::{Entry, Pass};
use crate::recipient::{self, Judged};
use crate::server::{Server as Shared, Snapshot};
use crate::stop::{Phase, Stop};
use bytes::Bytes;
use driver::{Clock, Closed, Link};
use mta_core::envelope::{RcptParams, Recipient};
use mta_core::policy::{Client, Refusal, Relay};
use mta_core::ports::spool::{Incoming, SpoolError};
use mta_core::received::Invoked;
use mta_core::{Address, Envelope, log, received};
use mta_proto::smtp::server::{AbortReason, Event, Server, Verdict};
use mta_proto::smtp::{Enhanced, Reply};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

const STOPPING: Reply =
    Reply::fixed(421, "the server is stopping; try again soon").with(Enhanced::new(3, 2));
const FULL: Reply =
    Reply::fixed(452, "no space left for this message; try again later").with(Enhanced::new(3, 1));
const TROUBLE: Reply = Reply::fixed(451, "unable to queue this message now; try again later")
    .with(Enhanced::new(3, 0));

const NO_MAILBOX: Reply =
    Reply::fixed(550, "sorry, no mailbox here by that name").with(Enhanced::new(1, 1));
const UNSURE: Reply = Reply::fixed(451, "unable to look that mailbox up now; try again later")
    .with(Enhanced::new(3, 0));

/// Serves one client until it leaves, is sent away, or the server stops.
pub async fn serve(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, pass: Pass) {
    let number = pass.number();
    tracing::info!(
        "{}",
        log::Smtp::Connect {
            session: number,
            peer
        }
    );
    let snapshot = shared.snapshot();
    let server = Server::new(Arc::clone(&snapshot.smtp), shared.clock().now());
    let mut stop = shared.stop();
    let mut session = Session {
        relay: if shared.config().may_relay(peer.ip()) {
            Relay::Allowed
        } else {
            Relay::Refused
        },
        link: Link::new(server, stream, shared.clock()).with_tls(snapshot.tls.server.handshake()),
        shared,
        peer,
        number,
        hello: None,
        mail: None,
        end: None,
    };
    drop(snapshot);
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
        log::Smtp::End {
            session: number,
            reason
        }
    );
}

struct Session {
    shared: Arc<Shared>,
    link: Link<Server, TcpStream>,
    peer: SocketAddr,
    number: u64,
    relay: Relay,
    hello: Option<Hello>,
    /// Boxed, because most sessions are idle most of the time.
    mail: Option<Box<Transaction>>,
    /// Why, where the machine does not know.
    end: Option<&'static str>,
}

struct Hello {
    name: Bytes,
    extended: bool,
}

/// What lies between an accepted MAIL and its message's end.
struct Transaction {
    envelope: Envelope,
    /// As they were when the transaction began.
    snapshot: Arc<Snapshot>,
    incoming: Option<Box<dyn Incoming>>,
    trouble: Option<SpoolError>,
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
            tracing::info!("smtp {}: {facts}", self.number);
        }
    }

    /// The machine knows why a session ends, but for what happens below it.
    fn ended(&mut self, closed: &Closed) {
        if let Closed::Handshake(error) = closed {
            tracing::info!("smtp {}: TLS handshake failed: {error}", self.number);
            self.end = Some("no TLS");
        }
    }

    /// The server's time is over: whatever was under way is dropped and the client told.
    async fn cut(&mut self) {
        self.end = Some("server stops");
        self.mail = None;
        self.link.machine().cut(&STOPPING);
        let farewell = async { while self.link.next().await.is_ok() {} };
        // A client that does not take the farewell must not hold the server.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(200), farewell).await;
    }

    async fn handle(&mut self, event: Event) -> Result<(), Closed> {
        match event {
            Event::Connected(ticket) => self.link.machine().answer(ticket, Verdict::Accept),
            Event::Hello {
                name,
                extended,
                ticket,
            } => {
                // A copy of its own, so that the input buffer is not held for a few bytes.
                let name = Bytes::copy_from_slice(&name);
                self.hello = Some(Hello { name, extended });
                self.link.machine().answer(ticket, Verdict::Accept);
            }
            Event::Mail {
                from,
                params,
                ticket,
                ..
            } => {
                self.mail = Some(Box::new(Transaction {
                    envelope: Envelope {
                        reverse_path: from,
                        recipients: Vec::new(),
                        params,
                    },
                    snapshot: self.shared.snapshot(),
                    incoming: None,
                    trouble: None,
                }));
                self.link.machine().answer(ticket, Verdict::Accept);
            }
            Event::Rcpt { to, params, ticket } => {
                let verdict = self.recipient(to, params).await?;
                self.link.machine().answer(ticket, verdict);
            }
            Event::Data(ticket) => {
                let verdict = self.data().await?;
                self.link.machine().answer(ticket, verdict);
            }
            Event::Body(bytes) => self.body(bytes).await?,
            Event::End { size, ticket } => {
                let verdict = self.commit(size).await?;
                self.link.machine().answer(ticket, verdict);
            }
            Event::Abort(reason) => self.abort(reason),
            Event::TlsStarted => {
                self.hello = None;
                self.tell_tls();
            }
            _ => {}
        }
        Ok(())
    }

    async fn recipient(&mut self, to: Address, params: RcptParams) -> Result<Verdict, Closed> {
        let Some(mail) = &self.mail else {
            return Ok(Verdict::Reply(TROUBLE));
        };
        let snapshot = Arc::clone(&mail.snapshot);
        let to = recipient::localiphost(&self.shared, &snapshot, &to);
        let sender = &mail.envelope.reverse_path;
        let client = Client {
            relay: &self.relay,
            hello: self.hello.as_ref().map(|hello| &*hello.name),
        };
        let judging = recipient::judge(&self.shared, &snapshot, &client, sender, &to);
        let judged = self.link.while_waiting(judging).await?;
        let Some(mail) = &mut self.mail else {
            return Ok(Verdict::Reply(TROUBLE));
        };
        let reply = match judged {
            Judged::Taken(address) => {
                mail.envelope.recipients.push(Recipient { address, params });
                return Ok(Verdict::Accept);
            }
            Judged::Refused(refusal) => refusal_reply(refusal),
            Judged::Unknown => NO_MAILBOX,
            Judged::Unsure(why) => {
                let number = self.number;
                tracing::warn!("smtp {number}: unable to look a recipient up: {why}");
                UNSURE
            }
        };
        let text = reply.to_string();
        let line = log::Smtp::Refused {
            session: self.number,
            command: "rcpt",
            sender: mail.envelope.reverse_path.as_bytes(),
            recipient: to.as_bytes(),
            reply: text.trim_end().as_bytes(),
        };
        tracing::info!("{line}");
        Ok(Verdict::Reply(reply))
    }

    async fn data(&mut self) -> Result<Verdict, Closed> {
        let spool = Arc::clone(self.shared.spool());
        let head = Bytes::from(self.received_lines());
        let begun = self
            .link
            .while_waiting(async {
                let mut incoming = spool.begin().await?;
                incoming.write(head).await?;
                Ok::<_, SpoolError>(incoming)
            })
            .await?;
        let Some(mail) = &mut self.mail else {
            return Ok(Verdict::Reply(TROUBLE));
        };
        match begun {
            Ok(incoming) => {
                mail.incoming = Some(incoming);
                Ok(Verdict::Accept)
            }
            Err(error) => Ok(Verdict::Reply(self.refusal(&error))),
        }
    }

    /// The queue's own line, as qmail-queue writes it, and ours.
    fn received_lines(&self) -> Vec<u8> {
        let now = Clock::unix();
        let mut lines = received::queue(std::process::id(), Invoked::FromNetwork, now).into_bytes();
        let ip = self.peer.ip().to_canonical().to_string();
        let snapshot = self.mail.as_ref().map(|mail| Arc::clone(&mail.snapshot));
        let snapshot = snapshot.unwrap_or_else(|| self.shared.snapshot());
        let utf8 = self
            .mail
            .as_ref()
            .is_some_and(|mail| mail.envelope.params.smtputf8);
        let extended = self.hello.as_ref().is_some_and(|hello| hello.extended);
        let tls = self.link.tls().map(ToString::to_string);
        let smtp = received::Smtp {
            remote_host: None,
            remote_ip: Some(ip.as_bytes()),
            remote_info: None,
            helo: self.hello.as_ref().map(|hello| &*hello.name),
            local: Some(&snapshot.controls.me),
            with: match (utf8, extended, tls.is_some()) {
                (true, _, false) => "UTF8SMTP",
                (true, _, true) => "UTF8SMTPS",
                (false, true, false) => "ESMTP",
                (false, true, true) => "ESMTPS",
                (false, false, _) => "SMTP",
            },
            tls: tls.as_deref(),
            now,
        };
        lines.extend_from_slice(&smtp.line());
        lines
    }

    async fn body(&mut self, bytes: Bytes) -> Result<(), Closed> {
        let Some(mail) = &mut self.mail else {
            return Ok(());
        };
        let Some(incoming) = &mut mail.incoming else {
            return Ok(());
        };
        let written = self.link.while_waiting(incoming.write(bytes)).await?;
        if let Err(error) = written {
            // The rest of the message is read and dropped; the reply at its end tells why.
            mail.incoming = None;
            mail.trouble = Some(error);
        }
        Ok(())
    }

    async fn commit(&mut self, bytes: u64) -> Result<Verdict, Closed> {
        let Some(mail) = self.mail.take() else {
            return Ok(Verdict::Reply(TROUBLE));
        };
        let Transaction {
            envelope,
            incoming,
            trouble,
            ..
        } = *mail;
        let Some(incoming) = incoming else {
            let error = trouble.unwrap_or(SpoolError::Closed);
            return Ok(Verdict::Reply(self.refusal(&error)));
        };
        let sender = envelope.reverse_path.clone();
        let recipients = envelope.recipients.len();
        // A client that hangs up now must not leave a message that nobody begins to deliver.
        let committed = self.link.while_waiting(incoming.commit(envelope)).await?;
        let id = match committed {
            Ok(id) => id,
            Err(error) => return Ok(Verdict::Reply(self.refusal(&error))),
        };
        let line = log::Smtp::Queued {
            session: self.number,
            id,
            bytes,
            sender: sender.as_bytes(),
            recipients,
        };
        tracing::info!("{line}");
        let text = format!("ok {} queued as {id}", Clock::unix().0);
        Ok(Verdict::Reply(
            Reply::new(250, text).with(Enhanced::new(0, 0)),
        ))
    }

    fn refusal(&self, error: &SpoolError) -> Reply {
        let number = self.number;
        tracing::warn!("smtp {number}: message not taken: {error}");
        match error {
            SpoolError::Full => FULL,
            SpoolError::Closed => STOPPING,
            _ => TROUBLE,
        }
    }

    fn abort(&mut self, reason: AbortReason) {
        self.mail = None;
        let why = match reason {
            AbortReason::TooBig => "it is larger than the limit",
            AbortReason::HeaderTooBig => "its header is larger than the limit",
            AbortReason::TooManyHops => "it has passed too many hosts",
            AbortReason::BareLf => "a line ended with LF alone",
            AbortReason::BareCr => "a CR stood without LF",
            AbortReason::Nul => "it holds a NUL byte",
            _ => return,
        };
        let number = self.number;
        tracing::info!("smtp {number}: message refused: {why}");
    }
}

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

fn refusal_reply(refusal: Refusal) -> Reply {
    let (_, subject, detail) = refusal.enhanced();
    let text = refusal.to_string();
    // The code in parentheses, which the original had at the end, stands before the text now.
    let text = text.rsplit_once(" (#").map_or(&*text, |(text, _)| text);
    Reply::new(refusal.code(), text.to_owned()).with(Enhanced::new(subject, detail))
}
