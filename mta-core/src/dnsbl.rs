//! Lists of addresses in DNS: what is asked about a client, and what the answers come to (RFC 5782, rblsmtpd(1), spec §9.4).
//!
//! ```text
//!   sources, in order ──► Check ──► Query ──► resolver ──► Check::answered ──► … ──► Ruling
//! ```
//!
//! ```
//! use mta_core::dns::{Answer, Record};
//! use mta_core::dnsbl::{Check, Next, Ruling, Source, Strictness};
//! let sources = [Source::deny("bl.example", Strictness::default())];
//! let mut check = Check::new(&sources, "192.0.2.7".parse()?);
//! let Next::Ask(query) = check.next() else { panic!() };
//! assert_eq!(query.name, "7.2.0.192.bl.example");
//! check.answered(&Answer::Records(vec![Record::Txt(b"listed".to_vec())]));
//! let Next::Done(Ruling::Refused(refusal)) = check.next() else { panic!() };
//! assert_eq!((refusal.code(), &refusal.text[..]), (451, &b"listed"[..]));
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

use crate::dns::{Answer, Kind, Query, Record};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

/// The most bytes of a refusal's text.
pub const TEXT_MAX: usize = 200;
/// What a client is told where a list does not answer and that counts against it.
const NO_ANSWER: &str = "temporary RBL lookup error";

/// How a source counts: what its refusals are, and what its silence is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "these two are all that rblsmtpd's options say"
)]
pub struct Strictness {
    /// What its refusals are.
    pub class: Class,
    /// What a failed look-up means.
    pub failure: Failure,
}

/// Whether a refused client may come again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two")]
pub enum Class {
    /// 451: it tries again, and may be off the list by then.
    #[default]
    Temporary,
    /// 553: it gives up.
    Permanent,
}

/// What a failed look-up means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two")]
pub enum Failure {
    /// The client is let in: not on a list that denies, on one that allows.
    #[default]
    Open,
    /// It is not: refused for now by a list that denies, not on one that allows.
    Closed,
}

/// One list.
///
/// ```
/// use mta_core::dnsbl::{Source, Strictness};
/// let source = Source::deny("bl.example:see http://bl.example/?%IP%", Strictness::default());
/// assert_eq!(source.base(), "bl.example");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    base: String,
    effect: Effect,
    strictness: Strictness,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect {
    Allow,
    /// Who has a TXT record is refused with it.
    DenyByText,
    /// Who has an A record is refused with this.
    DenyByAddress(String),
}

impl Source {
    /// A list whose clients are let in.
    #[must_use]
    pub fn allow(base: &str, strictness: Strictness) -> Self {
        Self {
            base: clean(base),
            effect: Effect::Allow,
            strictness,
        }
    }

    /// A list whose clients are refused. With `base:text` its A records decide, and clients are
    /// told the text, `%IP%` in it being their address; without, its TXT records do both.
    #[must_use]
    pub fn deny(base: &str, strictness: Strictness) -> Self {
        let (base, effect) = match base.split_once(':') {
            Some((base, text)) => (base, Effect::DenyByAddress(text.to_owned())),
            None => (base, Effect::DenyByText),
        };
        Self {
            base: clean(base),
            effect,
            strictness,
        }
    }

    /// The name below which its records stand.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    const fn kind(&self) -> Kind {
        match self.effect {
            Effect::Allow | Effect::DenyByAddress(_) => Kind::A,
            Effect::DenyByText => Kind::Txt,
        }
    }
}

fn clean(base: &str) -> String {
    base.trim_matches('.').to_ascii_lowercase()
}

/// What becomes of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a client is let in or not")]
pub enum Ruling {
    /// It is let in.
    Accepted,
    /// It is not.
    Refused(Refusal),
}

/// Why a client is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Whether it may come again.
    pub class: Class,
    /// What it is told: printable ASCII, at most [`TEXT_MAX`] bytes.
    pub text: Vec<u8>,
    /// The list that said so; `None` for a variable.
    pub base: Option<String>,
}

impl Refusal {
    fn new(class: Class, text: &[u8], base: Option<&str>) -> Self {
        let shown = text.iter().take(TEXT_MAX).map(|&byte| match byte {
            32..=126 => byte,
            _ => b'?',
        });
        Self {
            class,
            text: shown.collect(),
            base: base.map(str::to_owned),
        }
    }

    /// 451 or 553.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self.class {
            Class::Temporary => 451,
            Class::Permanent => 553,
        }
    }
}

impl Ruling {
    /// Reads RBLSMTPD: empty, the client is let in; else it is refused with this text, for good
    /// where a hyphen stands before it.
    ///
    /// ```
    /// use mta_core::dnsbl::Ruling;
    /// assert_eq!(Ruling::from_variable(b""), Ruling::Accepted);
    /// let Ruling::Refused(refusal) = Ruling::from_variable(b"-go away") else { panic!() };
    /// assert_eq!((refusal.code(), &refusal.text[..]), (553, &b"go away"[..]));
    /// ```
    #[must_use]
    pub fn from_variable(value: &[u8]) -> Self {
        match value {
            [] => Self::Accepted,
            [b'-', text @ ..] => Self::Refused(Refusal::new(Class::Permanent, text, None)),
            text => Self::Refused(Refusal::new(Class::Temporary, text, None)),
        }
    }
}

/// What to do next in a [`Check`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle both")]
pub enum Next {
    /// Look this up, and give the answer to [`Check::answered`].
    Ask(Query),
    /// It is decided.
    Done(Ruling),
}

/// Goes through the lists for one client; the first that has something to say decides.
///
/// A failed look-up makes the refusals of later lists temporary, whatever they are otherwise.
#[derive(Clone, Debug)]
pub struct Check<'a> {
    sources: std::slice::Iter<'a, Source>,
    current: Option<&'a Source>,
    address: IpAddr,
    failed: bool,
    ruling: Option<Ruling>,
}

impl<'a> Check<'a> {
    /// Begins with the first list.
    #[must_use]
    pub fn new(sources: &'a [Source], address: IpAddr) -> Self {
        let mut sources = sources.iter();
        Self {
            current: sources.next(),
            sources,
            address: address.to_canonical(),
            failed: false,
            ruling: None,
        }
    }

    /// Says what to do next; the same until there is an answer.
    #[must_use]
    pub fn next(&self) -> Next {
        match (&self.ruling, self.current) {
            (Some(ruling), _) => Next::Done(ruling.clone()),
            (None, None) => Next::Done(Ruling::Accepted),
            (None, Some(source)) => Next::Ask(Query {
                name: question(self.address, &source.base),
                kind: source.kind(),
            }),
        }
    }

    /// Takes the answer to what [`next`](Self::next) asked.
    pub fn answered(&mut self, answer: &Answer) {
        if self.ruling.is_some() {
            return;
        }
        let Some(source) = self.current else { return };
        let listed = match answer {
            Answer::Records(records) => self.listed(source, records),
            Answer::NoData | Answer::NoName => Listed::No,
            Answer::Failed(_) => Listed::Unknown,
        };
        self.ruling = self.rule(source, listed);
        self.current = self.sources.next();
    }

    fn listed(&self, source: &Source, records: &[Record]) -> Listed {
        match &source.effect {
            Effect::Allow => Listed::Yes(Vec::new()),
            Effect::DenyByText => {
                let mut texts = records.iter().filter_map(|record| match record {
                    Record::Txt(text) => Some(text.clone()),
                    _ => None,
                });
                texts.next().map_or(Listed::No, Listed::Yes)
            }
            Effect::DenyByAddress(text) => {
                let mut addresses = records.iter().filter_map(|record| match record {
                    Record::A(address) => Some(*address),
                    _ => None,
                });
                let told = || text.replace("%IP%", &self.address.to_string()).into_bytes();
                match addresses.next() {
                    None => Listed::No,
                    Some(first) if is_verdict(first) => Listed::Yes(told()),
                    Some(_) => Listed::Unknown,
                }
            }
        }
    }

    fn rule(&mut self, source: &Source, listed: Listed) -> Option<Ruling> {
        let Strictness { class, failure } = source.strictness;
        let allows = source.effect == Effect::Allow;
        let refusal = |class, text: &[u8]| {
            Some(Ruling::Refused(Refusal::new(
                class,
                text,
                Some(&source.base),
            )))
        };
        match listed {
            Listed::No => None,
            Listed::Yes(_) if allows => Some(Ruling::Accepted),
            Listed::Yes(text) if self.failed => refusal(Class::Temporary, &text),
            Listed::Yes(text) => refusal(class, &text),
            Listed::Unknown => {
                self.failed = true;
                match (allows, failure) {
                    (true, Failure::Open) => Some(Ruling::Accepted),
                    (false, Failure::Closed) => refusal(Class::Temporary, NO_ANSWER.as_bytes()),
                    (true, Failure::Closed) | (false, Failure::Open) => None,
                }
            }
        }
    }
}

/// What a list says.
enum Listed {
    No,
    /// With the text for the client.
    Yes(Vec<u8>),
    Unknown,
}

/// Addresses outside 127.0.0.0/8 come from a list that is gone and whose name answers anything
/// (RFC 5782 §2.1); in 127.255.255.0/24 lists say that they do not answer us.
const fn is_verdict(address: Ipv4Addr) -> bool {
    !matches!(address.octets(), [127, 255, 255, _]) && address.is_loopback()
}

/// The name that stands for an address below a base (RFC 5782 §2.1, §2.4).
#[must_use]
pub fn question(address: IpAddr, base: &str) -> String {
    let mut name = String::new();
    // Writing to a String cannot fail.
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            for octet in v4.octets().iter().rev() {
                let _ = write!(name, "{octet}.");
            }
        }
        IpAddr::V6(v6) => {
            for octet in v6.octets().iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
            }
        }
    }
    name + base
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

    /// Name, lists, their answers, what becomes of the client, and how many were asked.
    type Row<'a> = (&'a str, Vec<Source>, Vec<&'a Answer>, &'a str, usize);

    fn strict(class: Class, failure: Failure) -> Strictness {
        Strictness { class, failure }
    }

    fn outcome(sources: &[Source], answers: &[&Answer]) -> (String, usize) {
        let mut check = Check::new(sources, CLIENT);
        for (asked, answer) in answers.iter().enumerate() {
            if let Next::Done(_) = check.next() {
                return (said(&check), asked);
            }
            check.answered(answer);
        }
        (said(&check), answers.len())
    }

    fn said(check: &Check<'_>) -> String {
        match check.next() {
            Next::Ask(query) => format!("ask {}", query.name),
            Next::Done(Ruling::Accepted) => "in".to_owned(),
            Next::Done(Ruling::Refused(refusal)) => {
                let text = String::from_utf8(refusal.text.clone()).unwrap();
                format!("{} {text}", refusal.code())
            }
        }
    }

    #[test]
    fn the_first_list_that_says_something_decides() {
        let open = strict(Class::Permanent, Failure::Open);
        let closed = strict(Class::Permanent, Failure::Closed);
        let listed = Answer::Records(vec![Record::Txt(b"bad".to_vec())]);
        let known = Answer::Records(vec![Record::A(Ipv4Addr::new(127, 0, 0, 2))]);
        let parked = Answer::Records(vec![Record::A(Ipv4Addr::new(203, 0, 113, 1))]);
        let unwilling = Answer::Records(vec![Record::A(Ipv4Addr::new(127, 255, 255, 254))]);
        let (no, silent) = (Answer::NoName, Answer::Failed("late".to_owned()));
        let deny = |strictness| Source::deny("d.example", strictness);
        let allow = |strictness| Source::allow("a.example", strictness);
        let text = |strictness| Source::deny("t.example:see %IP%", strictness);
        #[rustfmt::skip]
        let rows: [Row<'_>; 15] = [
            ("no list", vec![], vec![], "in", 0),
            ("not listed", vec![deny(open)], vec![&no], "in", 1),
            ("listed", vec![deny(open)], vec![&listed], "553 bad", 1),
            ("listed, temporary", vec![deny(Strictness::default())], vec![&listed], "451 bad", 1),
            ("allowed before", vec![allow(open), deny(open)], vec![&known, &listed], "in", 1),
            ("not allowed", vec![allow(open), deny(open)], vec![&no, &listed], "553 bad", 2),
            ("silent, open", vec![deny(open)], vec![&silent], "in", 1),
            ("silent, closed", vec![deny(closed)], vec![&silent], "451 temporary RBL lookup error", 1),
            ("silent allows, open", vec![allow(open), deny(open)], vec![&silent, &listed], "in", 1),
            ("silent allows, closed", vec![allow(closed), deny(open)], vec![&silent, &listed], "451 bad", 2),
            ("silent, then listed", vec![deny(open), deny(open)], vec![&silent, &listed], "451 bad", 2),
            ("own text", vec![text(open)], vec![&known], "553 see 192.0.2.7", 1),
            ("own text, a parked name", vec![text(open)], vec![&parked], "in", 1),
            ("own text, a parked name, closed", vec![text(closed)], vec![&parked], "451 temporary RBL lookup error", 1),
            ("own text, we may not ask", vec![text(open)], vec![&unwilling], "in", 1),
        ];
        for (name, sources, answers, expected, asked) in rows {
            let found = outcome(&sources, &answers);
            assert_eq!(found, (expected.to_owned(), asked), "{name}");
        }
    }

    #[test]
    fn texts_are_short_and_printable() {
        let Ruling::Refused(refusal) = Ruling::from_variable(b"-a\tb\r\n\xc3") else {
            panic!("expected a refusal");
        };
        assert_eq!(refusal.text, b"a?b???");
        let Ruling::Refused(refusal) = Ruling::from_variable(&[b'x'; 300]) else {
            panic!("expected a refusal");
        };
        assert_eq!((refusal.code(), refusal.text.len()), (451, TEXT_MAX));
    }

    #[test]
    fn names_are_as_lists_have_them() {
        let v6 = question("2001:db8::1".parse().unwrap(), "bl.example");
        assert_eq!(
            v6,
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example"
        );
        assert_eq!(
            question("::ffff:192.0.2.1".parse().unwrap(), "x"),
            "1.2.0.192.x"
        );
    }
}
