//! DNS questions and answers as mail needs them, free of any wire format (RFC 1035, RFC 5321 §5).

use std::net::{Ipv4Addr, Ipv6Addr};

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query {
    /// The owner name in lower case, without a trailing dot.
    pub name: String,
    /// The record type wanted.
    pub kind: Kind,
}

/// The record types that are asked for.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Mail exchanger.
    Mx,
    /// Text.
    Txt,
    /// Reverse name.
    Ptr,
}

/// One answering record; CNAMEs were followed before.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// Mail exchanger; an empty `host` is the root, hence a null MX (RFC 7505).
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// Its name in lower case, without a trailing dot.
        host: String,
    },
    /// Character strings, joined.
    Txt(Vec<u8>),
    /// Reverse name.
    Ptr(String),
}

/// What a look-up came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Records of the kind asked for, at least one.
    Records(Vec<Record>),
    /// The name exists, but has no record of that kind.
    NoData,
    /// The name does not exist.
    NoName,
    /// No usable answer now; trying later may help. The text says what happened.
    Failed(String),
}
