//! The addresses from which somebody fetched mail and may send for a while: `open-smtp` (vchkpw(8), clearopensmtp(8)).
//!
//! ```text
//! 192.0.2.7:allow,RELAYCLIENT="",RBLSMTPD=""<TAB>1700000000\n
//! [2001:db8::7]:allow,RELAYCLIENT="",RBLSMTPD=""<TAB>1700000000\n
//! ```
//! What stands before the TAB is a rule of tcprules.

use crate::vpopmail::Service;
use crate::{Flags, Settings};
use mta_core::Unix;
use std::net::{IpAddr, Ipv6Addr};

/// The most addresses that are kept; the oldest go first.
pub const MAX_ADDRESSES: usize = 65_536;
/// The largest file that is read: that many lines of the longest kind.
pub const MAX_FILE: usize = MAX_ADDRESSES * 128;

const RULE: &str = ":allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"";

/// One address and when it was seen last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    address: IpAddr,
    seen: Unix,
}

/// The file's contents, in its order: who was seen last stands last.
///
/// ```
/// use mta_auth::open_smtp::OpenSmtp;
/// use mta_core::Unix;
/// let mut open = OpenSmtp::parse(b"");
/// assert!(open.see("192.0.2.7".parse().unwrap(), Unix(100)));
/// assert!(!open.see("192.0.2.7".parse().unwrap(), Unix(160)));
/// assert_eq!(open.format(), b"192.0.2.7:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t160\n");
/// open.expire(Unix(160 + 600), 10);
/// assert!(open.is_empty(), "exactly as old as the window is too old");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenSmtp(Vec<Line>);

impl OpenSmtp {
    /// Reads the file. A line that is not of the form above lets nobody in and is left out.
    #[must_use]
    pub fn parse(file: &[u8]) -> Self {
        Self(file.split(|&b| b == b'\n').filter_map(parse_line).collect())
    }

    /// Writes the file.
    #[must_use]
    pub fn format(&self) -> Vec<u8> {
        let line = |line: &Line| format!("{}\t{}\n", rule(line.address), line.seen.0);
        self.0.iter().map(line).collect::<String>().into_bytes()
    }

    /// Notes that somebody logged in from an address; tells whether it is new, so that the rules
    /// change.
    pub fn see(&mut self, address: IpAddr, now: Unix) -> bool {
        let address = address.to_canonical();
        let before = self.0.len();
        self.0.retain(|line| line.address != address);
        let new = self.0.len() == before;
        self.0.push(Line { address, seen: now });
        let surplus = self.0.len().saturating_sub(MAX_ADDRESSES);
        self.0.drain(..surplus);
        new
    }

    /// Forgets whom nobody has seen for so many minutes, and whom somebody claims to have seen
    /// more than a day ahead of `now`.
    pub fn expire(&mut self, now: Unix, minutes: u64) {
        self.0.retain(|line| is_within(line.seen, now, minutes));
    }

    /// Tells whether nobody is there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The addresses with the moment at which each was seen last, in the file's order.
    pub fn addresses(&self) -> impl DoubleEndedIterator<Item = (IpAddr, Unix)> {
        self.0.iter().map(|line| (line.address, line.seen))
    }

    /// Appends the rules to those of an administrator; of two for one address the first wins, and
    /// that is his.
    #[must_use]
    pub fn rules_after(&self, rules: &[u8]) -> Vec<u8> {
        let mut all = rules.to_vec();
        if !all.is_empty() && !all.ends_with(b"\n") {
            all.push(b'\n');
        }
        for line in &self.0 {
            all.extend_from_slice(rule(line.address).as_bytes());
            all.push(b'\n');
        }
        all
    }
}

/// Tells whether somebody who was seen at that moment may still send. A moment more than a day
/// ahead of `now` is nobody's.
#[must_use]
pub fn is_within(seen: Unix, now: Unix, minutes: u64) -> bool {
    let window = minutes.saturating_mul(60);
    let future = now.0.saturating_add(24 * 60 * 60);
    seen.0.saturating_add(window) > now.0 && seen.0 <= future
}

/// Tells whether a login lets the client's address send for a while: where the installation wants
/// that, mail was fetched, and the account, with its domain's limits, may send to anywhere. What
/// the address must be is [`is_openable`].
///
/// ```
/// use mta_auth::open_smtp::opens;
/// use mta_auth::vpopmail::Service;
/// use mta_auth::{Flags, Settings};
/// let settings = Settings::parse(b"roaming-users=y").unwrap();
/// assert!(opens(&settings, Flags::default(), Service::Pop));
/// assert!(!opens(&settings, Flags::NO_RELAY, Service::Pop));
/// assert!(!opens(&settings, Flags::default(), Service::Smtp));
/// ```
#[must_use]
pub fn opens(settings: &Settings, flags: Flags, service: Service) -> bool {
    settings.roaming_users && service != Service::Smtp && !flags.contains(Flags::NO_RELAY)
}

/// Tells whether a login from there opens anything: nobody else sends from loopback, and an
/// unspecified or a multicast address is nobody's.
#[must_use]
pub fn is_openable(address: IpAddr) -> bool {
    let address = address.to_canonical();
    !address.is_loopback() && !address.is_unspecified() && !address.is_multicast()
}

fn rule(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}{RULE}"),
        IpAddr::V6(address) => format!("[{address}]{RULE}"),
    }
}

fn parse_line(line: &[u8]) -> Option<Line> {
    let line = std::str::from_utf8(line).ok()?;
    let (rule, seen) = line.split_once('\t')?;
    let address = rule.strip_suffix(RULE)?;
    let address = match address.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.into(),
        None => IpAddr::V4(address.parse().ok()?),
    };
    let seen = Unix(seen.trim_end().parse().ok()?);
    Some(Line { address, seen })
}
