//! One client's way in: which mechanisms it is offered, its exchanges, its waiting after failures (RFC 4954 §4, RFC 5034, vchkpw(8)).

use crate::random;
use crate::server::Server;
use driver::tls::Facts;
use mta_auth::sasl::{
    Answer, Channel, ChannelBinding, Circumstances, Exchange, Exchanged, Fresh, Mechanism, Origin,
    Question, Reason, Start, Step, offered,
};
use mta_core::log::{Filtered, Session};
use mta_core::ports::authenticator::{Account, Attempt, Login, Proof, Service};
use mta_proto::sasl::{Message, Offer};
use std::net::IpAddr;
use std::sync::Arc;

/// What a session needs to let its client in.
pub(crate) struct Door {
    server: Arc<Server>,
    session: Session,
    from: IpAddr,
    service: Service,
    binding: Option<ChannelBinding>,
    channel: Channel,
    exchange: Option<(Mechanism, Exchange)>,
    /// Whoever the last question was answered about with yes.
    account: Option<Account>,
}

/// What comes next for the client.
#[derive(Debug)]
pub(crate) enum Stage {
    /// It has to answer this.
    Challenge(Vec<u8>),
    /// It is in.
    In(Account),
    /// It is not, and may try again.
    Out(Why),
}

/// Why somebody is not let in, as far as it may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Name or password are wrong.
    Wrong,
    /// What it sent is no message of the mechanism.
    Malformed,
    /// It could not be found out, or too many wait.
    NotNow,
}

impl Door {
    pub(crate) const fn new(
        server: Arc<Server>,
        session: Session,
        from: IpAddr,
        service: Service,
    ) -> Self {
        Self {
            server,
            session,
            from,
            service,
            binding: None,
            channel: Channel::Clear,
            exchange: None,
            account: None,
        }
    }

    /// Learns what the connection is now; an exchange that was begun before is gone.
    pub(crate) fn encrypted(&mut self, facts: &Facts) {
        self.exchange = None;
        self.binding = facts
            .exporter()
            .map(|data| ChannelBinding::Exporter(data.to_vec()));
        self.channel = match self.binding {
            Some(_) => Channel::BoundTls,
            None => Channel::Tls,
        };
    }

    /// What is offered now.
    pub(crate) fn offer(&self) -> Offer {
        let now = self.circumstances();
        if now.allow_login() {
            Offer::mechanisms(offered(&now).into_iter().map(Mechanism::name))
        } else {
            Offer::NeedsTls
        }
    }

    fn circumstances(&self) -> Circumstances {
        let auth = &self.server.config().auth;
        let loopback = self.from.to_canonical().is_loopback();
        Circumstances {
            channel: self.channel,
            origin: if loopback {
                Origin::Loopback
            } else {
                Origin::Elsewhere
            },
            without_tls: auth.without_tls(),
            stored: auth.stored(self.server.snapshot().vpopmail.clear_passwd),
        }
    }

    /// What the greeting of POP3 shows where APOP is offered. That is before STLS, so only what
    /// holds in the clear counts.
    pub(crate) fn timestamp(&self) -> Option<String> {
        if !self.circumstances().allow_apop() {
            return None;
        }
        let unique: [u8; 12] = random::bytes().ok()?;
        let unique: String = unique.iter().map(|b| format!("{b:02x}")).collect();
        let me = String::from_utf8_lossy(&self.server.snapshot().controls.me).into_owned();
        Some(format!("<{unique}@{me}>"))
    }

    /// Begins an exchange; one that was under way is gone.
    pub(crate) async fn begin(&mut self, mechanism: &str, initial: Option<&Message>) -> Stage {
        let Some(mechanism) = Mechanism::named(mechanism.as_bytes()) else {
            return Stage::Out(Why::Malformed);
        };
        let fresh = match random::bytes() {
            Ok(bytes) => Fresh::from_random(bytes),
            Err(error) => {
                tracing::warn!("{}: unable to begin a login: {error}", self.session);
                return Stage::Out(Why::NotNow);
            }
        };
        let host = String::from_utf8_lossy(&self.server.snapshot().controls.me).into_owned();
        let (exchange, step) = Exchange::begin(&Start {
            mechanism,
            initial: initial.map(Message::expose),
            fresh,
            host: &host,
            bindings: self.binding.as_slice(),
        });
        self.exchange = Some((mechanism, exchange));
        self.account = None;
        self.go_on(step).await
    }

    /// Goes on with what the client said.
    pub(crate) async fn respond(&mut self, message: &Message) -> Stage {
        let Some((_, exchange)) = &mut self.exchange else {
            return Stage::Out(Why::Malformed);
        };
        let step = exchange.respond(message.expose());
        self.go_on(step).await
    }

    /// The client cancelled.
    pub(crate) fn cancelled(&mut self) {
        self.exchange = None;
    }

    async fn go_on(&mut self, mut step: Step) -> Stage {
        loop {
            step = match step {
                Step::Challenge(challenge) => return Stage::Challenge(challenge),
                Step::Ask(question) => {
                    let answer = self.find_out(&question).await;
                    match &mut self.exchange {
                        Some((_, exchange)) => exchange.answer(answer),
                        None => return Stage::Out(Why::Malformed),
                    }
                }
                Step::Done(done) => return self.done(done),
            };
        }
    }

    async fn find_out(&mut self, question: &Question) -> Answer {
        let (name, proof) = match question {
            Question::Password { name, password } => (name, Proof::Password(password.expose())),
            Question::Digest {
                name,
                challenge,
                digest,
            } => {
                let digest = digest.expose();
                (name, Proof::CramMd5 { challenge, digest })
            }
            Question::Keys { name } => return self.find_keys(name).await,
            _ => return Answer::Wrong,
        };
        let how = self.exchange.as_ref().map_or("", |(m, _)| m.name());
        match self.check(name, proof, how).await {
            Login::Accepted(account) => {
                self.account = Some(account);
                Answer::Right
            }
            Login::Refused => Answer::Wrong,
            _ => Answer::Unsure,
        }
    }

    /// Finds keys, real or pretended: whether the name is there shows only at the end.
    async fn find_keys(&mut self, name: &[u8]) -> Answer {
        let Some(keys) = &self.server.keys else {
            return Answer::Wrong;
        };
        let (session, shown) = (self.session, Filtered(name));
        let Some(wait) = self.throttled(|throttle, from, now| throttle.turn(from, now)) else {
            tracing::warn!("{session}: login of {shown} not checked: too many failed before it");
            return Answer::Unsure;
        };
        tokio::time::sleep(wait).await;
        match keys.find(name, self.service).await {
            Ok((account, keys)) => {
                self.account = account;
                Answer::Keys(Box::new(keys))
            }
            Err(why) => {
                tracing::warn!("{session}: unable to check the login of {shown}: {why}");
                Answer::Unsure
            }
        }
    }

    /// Keeps account of an exchange whose proof was checked here and not by [`Self::check`].
    fn note_proof(&self, done: &Exchanged) {
        let Some((mechanism, _)) = &self.exchange else {
            return;
        };
        let (session, how) = (self.session, mechanism.name());
        if !matches!(
            mechanism,
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus
        ) {
            return;
        }
        match (done, &self.account) {
            (Exchanged::Accepted(_), Some(account)) => {
                self.throttled(|throttle, from, now| throttle.succeeded(from, now));
                let name = Filtered(account.name.as_bytes());
                tracing::info!("{session}: login {name} by {how}");
            }
            (Exchanged::Refused(Reason::Credentials, name), _) => {
                self.throttled(|throttle, from, now| throttle.failed(from, now));
                let name = name.clone().unwrap_or_default();
                let shown = Filtered(&name);
                tracing::info!("{session}: login refused: {shown} by {how}");
            }
            _ => {}
        }
    }

    fn done(&mut self, done: Exchanged) -> Stage {
        self.note_proof(&done);
        self.exchange = None;
        match (done, self.account.take()) {
            (Exchanged::Accepted(_), Some(account)) => Stage::In(account),
            (Exchanged::Refused(Reason::Malformed, _), _) => Stage::Out(Why::Malformed),
            (Exchanged::Refused(Reason::Unsure, _), _) => Stage::Out(Why::NotNow),
            (Exchanged::Refused(reason, name), _) => {
                if reason != Reason::Credentials {
                    let name = name.unwrap_or_default();
                    let shown = Filtered(&name);
                    tracing::info!("{}: login refused: {shown}: {reason}", self.session);
                }
                Stage::Out(Why::Wrong)
            }
            (Exchanged::Accepted(_), None) => Stage::Out(Why::NotNow),
        }
    }

    /// Checks one attempt when its turn has come, and keeps account of it. `how` is for the log.
    pub(crate) async fn check(&self, name: &[u8], proof: Proof<'_>, how: &str) -> Login {
        let (session, shown) = (self.session, Filtered(name));
        let Some(wait) = self.throttled(|throttle, from, now| throttle.turn(from, now)) else {
            tracing::warn!("{session}: login of {shown} not checked: too many failed before it");
            return Login::Unsure("too many logins failed".to_owned());
        };
        tokio::time::sleep(wait).await;
        let attempt = Attempt {
            name,
            proof,
            service: self.service,
            from: Some(self.from),
        };
        let login = self.server.authenticator().login(attempt).await;
        match &login {
            Login::Accepted(account) => {
                self.throttled(|throttle, from, now| throttle.succeeded(from, now));
                let name = Filtered(account.name.as_bytes());
                tracing::info!("{session}: login {name} by {how}");
            }
            Login::Refused => {
                self.throttled(|throttle, from, now| throttle.failed(from, now));
                tracing::info!("{session}: login refused: {shown} by {how}");
            }
            Login::Unsure(why) => {
                tracing::warn!("{session}: unable to check the login of {shown}: {why}");
            }
            _ => {}
        }
        login
    }

    fn throttled<T>(
        &self,
        ask: impl FnOnce(&mut mta_auth::throttle::Throttle, IpAddr, mta_core::Mono) -> T,
    ) -> T {
        let mut throttle = self.server.throttle.lock();
        let throttle = match &mut throttle {
            Ok(throttle) => throttle,
            Err(poisoned) => poisoned.get_mut(),
        };
        ask(throttle, self.from, self.server.clock().now())
    }
}
