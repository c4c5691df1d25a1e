//! QMTP, the quick mail transfer protocol, as machines for both roles (qmail-qmtpd(8), cr.yp.to/proto/qmtp.txt).
//!
//! ```abnf
//! package    = netstring(message) netstring(sender) netstring(*netstring(recipient))
//! message    = ( LF / CR ) *OCTET        ; LF: its lines end in LF; CR: they end in CRLF
//! response   = netstring(( "K" / "Z" / "D" ) text)   ; one for each recipient, in their order
//! ```
//! A connection carries packages until the client closes it; a client need not wait for responses
//! before it sends the next package.

pub mod client;
pub(crate) mod response;
pub mod server;

/// How the lines of a message end on the wire: the first byte of the message says it.
#[expect(
    clippy::exhaustive_enums,
    reason = "the protocol has these two encodings"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// LF, as queues keep it; every byte stands for itself.
    #[default]
    Lf,
    /// CRLF.
    Crlf,
}

impl Encoding {
    /// The byte that says it.
    #[must_use]
    pub const fn mark(self) -> u8 {
        match self {
            Self::Lf => b'\n',
            Self::Crlf => b'\r',
        }
    }

    /// What a first byte says.
    #[must_use]
    pub const fn from_mark(mark: u8) -> Option<Self> {
        match mark {
            b'\n' => Some(Self::Lf),
            b'\r' => Some(Self::Crlf),
            _ => None,
        }
    }
}
