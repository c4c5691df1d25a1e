//! A message on its way in, for SMTP, QMTP and QMQP alike: judged, headed by its Received lines, bounded, and given to the spool or to the program that QMAILQUEUE names (qmail-smtpd(8), qmail-queue(8)).

mod connection;
mod listed;
mod program;
mod recipient;
mod refused;

pub(crate) use connection::Connection;
pub(crate) use refused::Refused;

use crate::journal::Word;
use crate::random;
use crate::rules::Admission;
use crate::server::{Server, Snapshot};
use bytes::Bytes;
use driver::Clock;
use mta_core::dnsbl::Ruling;
use mta_core::envelope::{MailParams, RcptParams, Recipient};
use mta_core::log::{self, Filtered, Session};
use mta_core::policy::{Client, Policy, Relay, Variables};
use mta_core::ports::spool::{Incoming, MessageId, SpoolError};
use mta_core::received::{self, HopCount, Invoked};
use mta_core::submission::Completer;
use mta_core::{Address, Envelope};
use program::QueueProgram;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// What takes the messages of one session.
pub(crate) struct Intake {
    server: Arc<Server>,
    connection: Connection,
    /// The name given with HELO or EHLO.
    hello: Option<Bytes>,
    /// Who logged in.
    account: Option<String>,
    /// What lists in DNS say of the client, once they were asked.
    ruling: Option<Box<Ruling>>,
    /// Boxed, because most sessions are idle most of the time.
    mail: Option<Box<Mail>>,
}

/// A message that is not complete yet.
struct Mail {
    envelope: Envelope,
    /// The control files as they were when the message began.
    snapshot: Arc<Snapshot>,
    state: State,
    hops: HopCount,
    /// Adds the fields that a submitted message lacks.
    completer: Option<Completer>,
}

enum State {
    /// Its body has not begun.
    Envelope,
    Spool(Box<dyn Incoming>),
    Program(Box<QueueProgram>),
    /// It will not be taken; the rest of it is read and dropped.
    Refused(Refused),
}

/// How a message that was taken is called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Taken {
    /// By its name in the queue.
    Queued(MessageId),
    /// By the process that took it and said nothing more.
    Given(u32),
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queued(id) => write!(f, "queued as {id}"),
            Self::Given(qp) => write!(f, "qp {qp}"),
        }
    }
}

impl Intake {
    pub(crate) const fn new(server: Arc<Server>, connection: Connection) -> Self {
        Self {
            server,
            connection,
            hello: None,
            account: None,
            ruling: None,
            mail: None,
        }
    }

    pub(crate) const fn server(&self) -> &Arc<Server> {
        &self.server
    }

    pub(crate) const fn peer(&self) -> SocketAddr {
        self.connection.peer
    }

    pub(crate) const fn session(&self) -> Session {
        self.connection.session
    }

    pub(crate) fn hello(&mut self, name: &[u8]) {
        // A copy of its own, so that the input buffer is not held for a few bytes.
        self.hello = Some(Bytes::copy_from_slice(name));
    }

    /// What the client said of itself before STARTTLS counts no more (RFC 3207 §4.2).
    pub(crate) fn forget_client(&mut self) {
        self.hello = None;
        if self.account.take().is_some() {
            let client = self.connection.peer.ip();
            self.connection.variables = self.server.variables(client, &self.connection.rule);
        }
    }

    /// Somebody else is the client from now on; nothing that was said before counts.
    pub(crate) fn stand_for(
        &mut self,
        (peer, local): (SocketAddr, Option<SocketAddr>),
        name: Option<Bytes>,
        rule: Admission,
    ) {
        self.hello = None;
        self.account = None;
        self.ruling = None;
        self.connection.peer = peer;
        self.connection.local = local;
        self.connection.name = name;
        self.connection.variables = self.server.variables(peer.ip(), &rule);
        self.connection.rule = rule;
    }

    /// What is set for the client.
    pub(crate) const fn variables(&self) -> &Variables {
        &self.connection.variables
    }

    /// The address of ours that the client speaks to.
    pub(crate) const fn local(&self) -> Option<SocketAddr> {
        self.connection.local
    }

    /// The client has shown whose it is, and may send to anywhere.
    pub(crate) fn authenticated(&mut self, account: String) {
        self.account = Some(account);
        if self.connection.variables.relay == Relay::Refused {
            self.connection.variables.relay = Relay::Allowed;
        }
    }

    /// Whose the client is.
    pub(crate) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Begins an envelope; one that was there is gone.
    ///
    /// A refusal is said again for each recipient, for protocols that have no word for it here.
    pub(crate) fn open(&mut self, from: &Address, params: MailParams) -> Result<(), Refused> {
        let counted = match &self.account {
            None => {
                let client = (self.connection.peer.ip(), &self.connection.variables);
                self.server.count_message(self.session(), client)
            }
            // Whoever has logged in is bounded by recipients.
            Some(_) => Ok(()),
        };
        let counted = counted.map_err(Refused::from);
        let snapshot = self.server.snapshot();
        let envelope = Envelope {
            reverse_path: recipient::localiphost(&self.server, &snapshot, from),
            recipients: Vec::new(),
            params,
        };
        self.mail = Some(Box::new(Mail {
            envelope,
            snapshot,
            state: match &counted {
                Ok(()) => State::Envelope,
                Err(refused) => State::Refused(refused.clone()),
            },
            hops: HopCount::new(),
            completer: None,
        }));
        counted
    }

    pub(crate) fn sender(&mut self, from: &Address) {
        if let Some(mail) = &mut self.mail {
            mail.envelope.reverse_path = recipient::localiphost(&self.server, &mail.snapshot, from);
        }
    }

    /// Notes a recipient whom nobody judges.
    pub(crate) fn recipient(&mut self, to: Address) {
        if let Some(mail) = &mut self.mail {
            mail.envelope.recipients.push(Recipient::from(to));
        }
    }

    /// Judges a recipient, and notes one that is taken.
    pub(crate) async fn judge(&mut self, to: Address, params: RcptParams) -> Result<(), Refused> {
        let unlisted = self.unlisted().await;
        let Some(mail) = &mut self.mail else {
            return Err(Refused::TROUBLE);
        };
        if let State::Refused(refused) = &mail.state {
            return Err(refused.clone());
        }
        let to = recipient::localiphost(&self.server, &mail.snapshot, &to);
        let session = self.connection.session;
        let variables = &self.connection.variables;
        let hello = self.hello.as_deref();
        let client = Client {
            relay: &variables.relay,
            hello: hello.and_then(|name| variables.hello(name)),
        };
        let sender = &mail.envelope.reverse_path;
        let rule = &self.connection.rule;
        let settings = self.server.config().policy();
        let settings = settings.with_variables(|name| rule.variable(name));
        let policy = Policy::new(&mail.snapshot.controls, settings);
        let judged = match unlisted {
            Ok(()) => recipient::judge(&self.server, &policy, &client, sender, &to).await,
            Err(listed) => Err(listed),
        };
        let judged = judged.and_then(|address| match &self.account {
            Some(account) => {
                let counted = self.server.count_recipient(session, account);
                counted.map(|()| address).map_err(Refused::from)
            }
            None => Ok(address),
        });
        match judged {
            Ok(address) => {
                let recipient = Recipient { address, params };
                mail.envelope.recipients.push(recipient);
                Ok(())
            }
            Err(refused) => {
                let reply = refused.reply().to_string();
                let line = log::Intake::Refused {
                    session: self.connection.session,
                    command: "rcpt",
                    sender: sender.as_bytes(),
                    recipient: to.as_bytes(),
                    reply: reply.trim_end().as_bytes(),
                };
                tracing::info!("{line}");
                Err(refused)
            }
        }
    }

    /// Whether the transaction has been told that its addresses are in UTF-8.
    pub(crate) fn is_smtputf8(&self) -> bool {
        let mail = self.mail.as_ref();
        mail.is_some_and(|mail| mail.envelope.params.smtputf8)
    }

    /// Begins the body, with the Received lines before it. `with` is the protocol as they name it,
    /// `tls` what protects it.
    ///
    /// A refusal is said again at the end, for protocols that have no word for it here.
    pub(crate) async fn begin(&mut self, with: &str, tls: Option<&str>) -> Result<(), Refused> {
        match self.mail.as_ref().map(|mail| &mail.state) {
            None => return Err(Refused::TROUBLE),
            Some(State::Refused(refused)) => return Err(refused.clone()),
            Some(_) => {}
        }
        let head = self.received(with, tls);
        let (server, connection) = (&self.server, &self.connection);
        let begun = match &connection.variables.qmailqueue {
            Some(program) => begin_program(server, connection, program, head).await,
            None => begin_spool(server, connection.session, &head).await,
        };
        let Some(mail) = &mut self.mail else {
            return Err(Refused::TROUBLE);
        };
        match begun {
            Ok(state) => {
                mail.state = state;
                Ok(())
            }
            Err(refused) => {
                mail.state = State::Refused(refused.clone());
                Err(refused)
            }
        }
    }

    /// Our line: who handed the message over, to whom, how and when.
    fn received(&self, with: &str, tls: Option<&str>) -> Vec<u8> {
        let snapshot = self.mail.as_ref().map(|mail| Arc::clone(&mail.snapshot));
        let snapshot = snapshot.unwrap_or_else(|| self.server.snapshot());
        let ip = self.connection.peer.ip().to_canonical().to_string();
        let named = self
            .account()
            .filter(|_| self.server.config().auth.name_account);
        let line = received::Smtp {
            remote_host: self.connection.name.as_deref(),
            remote_ip: Some(ip.as_bytes()),
            remote_info: named.map(str::as_bytes),
            helo: self.hello.as_deref(),
            local: Some(&snapshot.controls.me),
            with,
            tls,
            now: snapshot.dates.stamp(Clock::unix()),
        };
        line.line()
    }

    /// Lets the message have a Date and a Message-ID (RFC 6409 §8.2, §8.3).
    pub(crate) fn complete(&mut self) {
        let Some(mail) = &mut self.mail else { return };
        let Ok(unique) = random::bytes::<9>() else {
            // Without randomness there is no name for it; whoever reads it gives it one.
            return;
        };
        let unique: String = unique.iter().map(|b| format!("{b:02x}")).collect();
        let me = String::from_utf8_lossy(&mail.snapshot.controls.me).into_owned();
        let now = Clock::unix();
        mail.completer = Some(Completer::new(now, &format!("<{}.{unique}@{me}>", now.0)));
    }

    /// Takes a piece of the body, with LF line ends.
    ///
    /// Unlike the originals, a message that has passed too many hosts is refused in QMTP and QMQP
    /// as well.
    pub(crate) async fn body(&mut self, mut bytes: Bytes) {
        let Some(mail) = &mut self.mail else { return };
        let completed = mail.completer.as_mut().and_then(|c| c.feed(&bytes));
        if let Some((at, fields)) = completed {
            self.write(bytes.split_to(at.min(bytes.len()))).await;
            self.write(Bytes::from(fields)).await;
        }
        self.write(bytes).await;
    }

    /// A message that is nothing but a header gets its fields behind it.
    async fn complete_end(&mut self) {
        let mail = self.mail.as_mut();
        if let Some(completer) = mail.and_then(|mail| mail.completer.as_mut()) {
            let fields = completer.finish();
            self.write(Bytes::from(fields)).await;
        }
    }

    async fn write(&mut self, bytes: Bytes) {
        let Some(mail) = &mut self.mail else { return };
        mail.hops.feed(&bytes);
        let loops = mail.hops.hops() >= self.server.config().limits.hops;
        if loops && !matches!(mail.state, State::Refused(_)) {
            mail.state = State::Refused(Refused::LOOPS);
            let session = self.connection.session;
            tracing::info!("{session}: message refused: it has passed too many hosts");
        }
        let trouble = match &mut mail.state {
            State::Spool(incoming) => incoming.write(bytes).await.err(),
            State::Program(program) => {
                program.write(&bytes).await;
                None
            }
            State::Envelope | State::Refused(_) => None,
        };
        if let Some(error) = trouble {
            let refused = failed(self.connection.session, &error);
            if let Some(mail) = &mut self.mail {
                mail.state = State::Refused(refused);
            }
        }
    }

    /// Makes the message durable, or has the program do so.
    pub(crate) async fn commit(&mut self, bytes: u64) -> Result<Taken, Refused> {
        self.complete_end().await;
        let Some(mail) = self.mail.take() else {
            return Err(Refused::TROUBLE);
        };
        let Mail {
            envelope, state, ..
        } = *mail;
        let sender = envelope.reverse_path.clone();
        let recipients = envelope.recipients.len();
        let session = self.connection.session;
        let taken = match state {
            State::Spool(incoming) => {
                let committed = incoming.commit(envelope).await;
                Taken::Queued(committed.map_err(|error| failed(session, &error))?)
            }
            State::Program(program) => {
                Taken::Given(program.finish(&envelope).await.map_err(|refusal| {
                    let text = Filtered(&refusal.text);
                    tracing::info!("{session}: message refused by QMAILQUEUE: {text}");
                    Refused::from(&refusal)
                })?)
            }
            State::Refused(refused) => return Err(refused),
            State::Envelope => return Err(Refused::TROUBLE),
        };
        if let Taken::Queued(id) = taken {
            let sender = Filtered(sender.as_bytes());
            let text = format!(
                "{}: <{sender}>, {recipients} recipients, {bytes} bytes",
                self.whence()
            );
            let journal = &self.server.journal;
            journal.note(Clock::unix(), id, Word::Taken, &text);
        }
        let sender = sender.as_bytes();
        match taken {
            Taken::Queued(id) => tracing::info!(
                "{}",
                log::Intake::Queued {
                    session,
                    id,
                    bytes,
                    sender,
                    recipients
                }
            ),
            Taken::Given(qp) => tracing::info!(
                "{}",
                log::Intake::Given {
                    session,
                    qp,
                    bytes,
                    sender,
                    recipients
                }
            ),
        }
        Ok(taken)
    }

    /// Who hands it over, and what allows that.
    fn whence(&self) -> String {
        let peer = self.connection.peer.ip().to_canonical();
        let hello = self.hello.as_deref().unwrap_or_default();
        let rule = match &self.connection.variables.relay {
            Relay::Refused => "may send to our own domains only".to_owned(),
            _ => match self.server.config().relay_rule(peer) {
                Some(network) => format!("may send anywhere: mtad.toml: relay_from has {network}"),
                None if self.server.roaming.is_open(peer) => {
                    "may send anywhere: mail was fetched from there (etc/open-smtp)".to_owned()
                }
                None => {
                    "may send anywhere: a rule of its connection or its login says so".to_owned()
                }
            },
        };
        let session = self.connection.session;
        format!(
            "{session} from {peer} that calls itself {:?}, {rule}",
            Filtered(hello).to_string()
        )
    }

    /// Forgets the message.
    pub(crate) fn drop_mail(&mut self) {
        self.mail = None;
    }

    /// Forgets the message, and says why.
    pub(crate) fn abort(&mut self, reason: &str) {
        self.mail = None;
        let session = self.connection.session;
        tracing::info!("{session}: message {reason}");
    }
}

async fn begin_program(
    server: &Server,
    connection: &Connection,
    program: &[u8],
    head: Vec<u8>,
) -> Result<State, Refused> {
    let environment = connection.environment(server);
    let started = QueueProgram::start(server, program, environment).await;
    let mut started = started.map_err(|refusal| Refused::from(&refusal))?;
    // The program, or qmail-queue behind it, puts a line of its own before ours.
    started.write(&head).await;
    Ok(State::Program(Box::new(started)))
}

async fn begin_spool(server: &Server, session: Session, ours: &[u8]) -> Result<State, Refused> {
    let pid = std::process::id();
    let now = server.config().dates().stamp(Clock::unix());
    let head = received::queue(pid, Invoked::FromNetwork, now);
    let head = Bytes::from([head.as_bytes(), ours].concat());
    let begun = async {
        let mut incoming = server.spool().begin().await?;
        incoming.write(head).await?;
        Ok(incoming)
    };
    let begun = begun.await;
    begun
        .map(State::Spool)
        .map_err(|error| failed(session, &error))
}

fn failed(session: Session, error: &SpoolError) -> Refused {
    tracing::warn!("{session}: message not taken: {error}");
    Refused::from(error)
}
