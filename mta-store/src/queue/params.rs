//! queue/params/ID: what SMTP extensions add to an envelope and qmail's files cannot hold (RFC 3461, RFC 6152, RFC 6531).
//!
//! NUL-ended records, like an envelope's: `V1`, `I` with what binds the file to its message, then
//! `B7` or `B8` for BODY, `U` for SMTPUTF8, `RF` or `RH` for RET, `E` with ENVID; for each recipient
//! that has parameters `T` with its address, then `N` with the letters S, F, D (none is NEVER) and
//! `O` with ORCPT; and `.` at the end. What is added while the message is queued stands before the
//! first `T`: `H` where it is held, `X` with a domain and the hosts that its mail goes to instead,
//! tabs between them (an empty domain is every one), `W` with `l` or `r` and the place of a
//! recipient of whose delay its sender knows. A message number is an inode number and comes back within
//! milliseconds, so a file that does not match its message is worth nothing.

use super::error::{At, QueueError};
use super::records::{Records, Writer};
use super::{Queue, limits};
use crate::files::{Files, OpenFile, Stat};
use mta_core::envelope::{Body, MailParams, Notify, RcptParams, Recipient, Ret};
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::Channel;
use mta_core::{Address, Envelope};
use std::collections::BTreeSet;

/// The parameters that came with a message, and what was decided about it since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Params {
    /// Those of MAIL.
    pub mail: MailParams,
    /// Those of RCPT, of the recipients that had any, under their forward-paths as they were given,
    /// before any rewriting.
    pub recipients: Vec<Recipient>,
    /// An administrator wants the message not to be delivered for now.
    pub held: bool,
    /// Where an administrator wants the message to go instead.
    pub reroutes: Vec<Reroute>,
    /// The recipients, by channel and place, of whose delay the sender was told.
    pub warned: BTreeSet<(Channel, u64)>,
}

/// Other hosts for mail to a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in both parts")]
pub struct Reroute {
    /// The domain, in any case; empty for all.
    pub domain: Vec<u8>,
    /// The hosts in the order in which they are tried, each as the relay of a line in smtproutes.
    pub hosts: Vec<Vec<u8>>,
}

impl Params {
    /// Sets the hosts that mail to a domain goes to instead; none makes it go its usual way. An
    /// empty domain is for all, and puts every earlier order out of force.
    pub fn reroute(&mut self, domain: &[u8], hosts: Vec<Vec<u8>>) {
        let kept = |one: &Reroute| !domain.is_empty() && !one.domain.eq_ignore_ascii_case(domain);
        self.reroutes.retain(kept);
        let standing = self.reroutes.iter().any(|one| one.domain.is_empty());
        // Without hosts a domain's order matters only where there is one for all.
        if !hosts.is_empty() || standing {
            let domain = domain.to_vec();
            self.reroutes.push(Reroute { domain, hosts });
        }
    }

    /// Returns the hosts that mail to a domain goes to instead, the latest order first.
    #[must_use]
    pub fn rerouted(&self, domain: &[u8]) -> Option<&[Vec<u8>]> {
        let fits =
            |one: &&Reroute| one.domain.is_empty() || one.domain.eq_ignore_ascii_case(domain);
        let found = self.reroutes.iter().rev().find(fits);
        found
            .map(|one| one.hosts.as_slice())
            .filter(|hosts| !hosts.is_empty())
    }
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
    envelope.params != MailParams::default() || envelope.recipients.iter().any(has_params)
}

fn has_params(to: &Recipient) -> bool {
    to.params != RcptParams::default()
}

impl Params {
    /// Keeps what came with an envelope.
    pub(super) fn of(envelope: &Envelope) -> Self {
        let recipients = envelope.recipients.iter();
        Self {
            mail: envelope.params.clone(),
            recipients: recipients.filter(|to| has_params(to)).cloned().collect(),
            ..Self::default()
        }
    }
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
    params: &Params,
) -> Result<(), QueueError> {
    out.record(b'V', b"1")?;
    out.record(b'I', &binding.0)?;
    let mail = &params.mail;
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
    write_orders(out, params)?;
    for to in &params.recipients {
        out.record(b'T', to.address.as_bytes())?;
        write_recipient(out, &to.params)?;
    }
    out.record(b'.', b"")
}

fn write_orders<H: OpenFile>(out: &mut Writer<'_, H>, params: &Params) -> Result<(), QueueError> {
    if params.held {
        out.record(b'H', b"")?;
    }
    for one in &params.reroutes {
        let mut words = vec![one.domain.as_slice()];
        words.extend(one.hosts.iter().map(Vec::as_slice));
        out.record(b'X', &words.join(&b'\t'))?;
    }
    for (channel, offset) in &params.warned {
        let letter = match channel {
            Channel::Local => 'l',
            Channel::Remote => 'r',
        };
        out.record(b'W', format!("{letter}{offset}").as_bytes())?;
    }
    Ok(())
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

    pub(super) fn binding(&self, id: MessageId) -> Result<Binding, QueueError> {
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
            b'H' | b'X' | b'W' => order(&mut params, record.letter, value),
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

fn order(params: &mut Params, letter: u8, value: &[u8]) -> bool {
    match (letter, value) {
        (b'H', b"") => params.held = true,
        (b'X', value) => {
            let mut words = value.split(|&b| b == b'\t').map(<[u8]>::to_vec);
            let domain = words.next().unwrap_or_default();
            let hosts = words.collect();
            params.reroutes.push(Reroute { domain, hosts });
        }
        (b'W', [letter, digits @ ..]) => {
            let channel = match letter {
                b'l' => Channel::Local,
                b'r' => Channel::Remote,
                _ => return false,
            };
            let offset = std::str::from_utf8(digits)
                .ok()
                .and_then(|d| d.parse().ok());
            let Some(offset) = offset else { return false };
            params.warned.insert((channel, offset));
        }
        _ => return false,
    }
    params.reroutes.len() <= limits::REROUTES && params.warned.len() as u64 <= limits::RECIPIENTS
}

fn recipient(recipients: &mut Vec<Recipient>, letter: u8, value: &[u8]) -> bool {
    if letter == b'T' {
        let Ok(address) = Address::new(value) else {
            return false;
        };
        let params = RcptParams::default();
        recipients.push(Recipient { address, params });
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
