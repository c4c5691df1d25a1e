//! badmailfrom, badmailto, badhelo, badmailfromnorelay and badmailtonorelay: what is refused at RCPT (qmail-smtpd(8), spec §8.6, §8.7).

use super::{HostSet, Patterns, Unusable};

/// How the lines of these files are meant (the qregex patch).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Matching {
    /// Each line is a POSIX extended regular expression, as [`Patterns`] reads it; one that begins
    /// with `!` refuses what does not match.
    #[default]
    Regex,
    /// Each line is a whole value or, for addresses, `@host`, in any case and without subdomains:
    /// what badmailfrom is without the patch.
    Literal,
}

/// One of these files.
///
/// ```
/// use mta_core::control::{BadList, Matching};
/// let bad = BadList::parse(b"spam@a.example\n@b.example\n^robot[0-9]+@\n");
/// let refuses = |value: &[u8]| bad.refuses(Matching::Regex, value);
/// assert!(refuses(b"SPAM@a.example") && refuses(b"any@B.example") && refuses(b"robot7@c.example"));
/// assert!(refuses(b"any@b.example.org"), "a pattern has no anchor unless it says so");
///
/// let literally = |value: &[u8]| bad.refuses(Matching::Literal, value);
/// assert!(literally(b"any@B.example"));
/// assert!(!literally(b"any@b.example.org") && !literally(b"robot7@c.example"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct BadList {
    lines: HostSet,
    patterns: Patterns,
}

impl BadList {
    /// Reads the file.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self {
            lines: HostSet::parse(text),
            patterns: Patterns::parse(text),
        }
    }

    /// Tells whether an address or a HELO argument is refused. The empty one never is.
    #[must_use]
    pub fn refuses(&self, matching: Matching, value: &[u8]) -> bool {
        self.refusing(matching, value).is_some()
    }

    /// Returns the line that refuses, for the log: of patterns the first, without regard to the
    /// others; of literal lines the one that fits, in lower case.
    #[must_use]
    pub fn refusing(&self, matching: Matching, value: &[u8]) -> Option<&[u8]> {
        if value.is_empty() || self.is_empty() {
            return None;
        }
        match matching {
            Matching::Regex => self.patterns.refusing(value),
            Matching::Literal => {
                let at = value.iter().rposition(|&b| b == b'@');
                let host = at.and_then(|at| value.get(at..));
                let whole = self.lines.find(value);
                whole.or_else(|| host.and_then(|host| self.lines.find(host)))
            }
        }
    }

    /// Returns the lines that are no patterns; as such they refuse nobody.
    #[must_use]
    pub fn unusable(&self) -> &[Unusable] {
        self.patterns.unusable()
    }

    /// Tells whether the file has no lines.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}
