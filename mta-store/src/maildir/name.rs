//! Names of message files: unique by construction, safe in every Maildir (maildir(5)).

use mta_core::Unix;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The longest host name that goes into a file name; vpopmail has the same bound.
pub const MAX_HOST: usize = 32;

/// The parts of a unique name. No two deliveries on one host share time, process and counter.
///
/// ```
/// use mta_core::Unix;
/// use mta_store::maildir::UniqueName;
/// let name = UniqueName { time: Unix(1_700_000_000), pid: 77, counter: 3, host: "mx.example.org" };
/// assert_eq!(name.to_string(), "1700000000.P77Q3.mx.example.org");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers build it, and the format has these parts"
)]
pub struct UniqueName<'a> {
    /// When the delivery began.
    pub time: Unix,
    /// The process that delivers.
    pub pid: u32,
    /// How many deliveries this process began before.
    pub counter: u64,
    /// The host; `/` and `:` are escaped, and it is cut at [`MAX_HOST`] bytes.
    pub host: &'a str,
}

impl std::fmt::Display for UniqueName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.P{}Q{}.", self.time.0, self.pid, self.counter)?;
        let mut room = MAX_HOST;
        for letter in self.host.chars() {
            let mut plain = [0; 4];
            let escaped = match letter {
                '/' => "\\057",
                ':' => "\\072",
                // A comma would end the host where sizes are looked for.
                ',' => "\\054",
                c if c.is_control() || !c.is_ascii() => "_",
                _ => letter.encode_utf8(&mut plain),
            };
            let Some(left) = room.checked_sub(escaped.len()) else {
                break;
            };
            room = left;
            f.write_str(escaped)?;
        }
        Ok(())
    }
}

/// Names the finished file: its size on disk (`S=`, Maildir++) and its octets with CRLF line ends
/// (`W=`, as Dovecot writes them), so that nobody has to read it to know them.
pub(super) fn finished(unique: UniqueName<'_>, size: u64, wire: u64) -> String {
    format!("{unique},S={size},W={wire}")
}

/// What a reader calls a message for as long as it exists: its name up to the first `:`.
#[must_use]
pub fn uid(name: &OsStr) -> &[u8] {
    let bytes = name.as_bytes();
    bytes.split(|&b| b == b':').next().unwrap_or(bytes)
}

/// The octets that the name promises for a file of `size` bytes; a promise that cannot be true is
/// not believed.
pub(super) fn promised_wire_size(name: &OsStr, size: u64) -> Option<u64> {
    let fields = uid(name).split(|&b| b == b',');
    let digits = fields
        .filter_map(|field| field.strip_prefix(b"W="))
        .next()?;
    let wire: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let largest = size.saturating_mul(2).saturating_add(2);
    (size..=largest).contains(&wire).then_some(wire)
}

/// The name in `cur` of a message that was seen in `new`.
pub(super) fn in_cur(name: &OsStr) -> OsString {
    let mut name = name.to_os_string();
    if !name.as_bytes().contains(&b':') {
        name.push(":2,");
    }
    name
}
