//! Whether a message may be answered automatically, and where the answer goes (RFC 3834 §2, §4).

use crate::header::{Field, fields};
use mta_core::Address;

/// The longest header that is judged; a message with a longer one gets no answer.
pub const HEADER_MAX: usize = 256 * 1024;

/// On whose behalf an answer would be sent (RFC 3834 §1.2).
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 3834 knows personal responders and those that answer for a service or group"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Responder {
    /// For one person, as vacation does: only what names that person as recipient is answered.
    Personal,
    /// For a service or a group address.
    Service,
}

/// A message that came in.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The envelope's reverse-path.
    pub sender: &'a Address,
    /// The addresses of whoever would answer.
    pub own: &'a [Address],
    /// The header, with LF or CRLF line ends; what follows its first empty line is passed over.
    pub header: &'a [u8],
}

/// Why a message is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A bounce has the null reverse-path: an answer to it is the beginning of a loop.
    #[error("the sender is null, so this is a bounce")]
    NullSender,
    /// The sender's name shows a program.
    #[error("the sender is a program, a list or its owner")]
    Machine,
    /// The sender is whoever would answer.
    #[error("the sender is the responder itself")]
    Own,
    /// `Auto-Submitted` says other than `no` (RFC 3834 §5).
    #[error("the message was sent by a program (Auto-Submitted)")]
    AutoSubmitted,
    /// A list field is present (RFC 2369, RFC 2919).
    #[error("the message came through a mailing list")]
    List,
    /// `Precedence: bulk`, `junk` or `list`.
    #[error("the message is bulk mail (Precedence)")]
    Precedence,
    /// The sender asked for no answer (`X-Auto-Response-Suppress`).
    #[error("the sender wants no automatic answer")]
    Suppressed,
    /// A report on delivery or reading (RFC 6522).
    #[error("the message is a report")]
    Report,
    /// A filter called it spam, and its sender is most likely forged.
    #[error("the message was marked as spam")]
    Spam,
    /// An autoresponder had it before (`Delivered-To: Autoresponder`).
    #[error("the message is looping between autoresponders")]
    Loop,
    /// A personal responder's owner is not among the recipients named in the header.
    #[error("the responder's address is not in To or Cc")]
    NotAddressed,
    /// The header is longer than is judged.
    #[error("the header is longer than 256 KiB")]
    HeaderTooLong,
}

/// Decides about an automatic answer. The answer goes to the address returned, which is the
/// envelope's reverse-path and never what `From` or `Reply-To` say (RFC 3834 §4); it must bear the
/// null reverse-path and `Auto-Submitted: auto-replied`.
///
/// # Errors
/// Says why no answer may be sent. How often one sender is answered is the caller's affair.
pub fn may_answer<'a>(mail: &Incoming<'a>, responder: Responder) -> Result<&'a Address, Refusal> {
    check_sender(mail)?;
    if mail.header.len() > HEADER_MAX {
        return Err(Refusal::HeaderTooLong);
    }
    let mut addressed = responder == Responder::Service;
    for field in fields(mail.header) {
        if let Some(refusal) = refusal(&field) {
            return Err(refusal);
        }
        addressed |= names_own(&field, mail.own);
    }
    if addressed {
        Ok(mail.sender)
    } else {
        Err(Refusal::NotAddressed)
    }
}

fn check_sender(mail: &Incoming<'_>) -> Result<(), Refusal> {
    let sender = mail.sender;
    if sender.is_null() || sender.as_bytes() == b"#@[]" {
        return Err(Refusal::NullSender);
    }
    if sender.domain().is_none() || is_machine(sender.local()) {
        return Err(Refusal::Machine);
    }
    let same = |own: &Address| own.as_bytes().eq_ignore_ascii_case(sender.as_bytes());
    if mail.own.iter().any(same) {
        return Err(Refusal::Own);
    }
    Ok(())
}

/// Knows the names by which programs send (RFC 3834 §2).
fn is_machine(local: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] = [
        b"mailer-daemon",
        b"listserv",
        b"majordomo",
        b"noreply",
        b"no-reply",
        b"do-not-reply",
        b"donotreply",
    ];
    const STARTS: [&[u8]; 3] = [b"owner-", b"mailer-daemon", b"bounce-"];
    const ENDS: [&[u8]; 5] = [b"-request", b"-owner", b"-relay", b"-bounces", b"-help"];
    const INSIDE: [&[u8]; 3] = [b"-return-", b"-owner-", b"-bounces+"];
    let local = local.to_ascii_lowercase();
    let has = |part: &[u8]| local.windows(part.len()).any(|w| w == part);
    NAMES.contains(&local.as_slice())
        || STARTS.iter().any(|part| local.starts_with(part))
        || ENDS.iter().any(|part| local.ends_with(part))
        || INSIDE.iter().any(|part| has(part))
}

fn refusal(field: &Field<'_>) -> Option<Refusal> {
    const LIST: [&str; 3] = ["Mailing-List", "X-Mailing-List", "X-ML-Name"];
    let is_list = LIST.iter().any(|name| field.is(name))
        || field
            .name
            .get(..5)
            .is_some_and(|n| n.eq_ignore_ascii_case(b"List-"));
    if is_list {
        return Some(Refusal::List);
    }
    let value = field.value.to_ascii_lowercase();
    let first = first_word(&value);
    let any = |words: &[&[u8]]| {
        let mut parts = value.split(|b| b",; \t".contains(b));
        parts.any(|part| words.contains(&part))
    };
    if field.is("Auto-Submitted") && first != b"no" {
        Some(Refusal::AutoSubmitted)
    } else if field.is("Precedence") && any(&[b"bulk", b"junk", b"list", b"auto_reply"]) {
        Some(Refusal::Precedence)
    } else if field.is("X-Auto-Response-Suppress") && any(&[b"all", b"oof", b"autoreply"]) {
        Some(Refusal::Suppressed)
    } else if field.is("Content-Type") && first == b"multipart/report" {
        Some(Refusal::Report)
    } else if field.is("X-Spam-Flag") && first == b"yes" {
        Some(Refusal::Spam)
    } else if field.is("Delivered-To") && value.starts_with(b"autoresponder") {
        Some(Refusal::Loop)
    } else {
        None
    }
}

/// Returns what stands before the first blank, parameter or comment.
fn first_word(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|b| b" \t;(".contains(b));
    value.get(..end.unwrap_or(value.len())).unwrap_or_default()
}

/// Tells whether a recipient field holds one of our addresses as a whole address.
fn names_own(field: &Field<'_>, own: &[Address]) -> bool {
    const NAMES: [&str; 6] = ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"];
    if !NAMES.iter().any(|name| field.is(name)) {
        return false;
    }
    let value = field.value.to_ascii_lowercase();
    own.iter().any(|address| {
        let wanted = address.to_quoted().to_ascii_lowercase();
        !wanted.is_empty() && holds(&value, &wanted)
    })
}

fn holds(value: &[u8], wanted: &[u8]) -> bool {
    let in_address = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.@\"".contains(b);
    let mut windows = value.windows(wanted.len()).enumerate();
    windows.any(|(at, window)| {
        let before = at.checked_sub(1).and_then(|i| value.get(i));
        let after = value.get(at + wanted.len());
        window == wanted && !before.is_some_and(in_address) && !after.is_some_and(in_address)
    })
}
