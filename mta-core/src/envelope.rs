//! The envelope of a message with what SMTP extensions add to it (RFC 5321 §2.3.1, RFC 3461, RFC 6531).

use crate::Address;

/// Who sent a message and who is to have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The reverse-path; null for bounces.
    pub reverse_path: Address,
    /// The forward-paths in the order given.
    pub recipients: Vec<Recipient>,
    /// What MAIL's parameters said.
    pub params: MailParams,
}

/// One forward-path with its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// The forward-path.
    pub address: Address,
    /// What RCPT's parameters said.
    pub params: RcptParams,
}

impl From<Address> for Recipient {
    fn from(address: Address) -> Self {
        Self {
            address,
            params: RcptParams::default(),
        }
    }
}

/// Parameters of MAIL that a message keeps on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParams {
    /// `BODY=8BITMIME` (RFC 6152) or `BODY=BINARYMIME`; `None` where nothing was said.
    pub body: Option<Body>,
    /// `SMTPUTF8` (RFC 6531 §3.4).
    pub smtputf8: bool,
    /// `RET=` (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// `ENVID=` in its xtext form (RFC 3461 §4.4).
    pub envid: Option<Vec<u8>>,
}

/// The kind of bytes a body holds (RFC 6152 §3).
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 6152 and RFC 3030 name these and no others"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// `7BIT`.
    SevenBit,
    /// `8BITMIME`.
    EightBit,
}

/// What a delivery status notification returns of the message (RFC 3461 §4.3).
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 3461 names these two and no others"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// `FULL`.
    Full,
    /// `HDRS`.
    Headers,
}

/// Parameters of RCPT that a recipient keeps on its way (RFC 3461 §4.1, §4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RcptParams {
    /// `NOTIFY=`; `None` where nothing was said.
    pub notify: Option<Notify>,
    /// `ORCPT=` as given, `addr-type;xtext`.
    pub orcpt: Option<Vec<u8>>,
}

/// When a recipient's fate is to be reported (RFC 3461 §4.1); all false is `NEVER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// `SUCCESS`.
    pub success: bool,
    /// `FAILURE`.
    pub failure: bool,
    /// `DELAY`.
    pub delay: bool,
}
