//! What delivery puts before a message, and the loop check (qmail-local(8), spec §6.3, §6.5).

use crate::{Address, Unix, date};

/// Writes `Return-Path: <sender>` with LF. Control bytes become `_`, so no line can be forged.
///
/// ```
/// use mta_core::{Address, delivered::return_path};
/// assert_eq!(return_path(&Address::null()), b"Return-Path: <>\n");
/// ```
#[must_use]
pub fn return_path(sender: &Address) -> Vec<u8> {
    let mut out = b"Return-Path: <".to_vec();
    push_printable(&mut out, &sender.to_quoted());
    out.extend_from_slice(b">\n");
    out
}

/// Writes `Delivered-To: local@domain` with LF; the address is not quoted, control bytes become `_`.
///
/// ```
/// use mta_core::{Address, delivered::delivered_to};
/// let to = Address::new("a b@example.org").unwrap();
/// assert_eq!(delivered_to(&to), b"Delivered-To: a b@example.org\n");
/// ```
#[must_use]
pub fn delivered_to(recipient: &Address) -> Vec<u8> {
    let mut out = b"Delivered-To: ".to_vec();
    push_printable(&mut out, recipient.as_bytes());
    out.push(b'\n');
    out
}

/// Writes the From_ line of an mbox with LF (mbox(5)); blanks in the sender become `-`.
///
/// ```
/// use mta_core::{Address, Unix, delivered::from_line};
/// assert_eq!(from_line(&Address::null(), Unix(0)), b"From MAILER-DAEMON Thu Jan 01 00:00:00 1970\n");
/// ```
#[must_use]
pub fn from_line(sender: &Address, now: Unix) -> Vec<u8> {
    let mut out = b"From ".to_vec();
    if sender.is_null() {
        out.extend_from_slice(b"MAILER-DAEMON");
    }
    out.extend(sender.as_bytes().iter().map(|&b| match b {
        b' ' | b'\t' | b'\n' => b'-',
        _ => b,
    }));
    out.push(b' ');
    out.extend_from_slice(date::mbox(now).as_bytes());
    out.push(b'\n');
    out
}

/// Unlike qmail, which replaces LF only, every control byte is replaced: a CR ends a line too for
/// some readers of the file.
fn push_printable(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(
        text.iter()
            .map(|&b| if b.is_ascii_control() { b'_' } else { b }),
    );
}

/// Looks for our own `Delivered-To` line in the header while a message streams past.
///
/// The line must be the same byte for byte, case included. Line ends are LF or CRLF.
///
/// ```
/// use mta_core::{Address, delivered::LoopCheck};
/// let to = Address::new("joe@example.org").unwrap();
/// let mut check = LoopCheck::new(&to);
/// check.feed(b"Subject: x\nDelivered-To: joe@exam");
/// check.feed(b"ple.org\n\nbody\n");
/// assert!(check.is_looping());
/// ```
#[derive(Clone, Debug)]
pub struct LoopCheck {
    line: Vec<u8>,
    /// How many bytes of the current line were seen, and whether all of them matched.
    column: usize,
    matches: bool,
    cr: bool,
    looping: bool,
    body: bool,
}

/// The text of the failure where a message loops.
pub const LOOPING: &str =
    "This message is looping: it already has my Delivered-To line. (#5.4.6)\n";

impl LoopCheck {
    /// Starts before the first header line.
    #[must_use]
    pub fn new(recipient: &Address) -> Self {
        let mut line = delivered_to(recipient);
        line.pop();
        Self {
            line,
            column: 0,
            matches: true,
            cr: false,
            looping: false,
            body: false,
        }
    }

    /// Takes the next bytes of the message.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.is_decided() {
                return;
            }
            match byte {
                b'\n' => self.end_of_line(),
                b'\r' if !self.cr => self.cr = true,
                _ => self.within_line(byte),
            }
        }
    }

    /// Tells whether the line was found. The last line of a message needs no LF.
    #[must_use]
    pub fn is_looping(&self) -> bool {
        self.looping || (!self.body && self.is_whole_line())
    }

    /// Tells whether more bytes can change the answer.
    #[must_use]
    pub const fn is_decided(&self) -> bool {
        self.looping || self.body
    }

    fn is_whole_line(&self) -> bool {
        self.matches && self.column == self.line.len()
    }

    fn end_of_line(&mut self) {
        self.body = self.column == 0;
        self.looping = self.is_whole_line();
        self.column = 0;
        self.matches = true;
        self.cr = false;
    }

    fn within_line(&mut self, byte: u8) {
        // A CR that no LF follows belongs to the line, and our line has none.
        self.matches &= !self.cr && self.line.get(self.column) == Some(&byte);
        self.cr = false;
        self.column = self.column.saturating_add(1);
    }
}
