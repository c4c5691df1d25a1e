//! Which connections may serve which deliveries: same address, same demands on TLS (RFC 3207 §4.1).

use driver::tls::Trust;
use mta_core::mx::Target;
use mta_core::tls_level::Level;
use mta_proto::smtp::client::Tls;
use std::fmt;
use std::net::SocketAddr;

/// An address with what is demanded of it. Only a connection of an equal line serves again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Line {
    pub(super) address: SocketAddr,
    pub(super) level: Level,
    /// The host as DNS or smtproutes name it: whoever must prove its name must prove this one.
    pub(super) host: String,
}

impl Line {
    pub(super) fn new(target: &Target, level: Level) -> Self {
        Self {
            address: SocketAddr::new(target.address, target.port),
            level,
            host: target.name.clone(),
        }
    }

    /// What the conversation is to do about STARTTLS.
    pub(super) const fn wanted(&self) -> Tls {
        match self.level {
            Level::None => Tls::Never,
            Level::May => Tls::WhenOffered,
            Level::Encrypt | Level::Verify => Tls::Required,
        }
    }

    pub(super) const fn trust(&self) -> Trust {
        match self.level {
            Level::Verify => Trust::Name,
            Level::None | Level::May | Level::Encrypt => Trust::Anyone,
        }
    }
}

/// What a delivery says of the host's name: `verified as mx.example.org`
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trust() {
            Trust::Name => write!(f, "verified as {}", self.host),
            Trust::Anyone => f.write_str("not verified"),
        }
    }
}
