//! The interface of qmail-queue: the envelope it reads, and what its exit codes mean (qmail-queue(8), spec §4).

mod envelope;

pub use envelope::{BadEnvelope, EnvelopeParser, MAX_ADDRESS, MAX_ENVELOPE};

use std::borrow::Cow;

/// The exit code by which a queue program says that descriptor [`CUSTOM_DESCRIPTOR`] holds its text.
pub const CUSTOM: u8 = 82;

/// Where a queue program may write a text of its own.
pub const CUSTOM_DESCRIPTOR: i32 = 6;

/// The longest text of its own that is taken from a queue program.
pub const MAX_CUSTOM: usize = 255;

/// Why a message was not queued, as every program that injects says it.
///
/// ```
/// use mta_core::qq;
/// assert!(qq::meaning(0, b"").is_ok());
/// let refusal = qq::meaning(31, b"").unwrap_err();
/// assert!(refusal.permanent);
/// assert_eq!(&*refusal.text, b"mail server permanently rejected message (#5.3.0)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Trying again later does not help.
    pub permanent: bool,
    /// What to tell, without LF at the end.
    pub text: Cow<'static, [u8]>,
}

impl Refusal {
    const fn fixed(permanent: bool, text: &'static [u8]) -> Self {
        let text = Cow::Borrowed(text);
        Self { permanent, text }
    }

    const fn later(text: &'static [u8]) -> Self {
        Self::fixed(false, text)
    }

    /// No process for the queue program is to be had.
    pub const NOT_FORKED: Self = Self::later(b"qqt failure (#4.3.0)");
    /// The queue program was ended by a signal.
    pub const CRASHED: Self = Self::later(b"qq crashed (#4.3.0)");
    /// Nobody knows how the queue program ended.
    pub const LOST: Self = Self::later(b"qq waitpid surprise (#4.3.0)");
    /// The queue program could not be started.
    pub const NOT_STARTED: Self = Self::later(b"unable to exec qq (#4.3.0)");
}

/// Tells what an exit code of a queue program means; `custom` is what it wrote to descriptor 6.
///
/// # Errors
/// Every code but 0 is a refusal.
pub fn meaning(code: u8, custom: &[u8]) -> Result<(), Refusal> {
    let later = Refusal::later;
    Err(match code {
        0 => return Ok(()),
        11 | 115 => Refusal::fixed(true, b"envelope address too long for qq (#5.1.3)"),
        31 => Refusal::fixed(true, b"mail server permanently rejected message (#5.3.0)"),
        51 => later(b"qq out of memory (#4.3.0)"),
        52 => later(b"qq timeout (#4.3.0)"),
        53 => later(b"qq write error or disk full (#4.3.0)"),
        54 => later(b"qq read error (#4.3.0)"),
        55 => later(b"qq unable to read configuration (#4.3.0)"),
        56 => later(b"qq trouble making network connection (#4.3.0)"),
        61 => later(b"qq trouble in home directory (#4.3.0)"),
        62..=66 => later(b"qq trouble creating files in queue (#4.3.0)"),
        71 => later(b"mail server temporarily rejected message (#4.3.0)"),
        72 => later(b"connection to mail server timed out (#4.4.1)"),
        73 => later(b"connection to mail server rejected (#4.4.1)"),
        74 => later(b"communication with mail server failed (#4.4.2)"),
        81 | 91 => later(b"qq internal bug (#4.3.0)"),
        CUSTOM => custom_text(custom),
        120 => Refusal::NOT_STARTED,
        12..=40 => Refusal::fixed(true, b"qq permanent problem (#5.3.0)"),
        _ => later(b"qq temporary problem (#4.3.0)"),
    })
}

/// A text of the program's own is its letter and more than one byte; anything else is no text.
fn custom_text(custom: &[u8]) -> Refusal {
    let custom = custom.get(..MAX_CUSTOM).unwrap_or(custom);
    match custom {
        [letter @ (b'D' | b'Z'), text @ ..] if text.len() > 1 => Refusal {
            permanent: *letter == b'D',
            text: Cow::Owned(text.to_vec()),
        },
        _ => Refusal::later(b"qq temporary problem (#4.3.0)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_table_says() {
        assert_eq!(meaning(0, b""), Ok(()));
        let rows: [(u8, bool, &[u8]); 33] = [
            (11, true, b"envelope address too long for qq (#5.1.3)"),
            (115, true, b"envelope address too long for qq (#5.1.3)"),
            (12, true, b"qq permanent problem (#5.3.0)"),
            (30, true, b"qq permanent problem (#5.3.0)"),
            (
                31,
                true,
                b"mail server permanently rejected message (#5.3.0)",
            ),
            (32, true, b"qq permanent problem (#5.3.0)"),
            (40, true, b"qq permanent problem (#5.3.0)"),
            (41, false, b"qq temporary problem (#4.3.0)"),
            (1, false, b"qq temporary problem (#4.3.0)"),
            (10, false, b"qq temporary problem (#4.3.0)"),
            (51, false, b"qq out of memory (#4.3.0)"),
            (52, false, b"qq timeout (#4.3.0)"),
            (53, false, b"qq write error or disk full (#4.3.0)"),
            (54, false, b"qq read error (#4.3.0)"),
            (55, false, b"qq unable to read configuration (#4.3.0)"),
            (56, false, b"qq trouble making network connection (#4.3.0)"),
            (61, false, b"qq trouble in home directory (#4.3.0)"),
            (62, false, b"qq trouble creating files in queue (#4.3.0)"),
            (63, false, b"qq trouble creating files in queue (#4.3.0)"),
            (64, false, b"qq trouble creating files in queue (#4.3.0)"),
            (65, false, b"qq trouble creating files in queue (#4.3.0)"),
            (66, false, b"qq trouble creating files in queue (#4.3.0)"),
            (67, false, b"qq temporary problem (#4.3.0)"),
            (
                71,
                false,
                b"mail server temporarily rejected message (#4.3.0)",
            ),
            (72, false, b"connection to mail server timed out (#4.4.1)"),
            (73, false, b"connection to mail server rejected (#4.4.1)"),
            (74, false, b"communication with mail server failed (#4.4.2)"),
            (81, false, b"qq internal bug (#4.3.0)"),
            (91, false, b"qq internal bug (#4.3.0)"),
            (100, false, b"qq temporary problem (#4.3.0)"),
            (111, false, b"qq temporary problem (#4.3.0)"),
            (120, false, b"unable to exec qq (#4.3.0)"),
            (255, false, b"qq temporary problem (#4.3.0)"),
        ];
        for (code, permanent, text) in rows {
            let refusal = meaning(code, b"").unwrap_err();
            assert_eq!(
                (refusal.permanent, &*refusal.text),
                (permanent, text),
                "{code}"
            );
        }
    }

    #[test]
    fn a_text_of_its_own_needs_a_letter_and_more_than_one_byte() {
        let rows: [(&str, &[u8], bool, &[u8]); 5] = [
            ("permanent", b"Dno virus please", true, b"no virus please"),
            ("temporary", b"Zlater", false, b"later"),
            ("too short", b"Dx", false, b"qq temporary problem (#4.3.0)"),
            (
                "other letter",
                b"Kfine",
                false,
                b"qq temporary problem (#4.3.0)",
            ),
            ("nothing", b"", false, b"qq temporary problem (#4.3.0)"),
        ];
        for (name, custom, permanent, text) in rows {
            let refusal = meaning(CUSTOM, custom).unwrap_err();
            assert_eq!(
                (refusal.permanent, &*refusal.text),
                (permanent, text),
                "{name}"
            );
        }
        let long = [b"D".as_slice(), &[b'x'; 400]].concat();
        assert_eq!(
            meaning(CUSTOM, &long).unwrap_err().text.len(),
            MAX_CUSTOM - 1
        );
    }
}
