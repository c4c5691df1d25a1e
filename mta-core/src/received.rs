//! Received header lines for SMTP and for the queue, and the hop count (qmail-smtpd(8), RFC 5321 §4.4).

use crate::date::Stamp;

/// The SMTP-side Received field: who handed the message over, to whom, how and when.
///
/// Its parts come from the network, so bytes outside a small set are written as `?`.
///
/// ```
/// use mta_core::{Unix, received::Smtp};
/// let line = Smtp {
///     remote_host: Some(b"mail.example.com"),
///     remote_ip: Some(b"192.0.2.1"),
///     remote_info: None,
///     helo: Some(b"example.com"),
///     local: Some(b"mx.example.org"),
///     with: "ESMTP",
///     tls: None,
///     now: Unix(0).into(),
/// }
/// .line();
/// assert_eq!(
///     line,
///     b"Received: from mail.example.com (HELO example.com) (192.0.2.1)\n  \
///       by mx.example.org with ESMTP; 1 Jan 1970 00:00:00 -0000\n"
/// );
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Smtp<'a> {
    /// The peer's name from the DNS (`TCPREMOTEHOST`).
    pub remote_host: Option<&'a [u8]>,
    /// The peer's address (`TCPREMOTEIP`).
    pub remote_ip: Option<&'a [u8]>,
    /// What the peer's ident service said (`TCPREMOTEINFO`).
    pub remote_info: Option<&'a [u8]>,
    /// The name given with HELO or EHLO; shown where it differs from `remote_host`.
    pub helo: Option<&'a [u8]>,
    /// Our own name (`TCPLOCALHOST`, else `TCPLOCALIP`).
    pub local: Option<&'a [u8]>,
    /// The protocol: `SMTP`, `ESMTP`, `UTF8SMTP` … (RFC 3848, RFC 6531 §4.3).
    pub with: &'a str,
    /// Version and cipher of the stream where it is encrypted, as a comment.
    pub tls: Option<&'a str>,
    /// The time of acceptance.
    pub now: Stamp,
}

const UNKNOWN: &[u8] = b"unknown";

impl Smtp<'_> {
    /// Writes the field with LF line ends.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let mut out = b"Received: from ".to_vec();
        let host = self.remote_host.unwrap_or(UNKNOWN);
        push_safe(&mut out, host);
        if let Some(helo) = self.helo
            && !helo.eq_ignore_ascii_case(host)
        {
            out.extend_from_slice(b" (HELO ");
            push_safe(&mut out, helo);
            out.push(b')');
        }
        out.extend_from_slice(b" (");
        if let Some(info) = self.remote_info {
            push_safe(&mut out, info);
            out.push(b'@');
        }
        push_safe(&mut out, self.remote_ip.unwrap_or(UNKNOWN));
        out.extend_from_slice(b")\n  by ");
        push_safe(&mut out, self.local.unwrap_or(UNKNOWN));
        out.extend_from_slice(b" with ");
        push_safe(&mut out, self.with.as_bytes());
        if let Some(tls) = self.tls {
            let plain = |b: &u8| b.is_ascii_alphanumeric() || b" ._-".contains(b);
            out.extend_from_slice(b" (");
            out.extend(tls.bytes().filter(plain));
            out.push(b')');
        }
        out.extend_from_slice(format!("; {}\n", self.now).as_bytes());
        out
    }
}

fn push_safe(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().map(|&b| match b {
        b'.' | b'@' | b'%' | b'+' | b'/' | b'=' | b':' | b'-' | b'[' | b']' => b,
        _ if b.is_ascii_alphanumeric() => b,
        _ => b'?',
    }));
}

/// How the queue came by a message (qmail-queue(8)).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invoked {
    /// `by alias`
    ByAlias,
    /// `from network`
    FromNetwork,
    /// `for bounce`
    ForBounce,
    /// `by uid N`
    ByUid(u32),
}

/// Writes the line that the queue puts before every message, LF included.
///
/// ```
/// use mta_core::{Unix, received::{Invoked, queue}};
/// assert_eq!(
///     queue(93, Invoked::FromNetwork, Unix(0)),
///     "Received: (qmail 93 invoked from network); 1 Jan 1970 00:00:00 -0000\n"
/// );
/// ```
#[must_use]
pub fn queue(pid: u32, how: Invoked, now: impl Into<Stamp>) -> String {
    let how = match how {
        Invoked::ByAlias => "by alias".to_owned(),
        Invoked::FromNetwork => "from network".to_owned(),
        Invoked::ForBounce => "for bounce".to_owned(),
        Invoked::ByUid(uid) => format!("by uid {uid}"),
    };
    let date: Stamp = now.into();
    format!("Received: (qmail {pid} invoked {how}); {date}\n")
}

/// Counts the hops of a message as its bytes stream past.
///
/// A hop is a header line that begins with `received` or `delivered` in any case, as qmail counts.
/// Line ends are LF or CRLF; the pieces may be cut anywhere.
///
/// ```
/// use mta_core::received::HopCount;
/// let mut hops = HopCount::new();
/// hops.feed(b"Received: one\r\nDeli");
/// hops.feed(b"vered-To: two\n\nReceived: in the body\n");
/// assert_eq!(hops.hops(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct HopCount {
    hops: u32,
    /// How many bytes of the current line were seen, at most `PREFIX_MAX` + 1.
    column: usize,
    prefix: [u8; PREFIX_MAX],
    body: bool,
}

const PREFIX_MAX: usize = 9;

impl HopCount {
    /// Starts before the first header line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the hops counted so far.
    #[must_use]
    pub const fn hops(&self) -> u32 {
        self.hops
    }

    /// Tells whether the empty line that ends the header was seen.
    #[must_use]
    pub const fn in_body(&self) -> bool {
        self.body
    }

    /// Takes the next bytes of the message.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.body {
                return;
            }
            self.byte(byte);
        }
    }

    fn byte(&mut self, byte: u8) {
        if byte == b'\n' {
            let empty =
                self.column == 0 || (self.column == 1 && self.prefix.first() == Some(&b'\r'));
            self.body = empty;
            self.column = 0;
            return;
        }
        if let Some(slot) = self.prefix.get_mut(self.column) {
            *slot = byte.to_ascii_lowercase();
            self.column += 1;
            let received = self.column == 8 && self.prefix.starts_with(b"received");
            let delivered = self.column == 9 && self.prefix == *b"delivered";
            if received || delivered {
                self.hops = self.hops.saturating_add(1);
            }
        } else {
            self.column = PREFIX_MAX + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unix;

    fn smtp<'a>() -> Smtp<'a> {
        Smtp {
            remote_host: None,
            remote_ip: None,
            remote_info: None,
            helo: None,
            local: None,
            with: "SMTP",
            tls: None,
            now: Unix(0).into(),
        }
    }

    #[test]
    fn an_encrypted_stream_is_told_in_a_comment() {
        let mut s = smtp();
        s.with = "ESMTPS";
        s.tls = Some("TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n");
        assert_eq!(
            s.line(),
            b"Received: from unknown (unknown)\n  by unknown with ESMTPS \
              (TLSv1.3 TLS_AES_256_GCM_SHA384); 1 Jan 1970 00:00:00 -0000\n"
        );
    }

    #[test]
    fn missing_parts_read_unknown() {
        assert_eq!(
            smtp().line(),
            b"Received: from unknown (unknown)\n  by unknown with SMTP; 1 Jan 1970 00:00:00 -0000\n"
        );
    }

    #[test]
    fn helo_shows_only_where_it_differs_and_never_injects() {
        let mut s = smtp();
        s.remote_host = Some(b"Mail.example");
        s.helo = Some(b"mail.EXAMPLE");
        assert!(!s.line().windows(4).any(|w| w == b"HELO"));
        s.helo = Some(b"x\r\nBcc: (y) [::1]");
        s.remote_info = Some(b"joe");
        let line = s.line();
        assert!(
            line.windows(30)
                .any(|w| w == b"(HELO x??Bcc:??y??[::1]) (joe@")
        );
        assert_eq!(line.iter().filter(|&&b| b == b'\n').count(), 2);
    }

    #[test]
    fn hops_are_counted_in_the_header_only_and_at_any_cut() {
        let rows: [(&str, &[u8], u32); 6] = [
            ("plain", b"Received: a\nSubject: b\n\n", 1),
            ("no colon needed, any case", b"rEcEiVeDxyz\nDELIVERED\n", 2),
            ("body does not count", b"A: b\n\nReceived: c\n", 0),
            (
                "crlf ends the header too",
                b"A: b\r\n\r\nReceived: c\r\n",
                0,
            ),
            ("not at the line start", b" Received: c\nxReceived: d\n", 0),
            ("short of the word", b"receive\nReceived\n", 1),
        ];
        for (name, text, want) in rows {
            for cut in 0..=text.len() {
                let (a, b) = text.split_at(cut);
                let mut hops = HopCount::new();
                hops.feed(a);
                hops.feed(b);
                assert_eq!(hops.hops(), want, "{name} cut at {cut}");
            }
        }
    }
}
