//! Option letters as the programs read them: bundled, values attached or next, operands in between (getopt(3)).

use crate::failure::Failure;
use crate::io::Io;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What a program says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Its name.
    pub(crate) program: &'static str,
    /// Its letters: `:` behind one says that it has a value, `::` that the value may be attached.
    pub(crate) letters: &'static str,
    /// The whole usage text.
    pub(crate) text: &'static str,
}

/// The options of a command line in their order, and its operands.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Letters with their values.
    pub(crate) given: Vec<(u8, Option<OsString>)>,
    operands: VecDeque<OsString>,
}

impl Options {
    /// Reads the command line. `-v` prints the version and does nothing else.
    ///
    /// Unlike the originals, which go on, an unknown letter ends the program with its usage.
    pub(crate) fn read(io: &mut Io<'_>, usage: &Usage) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words: VecDeque<OsString> = std::mem::take(&mut io.arguments).into();
        while let Some(word) = words.pop_front() {
            match word.as_bytes() {
                b"--" => options.operands.append(&mut words),
                [b'-', letters @ ..] if !letters.is_empty() => {
                    options.cluster(letters, &mut words, usage)?;
                }
                _ => options.operands.push_back(word),
            }
        }
        if options.has(b'v') && usage.letters.contains('v') {
            writeln!(io.output, "version: {}", env!("CARGO_PKG_VERSION"))?;
        }
        Ok(options)
    }

    fn cluster(
        &mut self,
        mut letters: &[u8],
        words: &mut VecDeque<OsString>,
        usage: &Usage,
    ) -> Result<(), Failure> {
        while let Some((&letter, rest)) = letters.split_first() {
            letters = rest;
            let wrong = |what: &str| {
                let (program, shown) = (usage.program, letter.escape_ascii());
                let text = format!("{program}: {what} -- '{shown}'\n{}", usage.text);
                Failure::complaint(255, text.trim_end())
            };
            let attached = || OsString::from_vec(rest.to_vec());
            let value = match takes(usage.letters, letter) {
                Takes::Unknown => return Err(wrong("invalid option")),
                Takes::Nothing => None,
                Takes::Attached if rest.is_empty() => None,
                Takes::Attached | Takes::Value if !rest.is_empty() => {
                    letters = b"";
                    Some(attached())
                }
                Takes::Attached | Takes::Value => match words.pop_front() {
                    Some(value) => Some(value),
                    None => return Err(wrong("option requires an argument")),
                },
            };
            self.given.push((letter, value));
        }
        Ok(())
    }

    /// Tells whether a letter was given.
    pub(crate) fn has(&self, letter: u8) -> bool {
        self.given.iter().any(|(given, _)| *given == letter)
    }

    /// The last value of a letter.
    pub(crate) fn value(&self, letter: u8) -> Option<&OsStr> {
        let mut given = self.given.iter().rev();
        given
            .find(|(given, _)| *given == letter)
            .and_then(|(_, value)| value.as_deref())
    }

    /// The last value of a letter as text.
    ///
    /// # Errors
    /// Refuses what is not UTF-8.
    pub(crate) fn text(&self, letter: u8) -> Result<Option<&str>, Failure> {
        self.value(letter).map(text).transpose()
    }

    /// The next operand.
    pub(crate) fn operand(&mut self) -> Option<OsString> {
        self.operands.pop_front()
    }
}

/// A word of the command line as text.
///
/// # Errors
/// Refuses what is not UTF-8.
pub(crate) fn text(word: &OsStr) -> Result<&str, Failure> {
    word.to_str()
        .ok_or_else(|| crate::code::Code::BadChar.into())
}

/// A whole number in decimal.
///
/// # Errors
/// Unlike the originals, which read what they can, anything else is refused.
pub(crate) fn number<N: std::str::FromStr>(letter: char, word: &OsStr) -> Result<N, Failure> {
    let digits = word.to_str().filter(|text| !text.starts_with('+'));
    digits.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let shown = word.display();
        Failure::said(
            255,
            format_args!("Error: -{letter}: expected a number, found {shown}"),
        )
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Unknown,
    Nothing,
    Attached,
    Value,
}

fn takes(letters: &str, letter: u8) -> Takes {
    let letters = letters.as_bytes();
    let at = letters.iter().position(|&b| b == letter && b != b':');
    let Some(at) = at else { return Takes::Unknown };
    match (letters.get(at + 1), letters.get(at + 2)) {
        (Some(b':'), Some(b':')) => Takes::Attached,
        (Some(b':'), _) => Takes::Value,
        _ => Takes::Nothing,
    }
}
