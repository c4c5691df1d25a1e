//! The bounce message: qmail's words inside a multipart/report (qmail-send(8), QSBMF, RFC 3464, RFC 6522).

use super::scan::Scan;
use super::status;
use crate::control::Controls;
use crate::date::{self, Stamp, Zone};
use crate::envelope::{Body, Envelope, MailParams, Recipient, Ret};
use crate::{Address, Unix, verp};
use std::fmt::Write;

/// The largest message that is returned whole where the settings do not say: of a larger one only
/// the header is returned, so that a forged sender is not flooded with what it never sent.
pub const FULL_COPY_MAX: u64 = 100 * 1024;

/// What the administrator decides about bounces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// This host's name (control/me), for Reporting-MTA.
    pub me: Vec<u8>,
    /// The local part that bounces come from (control/bouncefrom).
    pub bouncefrom: Vec<u8>,
    /// The host that bounces come from (control/bouncehost).
    pub bouncehost: Vec<u8>,
    /// The local part that double bounces go to (control/doublebounceto); empty makes the
    /// recipient `@host`, the trash address where that host is local.
    pub doublebounceto: Vec<u8>,
    /// The host that double bounces go to (control/doublebouncehost).
    pub doublebouncehost: Vec<u8>,
    /// The zone of Date.
    pub zone: Zone,
    /// The largest message that is returned whole.
    pub full_copy_max: u64,
}

impl From<&Controls> for Settings {
    fn from(controls: &Controls) -> Self {
        Self {
            me: controls.me.clone(),
            bouncefrom: controls.bouncefrom.clone(),
            bouncehost: controls.bouncehost.clone(),
            doublebounceto: controls.doublebounceto.clone(),
            doublebouncehost: controls.doublebouncehost.clone(),
            zone: Zone::Unknown,
            full_copy_max: FULL_COPY_MAX,
        }
    }
}

/// The message that bounces.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// Its reverse-path as it stands in the queue.
    pub sender: &'a Address,
    /// What MAIL's parameters said of it.
    pub params: &'a MailParams,
    /// Its recipients that came with parameters, under the names by which the sender knows them
    /// ([`Routing::shown`](crate::rewrite::Routing::shown)).
    pub recipients: &'a [Recipient],
    /// When it was queued.
    pub birth: Unix,
    /// What reading it showed.
    pub scan: &'a Scan,
    /// Its bounce text: the records.
    pub failures: &'a [u8],
}

/// A bounce that is ready to be queued: `head`, then the first `copy` bytes of the original
/// message, then `tail`.
///
/// ```
/// use mta_core::bounce::{Bounce, FULL_COPY_MAX, Original, Scan, Settings, record};
/// use mta_core::date::Zone;
/// use mta_core::{Address, Unix, envelope::MailParams};
/// let settings = Settings {
///     me: b"mx.example".to_vec(),
///     bouncefrom: b"MAILER-DAEMON".to_vec(),
///     bouncehost: b"mx.example".to_vec(),
///     doublebounceto: b"postmaster".to_vec(),
///     doublebouncehost: b"mx.example".to_vec(),
///     zone: Zone::Unknown,
///     full_copy_max: FULL_COPY_MAX,
/// };
/// let message = b"Subject: hello\n\nworld\n";
/// let mut scan = Scan::default();
/// scan.feed(message);
/// let to = Address::new("nobody@mx.example").unwrap();
/// let original = Original {
///     sender: &Address::new("joe@far.example").unwrap(),
///     params: &MailParams::default(),
///     recipients: &[],
///     birth: Unix(0),
///     scan: &scan,
///     failures: &record(&to, b"Sorry, no mailbox here by that name. (#5.1.1)\n"),
/// };
/// let bounce = Bounce::compose(&settings, &original, Unix(9), &[1, 2, 3]).unwrap();
/// assert!(bounce.envelope.reverse_path.is_null());
/// assert_eq!(bounce.copy, message.len() as u64);
/// let head = String::from_utf8(bounce.head).unwrap();
/// assert!(head.contains("\n\nHi. This is the qmail-send program at mx.example.\n"));
/// assert!(head.contains("\nStatus: 5.1.1\n"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounce {
    /// Who it comes from and goes to, and which extensions it needs.
    pub envelope: Envelope,
    /// What stands before the copy.
    pub head: Vec<u8>,
    /// How many bytes of the original message are copied.
    pub copy: u64,
    /// What stands behind the copy.
    pub tail: Vec<u8>,
}

/// What a report says, apart from what it returns.
pub(super) struct Told {
    pub(super) subject: &'static str,
    pub(super) text: Vec<u8>,
    /// The message/delivery-status part.
    pub(super) status: Vec<u8>,
    /// Whether the whole message is returned, or its header only.
    pub(super) whole: bool,
}

/// What the text says of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Degree {
    /// Somebody's message bounced.
    Single,
    /// A bounce bounced.
    Double,
}

/// Who gets the bounce, and as what.
pub(super) struct Addressed {
    pub(super) degree: Degree,
    /// The original sender without its VERP mark.
    sender: Address,
    from: Address,
    to: Address,
    reverse_path: Address,
}

impl Bounce {
    /// Composes the bounce of a message, in memory bounded by its bounce text.
    ///
    /// `unique` goes into the boundary and the Message-ID, in hexadecimal and at most 16 bytes of
    /// it: it must be different for each bounce and should be random. `None` means that the
    /// message was a double bounce, of which nobody is told.
    #[must_use]
    pub fn compose(
        settings: &Settings,
        original: &Original<'_>,
        now: Unix,
        unique: &[u8],
    ) -> Option<Self> {
        let who = address(settings, original.sender)?;
        let whole = is_whole(settings, original);
        let told = Told {
            subject: "failure notice",
            text: text(settings, original, who.degree, whole),
            status: {
                let mut out = about_message(settings, original);
                status::groups(&mut out, original.failures, original.recipients);
                out
            },
            whole,
        };
        Some(Self::assemble(
            settings,
            original,
            &who,
            told,
            (now, unique),
        ))
    }

    /// Puts text, status and copy into a multipart/report (RFC 6522 §3).
    pub(super) fn assemble(
        settings: &Settings,
        original: &Original<'_>,
        who: &Addressed,
        told: Told,
        (now, unique): (Unix, &[u8]),
    ) -> Self {
        let Told {
            subject,
            text,
            status,
            whole,
        } = told;
        let unique = hex(unique);
        let boundary = format!("={unique}=bounce");
        let part = MessagePart::of(who, original, whole);
        let outer = header(settings, who, subject, (now, &unique));
        let eight_bit = !text.is_ascii() || part.eight_bit;
        let mut head = outer.clone();
        let mut put = |piece: &[u8]| head.extend_from_slice(piece);
        let encoding = transfer_encoding(eight_bit);
        let content = "multipart/report; report-type=delivery-status;";
        put(format!("Content-Type: {content}\n  boundary=\"{boundary}\"\n{encoding}\n").as_bytes());
        put(format!("--{boundary}\nContent-Type: text/plain{}\n", charset(&text)).as_bytes());
        put(transfer_encoding(!text.is_ascii()).as_bytes());
        put(b"\n");
        put(&text);
        put(format!("\n--{boundary}\nContent-Type: message/delivery-status\n\n").as_bytes());
        put(&status);
        put(format!("\n--{boundary}\nContent-Type: {}\n", part.kind).as_bytes());
        put(transfer_encoding(part.eight_bit).as_bytes());
        put(b"\n");
        put(&part.return_path);
        let utf8 = !outer.is_ascii();
        Self {
            envelope: Envelope {
                reverse_path: who.reverse_path.clone(),
                recipients: vec![who.to.clone().into()],
                params: MailParams {
                    body: (eight_bit || utf8).then_some(Body::EightBit),
                    smtputf8: utf8,
                    ..MailParams::default()
                },
            },
            head,
            copy: part.copy,
            tail: format!("\n--{boundary}--\n").into_bytes(),
        }
    }
}

/// Decides who gets the bounce: the sender, the double-bounce address, or nobody.
pub(super) fn address(settings: &Settings, sender: &Address) -> Option<Addressed> {
    let join = |local: &[u8], host: &[u8]| Address::new([local, b"@", host].concat());
    let from = join(&settings.bouncefrom, &settings.bouncehost).unwrap_or_default();
    let sender = verp::bounce_address(sender);
    if sender.as_bytes() == verp::DOUBLE_BOUNCE_SENDER {
        return None;
    }
    let double = sender.is_null();
    let (degree, to, reverse_path) = if double {
        let to = join(&settings.doublebounceto, &settings.doublebouncehost).unwrap_or_default();
        let reverse_path = Address::new(verp::DOUBLE_BOUNCE_SENDER).unwrap_or_default();
        (Degree::Double, to, reverse_path)
    } else {
        (Degree::Single, sender.clone(), Address::null())
    };
    Some(Addressed {
        degree,
        sender,
        from,
        to,
        reverse_path,
    })
}

/// RFC 3461 §4.3 lets the sender ask for the header only; a large message is not returned either.
fn is_whole(settings: &Settings, original: &Original<'_>) -> bool {
    original.params.ret != Some(Ret::Headers) && original.scan.len() <= settings.full_copy_max
}

/// The last part, of which only the copied bytes are missing.
struct MessagePart {
    kind: &'static str,
    return_path: Vec<u8>,
    copy: u64,
    eight_bit: bool,
}

impl MessagePart {
    fn of(who: &Addressed, original: &Original<'_>, whole: bool) -> Self {
        let (sender, scan) = (&who.sender, original.scan);
        // RFC 6533 §6: what needs SMTPUTF8 is not a message/rfc822.
        let kind = match (whole, original.params.smtputf8) {
            (true, false) => "message/rfc822",
            (true, true) => "message/global",
            (false, false) => "text/rfc822-headers",
            (false, true) => "message/global-headers",
        };
        let return_path = [b"Return-Path: <", sender.to_quoted().as_slice(), b">\n"].concat();
        let (copy, eight_bit) = if whole {
            (scan.len(), scan.eight_bit())
        } else {
            (scan.header(), scan.eight_bit_header())
        };
        Self {
            kind,
            eight_bit: eight_bit || !return_path.is_ascii(),
            return_path,
            copy,
        }
    }
}

/// The header of the bounce up to its content type: qmail's fields, then those that RFC 5322,
/// RFC 2045 and RFC 3834 §5 want.
fn header(
    settings: &Settings,
    who: &Addressed,
    subject: &str,
    (now, unique): (Unix, &str),
) -> Vec<u8> {
    let date = Stamp {
        moment: now,
        zone: settings.zone,
    };
    let mut out = format!("Date: {date}\nFrom: ").into_bytes();
    out.extend_from_slice(&who.from.to_quoted());
    out.extend_from_slice(b"\nTo: ");
    out.extend_from_slice(&who.to.to_quoted());
    let id = format!("{}.{unique}.bounce@", now.0);
    out.extend_from_slice(format!("\nSubject: {subject}\nMessage-ID: <{id}").as_bytes());
    out.extend_from_slice(&settings.bouncehost);
    out.extend_from_slice(b">\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n");
    out
}

/// qmail-send's text, byte for byte where the whole message is returned.
fn text(settings: &Settings, original: &Original<'_>, degree: Degree, whole: bool) -> Vec<u8> {
    let intro = match degree {
        Degree::Single => {
            "I'm afraid I wasn't able to deliver your message to the following addresses.\n\
             This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        }
        Degree::Double => {
            "I tried to deliver a bounce message to this address, but the bounce bounced!\n\n"
        }
    };
    let separator = match (degree, whole) {
        (Degree::Single, true) => "--- Below this line is a copy of the message.\n\n",
        (Degree::Single, false) => "--- Below this line is the header of the message.\n\n",
        (Degree::Double, true) => "--- Below this line is the original bounce.\n\n",
        (Degree::Double, false) => "--- Below this line is the header of the original bounce.\n\n",
    };
    [
        b"Hi. This is the qmail-send program at ",
        settings.bouncehost.as_slice(),
        b".\n",
        intro.as_bytes(),
        original.failures,
        separator.as_bytes(),
    ]
    .concat()
}

/// The fields about the message (RFC 3464 §2.2).
pub(super) fn about_message(settings: &Settings, original: &Original<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(id) = original
        .params
        .envid
        .as_deref()
        .and_then(status::from_xtext)
    {
        out.extend_from_slice(format!("Original-Envelope-Id: {id}\n").as_bytes());
    }
    let me = String::from_utf8_lossy(&settings.me).replace(|c: char| !c.is_ascii_graphic(), "?");
    let born = date::rfc5322(original.birth);
    out.extend_from_slice(format!("Reporting-MTA: dns; {me}\nArrival-Date: {born}\n").as_bytes());
    out
}

fn charset(text: &[u8]) -> &'static str {
    if text.is_ascii() {
        ""
    } else if std::str::from_utf8(text).is_ok() {
        "; charset=utf-8"
    } else {
        // RFC 1428 §3: nobody knows in which charset a remote server spoke.
        "; charset=unknown-8bit"
    }
}

const fn transfer_encoding(eight_bit: bool) -> &'static str {
    if eight_bit {
        "Content-Transfer-Encoding: 8bit\n"
    } else {
        ""
    }
}

fn hex(unique: &[u8]) -> String {
    unique.iter().take(16).fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
