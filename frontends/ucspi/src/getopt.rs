//! Options of one letter as the family reads them: clustered, values attached or next, up to the first other word (tcpserver(1)).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// One option.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opt {
    /// A letter, and its value where it takes one.
    Given(u8, OsString),
    /// A letter that means nothing here, or lacks its value: what to say of it.
    Wrong(String),
}

/// Walks over the options; [`Options::rest`] is what follows them.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    arguments: &'a [OsString],
    cluster: &'a [u8],
    /// The letters that take a value.
    valued: &'static [u8],
    /// Those that do not.
    plain: &'static [u8],
}

impl<'a> Options<'a> {
    pub(crate) const fn new(
        arguments: &'a [OsString],
        plain: &'static [u8],
        valued: &'static [u8],
    ) -> Self {
        Self {
            arguments,
            cluster: b"",
            valued,
            plain,
        }
    }

    pub(crate) const fn rest(&self) -> &'a [OsString] {
        self.arguments
    }

    fn take_word(&mut self) -> Option<&'a OsStr> {
        let (first, rest) = self.arguments.split_first()?;
        self.arguments = rest;
        Some(first)
    }
}

impl Iterator for Options<'_> {
    type Item = Opt;

    fn next(&mut self) -> Option<Opt> {
        if self.cluster.is_empty() {
            let letters = self.arguments.first()?.as_bytes().strip_prefix(b"-")?;
            if letters.is_empty() {
                return None;
            }
            self.take_word();
            if letters == b"-" {
                return None;
            }
            self.cluster = letters;
        }
        let (&letter, rest) = self.cluster.split_first()?;
        self.cluster = rest;
        let shown = char::from(letter);
        if self.plain.contains(&letter) {
            return Some(Opt::Given(letter, OsString::new()));
        }
        if !self.valued.contains(&letter) {
            return Some(Opt::Wrong(format!("illegal option -- {shown}")));
        }
        self.cluster = b"";
        if !rest.is_empty() {
            return Some(Opt::Given(letter, OsString::from_vec(rest.to_vec())));
        }
        Some(self.take_word().map_or_else(
            || Opt::Wrong(format!("option requires an argument -- {shown}")),
            |value| Opt::Given(letter, value.to_owned()),
        ))
    }
}
