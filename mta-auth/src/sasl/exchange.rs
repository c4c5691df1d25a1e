//! The server's side of one exchange (RFC 4422 §3, RFC 5802 §5).
//!
//! ```text
//! begin ──► Challenge ──respond──► Challenge … ──► Ask ──answer──► Challenge or Done
//! ```
//! Every path ends after a fixed number of steps, whatever the peer says.

use super::scram::{self, ChannelBinding, ScramKeys};
use super::{Fresh, MAX_MESSAGE, MAX_NAME, Mechanism, Secret, cram_md5, plain};

/// What an exchange is begun with.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers build it")]
pub struct Start<'a> {
    /// What the client asked for; its owner has checked that it is offered.
    pub mechanism: Mechanism,
    /// What the client said along with that.
    pub initial: Option<&'a [u8]>,
    /// Random bytes.
    pub fresh: Fresh,
    /// Our name, for challenges.
    pub host: &'a str,
    /// What the channel can be bound to; with at least one of them -PLUS was offered.
    pub bindings: &'a [ChannelBinding],
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an owner must handle every step")]
pub enum Step {
    /// Send this to the client, and give what it says to [`Exchange::respond`].
    Challenge(Vec<u8>),
    /// Find this out, and tell [`Exchange::answer`].
    Ask(Question),
    /// It is over.
    Done(Exchanged),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an owner must handle both")]
pub enum Exchanged {
    /// The client is who it says; the name is as it wrote it.
    Accepted(Vec<u8>),
    /// It is not let in; the name if one was told, for the log.
    Refused(Reason, Option<Vec<u8>>),
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// A message that the mechanism does not know. The client's fault.
    #[error("a message of the mechanism was expected")]
    Malformed,
    /// The name or the password is wrong.
    #[error("password fail")]
    Credentials,
    /// It wants to act for somebody else.
    #[error("a login for oneself was expected")]
    Authorization,
    /// The channel is not the one that the client sees: somebody is between.
    #[error("an exchange bound to this very channel was expected")]
    ChannelBinding,
    /// It could not be found out now; trying later helps.
    #[error("the account could not be checked now")]
    Unsure,
}

/// What the owner of the exchange has to find out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// Is this the password? [`Answer::Right`] or [`Answer::Wrong`].
    Password {
        /// As the client wrote it.
        name: Vec<u8>,
        /// The clear password.
        password: Secret,
    },
    /// Does this digest belong to that challenge? [`Answer::Right`] or [`Answer::Wrong`].
    Digest {
        /// As the client wrote it.
        name: Vec<u8>,
        /// What was sent.
        challenge: Vec<u8>,
        /// 32 hexadecimal digits, see [`super::cram_md5_digest`].
        digest: Secret,
    },
    /// Which keys does this account have? [`Answer::Keys`]; for one that has none or may not log
    /// in [`ScramKeys::pretended`].
    Keys {
        /// As the client wrote it.
        name: Vec<u8>,
    },
}

/// What was found out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// It belongs to the name.
    Right,
    /// It does not, or there is no such name.
    Wrong,
    /// The keys to go on with.
    Keys(Box<ScramKeys>),
    /// It could not be found out now.
    Unsure,
}

/// One login on its way.
///
/// ```
/// use mta_auth::sasl::{Answer, Exchange, Exchanged, Fresh, Mechanism, Question, Start, Step};
/// let start = Start {
///     mechanism: Mechanism::Plain,
///     initial: Some(b"\0joe@example.org\0sesame"),
///     fresh: Fresh::from_random([7; 18]),
///     host: "mail.example.org",
///     bindings: &[],
/// };
/// let (mut exchange, step) = Exchange::begin(&start);
/// let Step::Ask(Question::Password { name, password }) = step else { panic!() };
/// assert_eq!((&*name, password.expose()), (&b"joe@example.org"[..], &b"sesame"[..]));
/// let done = exchange.answer(Answer::Right);
/// assert_eq!(done, Step::Done(Exchanged::Accepted(name)));
/// ```
#[derive(Debug)]
pub struct Exchange {
    state: State,
    /// The name, once it is known.
    name: Option<Vec<u8>>,
}

#[derive(Debug)]
enum State {
    Plain,
    LoginName,
    LoginPassword,
    CramMd5 {
        challenge: Vec<u8>,
    },
    ScramFirst(scram::Server),
    ScramKeys(scram::Server),
    ScramFinal(scram::Server),
    /// The server's own proof is on its way; the client has to say that it is done.
    ScramProved,
    Asked,
    Over,
}

impl Exchange {
    /// Begins one, and says its first step.
    #[must_use]
    pub fn begin(start: &Start<'_>) -> (Self, Step) {
        let scram = || {
            let bound = start.mechanism == Mechanism::ScramSha256Plus;
            State::ScramFirst(scram::Server::new(bound, start.fresh, start.bindings))
        };
        let (state, challenge) = match start.mechanism {
            Mechanism::Plain => (State::Plain, Vec::new()),
            Mechanism::Login => (State::LoginName, b"Username:".to_vec()),
            Mechanism::CramMd5 => {
                let challenge = cram_md5::challenge(start.fresh, start.host);
                let sent = challenge.clone();
                (State::CramMd5 { challenge }, sent)
            }
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => (scram(), Vec::new()),
        };
        let mut exchange = Self { state, name: None };
        let step = match start.initial {
            None => Step::Challenge(challenge),
            Some(_) if start.mechanism.server_first() => exchange.refuse(Reason::Malformed),
            Some(message) => exchange.respond(message),
        };
        (exchange, step)
    }

    /// Takes what the client said to a challenge.
    pub fn respond(&mut self, message: &[u8]) -> Step {
        if message.len() > MAX_MESSAGE {
            return self.refuse(Reason::Malformed);
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Plain => self.ask(plain::parse(message)),
            State::LoginName => {
                if message.is_empty() || message.len() > MAX_NAME || message.contains(&0) {
                    return self.refuse(Reason::Malformed);
                }
                self.name = Some(message.to_vec());
                self.state = State::LoginPassword;
                Step::Challenge(b"Password:".to_vec())
            }
            State::LoginPassword => {
                let name = self.name.clone().unwrap_or_default();
                self.ask(Ok(Question::Password {
                    name,
                    password: Secret::new(message),
                }))
            }
            State::CramMd5 { challenge } => self.ask(cram_md5::parse(message, challenge)),
            State::ScramFirst(mut server) => {
                let asked = server.first(message).map(|name| Question::Keys { name });
                let step = self.ask(asked);
                if matches!(step, Step::Ask(_)) {
                    self.state = State::ScramKeys(server);
                }
                step
            }
            State::ScramFinal(server) => match server.last(message) {
                Ok(proof) => {
                    self.state = State::ScramProved;
                    Step::Challenge(proof)
                }
                Err(reason) => self.refuse(reason),
            },
            State::ScramProved if message.is_empty() => self.accept(),
            _ => self.refuse(Reason::Malformed),
        }
    }

    /// Takes the answer to a question.
    pub fn answer(&mut self, answer: Answer) -> Step {
        match (std::mem::replace(&mut self.state, State::Over), answer) {
            (State::Asked, Answer::Right) => self.accept(),
            (State::ScramKeys(mut server), Answer::Keys(keys)) => {
                let challenge = server.challenge(*keys);
                self.state = State::ScramFinal(server);
                Step::Challenge(challenge)
            }
            (State::Asked | State::ScramKeys(_), Answer::Unsure) => self.refuse(Reason::Unsure),
            _ => self.refuse(Reason::Credentials),
        }
    }

    fn ask(&mut self, asked: Result<Question, Reason>) -> Step {
        match asked {
            Ok(question) => {
                let (Question::Password { name, .. }
                | Question::Digest { name, .. }
                | Question::Keys { name }) = &question;
                self.name = Some(name.clone());
                self.state = State::Asked;
                Step::Ask(question)
            }
            Err(reason) => self.refuse(reason),
        }
    }

    fn accept(&mut self) -> Step {
        self.state = State::Over;
        Step::Done(match self.name.take() {
            Some(name) => Exchanged::Accepted(name),
            None => Exchanged::Refused(Reason::Malformed, None),
        })
    }

    fn refuse(&mut self, reason: Reason) -> Step {
        self.state = State::Over;
        Step::Done(Exchanged::Refused(reason, self.name.take()))
    }
}
