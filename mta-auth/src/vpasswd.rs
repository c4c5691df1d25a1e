//! The account file `vpasswd` of one domain: its lines and edits that keep it sorted (vchkpw(8), vadduser(8)).
//!
//! ```text
//! name:crypt:uid:gid:gecos:dir:quota[:clear]\n
//! ```
//! `uid` is no user id but 1 for POP or 2 for APOP, and `gid` is the bitmap of [`Flags`].

use crate::Flags;

/// The longest mailbox name.
pub const MAX_NAME: usize = 64;
/// The longest crypt string that the original tools read.
pub const MAX_CRYPT: usize = 128;
/// The longest description.
pub const MAX_GECOS: usize = 64;
/// The longest mailbox home.
pub const MAX_DIR: usize = 160;
/// The longest quota.
pub const MAX_QUOTA: usize = 20;

/// The longest clear password.
pub const MAX_CLEAR: usize = 128;

/// The quota that means none.
pub const NO_QUOTA: &[u8] = b"NOQUOTA";

/// One account.
///
/// ```
/// use mta_auth::vpasswd::Entry;
/// let line = b"joe:$6$salt$hash:1:0:Joe:/vp/domains/example.org/joe:NOQUOTA";
/// let entry = Entry::parse(line).unwrap();
/// assert_eq!(entry.name, b"joe");
/// assert_eq!(entry.to_line(), [&line[..], b"\n"].concat());
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The mailbox name, in lower case.
    pub name: Vec<u8>,
    /// The crypt(3) string; empty where there is no password.
    pub crypt: Vec<u8>,
    /// 1 for POP, 2 for APOP.
    pub uid: u32,
    /// What the account may not do.
    pub flags: Flags,
    /// A description; the name by default.
    pub gecos: Vec<u8>,
    /// The mailbox home, in which the Maildir stands; empty where it is made at the first login.
    pub dir: Vec<u8>,
    /// `NOQUOTA`, or sizes as in `1000S,20C`.
    pub quota: Vec<u8>,
    /// The clear password, only where the installation keeps it.
    pub clear: Option<Vec<u8>>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("name", &self.name.escape_ascii().to_string())
            .field("flags", &self.flags)
            .field("dir", &self.dir.escape_ascii().to_string())
            .field("quota", &self.quota.escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}

/// A line that is no account: the file's fault, permanent until it is edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Fewer than six colons; the original tools stop reading there.
    #[error("name:crypt:uid:gid:gecos:dir:quota was expected, but a colon is missing")]
    Colons,
    /// The name is empty.
    #[error("a mailbox name was expected before the first colon")]
    Name,
    /// uid or gid is no decimal number.
    #[error("a decimal number was expected as {0}")]
    Number(&'static str),
}

/// A field that cannot be written: the caller's fault, permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {field} must be at most {max} bytes without colon, NUL and line end")]
#[non_exhaustive]
pub struct FieldError {
    /// Which field.
    pub field: &'static str,
    /// How long it may be.
    pub max: usize,
}

impl Entry {
    /// Makes an account with the flags of a new one, no quota and the name as its description.
    #[must_use]
    pub fn new(name: &[u8], crypt: &[u8], dir: &[u8]) -> Self {
        Self {
            name: name.to_ascii_lowercase(),
            crypt: crypt.to_vec(),
            uid: 1,
            flags: Flags::default(),
            gecos: name.to_vec(),
            dir: dir.to_vec(),
            quota: NO_QUOTA.to_vec(),
            clear: None,
        }
    }

    /// Reads one line without its LF.
    ///
    /// # Errors
    /// Fails where the line is no account; it says which part is missing.
    pub fn parse(line: &[u8]) -> Result<Self, EntryError> {
        let (name, rest) = split_colon(line).ok_or(EntryError::Colons)?;
        Self::parse_data(name, rest)
    }

    /// Reads what stands behind the name: the data of a record of `vpasswd.cdb`.
    ///
    /// # Errors
    /// Fails as [`Entry::parse`] does.
    pub fn parse_data(name: &[u8], data: &[u8]) -> Result<Self, EntryError> {
        if name.is_empty() {
            return Err(EntryError::Name);
        }
        let mut fields = data.splitn(7, |&b| b == b':');
        let mut next = || fields.next().ok_or(EntryError::Colons);
        let (crypt, uid, gid, gecos, dir, quota) =
            (next()?, next()?, next()?, next()?, next()?, next()?);
        Ok(Self {
            name: name.to_vec(),
            crypt: crypt.to_vec(),
            uid: number(uid, "uid")?,
            flags: Flags(number(gid, "gid")?),
            gecos: gecos.to_vec(),
            dir: dir.to_vec(),
            quota: quota.to_vec(),
            clear: fields.next().map(<[u8]>::to_vec),
        })
    }

    /// Tells whether every field can stand in the file.
    ///
    /// # Errors
    /// Names the first field that cannot.
    pub fn check(&self) -> Result<(), FieldError> {
        let fields = [
            ("name", &self.name, MAX_NAME),
            ("crypt", &self.crypt, MAX_CRYPT),
            ("gecos", &self.gecos, MAX_GECOS),
            ("dir", &self.dir, MAX_DIR),
            ("quota", &self.quota, MAX_QUOTA),
        ];
        for (field, value, max) in fields {
            let foreign = value.iter().any(|&b| matches!(b, b':' | b'\n' | 0));
            if value.len() > max || foreign {
                return Err(FieldError { field, max });
            }
        }
        let max = MAX_CLEAR;
        let foreign = |clear: &Vec<u8>| clear.iter().any(|&b| matches!(b, b'\n' | 0));
        match &self.clear {
            Some(clear) if clear.len() > max || foreign(clear) => Err(FieldError {
                field: "clear password",
                max,
            }),
            _ => Ok(()),
        }
    }

    /// Writes what stands behind the name, without LF: the data of a record of `vpasswd.cdb`.
    #[must_use]
    pub fn to_data(&self) -> Vec<u8> {
        let uid = self.uid.to_string();
        let gid = self.flags.0.to_string();
        let mut fields: Vec<&[u8]> = vec![
            &self.crypt,
            uid.as_bytes(),
            gid.as_bytes(),
            &self.gecos,
            &self.dir,
            &self.quota,
        ];
        fields.extend(self.clear.as_deref());
        fields.join(&b':')
    }

    /// Writes the line with its LF.
    #[must_use]
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = self.name.clone();
        line.push(b':');
        line.extend(self.to_data());
        line.push(b'\n');
        line
    }
}

/// Returns every account of a file; lines that are none are skipped.
pub fn entries(file: &[u8]) -> impl Iterator<Item = Entry> {
    lines(file).filter_map(|line| Entry::parse(line).ok())
}

/// Returns the records of `vpasswd.cdb`: every line's name and what stands behind it.
///
/// A line without colon has no record, and damaged lines keep theirs, as the original's do.
pub fn records(file: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(file).filter_map(split_colon)
}

/// Returns the file with `entry` in it, in place of the line of that name or before the first
/// line whose name is greater. Other lines stay byte for byte.
#[must_use]
pub fn with(file: &[u8], entry: &Entry) -> Vec<u8> {
    let mut out = Vec::with_capacity(file.len().saturating_add(MAX_DIR));
    let mut waiting = Some(entry);
    for line in lines(file) {
        let name = name_of(line);
        if name == entry.name {
            out.extend(waiting.take().map(Entry::to_line).unwrap_or_default());
            continue;
        }
        if name > entry.name.as_slice() {
            out.extend(waiting.take().map(Entry::to_line).unwrap_or_default());
        }
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend(waiting.map(Entry::to_line).unwrap_or_default());
    out
}

/// Returns the file without the line of `name`.
#[must_use]
pub fn without(file: &[u8], name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(file.len());
    for line in lines(file).filter(|line| name_of(line) != name) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out
}

/// Finds the line of `name`.
#[must_use]
pub fn find(file: &[u8], name: &[u8]) -> Option<Entry> {
    let line = lines(file).find(|line| name_of(line) == name)?;
    Entry::parse(line).ok()
}

fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split(|&b| b == b'\n').filter(|line| !line.is_empty())
}

fn name_of(line: &[u8]) -> &[u8] {
    split_colon(line).map_or(line, |(name, _)| name)
}

fn split_colon(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|&b| b == b':')?;
    Some((line.get(..at)?, line.get(at.saturating_add(1)..)?))
}

fn number(text: &[u8], field: &'static str) -> Result<u32, EntryError> {
    std::str::from_utf8(text)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or(EntryError::Number(field))
}
