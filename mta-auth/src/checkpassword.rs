//! What a checkpassword program is told, what its exit codes mean, and what it tells (checkpassword's interface, vchkpw(8)).
//!
//! ```text
//! descriptor 3:  name NUL password NUL timestamp NUL
//! ```

/// The longest record that every checkpassword program reads.
pub const MAX_RECORD: usize = 512;

/// Name, password and timestamp; with a timestamp the password is the digest of APOP, or that of
/// CRAM-MD5 over the timestamp. `Debug` shows none of it.
///
/// ```
/// use mta_auth::checkpassword::Record;
/// let record = Record { name: b"joe", password: b"sesame", timestamp: b"" };
/// let bytes = record.encode().unwrap();
/// assert_eq!(bytes, b"joe\0sesame\0\0");
/// assert_eq!(Record::parse(&bytes), Some(record));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Record<'a> {
    /// As the client wrote it.
    pub name: &'a [u8],
    /// The clear password or a digest.
    pub password: &'a [u8],
    /// What the digest was made of; empty where the password is clear.
    pub timestamp: &'a [u8],
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Record(..)")
    }
}

impl<'a> Record<'a> {
    /// Writes it; `None` where a part holds NUL, which would move the others, or where all together
    /// is longer than [`MAX_RECORD`].
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let parts = [self.name, self.password, self.timestamp];
        if parts.iter().any(|part| part.contains(&0)) {
            return None;
        }
        let mut bytes = parts.join(&0);
        bytes.push(0);
        (bytes.len() <= MAX_RECORD).then_some(bytes)
    }

    /// Reads it; `None` where one of the three NULs is missing or it is too long. What stands behind
    /// the third is for others.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > MAX_RECORD {
            return None;
        }
        let mut fields = bytes.splitn(4, |&b| b == 0);
        let (name, password, timestamp) = (fields.next()?, fields.next()?, fields.next()?);
        // Behind the last NUL stands a field, if only an empty one, so that a cut record is noticed.
        fields.next()?;
        Some(Self {
            name,
            password,
            timestamp,
        })
    }
}

/// What an exit code says of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "yes, no, or not now")]
pub enum Meaning {
    /// Name and password are right.
    Right,
    /// They are not, or the account may not log in.
    Wrong,
    /// The program could not tell.
    Unsure,
}

/// Reads an exit code: 0 is right; 1 is wrong, and so are vchkpw's 3 (unknown, or a wrong
/// password), 12, 13, 15 and 20 (no name, no password given, none stored, a name that cannot be).
/// Every other is trouble: 2 for misuse, 111 for later.
///
/// ```
/// use mta_auth::checkpassword::{Meaning, meaning};
/// assert_eq!(meaning(1), Meaning::Wrong);
/// assert_eq!(meaning(111), Meaning::Unsure);
/// ```
#[must_use]
pub const fn meaning(code: i32) -> Meaning {
    match code {
        0 => Meaning::Right,
        1 | 3 | 12 | 13 | 15 | 20 => Meaning::Wrong,
        _ => Meaning::Unsure,
    }
}

/// Finds a variable in what `env -0` printed in place of the user's program.
///
/// ```
/// use mta_auth::checkpassword::variable;
/// let told = b"USER=joe\0HOME=/home/joe\0";
/// assert_eq!(variable(told, "HOME"), Some(&b"/home/joe"[..]));
/// assert_eq!(variable(told, "HO"), None);
/// ```
#[must_use]
pub fn variable<'a>(told: &'a [u8], name: &str) -> Option<&'a [u8]> {
    // What is not ended by NUL was cut.
    let end = told.iter().rposition(|&b| b == 0)?;
    let mut lines = told.get(..end)?.split(|&b| b == 0);
    lines.find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}
