//! What a server offered in its reply to EHLO (RFC 5321 §4.1.1.1).

use crate::smtp::reply_parser::RemoteReply;

/// The extensions that matter to a client; all off after HELO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// EHLO was accepted.
    pub esmtp: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870) and the largest message taken; 0 where the server named no limit.
    pub size: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
}

impl Extensions {
    /// Reads the lines of a positive reply to EHLO; unknown keywords are skipped.
    ///
    /// ```abnf
    /// ehlo-line    = ehlo-keyword *( SP ehlo-param )
    /// ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
    /// ```
    #[must_use]
    pub fn from_ehlo(reply: &RemoteReply) -> Self {
        let mut found = Self {
            esmtp: true,
            ..Self::default()
        };
        for line in reply.lines().skip(1) {
            let mut words = line.split(|&b| b == b' ').filter(|w| !w.is_empty());
            if let Some(keyword) = words.next() {
                found.note(&keyword.to_ascii_uppercase(), words.next());
            }
        }
        found
    }

    fn note(&mut self, keyword: &[u8], parameter: Option<&[u8]>) {
        match keyword {
            b"PIPELINING" => self.pipelining = true,
            b"SIZE" => self.size = Some(parameter.map_or(0, number)),
            b"8BITMIME" => self.eight_bit_mime = true,
            b"SMTPUTF8" => self.smtputf8 = true,
            b"DSN" => self.dsn = true,
            b"STARTTLS" => self.starttls = true,
            _ => {}
        }
    }
}

/// Reads a decimal number; 0, hence no limit, where it is none or too large to matter.
fn number(digits: &[u8]) -> u64 {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    text.parse().unwrap_or(0)
}
