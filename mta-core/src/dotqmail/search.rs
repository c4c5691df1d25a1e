//! Finds the .qmail file that is used, and judges home directory and file modes (qmail-local(8), spec §6.3, §6.4).

use super::candidates::candidates;
use super::lines::{Instruction, parse_numbered};
use crate::report::Report;

/// Nobody but the owner may write to a home or a .qmail file; what qmail calls paternalism.
const FORBIDDEN: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// A regular file that a candidate's name led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in both parts")]
pub struct Found {
    /// The permission bits.
    pub mode: u32,
    /// The whole contents; the caller bounds their size.
    pub contents: Vec<u8>,
}

/// A candidate that exists, or may exist, and could not be opened or read: `EPERM`, `EACCES`, or
/// trouble that passes. Other errors count as "not there".
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in the one part")]
pub struct Unopened {
    /// The system's words.
    pub error: String,
}

/// What a local delivery is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chosen {
    /// The .qmail file's name; `None` where the default delivery is used for want of one.
    pub file: Option<Vec<u8>>,
    /// DEFAULT, where a `default` file was used.
    pub default: Option<Vec<u8>>,
    /// What to do, in order.
    pub instructions: Vec<Instruction>,
    /// The line of each instruction in the file, or in the default delivery; lines count from 1.
    pub lines: Vec<usize>,
    /// It is the default delivery, for want of a file or of anything in it.
    pub by_default: bool,
}

/// Finds the file for an extension and reads it.
///
/// `open` returns `None` for what is not there or no regular file. Without any file, an address
/// with an extension does not exist; one without uses `default_delivery`, and so does an empty
/// file.
///
/// # Errors
/// The report says why nothing can be delivered, permanently or for now.
///
/// ```
/// use mta_core::dotqmail::{Found, Instruction, search};
/// let chosen = search(b"-", b"sales", b"./Maildir/\n", |name| {
///     Ok((name == b".qmail-default").then(|| Found {
///         mode: 0o600,
///         contents: b"./box/\n".to_vec(),
///     }))
/// })
/// .unwrap();
/// assert_eq!(chosen.instructions, [Instruction::Maildir(b"./box/".to_vec())]);
/// assert_eq!(chosen.default.unwrap(), b"sales");
/// ```
pub fn search(
    dash: &[u8],
    ext: &[u8],
    default_delivery: &[u8],
    mut open: impl FnMut(&[u8]) -> Result<Option<Found>, Unopened>,
) -> Result<Chosen, Report> {
    for candidate in candidates(dash, ext) {
        let name = candidate.name;
        let found = open(&name).map_err(|unopened| {
            let name = String::from_utf8_lossy(&name).replace(|c: char| c.is_control(), "_");
            let error = unopened.error;
            Report::deferral(format!("Unable to open {name}: {error}. (#4.3.0)\n"))
        })?;
        let Some(found) = found else {
            continue;
        };
        if found.mode & FORBIDDEN != 0 {
            let text = "Uh-oh: .qmail file is writable. (#4.7.0)\n";
            return Err(Report::deferral(text));
        }
        let by_default = found.contents.is_empty();
        let numbered = if by_default {
            parse_numbered(default_delivery, 0)
        } else {
            parse_numbered(&found.contents, found.mode)
        };
        let (lines, instructions) = numbered.into_iter().unzip();
        return Ok(Chosen {
            file: Some(name),
            default: candidate.default,
            instructions,
            lines,
            by_default,
        });
    }
    if dash.is_empty() {
        let (lines, instructions) = parse_numbered(default_delivery, 0).into_iter().unzip();
        return Ok(Chosen {
            file: None,
            default: None,
            instructions,
            lines,
            by_default: true,
        });
    }
    let text = "Sorry, no mailbox here by that name. (#5.1.1)\n";
    Err(Report::failure(text))
}

/// Judges the permission bits of a home directory.
///
/// # Errors
/// The report defers the delivery while others may write there, or while the sticky bit says that
/// the user is at work.
pub fn check_home(mode: u32) -> Result<(), Report> {
    if mode & FORBIDDEN != 0 {
        let text = "Uh-oh: home directory is writable. (#4.7.0)\n";
        return Err(Report::deferral(text));
    }
    if mode & STICKY != 0 {
        let text = "Home directory is sticky: user is editing his .qmail file. (#4.2.1)\n";
        return Err(Report::deferral(text));
    }
    Ok(())
}
