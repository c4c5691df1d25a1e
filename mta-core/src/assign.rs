//! users/assign: reading, editing, its cdb form, and the look-up of a local part (qmail-users(5), qmail-newu(8)).

use crate::cdb::{Cdb, Damaged};
use std::collections::BTreeSet;

/// Which local parts a line of users/assign is for.
#[expect(
    clippy::exhaustive_enums,
    reason = "the file format has these two kinds of line"
)]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `+prefix`: every local part that begins so.
    Wildcard(Vec<u8>),
    /// `=local`: this local part only.
    Exact(Vec<u8>),
}

/// One line of users/assign taken apart. Nothing in it may hold `:`, LF or NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the file format has these fields"
)]
pub struct Entry {
    /// The local parts it is for.
    pub key: Key,
    /// Whom their mail belongs to.
    pub account: Account,
}

/// Where the mail of a local part goes: the fields that users/cdb keeps.
///
/// `uid` and `gid` stay as written; [`Account::ids`] reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the file format has these fields"
)]
pub struct Account {
    /// The user's name.
    pub user: Vec<u8>,
    /// The user's number in decimal.
    pub uid: Vec<u8>,
    /// The group's number in decimal.
    pub gid: Vec<u8>,
    /// The home directory.
    pub home: Vec<u8>,
    /// What stands between `.qmail` and the extension: empty or `-` as a rule.
    pub dash: Vec<u8>,
    /// The extension; for a wildcard, what comes before the rest of the local part.
    pub ext: Vec<u8>,
}

impl Account {
    /// Returns uid and gid as numbers, where both are.
    #[must_use]
    pub fn ids(&self) -> Option<(u32, u32)> {
        let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse().ok();
        Some((number(&self.uid)?, number(&self.gid)?))
    }

    /// Returns the record that users/cdb keeps: six fields with NUL between them.
    #[must_use]
    pub fn to_cdb_data(&self) -> Vec<u8> {
        [
            &*self.user,
            &*self.uid,
            &*self.gid,
            &*self.home,
            &*self.dash,
            &*self.ext,
        ]
        .join(&0)
    }

    /// Takes a users/cdb record apart; a missing field makes it `None`.
    #[must_use]
    pub fn from_cdb_data(data: &[u8]) -> Option<Self> {
        let mut fields = data.splitn(6, |&b| b == 0).map(<[u8]>::to_vec);
        Some(Self {
            user: fields.next()?,
            uid: fields.next()?,
            gid: fields.next()?,
            home: fields.next()?,
            dash: fields.next()?,
            ext: fields.next()?,
        })
    }
}

/// A line of users/assign that qmail-newu would refuse; the administrator is to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("users/assign line {line}: expected {expected}")]
pub struct BadAssign {
    /// The line, the first being 1.
    pub line: usize,
    /// What should stand there.
    pub expected: &'static str,
}

/// The whole of users/assign; lines that an edit does not touch keep their bytes.
///
/// ```
/// use mta_core::assign::{Account, Assign, Entry, Key};
/// let mut file = Assign::parse(b"=joe:joe:1000:1000:/home/joe:::\n.\n").unwrap();
/// let account = Account {
///     user: b"d.example".to_vec(),
///     uid: b"89".to_vec(),
///     gid: b"89".to_vec(),
///     home: b"/d".to_vec(),
///     dash: b"-".to_vec(),
///     ext: Vec::new(),
/// };
/// file.insert(Entry { key: Key::Wildcard(b"d.example-".to_vec()), account }).unwrap();
/// assert_eq!(
///     file.to_bytes(),
///     b"+d.example-:d.example:89:89:/d:-::\n=joe:joe:1000:1000:/home/joe:::\n.\n"
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assign {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    raw: Vec<u8>,
    entry: Entry,
}

impl Assign {
    /// Reads a file by qmail-newu's rules. Text behind the final `.` is not read.
    ///
    /// # Errors
    /// Fails where qmail-newu says `bad format in users/assign`, and says at which line and why.
    pub fn parse(text: &[u8]) -> Result<Self, BadAssign> {
        let mut lines = Vec::new();
        let mut number = 0;
        for raw in text.split(|&b| b == b'\n') {
            number += 1;
            if raw.first() == Some(&b'.') {
                return Ok(Self { lines });
            }
            let entry = parse_line(raw).map_err(|expected| BadAssign {
                line: number,
                expected,
            })?;
            let raw = raw.to_vec();
            lines.push(Line { raw, entry });
        }
        // The split yields at least one piece, and the last one was no final line.
        Err(BadAssign {
            line: number,
            expected: "a final line with a single dot",
        })
    }

    /// Returns the number of the line that users/cdb answers a key with: of equal keys the first;
    /// lines count from 1.
    #[must_use]
    pub fn line_of(&self, key: &Key) -> Option<usize> {
        let wanted = cdb_key(key);
        let mut lines = self.lines.iter();
        let at = lines.position(|line| cdb_key(&line.entry.key) == wanted)?;
        Some(at + 1)
    }

    /// Returns all lines in file order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.lines.iter().map(|line| &line.entry)
    }

    /// Puts a line at its sorted place; a line with the same key is replaced where it stands.
    ///
    /// # Errors
    /// Hands the entry back where a field holds `:`, LF or NUL, which the file cannot carry.
    pub fn insert(&mut self, entry: Entry) -> Result<(), Box<Entry>> {
        let Some(raw) = write_line(&entry) else {
            return Err(Box::new(entry));
        };
        let line = Line { raw, entry };
        let same = |other: &Line| fold(&other.entry.key) == fold(&line.entry.key);
        if let Some(old) = self.lines.iter_mut().find(|old| same(old)) {
            *old = line;
            return Ok(());
        }
        let place = self.lines.iter().position(|other| other.raw > line.raw);
        self.lines.insert(place.unwrap_or(self.lines.len()), line);
        Ok(())
    }

    /// Removes every line with this key and tells whether there was one.
    pub fn remove(&mut self, key: &Key) -> bool {
        let before = self.lines.len();
        let key = fold(key);
        self.lines.retain(|line| fold(&line.entry.key) != key);
        before != self.lines.len()
    }

    /// Writes the file, the final `.` included.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for line in &self.lines {
            out.extend_from_slice(&line.raw);
            out.push(b'\n');
        }
        out.extend_from_slice(b".\n");
        out
    }

    /// Returns the records of users/cdb in the order that qmail-newu writes them.
    ///
    /// The last one has the empty key; its data are the last bytes of all wildcard prefixes.
    #[must_use]
    pub fn to_cdb_records(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut wildchars = Vec::new();
        let mut records = Vec::with_capacity(self.lines.len() + 1);
        for entry in self.entries() {
            if let Key::Wildcard(prefix) = &entry.key
                && let Some(&last) = prefix.to_ascii_lowercase().last()
                && !wildchars.contains(&last)
            {
                wildchars.push(last);
            }
            records.push((cdb_key(&entry.key), entry.account.to_cdb_data()));
        }
        records.push((Vec::new(), wildchars));
        records
    }

    /// Tells which keys stand in the file more than once; the first line of a key wins.
    #[must_use]
    pub fn duplicates(&self) -> Vec<&Key> {
        let mut seen = BTreeSet::new();
        self.entries()
            .filter(|entry| !seen.insert(cdb_key(&entry.key)))
            .map(|entry| &entry.key)
            .collect()
    }
}

fn parse_line(raw: &[u8]) -> Result<Entry, &'static str> {
    const FIELDS: &str =
        "=local:user:uid:gid:home:dash:ext: or +prefix:user:uid:gid:home:dash:pre:";
    let (&mark, rest) = raw
        .split_first()
        .ok_or("a final line with a single dot, and no empty line before it")?;
    if raw.contains(&0) {
        return Err("no NUL byte");
    }
    // Eight pieces: the key, six fields of data, and what follows the last colon (ignored).
    let pieces: Vec<&[u8]> = rest.splitn(8, |&b| b == b':').collect();
    let [key, user, uid, gid, home, dash, ext, _ignored] = pieces.as_slice() else {
        return Err(FIELDS);
    };
    let key = key.to_vec();
    if mark == b':' {
        return Err(FIELDS);
    }
    Ok(Entry {
        key: if mark == b'+' {
            Key::Wildcard(key)
        } else {
            Key::Exact(key)
        },
        account: Account {
            user: user.to_vec(),
            uid: uid.to_vec(),
            gid: gid.to_vec(),
            home: home.to_vec(),
            dash: dash.to_vec(),
            ext: ext.to_vec(),
        },
    })
}

fn write_line(entry: &Entry) -> Option<Vec<u8>> {
    let (mark, key) = match &entry.key {
        Key::Wildcard(key) => (b'+', key),
        Key::Exact(key) => (b'=', key),
    };
    let a = &entry.account;
    let fields = [key, &a.user, &a.uid, &a.gid, &a.home, &a.dash, &a.ext];
    let mut out = vec![mark];
    for field in fields {
        if field.iter().any(|b| matches!(b, b':' | b'\n' | 0)) {
            return None;
        }
        out.extend_from_slice(field);
        out.push(b':');
    }
    Some(out)
}

fn fold(key: &Key) -> Key {
    match key {
        Key::Wildcard(key) => Key::Wildcard(key.to_ascii_lowercase()),
        Key::Exact(key) => Key::Exact(key.to_ascii_lowercase()),
    }
}

/// Returns the key under which users/cdb keeps a line: `!`, the name in lower case, and NUL where
/// it is exact.
#[must_use]
pub fn cdb_key(key: &Key) -> Vec<u8> {
    let (name, end): (_, &[u8]) = match key {
        Key::Wildcard(name) => (name, b""),
        Key::Exact(name) => (name, b"\0"),
    };
    [b"!", &*name.to_ascii_lowercase(), end].concat()
}

/// Why users/cdb gave no clear answer; the delivery is to be tried later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The file is damaged.
    #[error("trouble reading users/cdb: {0}")]
    Damaged(#[from] Damaged),
    /// A record has fewer than six fields.
    #[error("users/cdb holds a record with fewer than six fields")]
    ShortRecord,
}

/// Looks a local part up in users/cdb as qmail-lspawn does.
///
/// Exact first, then prefixes from the longest to the empty one, as far as they end in one of the
/// file's wildcard characters. On a wildcard hit the rest of the local part, in its own case, is
/// appended to the extension.
///
/// # Errors
/// Fails where the file is damaged; `Ok(None)` means that the file knows no such local part.
pub fn lookup(cdb: &Cdb<'_>, local: &[u8]) -> Result<Option<Account>, LookupError> {
    Ok(lookup_key(cdb, local)?.map(|(account, _)| account))
}

/// As [`lookup`], with the key that decided; [`Assign::line_of`] tells its line.
///
/// # Errors
/// As [`lookup`].
pub fn lookup_key(cdb: &Cdb<'_>, local: &[u8]) -> Result<Option<(Account, Key)>, LookupError> {
    let lower = local.to_ascii_lowercase();
    let exact = Key::Exact(lower.clone());
    if let Some(data) = cdb.find(&cdb_key(&exact))? {
        let account = Account::from_cdb_data(data).ok_or(LookupError::ShortRecord)?;
        return Ok(Some((account, exact)));
    }
    let wildchars = cdb.find(b"")?.unwrap_or_default();
    for end in (0..=lower.len()).rev() {
        let Some((prefix, _)) = lower.split_at_checked(end) else {
            continue;
        };
        if prefix.last().is_some_and(|last| !wildchars.contains(last)) {
            continue;
        }
        let key = Key::Wildcard(prefix.to_vec());
        let Some(data) = cdb.find(&cdb_key(&key))? else {
            continue;
        };
        let mut account = Account::from_cdb_data(data).ok_or(LookupError::ShortRecord)?;
        account
            .ext
            .extend_from_slice(local.get(end..).unwrap_or_default());
        return Ok(Some((account, key)));
    }
    Ok(None)
}
