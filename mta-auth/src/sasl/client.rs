//! The client's side of an exchange: which mechanism, and what to say next (RFC 4422 §3, RFC 4954 §4).

use super::scram;
use super::{ChannelBinding, Fresh, MAX_MESSAGE, Mechanism, Secret, cram_md5_digest, plain};

/// Who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers build it")]
pub struct Credentials {
    /// The name.
    pub name: String,
    /// The clear password.
    pub password: Secret,
}

/// Why an exchange does not go on. The server's fault, except where its settings are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The challenge is none of the mechanism's.
    #[error("a challenge of the mechanism was expected")]
    Malformed,
    /// The server did not prove that it knows the account: it may be somebody else.
    #[error("a server that proves that it knows the account was expected")]
    Server,
    /// The server asks for too little work to be safe or for too much to be meant well.
    #[error("iterations within bounds were expected, found {0}")]
    Iterations(u32),
}

/// One login of ours on its way.
///
/// ```
/// use mta_auth::sasl::{Client, Credentials, Fresh, Mechanism, Secret};
/// let joe = Credentials { name: "joe".into(), password: Secret::new("sesame") };
/// let mut client = Client::new(Mechanism::Plain, joe, Fresh::from_random([1; 18]), None);
/// assert_eq!(client.first().unwrap(), b"\0joe\0sesame");
/// assert!(client.accepted().is_ok());
/// ```
#[derive(Debug)]
pub struct Client {
    credentials: Credentials,
    state: State,
}

#[derive(Debug)]
enum State {
    Plain,
    LoginName,
    LoginPassword,
    CramMd5,
    Scram(Box<scram::client::Client>),
    Over,
}

impl Client {
    /// Begins one. The binding counts with [`Mechanism::ScramSha256Plus`] only, and without one
    /// that is as if it was not bound.
    #[must_use]
    pub fn new(
        mechanism: Mechanism,
        credentials: Credentials,
        fresh: Fresh,
        binding: Option<&ChannelBinding>,
    ) -> Self {
        let binding = binding.filter(|_| mechanism == Mechanism::ScramSha256Plus);
        let state = match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginName,
            Mechanism::CramMd5 => State::CramMd5,
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => State::Scram(Box::new(
                scram::client::Client::new(&credentials.name, fresh, binding),
            )),
        };
        Self { credentials, state }
    }

    /// Chooses the strongest of what a server offers. `None` where it offers nothing known, or
    /// nothing that hides the password although others can read the channel.
    #[must_use]
    pub fn choose(offered: &[Mechanism], channel: super::Channel) -> Option<Mechanism> {
        let fits = |mechanism: &Mechanism| match mechanism {
            Mechanism::ScramSha256Plus => channel == super::Channel::BoundTls,
            Mechanism::ScramSha256 | Mechanism::CramMd5 => true,
            Mechanism::Plain | Mechanism::Login => channel != super::Channel::Clear,
        };
        Mechanism::ALL
            .into_iter()
            .find(|mechanism| offered.contains(mechanism) && fits(mechanism))
    }

    /// What to send along with the mechanism's name, where that saves a round trip.
    pub fn first(&mut self) -> Option<Vec<u8>> {
        match &self.state {
            State::Plain => {
                self.state = State::Over;
                let Credentials { name, password } = &self.credentials;
                Some(plain::message(name.as_bytes(), password.expose()))
            }
            State::Scram(client) => Some(client.first()),
            _ => None,
        }
    }

    /// What to answer to a challenge.
    ///
    /// # Errors
    /// Says why the exchange must be given up.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, ClientError> {
        if challenge.len() > MAX_MESSAGE {
            return Err(ClientError::Malformed);
        }
        let name = self.credentials.name.clone().into_bytes();
        let password = self.credentials.password.expose();
        if let State::Scram(client) = &mut self.state {
            return client.respond(challenge, &self.credentials);
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Plain => Ok(plain::message(&name, password)),
            State::LoginName => {
                self.state = State::LoginPassword;
                Ok(name)
            }
            State::LoginPassword => Ok(password.to_vec()),
            State::CramMd5 => {
                let digest = cram_md5_digest(password, challenge);
                Ok([&name, digest.as_bytes()].join(&b' '))
            }
            State::Scram(_) | State::Over => Err(ClientError::Malformed),
        }
    }

    /// Judges a server that says that we are in.
    ///
    /// # Errors
    /// [`ClientError::Server`] where it did not prove what its mechanism lets it prove.
    pub fn accepted(&self) -> Result<(), ClientError> {
        match &self.state {
            State::Scram(client) if !client.is_proved() => Err(ClientError::Server),
            State::LoginName | State::LoginPassword | State::CramMd5 => Err(ClientError::Malformed),
            _ => Ok(()),
        }
    }
}
