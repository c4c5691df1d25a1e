//! How SMTP and POP3 carry SASL: base64 on a line, and a list of names that says nothing here (RFC 4954 §4, RFC 5034 §4).
//!
//! What the bytes mean is for whoever answers the questions; this crate hands them on unseen.

use base64ct::{Base64, Encoding as _};
use std::fmt;
use std::sync::Arc;

/// The longest line of an exchange with its CRLF (RFC 4954 §4, RFC 5034 §4).
pub const LINE_MAX: usize = 12_288;

/// What a peer said in an exchange, decoded; no log shows it.
///
/// ```
/// use mta_proto::sasl::Message;
/// let message = Message::decode(b"AGpvZQBzZXNhbWU=").unwrap();
/// assert_eq!(message.expose(), b"\0joe\0sesame");
/// assert_eq!(format!("{message:?}"), "Message(..)");
/// assert!(Message::decode(b"AGpvZQ").is_none());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    /// Decodes a line; `None` where it is not base64 with its padding. An empty line is an empty
    /// message.
    #[must_use]
    pub fn decode(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?;
        Base64::decode_vec(text).ok().map(Self)
    }

    /// Decodes what stands behind the mechanism's name, where `=` is an empty message
    /// (RFC 4954 §4).
    #[must_use]
    pub fn decode_initial(word: &[u8]) -> Option<Self> {
        match word {
            b"=" => Some(Self(Vec::new())),
            b"" => None,
            word => Self::decode(word),
        }
    }

    /// Encodes bytes for a line.
    #[must_use]
    pub fn encode(bytes: &[u8]) -> String {
        Base64::encode_string(bytes)
    }

    /// The bytes themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message(..)")
    }
}

/// Which mechanisms a session offers now.
///
/// ```
/// use mta_proto::sasl::Offer;
/// let offer = Offer::mechanisms(["PLAIN", "LOGIN"]);
/// assert_eq!(offer.list(), Some("PLAIN LOGIN".to_owned()));
/// assert_eq!(Offer::None.list(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "none, not yet, or some")]
pub enum Offer {
    /// None: the command is not known.
    #[default]
    None,
    /// None before TLS is on.
    NeedsTls,
    /// These, in this order.
    Mechanisms(Arc<[&'static str]>),
}

impl Offer {
    /// Offers some.
    pub fn mechanisms(names: impl IntoIterator<Item = &'static str>) -> Self {
        Self::Mechanisms(names.into_iter().collect())
    }

    /// The names as capability lists show them, if there are any.
    #[must_use]
    pub fn list(&self) -> Option<String> {
        match self {
            Self::Mechanisms(names) if !names.is_empty() => Some(names.join(" ")),
            _ => None,
        }
    }

    /// The registered spelling of a name that is offered.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&'static str> {
        let Self::Mechanisms(names) = self else {
            return None;
        };
        let mut names = names.iter();
        names
            .find(|offered| offered.as_bytes().eq_ignore_ascii_case(name))
            .copied()
    }
}

/// The kind of question that every step of an exchange is.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthStep;
