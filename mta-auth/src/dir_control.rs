//! Where the next mailbox or domain goes when a directory is large: `.dir-control` (vadduser(8), vadddomain(8)).
//!
//! Every hundredth entry moves on to the next sub-directory: none, then `0` … `z`, then `0/0` …
//! `z/z`, then three levels. What exists never moves; the account file says where it is.

/// The letters of a level, in their order.
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How many entries one sub-directory takes.
const PER_DIRECTORY: u64 = 100;

/// How many letters deep it goes.
const MAX_LEVELS: usize = 3;

/// The count of entries and the sub-directory that takes the next.
///
/// ```
/// use mta_auth::dir_control::DirControl;
/// let mut control = DirControl::default();
/// for _ in 0..99 {
///     control.place();
/// }
/// assert_eq!(control.place(), "0");
/// assert_eq!(control.place(), "0");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirControl {
    count: u64,
    /// The letters' places in [`LETTERS`]; empty before the hundredth entry.
    path: Vec<usize>,
}

/// A `.dir-control` that cannot be read: the file's fault, permanent until it is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of .dir-control: {expected} was expected")]
#[non_exhaustive]
pub struct DirControlError {
    /// The line, counted from 1.
    pub line: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl DirControl {
    /// Reads the eight lines.
    ///
    /// Only the count and the sub-directory are believed: the triples between them can be
    /// derived, and the original reads the third number of each from the second.
    ///
    /// # Errors
    /// Fails where count or sub-directory is missing or no such thing.
    pub fn parse(file: &[u8]) -> Result<Self, DirControlError> {
        let mut lines = file.split(|&b| b == b'\n');
        let count = lines
            .next()
            .and_then(|line| std::str::from_utf8(line).ok())
            .and_then(|line| line.trim().parse().ok())
            .ok_or(DirControlError {
                line: 1,
                expected: "a decimal count",
            })?;
        let path = lines.nth(6).unwrap_or_default();
        let path = parse_path(path.trim_ascii()).ok_or(DirControlError {
            line: 8,
            expected: "up to three letters or digits with slashes between",
        })?;
        Ok(Self { count, path })
    }

    /// Writes the eight lines.
    #[must_use]
    pub fn format(&self) -> Vec<u8> {
        let level = self.path.len().saturating_sub(1);
        let index = |at: usize| self.path.get(at).copied().unwrap_or(0);
        format!(
            "{}\n{level}\n{MAX_LEVELS}\n0 0 0\n61 61 61\n0 2 4\n{} {} {}\n{}\n",
            self.count,
            index(0),
            index(1),
            index(2),
            self.directory(),
        )
        .into_bytes()
    }

    /// How many entries are counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sub-directory of the latest placement; empty for none.
    #[must_use]
    pub fn directory(&self) -> String {
        let mut out = String::new();
        for &at in &self.path {
            if !out.is_empty() {
                out.push('/');
            }
            out.push(char::from(LETTERS.get(at).copied().unwrap_or(b'0')));
        }
        out
    }

    /// Counts one more entry and returns the sub-directory that it goes to.
    pub fn place(&mut self) -> String {
        self.count = self.count.saturating_add(1);
        if self.count.is_multiple_of(PER_DIRECTORY) {
            self.advance();
        }
        self.directory()
    }

    /// Counts one more entry that goes where a removed one was.
    pub const fn refill(&mut self) {
        self.count = self.count.saturating_add(1);
    }

    /// Counts one entry less; the sub-directory stays.
    pub const fn remove(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    fn advance(&mut self) {
        let last = LETTERS.len().saturating_sub(1);
        for at in self.path.iter_mut().rev() {
            if *at < last {
                *at = at.saturating_add(1);
                return;
            }
            *at = 0;
        }
        if self.path.len() < MAX_LEVELS {
            self.path.push(0);
        }
    }
}

fn parse_path(text: &[u8]) -> Option<Vec<usize>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let path: Option<Vec<usize>> = text
        .split(|&b| b == b'/')
        .map(|level| match level {
            [letter] => LETTERS.iter().position(|l| l == letter),
            _ => None,
        })
        .collect();
    path.filter(|path| path.len() <= MAX_LEVELS)
}
