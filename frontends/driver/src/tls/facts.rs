//! What is known of a TLS stream once its handshake is done: for the Received line, the log and channel binding (RFC 8446, RFC 9266).

use rustls::{CommonState, ProtocolVersion};
use std::fmt;

/// A finished handshake.
#[derive(Clone, PartialEq, Eq)]
pub struct Facts {
    version: &'static str,
    cipher: String,
    server_name: Option<String>,
    exporter: Option<[u8; 32]>,
}

/// What binds a login to this stream is not shown.
impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("version", &self.version)
            .field("cipher", &self.cipher)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// `TLSv1.3 TLS_AES_256_GCM_SHA384`
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.cipher)
    }
}

impl Facts {
    pub(super) fn new(
        state: &CommonState,
        server_name: Option<String>,
        exporter: Option<[u8; 32]>,
    ) -> Self {
        let version = match state.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let suite = state.negotiated_cipher_suite().map(|suite| suite.suite());
        // The registry's names of TLS 1.3's suites have no version in them.
        let cipher = suite.map_or_else(String::new, |suite| {
            format!("{suite:?}").replacen("TLS13_", "TLS_", 1)
        });
        Self {
            version,
            cipher,
            server_name,
            exporter: exporter.filter(|_| version == "TLSv1.3"),
        }
    }

    /// `TLSv1.2` or `TLSv1.3`.
    #[must_use]
    pub const fn version(&self) -> &'static str {
        self.version
    }

    /// The cipher suite by its registered name.
    #[must_use]
    pub fn cipher(&self) -> &str {
        &self.cipher
    }

    /// The host that the client asked for.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The bytes of `tls-exporter`, the channel binding of TLS 1.3 (RFC 9266 §2).
    #[must_use]
    pub const fn exporter(&self) -> Option<&[u8; 32]> {
        self.exporter.as_ref()
    }
}
