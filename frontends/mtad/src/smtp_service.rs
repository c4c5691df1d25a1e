//! One SMTP session: the machine's questions answered by the intake (RFC 5321, RFC 3848, qmail-smtpd(8)).

use crate::door::{Door, Stage, Why};
use crate::intake::{self, Connection, Intake};
use crate::listen::{Entry, Pass, Refused};
use crate::rules::{self, Admission, Shut};
use crate::server::Server as Shared;
use crate::stand::Stand;
use crate::stop::{Phase, Stop};
use driver::{Clock, Closed, Link};
use mta_core::Address;
use mta_core::abuse::Tarpit;
use mta_core::envelope::RcptParams;
use mta_core::log::{self, Filtered, Session as Named};
use mta_core::ports::authenticator::Service;
use mta_proto::Ticket;
use mta_proto::smtp::server::{self, AbortReason, AuthVerdict, Event, LineEnds, Server, Verdict};
use mta_proto::smtp::{Enhanced, Reply, Xclient};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

const WRONG: Reply = Reply::fixed(535, "authorization failed").with(Enhanced::new(7, 8));
const MALFORMED: Reply =
    Reply::fixed(501, "a message of the mechanism was expected").with(Enhanced::new(5, 2));
const NOT_NOW: Reply = Reply::fixed(454, "cannot check the login now").with(Enhanced::new(7, 0));
const LOGIN_FIRST: Reply = Reply::fixed(530, "log in first").with(Enhanced::new(7, 0));
const NOT_YOURS: Reply =
    Reply::fixed(553, "sorry, that sender is not yours").with(Enhanced::new(7, 1));
const SENDER_UNSURE: Reply =
    Reply::fixed(451, "cannot judge the sender now").with(Enhanced::new(3, 0));
const STOPPING: Reply =
    Reply::fixed(421, "the server is stopping; try again soon").with(Enhanced::new(3, 2));

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6409 parts these two")]
pub enum Role {
    /// Taking mail from other hosts.
    Transfer,
    /// Taking the mail of our accounts (RFC 6409).
    Submission,
}

impl Role {
    /// Whose rules its clients have.
    const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "smtp",
            Self::Submission => "submission",
        }
    }
}

/// Serves one client until it leaves, is sent away, or the server stops.
pub async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    (pass, role): (Pass, Role),
) {
    shared.refresh_roaming().await;
    let connection = Connection {
        session: Named {
            protocol: "smtp",
            number: pass.number(),
        },
        peer,
        local: pass.local(&stream),
        name: None,
        variables: shared.variables(peer.ip(), pass.rule()),
        rule: pass.rule().clone(),
    };
    let named = connection.session;
    tracing::info!(
        "{}",
        log::Intake::Connect {
            session: named,
            peer
        }
    );
    let mut config = shared.smtp_config(peer.ip(), &connection.variables);
    if role == Role::Submission {
        // Programs on our users' machines end lines as they like (RFC 6409 §8).
        Arc::make_mut(&mut config).line_ends = LineEnds::Normalise;
    }
    let tarpit = shared.tarpit(peer.ip(), &connection.variables);
    let server = Server::new(config, shared.clock().now());
    let mut stop = shared.stop();
    let door = Door::new(Arc::clone(&shared), named, peer.ip(), Service::Smtp);
    let mut session = Session {
        link: Link::new(server, stream, shared.clock())
            .with_tls(shared.snapshot().tls.server.handshake())
            .with_share(shared.incoming.share()),
        intake: Intake::new(shared, connection),
        door,
        role,
        tarpit,
        pass,
        extended: false,
        end: None,
    };
    let offer = session.door.offer();
    session.link.machine().offer_auth(offer);
    let mut cut = stop.clone();
    tokio::select! {
        () = session.run(&mut stop) => {}
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
    door: Door,
    role: Role,
    tarpit: Tarpit,
    pass: Pass,
    /// The client said EHLO.
    extended: bool,
    /// Why, where the machine does not know.
    end: Option<&'static str>,
}

impl Session {
    async fn run(&mut self, stop: &mut Stop) {
        if self.pass.entry() == Entry::Tls {
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

    fn tell_tls(&mut self) {
        if let Some(facts) = self.link.tls() {
            self.door.encrypted(facts);
            tracing::info!("{}: {facts}", self.intake.session());
        }
        let offer = self.door.offer();
        self.link.machine().offer_auth(offer);
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
            Event::Connected(ticket) => {
                let welcome = link.while_waiting(intake.welcome()).await?;
                link.machine().answer(ticket, verdict(welcome));
            }
            Event::Hello {
                name,
                extended,
                ticket,
            } => {
                intake.hello(&name);
                self.extended = extended;
                link.machine().answer(ticket, Verdict::Accept);
            }
            event @ (Event::Auth { .. } | Event::AuthResponse { .. } | Event::AuthCancelled) => {
                self.login(event).await?;
            }
            Event::Xclient { client, ticket } => self.xclient(&client, ticket).await?,
            Event::Mail {
                from,
                params,
                ticket,
                ..
            } => {
                let judged = self.judge_sender(&from).await?;
                let Self { link, intake, .. } = self;
                let verdict = match judged {
                    ACCEPT => verdict(intake.open(&from, params)),
                    no => no,
                };
                link.machine().answer(ticket, verdict);
            }
            Event::Rcpt { to, params, ticket } => {
                let verdict = self.rcpt(to, params).await?;
                self.link.machine().answer(ticket, verdict);
            }
            Event::Data(ticket) => {
                let verdict = self.begin().await?;
                self.link.machine().answer(ticket, verdict);
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
                intake.forget_client();
                self.tell_tls();
            }
            _ => {}
        }
        Ok(())
    }

    async fn xclient(
        &mut self,
        told: &Xclient,
        ticket: Ticket<server::Stand>,
    ) -> Result<(), Closed> {
        let stood = match Stand::of(told, self.intake.peer(), self.intake.local()) {
            Ok(stand) => Box::pin(self.admit(stand)).await?,
            Err(no) => Err(no),
        };
        self.link.machine().answer(ticket, verdict_of(stood));
        Ok(())
    }

    /// Lets another client in, for whom the peer speaks, as if it had connected itself.
    async fn admit(&mut self, stand: Stand) -> Result<Result<(), Reply>, Closed> {
        let (service, ip) = (self.role.name(), stand.peer.ip());
        let server = Arc::clone(self.intake.server());
        let judged = rules::judge(&server, service, ip);
        let stood = match self.link.while_waiting(judged).await? {
            Ok(rule) => self.stand_for(stand, rule),
            Err(shut) => Err(shut_out(self.intake.session(), &shut)),
        };
        if stood.is_err() {
            return Ok(stood);
        }
        let Self { link, intake, .. } = self;
        let welcome = link.while_waiting(intake.welcome()).await?;
        Ok(welcome.map_err(|no| no.reply()))
    }

    /// Serves another client from now on.
    fn stand_for(&mut self, stand: Stand, rule: Admission) -> Result<(), Reply> {
        let Self { link, intake, .. } = self;
        let front = intake.peer();
        let ip = stand.peer.ip();
        let server = Arc::clone(intake.server());
        let counted = server.count_connection(ip).map_err(Refused::from);
        let entered = counted.and_then(|()| self.pass.transfer(ip));
        entered.map_err(|refused| full(intake.session(), &refused))?;
        let named = intake.session();
        tracing::info!("{named}: {front} speaks for {}", stand.peer);
        intake.stand_for((stand.peer, stand.local), stand.name, rule);
        if let Some(hello) = stand.hello {
            intake.hello(&hello);
        }
        if let Some(login) = stand.login {
            tracing::info!(
                "{named}: login {} told by {front}",
                Filtered(login.as_bytes())
            );
            intake.authenticated(login);
        }
        self.extended = stand.extended;
        self.tarpit = server.tarpit(ip, intake.variables());
        self.door = Door::new(server, named, ip, Service::Smtp);
        if let Some(facts) = link.tls() {
            self.door.encrypted(facts);
        }
        let offer = self.door.offer();
        link.machine().offer_auth(offer);
        Ok(())
    }

    async fn judge_sender(&mut self, from: &Address) -> Result<Verdict, Closed> {
        if self.role == Role::Transfer {
            return Ok(ACCEPT);
        }
        let Self { link, intake, .. } = self;
        let server = Arc::clone(intake.server());
        let account = intake.account().map(str::to_owned);
        let judged = submitted(server, intake.session(), account, from.clone());
        link.while_waiting(judged).await
    }

    /// Begins a message's body.
    async fn begin(&mut self) -> Result<Verdict, Closed> {
        let Self { link, intake, .. } = self;
        let tls = link.tls().map(ToString::to_string);
        let with = protocol(intake, self.extended, tls.is_some());
        let begin = intake.begin(&with, tls.as_deref());
        let begun = link.while_waiting(begin).await?;
        if self.role == Role::Submission {
            intake.complete();
        }
        Ok(verdict(begun))
    }

    /// Judges a recipient; who guesses too often waits for the answer.
    async fn rcpt(&mut self, to: Address, params: RcptParams) -> Result<Verdict, Closed> {
        let Self { link, intake, .. } = self;
        let judged = link.while_waiting(intake.judge(to, params)).await?;
        let Err(refused) = judged else {
            return Ok(ACCEPT);
        };
        let wait = self.tarpit.refused();
        if !wait.is_zero() && intake.account().is_none() {
            tracing::info!("{}: refusal delayed by tarpit_after", intake.session());
            link.while_waiting(tokio::time::sleep(wait)).await?;
        }
        Ok(Verdict::Reply(refused.reply()))
    }

    /// Takes a step of an exchange.
    async fn login(&mut self, event: Event) -> Result<(), Closed> {
        let Self {
            link, intake, door, ..
        } = self;
        let (stage, ticket) = match event {
            Event::Auth {
                mechanism,
                initial,
                ticket,
            } => {
                let begun = door.begin(mechanism, initial.as_ref());
                (link.while_waiting(begun).await?, ticket)
            }
            Event::AuthResponse { message, ticket } => {
                let responded = door.respond(&message);
                (link.while_waiting(responded).await?, ticket)
            }
            _ => {
                door.cancelled();
                return Ok(());
            }
        };
        link.machine().answer_auth(ticket, judged(intake, stage));
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

/// The protocol as a Received line names it (RFC 3848, RFC 6531 §4.3).
fn protocol(intake: &Intake, extended: bool, tls: bool) -> String {
    let mut with = match (intake.is_smtputf8(), extended) {
        (true, _) => "UTF8SMTP",
        (false, true) => "ESMTP",
        (false, false) => return "SMTP".to_owned(),
    }
    .to_owned();
    with.push_str(if tls { "S" } else { "" });
    with.push_str(intake.account().map_or("", |_| "A"));
    with
}

/// Tells the machine how an exchange goes on; whoever is in may send to anywhere.
fn judged(intake: &mut Intake, stage: Stage) -> AuthVerdict {
    match stage {
        Stage::Challenge(challenge) => AuthVerdict::Challenge(challenge),
        Stage::In(account) => {
            intake.authenticated(account.name);
            AuthVerdict::Accept
        }
        Stage::Out(Why::Wrong) => AuthVerdict::Refuse(WRONG),
        Stage::Out(Why::Malformed) => AuthVerdict::Refuse(MALFORMED),
        Stage::Out(Why::NotNow) => AuthVerdict::Refuse(NOT_NOW),
    }
}

/// Judges a sender whose message is submitted (RFC 6409 §4.3, §6.1).
async fn submitted(
    server: Arc<Shared>,
    session: Named,
    account: Option<String>,
    from: Address,
) -> Verdict {
    let Some(account) = account else {
        return Verdict::Reply(LOGIN_FIRST);
    };
    let accounts = Arc::clone(&server.accounts);
    let (judging, sender) = (account.clone(), from.clone());
    let work = move || accounts.may_send_as(&judging, &sender);
    let shown = log::Filtered(from.as_bytes());
    match server.pools.sessions.run(work).await {
        Ok(Ok(true)) => ACCEPT,
        Ok(Ok(false)) => {
            tracing::info!("{session}: sender refused: <{shown}> is not of {account}");
            Verdict::Reply(NOT_YOURS)
        }
        Ok(Err(error)) => {
            tracing::warn!("{session}: unable to judge the sender <{shown}>: {error}");
            Verdict::Reply(SENDER_UNSURE)
        }
        Err(_) => Verdict::Reply(SENDER_UNSURE),
    }
}

fn verdict(judged: Result<(), intake::Refused>) -> Verdict {
    judged.map_or_else(|no| Verdict::Reply(no.reply()), |()| ACCEPT)
}

const ACCEPT: Verdict = Verdict::Accept;

/// No place for the client that somebody speaks for.
fn full(session: Named, refused: &Refused) -> Reply {
    tracing::warn!("{session}: refused: {refused}");
    Reply::new(421, format!("{}; try again later", refused.reason)).with(Enhanced::new(7, 0))
}

/// No entry for the client that somebody speaks for.
fn shut_out(session: Named, shut: &Shut) -> Reply {
    tracing::warn!("{session}: refused: {shut}");
    match shut {
        Shut::Denied { .. } => {
            Reply::fixed(550, "a rule denies that client").with(Enhanced::new(7, 1))
        }
        Shut::Unreadable { .. } => Reply::fixed(421, rules::UNREADABLE).with(Enhanced::new(7, 0)),
    }
}

fn verdict_of(judged: Result<(), Reply>) -> Verdict {
    judged.map_or_else(Verdict::Reply, |()| ACCEPT)
}

/// The words for the end of a session.
const fn end_words(reason: Option<AbortReason>) -> &'static str {
    match reason {
        Some(AbortReason::Quit) => "quit",
        Some(AbortReason::Timeout) => "timeout",
        Some(AbortReason::TooManyErrors) => "too many errors",
        Some(AbortReason::TooManyCommands) => "too many commands (rule commands_per_minute)",
        Some(AbortReason::Closed) => "closed by us",
        _ => "the client hung up",
    }
}
