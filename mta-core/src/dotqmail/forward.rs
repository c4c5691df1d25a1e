//! The sender of forwarded mail, and what a delivery says it did (qmail-local(8), spec §6.6).

use super::candidates::safe_byte;
use crate::Address;
use std::fmt;

/// Returns the names of the two files that make forwarded mail come from the owner:
/// `.qmail-list-owner` and `.qmail-list-owner-default`.
///
/// ```
/// use mta_core::dotqmail::owner_names;
/// let (owner, verp) = owner_names(b"-", b"List");
/// assert_eq!(owner, b".qmail-list-owner");
/// assert_eq!(verp, b".qmail-list-owner-default");
/// ```
#[must_use]
pub fn owner_names(dash: &[u8], ext: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let safe: Vec<u8> = ext.iter().map(|&b| safe_byte(b)).collect();
    let owner = [b".qmail", dash, &safe, b"-owner"].concat();
    let verp = [&*owner, b"-default"].concat();
    (owner, verp)
}

/// Which of the files of [`owner_names`] exist.
#[expect(
    clippy::exhaustive_enums,
    reason = "there are two files, and the second counts only beside the first"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerFiles {
    /// No owner file.
    None,
    /// The owner file alone.
    Owner,
    /// The owner file and its `-default`.
    OwnerAndDefault,
}

/// Returns NEWSENDER: the envelope sender of what a delivery forwards.
///
/// It is the sender itself, unless there are owner files; then bounces go to the
/// owner, with the second file by VERP. Bounces keep their sender.
///
/// ```
/// use mta_core::{Address, dotqmail::{OwnerFiles, new_sender}};
/// let (sender, list) = (Address::new("joe@a.example").unwrap(), Address::new("l@b.example").unwrap());
/// let new = |files| new_sender(&sender, &list, files);
/// assert_eq!(new(OwnerFiles::None).as_bytes(), b"joe@a.example");
/// assert_eq!(new(OwnerFiles::Owner).as_bytes(), b"l-owner@b.example");
/// assert_eq!(new(OwnerFiles::OwnerAndDefault).as_bytes(), b"l-owner-@b.example-@[]");
/// ```
#[must_use]
pub fn new_sender(sender: &Address, recipient: &Address, files: OwnerFiles) -> Address {
    if sender.is_null() || sender.as_bytes() == b"#@[]" {
        return sender.clone();
    }
    let (local, domain) = (recipient.local(), recipient.domain().unwrap_or_default());
    let new = match files {
        OwnerFiles::None => return sender.clone(),
        OwnerFiles::Owner => [local, b"-owner@", domain].concat(),
        OwnerFiles::OwnerAndDefault => [local, b"-owner-@", domain, b"-@[]"].concat(),
    };
    // Neither part can hold a NUL.
    Address::new(new).unwrap_or_else(|_| sender.clone())
}

/// What a successful delivery did; its text is the report.
///
/// ```
/// use mta_core::dotqmail::Did;
/// let did = Did { files: 1, forwards: 0, programs: 2, qp: None };
/// assert_eq!(did.to_string(), "did 1+0+2\n");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Did {
    /// Maildirs and mboxes delivered to.
    pub files: u32,
    /// Addresses forwarded to.
    pub forwards: u32,
    /// Programs run.
    pub programs: u32,
    /// The process that queued the forwarded message.
    pub qp: Option<u64>,
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            files,
            forwards,
            programs,
            qp,
        } = self;
        writeln!(f, "did {files}+{forwards}+{programs}")?;
        match qp {
            Some(qp) => writeln!(f, "qp {qp}"),
            None => Ok(()),
        }
    }
}
