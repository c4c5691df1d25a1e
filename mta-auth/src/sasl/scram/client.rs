//! The client's side of SCRAM (RFC 5802 §3, §5).

use super::super::{ClientError, Credentials, Fresh};
use super::message::{attribute, is_nonce, quoted};
use super::{ChannelBinding, MAX_ITERATIONS, MIN_ITERATIONS, keys};
use base64ct::{Base64, Encoding as _};
use subtle::ConstantTimeEq;

/// What is kept from one message to the next.
#[derive(Debug)]
pub(in super::super) struct Client {
    header: String,
    data: Vec<u8>,
    nonce: String,
    bare: String,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    First,
    /// What the server has to prove that it knows.
    Proof(keys::Hash),
    Proved,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::First => "First",
            Self::Proof(_) => "Proof(..)",
            Self::Proved => "Proved",
        })
    }
}

impl Client {
    /// `binding` is there for -PLUS only.
    pub(in super::super) fn new(
        name: &str,
        fresh: Fresh,
        binding: Option<&ChannelBinding>,
    ) -> Self {
        let header = binding.map_or_else(|| "n,,".to_owned(), |b| format!("p={},,", b.name()));
        Self::start(name, fresh.text(), header, binding)
    }

    #[cfg(test)]
    pub(super) fn with_nonce(name: &str, nonce: &str) -> Self {
        Self::start(name, nonce.to_owned(), "n,,".to_owned(), None)
    }

    fn start(name: &str, nonce: String, header: String, binding: Option<&ChannelBinding>) -> Self {
        Self {
            header,
            data: binding.map(|b| b.data().clone()).unwrap_or_default(),
            bare: format!("n={},r={nonce}", quoted(name)),
            nonce,
            state: State::First,
        }
    }

    pub(in super::super) fn first(&self) -> Vec<u8> {
        format!("{}{}", self.header, self.bare).into_bytes()
    }

    pub(in super::super) fn respond(
        &mut self,
        challenge: &[u8],
        credentials: &Credentials,
    ) -> Result<Vec<u8>, ClientError> {
        let text = std::str::from_utf8(challenge).map_err(|_| ClientError::Malformed)?;
        match &self.state {
            // The server asks for the first message because it did not come with the command.
            State::First if text.is_empty() => Ok(self.first()),
            State::First => self
                .prove(text, credentials)
                .ok_or(ClientError::Malformed)?,
            State::Proof(wanted) => {
                let given = attribute(text, 'v').map(|(value, _)| Base64::decode_vec(value));
                let given = given.and_then(Result::ok).unwrap_or_default();
                if !bool::from(given.ct_eq(&wanted[..])) {
                    return Err(ClientError::Server);
                }
                self.state = State::Proved;
                Ok(Vec::new())
            }
            State::Proved => Err(ClientError::Malformed),
        }
    }

    pub(in super::super) fn is_proved(&self) -> bool {
        self.state == State::Proved
    }

    /// The inner error is a server that asks for too much or too little work.
    fn prove(
        &mut self,
        text: &str,
        credentials: &Credentials,
    ) -> Option<Result<Vec<u8>, ClientError>> {
        let (nonce, rest) = attribute(text, 'r')?;
        let (salt, rest) = attribute(rest, 's')?;
        let (iterations, _) = attribute(rest, 'i')?;
        let salt = Base64::decode_vec(salt)
            .ok()
            .filter(|salt| !salt.is_empty())?;
        let iterations: u32 = iterations.parse().ok()?;
        if !is_nonce(nonce) || !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return None;
        }
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Some(Err(ClientError::Iterations(iterations)));
        }
        let binding = [self.header.as_bytes(), &self.data].concat();
        let last = format!("c={},r={nonce}", Base64::encode_string(&binding));
        let message = [
            self.bare.as_bytes(),
            b",",
            text.as_bytes(),
            b",",
            last.as_bytes(),
        ];
        let salted = keys::salted(credentials.password.expose(), &salt, iterations);
        let client = keys::hmac(&salted, &[b"Client Key"]);
        let proof = keys::xor(&client, &keys::hmac(&keys::sha256(&client), &message));
        let server = keys::hmac(&salted, &[b"Server Key"]);
        self.state = State::Proof(keys::hmac(&server, &message));
        Some(Ok(
            format!("{last},p={}", Base64::encode_string(&proof)).into_bytes()
        ))
    }
}
