//! queue/params/ID: what SMTP extensions add to an envelope and qmail's files cannot hold (RFC 3461, RFC 6152, RFC 6531).
//!
//! NUL-ended records, like an envelope's: `V1`, `I` with what binds the file to its message, then
//! `B7` or `B8` for BODY, `U` for SMTPUTF8, `RF` or `RH` for RET, `E` with ENVID; for each recipient
//! that has parameters `T` with its address, then `N` with the letters S, F, D (none is NEVER) and
//! `O` with ORCPT; and `.` at the end. A message number is an inode number and comes back within
//! milliseconds, so a file that does not match its message is worth nothing.

use super::error::{At, QueueError};
use super::records::{Records, Writer};
use super::{Queue, limits};
use crate::files::{Files, OpenFile, Stat};
use mta_core::envelope::{Body, MailParams, Notify, RcptParams, Ret};
use mta_core::ports::spool::MessageId;
use mta_core::{Address, Envelope};

/// The parameters that came with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Params {
    /// Those of MAIL.
    pub mail: MailParams,
    /// Those of RCPT, of the recipients that had any.
    pub recipients: Vec<RecipientParams>,
}

/// The parameters of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecipientParams {
    /// The forward-path as it was given, before any rewriting.
    pub address: Address,
    /// What RCPT said.
    pub params: RcptParams,
}

/// What tells a message from another with the same number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Binding(Vec<u8>);

impl Binding {
    /// Binds to the message's inode, size, time of last writing and first line.
    pub(super) fn new(mess: &Stat, received: &[u8]) -> Self {
        let digest = fnv1a(received);
        let Stat {
            ino,
            size,
            mtime,
            mtime_nanos,
            ..
        } = mess;
        Self(format!("{ino} {size} {}.{mtime_nanos:09} {digest:032x}", mtime.0).into_bytes())
    }
}

/// FNV-1a with 128 bits: tells lines apart; it need not withstand an attacker, who has no say in
/// which inode a message gets.
fn fnv1a(bytes: &[u8]) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes
        .iter()
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, &b| {
            (hash ^ u128::from(b)).wrapping_mul(PRIME)
        })
}

/// Tells whether an envelope has anything that needs the file.
pub(super) fn needed(envelope: &Envelope) -> bool {
    envelope.params != MailParams::default()
        || envelope
            .recipients
            .iter()
            .any(|to| to.params != RcptParams::default())
}

/// Refuses what the records cannot hold.
pub(super) fn check(envelope: &Envelope) -> Result<(), QueueError> {
    let envid = envelope.params.envid.iter();
    let orcpt = envelope
        .recipients
        .iter()
        .filter_map(|to| to.params.orcpt.as_ref());
    let fits = |v: &Vec<u8>| v.len() < limits::RECORD && !v.contains(&0);
    if envid.chain(orcpt).all(fits) {
        Ok(())
    } else {
        Err(QueueError::Envelope(
            "expected a short ENVID and ORCPT without NUL",
        ))
    }
}

pub(super) fn write<H: OpenFile>(
    out: &mut Writer<'_, H>,
    binding: &Binding,
    envelope: &Envelope,
) -> Result<(), QueueError> {
    out.record(b'V', b"1")?;
    out.record(b'I', &binding.0)?;
    let mail = &envelope.params;
    match mail.body {
        Some(Body::SevenBit) => out.record(b'B', b"7")?,
        Some(Body::EightBit) => out.record(b'B', b"8")?,
        None => {}
    }
    if mail.smtputf8 {
        out.record(b'U', b"")?;
    }
    match mail.ret {
        Some(Ret::Full) => out.record(b'R', b"F")?,
        Some(Ret::Headers) => out.record(b'R', b"H")?,
        None => {}
    }
    if let Some(envid) = &mail.envid {
        out.record(b'E', envid)?;
    }
    for to in &envelope.recipients {
        if to.params != RcptParams::default() {
            out.record(b'T', to.address.as_bytes())?;
            write_recipient(out, &to.params)?;
        }
    }
    out.record(b'.', b"")
}

fn write_recipient<H: OpenFile>(
    out: &mut Writer<'_, H>,
    params: &RcptParams,
) -> Result<(), QueueError> {
    if let Some(notify) = params.notify {
        let letters: Vec<u8> = [
            (notify.success, b'S'),
            (notify.failure, b'F'),
            (notify.delay, b'D'),
        ]
        .into_iter()
        .filter_map(|(wanted, letter)| wanted.then_some(letter))
        .collect();
        out.record(b'N', &letters)?;
    }
    match &params.orcpt {
        Some(orcpt) => out.record(b'O', orcpt),
        None => Ok(()),
    }
}

impl<F: Files> Queue<F> {
    /// Returns the parameters that came with a message; the default where there were none. A file
    /// that is broken or belongs to another message is removed.
    ///
    /// # Errors
    /// Fails where the files cannot be read.
    pub fn params(&self, id: MessageId) -> Result<Params, QueueError> {
        let path = self.paths().params(id);
        let read = self.open_regular(&path).and_then(|file| {
            let binding = self.binding(id)?;
            read(&mut Records::new(&file, &path), &binding)
        });
        match read {
            Ok(Some(params)) => Ok(params),
            Err(e) if e.is_missing() => Ok(Params::default()),
            Err(e) if !e.is_broken() => Err(e),
            Ok(None) | Err(_) => {
                // Foreign things that are no files stay for recovery to judge.
                let _ = self.files().unlink_if_there(&path);
                Ok(Params::default())
            }
        }
    }

    /// Tells whether params/ID belongs to the message that now has the number.
    pub(super) fn params_match(&self, id: MessageId) -> Result<bool, QueueError> {
        let path = self.paths().params(id);
        let read = self.open_regular(&path).and_then(|file| {
            let binding = self.binding(id)?;
            read(&mut Records::new(&file, &path), &binding)
        });
        match read {
            Ok(found) => Ok(found.is_some()),
            Err(e) if e.is_missing() || e.is_broken() => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn binding(&self, id: MessageId) -> Result<Binding, QueueError> {
        let path = self.paths().mess(id);
        let mess = self.open_regular(&path)?;
        let stat = mess.stat().at("describe", &path)?;
        let mut line = vec![0; limits::RECEIVED];
        let mut filled = 0;
        while let Some(room) = line.get_mut(filled..).filter(|r| !r.is_empty()) {
            let n = mess.read_at(room, filled as u64).at("read", &path)?;
            filled += n;
            if n == 0 {
                break;
            }
        }
        line.truncate(filled);
        if let Some(end) = line.iter().position(|&b| b == b'\n') {
            line.truncate(end + 1);
        }
        Ok(Binding::new(&stat, &line))
    }
}

fn read<H: OpenFile>(
    records: &mut Records<'_, H>,
    binding: &Binding,
) -> Result<Option<Params>, QueueError> {
    let mut params = Params::default();
    let mut bound = false;
    let mut first = true;
    while let Some(record) = records.next()? {
        let value = record.value;
        let understood = match record.letter {
            b'V' if first => value == b"1",
            _ if first => false,
            b'I' => {
                bound = value == binding.0;
                bound
            }
            b'.' => return Ok(bound.then_some(params)),
            b'T' | b'N' | b'O' => recipient(&mut params.recipients, record.letter, value),
            letter => mail(&mut params.mail, letter, value),
        };
        if !understood {
            return Ok(None);
        }
        first = false;
    }
    Ok(None)
}

fn mail(mail: &mut MailParams, letter: u8, value: &[u8]) -> bool {
    match (letter, value) {
        (b'B', b"7") => mail.body = Some(Body::SevenBit),
        (b'B', b"8") => mail.body = Some(Body::EightBit),
        (b'U', b"") => mail.smtputf8 = true,
        (b'R', b"F") => mail.ret = Some(Ret::Full),
        (b'R', b"H") => mail.ret = Some(Ret::Headers),
        (b'E', envid) => mail.envid = Some(envid.to_vec()),
        _ => return false,
    }
    true
}

fn recipient(recipients: &mut Vec<RecipientParams>, letter: u8, value: &[u8]) -> bool {
    if letter == b'T' {
        let Ok(address) = Address::new(value) else {
            return false;
        };
        let params = RcptParams::default();
        recipients.push(RecipientParams { address, params });
        return recipients.len() as u64 <= limits::RECIPIENTS;
    }
    let Some(last) = recipients.last_mut() else {
        return false;
    };
    if letter == b'O' {
        last.params.orcpt = Some(value.to_vec());
        return true;
    }
    last.params.notify = Some(Notify {
        success: value.contains(&b'S'),
        failure: value.contains(&b'F'),
        delay: value.contains(&b'D'),
    });
    value.iter().all(|b| b"SFD".contains(b))
}
