//! What a sender hears of deliveries that did not fail: delivered, relayed, expanded, delayed (RFC 3461 §5, RFC 3464 §2.3.3).
//!
//! The text does not begin as a bounce of qmail's does, so that programs which read those do not
//! take a success for a failure.

use super::compose::{self, Bounce, Original, Settings, address};
use super::status;
use crate::rewrite::{Channel, Routing};
use crate::{Address, Unix, date};

/// What happened to a recipient.
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 3464 has these actions besides failed"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// The message is where it was to go.
    Delivered,
    /// A host that cannot report has it.
    Relayed,
    /// It goes on to several addresses.
    Expanded,
    /// It is tried again and again, and did not get through yet.
    Delayed,
}

impl Told {
    /// Returns the word of the Action field.
    ///
    /// ```
    /// use mta_core::bounce::Told;
    /// assert_eq!(Told::Relayed.word(), "relayed");
    /// ```
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
            Self::Delayed => "delayed",
        }
    }

    /// Tells whether nothing is decided yet.
    #[must_use]
    pub const fn is_delay(self) -> bool {
        matches!(self, Self::Delayed)
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Delivered => "delivered.",
            Self::Relayed => {
                "passed on to the next mail server, which does not send reports as this one does."
            }
            Self::Expanded => "passed on to the addresses behind this one.",
            Self::Delayed => "not delivered yet.",
        }
    }
}

/// One recipient of whom the sender is to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the queue fills in every part")]
pub struct Notice {
    /// What happened.
    pub told: Told,
    /// Where the recipient stands in the queue: its channel.
    pub channel: Channel,
    /// Its place within the channel.
    pub offset: u64,
    /// The recipient as it was routed.
    pub recipient: Address,
    /// What ORCPT said.
    pub orcpt: Option<Vec<u8>>,
    /// What the delivery reported.
    pub text: Vec<u8>,
}

/// Composes the message that tells a sender of `notices`; `None` where there is no sender to be
/// told. Of the original only the header is returned: RET is about failures (RFC 3461 §4.3).
///
/// `until` is the time until which delayed recipients are tried; `unique` as for
/// [`Bounce::compose`].
///
/// ```
/// use mta_core::bounce::{Notice, Original, Scan, Settings, Told, compose_notice};
/// use mta_core::rewrite::{Channel, Routing};
/// use mta_core::{Address, Unix, control::Controls, envelope::MailParams};
/// let loaded = Controls::load(|name| Ok::<_, ()>((name == "me").then(|| b"mx.example\n".to_vec())));
/// let controls = loaded.unwrap().controls;
/// let mut scan = Scan::default();
/// scan.feed(b"Subject: hello\n\nworld\n");
/// let original = Original {
///     sender: &Address::new("joe@far.example").unwrap(),
///     params: &MailParams { envid: Some(b"QQ+2B1".to_vec()), ..MailParams::default() },
///     recipients: &[],
///     birth: Unix(0),
///     scan: &scan,
///     failures: b"",
/// };
/// let notice = Notice {
///     told: Told::Relayed,
///     channel: Channel::Remote,
///     offset: 0,
///     recipient: Address::new("jim@dest.example").unwrap(),
///     orcpt: Some(b"rfc822;jim+2Bbox@dest.example".to_vec()),
///     text: b"192.0.2.1 accepted message.\nRemote host said: 250 ok\n".to_vec(),
/// };
/// let settings = Settings::from(&controls);
/// let routing = Routing::default();
/// let sent = compose_notice(&settings, &original, &[notice], (&routing, Unix(9)), (Unix(5), b"u")).unwrap();
/// let head = String::from_utf8(sent.head).unwrap();
/// assert!(head.contains("\nOriginal-Envelope-Id: QQ+1\n"));
/// assert!(head.contains(
///     "\n\nOriginal-Recipient: rfc822; jim+box@dest.example\nFinal-Recipient: rfc822; jim@dest.example\n\
///      Action: relayed\nStatus: 2.0.0\nDiagnostic-Code: smtp; 250 ok\n"
/// ));
/// ```
#[must_use]
pub fn compose_notice(
    settings: &Settings,
    original: &Original<'_>,
    notices: &[Notice],
    (routing, until): (&Routing, Unix),
    now_and_unique: (Unix, &[u8]),
) -> Option<Bounce> {
    let who = address(settings, original.sender)?;
    if who.degree == compose::Degree::Double {
        return None;
    }
    let delay = notices.iter().any(|notice| notice.told.is_delay());
    let mut text = opening(settings, delay, until);
    let mut fields = compose::about_message(settings, original);
    for notice in notices {
        let shown = routing.strip_prepend(&notice.recipient);
        paragraph(&mut text, &shown, notice);
        let code = if notice.told.is_delay() {
            delayed_status(&notice.text)
        } else {
            String::from("2.0.0")
        };
        let orcpt = notice.orcpt.as_deref();
        let word = notice.told.word();
        status::recipient(&mut fields, shown.as_bytes(), orcpt, word, &code);
        status::diagnostic(&mut fields, &notice.text);
        if notice.told.is_delay() {
            let field = format!("Will-Retry-Until: {}\n", date::rfc5322(until));
            fields.extend_from_slice(field.as_bytes());
        }
    }
    text.extend_from_slice(b"--- Below this line is the header of the message.\n\n");
    let told = compose::Told {
        subject: if delay {
            "delayed mail"
        } else {
            "delivery notice"
        },
        text,
        status: fields,
        whole: false,
    };
    Some(Bounce::assemble(
        settings,
        original,
        &who,
        told,
        now_and_unique,
    ))
}

fn opening(settings: &Settings, delay: bool, until: Unix) -> Vec<u8> {
    let mut out = b"This is the mail server at ".to_vec();
    out.extend_from_slice(&settings.bouncehost);
    if !delay {
        out.extend_from_slice(b".\n\nYou asked to be told what became of your message:\n\n");
        return out;
    }
    out.extend_from_slice(
        b".\n\nYour message could not be delivered to the following addresses yet.\n\
          You need not send it again: it will be tried until\n",
    );
    out.extend_from_slice(date::rfc5322(until).as_bytes());
    out.extend_from_slice(b", and you will hear if that fails.\n\n");
    out
}

/// Tells a person of one recipient; of a delay with the reason.
fn paragraph(out: &mut Vec<u8>, shown: &Address, notice: &Notice) {
    let sentence = notice.told.sentence();
    let reason: &[u8] = if notice.told.is_delay() {
        &notice.text
    } else {
        b""
    };
    let whole = [sentence.as_bytes(), b"\n", reason].concat();
    out.extend_from_slice(&super::record(shown, &whole));
}

/// A delay has a status of class 4 (RFC 3464 §2.3.4, RFC 3463 §2).
fn delayed_status(text: &[u8]) -> String {
    let code = status::status(text);
    match code.strip_prefix("4.") {
        Some(_) => code,
        None => String::from("4.0.0"),
    }
}
