//! SCRAM-SHA-256 and -PLUS: keys, messages, and both roles (RFC 5802, RFC 7677).

mod keys;
mod message;
mod server;

pub(super) mod client;

pub use keys::{DEFAULT_ITERATIONS, MAX_ITERATIONS, MIN_ITERATIONS, ScramKeys, ScramKeysError};
pub(super) use server::Server;

/// Data that is the same on both ends of one TLS connection and on no other (RFC 5929, RFC 9266).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelBinding {
    /// `tls-exporter` (RFC 9266 §2): 32 bytes that both ends derive; TLS 1.3.
    Exporter(Vec<u8>),
    /// `tls-server-end-point` (RFC 5929 §4): the hash of the server's certificate.
    ServerEndPoint(Vec<u8>),
}

impl ChannelBinding {
    /// The registered name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Exporter(_) => "tls-exporter",
            Self::ServerEndPoint(_) => "tls-server-end-point",
        }
    }

    const fn data(&self) -> &Vec<u8> {
        match self {
            Self::Exporter(data) | Self::ServerEndPoint(data) => data,
        }
    }
}

impl std::fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChannelBinding({})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Credentials, Secret, exchange::Reason};
    use super::*;
    use base64ct::{Base64, Encoding as _};

    const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const PROOF: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn keys() -> ScramKeys {
        let salt = Base64::decode_vec("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        ScramKeys::derive(b"pencil", &salt, 4096).unwrap()
    }

    fn server() -> Server {
        Server::with_nonce("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    }

    #[test]
    fn the_server_speaks_as_in_rfc_7677() {
        let mut server = server();
        assert_eq!(server.first(FIRST.as_bytes()), Ok(b"user".to_vec()));
        assert_eq!(server.challenge(keys()), CHALLENGE.as_bytes());
        assert_eq!(server.last(LAST.as_bytes()), Ok(PROOF.into()));
    }

    #[test]
    fn the_client_speaks_as_in_rfc_7677() {
        let user = Credentials {
            name: "user".to_owned(),
            password: Secret::new("pencil"),
        };
        let mut client = client::Client::with_nonce("user", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(client.first(), FIRST.as_bytes());
        let last = client.respond(CHALLENGE.as_bytes(), &user);
        assert_eq!(last, Ok(LAST.into()));
        assert!(!client.is_proved());
        assert_eq!(client.respond(PROOF.as_bytes(), &user), Ok(Vec::new()));
        assert!(client.is_proved());
    }

    #[test]
    fn last_messages_that_were_changed_are_refused() {
        let rows = [
            (
                "another proof",
                LAST.replace("p=dH", "p=dG"),
                Reason::Credentials,
            ),
            (
                "a short proof",
                LAST.replace("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "dHzb"),
                Reason::Credentials,
            ),
            ("no proof", LAST.replace(",p=", ",q="), Reason::Malformed),
            (
                "another nonce",
                LAST.replace("Ck0", "Ck1").replace("$k0", "$k1"),
                Reason::Malformed,
            ),
            (
                "the flag turned to y",
                LAST.replace("biws", "eSws"),
                Reason::ChannelBinding,
            ),
            (
                "not base64",
                LAST.replace("biws", "bi*s"),
                Reason::Malformed,
            ),
            (
                "an added attribute",
                LAST.replace(",p=", ",x=1,p="),
                Reason::Credentials,
            ),
            ("not UTF-8", LAST.replace("c=biws", "x"), Reason::Malformed),
        ];
        for (name, message, wanted) in rows {
            let mut server = server();
            let _ = server.first(FIRST.as_bytes());
            let _ = server.challenge(keys());
            assert_eq!(server.last(message.as_bytes()), Err(wanted), "{name}");
        }
    }

    #[test]
    fn pretended_keys_are_the_same_each_time_and_match_nothing() {
        let one = ScramKeys::pretended(b"secret", b"Nobody");
        assert_eq!(one, ScramKeys::pretended(b"secret", b"nobody"));
        assert_ne!(one, ScramKeys::pretended(b"secret", b"nobody2"));
        assert_ne!(one, ScramKeys::pretended(b"other", b"nobody"));
        assert_eq!(one.salt.len(), 16);
    }
}
