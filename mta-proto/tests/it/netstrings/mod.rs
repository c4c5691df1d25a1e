//! Netstrings and the protocols made of them: QMTP and QMQP, both roles (qmail-qmtpd(8), qmail-qmqpd(8)).

mod client;
mod codec;
mod hostile;
pub(crate) mod oracle;
mod pair;
mod qmqp_server;
mod qmtp_server;
mod times;

use mta_proto::netstring::encode;

/// A netstring.
fn ns(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(bytes.as_ref(), &mut out);
    out
}

/// A QMTP package; `message` begins with its encoding.
fn qmtp(message: &str, sender: &str, recipients: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = recipients.iter().flat_map(ns).collect();
    [ns(message), ns(sender), ns(list)].concat()
}

/// A QMQP package.
fn qmqp(message: &str, sender: &str, recipients: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = recipients.iter().flat_map(ns).collect();
    ns([ns(message), ns(sender), list].concat())
}

/// A trace as lines.
fn lines(seen: &[oracle::Seen]) -> Vec<String> {
    seen.iter().map(|seen| format!("{seen:?}")).collect()
}
