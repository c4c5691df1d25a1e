//! The environment of a program that a .qmail line names (qmail-command(8), spec §6.5).
//!
//! Senders choose these bytes, and the program is run by a shell. So no value holds a NUL, and none
//! begins as a shell function does: unlike qmail, a leading `()` becomes `_)`, because shells that
//! import functions from their environment carry out what follows `() {` (CVE-2014-6271).

use crate::delivered::{delivered_to, from_line, return_path};
use crate::{Address, Unix};

/// A variable and its value; `None` where it must not be set, even if it is inherited.
pub type Variable = (&'static str, Option<Vec<u8>>);

/// What the environment tells about.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Facts<'a> {
    /// The envelope sender.
    pub sender: &'a Address,
    /// The sender of what is forwarded, see [`super::new_sender`].
    pub new_sender: &'a Address,
    /// The recipient, with a virtual domain's prepend.
    pub recipient: &'a Address,
    /// The name of the user whose .qmail file it is.
    pub user: &'a [u8],
    /// That user's home.
    pub home: &'a [u8],
    /// The extension in its own case.
    pub ext: &'a [u8],
    /// What `default` in the .qmail file's name stands for.
    pub default: Option<&'a [u8]>,
    /// When the delivery began.
    pub now: Unix,
}

/// Makes all variables, in the order of qmail-command(8).
///
/// ```
/// use mta_core::{Address, Unix, dotqmail::{Facts, environment}};
/// let (sender, list) = (Address::new("() { x; }@a.example").unwrap(), Address::new("joe-l-add@b.example").unwrap());
/// let facts = Facts {
///     sender: &sender,
///     new_sender: &sender,
///     recipient: &list,
///     user: b"joe",
///     home: b"/home/joe",
///     ext: b"l-add",
///     default: Some(b"add"),
///     now: Unix(0),
/// };
/// let all = environment(&facts);
/// let value = |name| all.iter().find(|(n, _)| *n == name).unwrap().1.clone().unwrap();
/// assert_eq!(value("EXT2"), b"add");
/// assert_eq!(value("HOST2"), b"b");
/// assert_eq!(value("SENDER"), b"_) { x; }@a.example");
/// ```
#[must_use]
pub fn environment(facts: &Facts<'_>) -> Vec<Variable> {
    let host = facts.recipient.domain().unwrap_or_default();
    let host2 = before_last_dot(host);
    let host3 = before_last_dot(host2);
    let ext2 = after_first_dash(facts.ext);
    let ext3 = after_first_dash(ext2);
    let [dtline, rpline, ufline] = [
        delivered_to(facts.recipient),
        return_path(facts.sender),
        from_line(facts.sender, facts.now),
    ];
    let values: [(&'static str, Option<&[u8]>); 18] = [
        ("SENDER", Some(facts.sender.as_bytes())),
        ("NEWSENDER", Some(facts.new_sender.as_bytes())),
        ("RECIPIENT", Some(facts.recipient.as_bytes())),
        ("USER", Some(facts.user)),
        ("HOME", Some(facts.home)),
        ("HOST", Some(host)),
        ("HOST2", Some(host2)),
        ("HOST3", Some(host3)),
        ("HOST4", Some(before_last_dot(host3))),
        ("LOCAL", Some(facts.recipient.local())),
        ("EXT", Some(facts.ext)),
        ("EXT2", Some(ext2)),
        ("EXT3", Some(ext3)),
        ("EXT4", Some(after_first_dash(ext3))),
        ("DEFAULT", facts.default),
        ("DTLINE", Some(&dtline)),
        ("RPLINE", Some(&rpline)),
        ("UFLINE", Some(&ufline)),
    ];
    values
        .into_iter()
        .map(|(name, value)| (name, value.map(safe)))
        .collect()
}

/// Cuts a value at its first NUL, where the original's strings end, and takes from it what would
/// make a shell read a function.
#[must_use]
pub fn safe(value: &[u8]) -> Vec<u8> {
    let mut value = value.split(|&b| b == 0).next().unwrap_or_default().to_vec();
    if value.starts_with(b"()")
        && let Some(first) = value.first_mut()
    {
        *first = b'_';
    }
    value
}

/// Everything before the last dot; the whole where there is none.
fn before_last_dot(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|&b| b == b'.') {
        Some(at) => host.get(..at).unwrap_or_default(),
        None => host,
    }
}

/// Everything behind the first dash; nothing where there is none.
fn after_first_dash(ext: &[u8]) -> &[u8] {
    match ext.iter().position(|&b| b == b'-') {
        Some(at) => ext.get(at + 1..).unwrap_or_default(),
        None => b"",
    }
}
