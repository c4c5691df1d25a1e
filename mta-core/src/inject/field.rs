//! Which fields injection knows and what it does with each (qmail-inject(8), qmail-header(5), spec §11.2).

/// A field that injection treats apart from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    To,
    Cc,
    Bcc,
    ApparentlyTo,
    Sender,
    From,
    ReplyTo,
    ReturnReceiptTo,
    ErrorsTo,
    Date,
    MessageId,
    MailFollowupTo,
    ReturnPath,
    ContentLength,
    ResentTo,
    ResentCc,
    ResentBcc,
    ResentSender,
    ResentFrom,
    ResentReplyTo,
    ResentDate,
    ResentMessageId,
}

/// Which of the two lists a recipient field feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Plain,
    Resent,
}

/// What is done with a field's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing, the field is not parsed.
    Copy,
    /// They are completed.
    Rewrite,
    /// They are completed, and are recipients.
    Recipients(Group),
    /// The first of them, from the right, is the sender.
    Sender,
}

const NAMES: [(&[u8], Known); 22] = [
    (b"to", Known::To),
    (b"cc", Known::Cc),
    (b"bcc", Known::Bcc),
    (b"apparently-to", Known::ApparentlyTo),
    (b"sender", Known::Sender),
    (b"from", Known::From),
    (b"reply-to", Known::ReplyTo),
    (b"return-receipt-to", Known::ReturnReceiptTo),
    (b"errors-to", Known::ErrorsTo),
    (b"date", Known::Date),
    (b"message-id", Known::MessageId),
    (b"mail-followup-to", Known::MailFollowupTo),
    (b"return-path", Known::ReturnPath),
    (b"content-length", Known::ContentLength),
    (b"resent-to", Known::ResentTo),
    (b"resent-cc", Known::ResentCc),
    (b"resent-bcc", Known::ResentBcc),
    (b"resent-sender", Known::ResentSender),
    (b"resent-from", Known::ResentFrom),
    (b"resent-reply-to", Known::ResentReplyTo),
    (b"resent-date", Known::ResentDate),
    (b"resent-message-id", Known::ResentMessageId),
];

impl Known {
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let mut names = NAMES.iter();
        let (_, known) = names.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(*known)
    }

    pub(super) const fn role(self) -> Role {
        match self {
            Self::To | Self::Cc | Self::Bcc | Self::ApparentlyTo => Role::Recipients(Group::Plain),
            Self::ResentTo | Self::ResentCc | Self::ResentBcc => Role::Recipients(Group::Resent),
            Self::Sender
            | Self::From
            | Self::ReplyTo
            | Self::ReturnReceiptTo
            | Self::ErrorsTo
            | Self::ResentSender
            | Self::ResentFrom
            | Self::ResentReplyTo => Role::Rewrite,
            Self::ReturnPath => Role::Sender,
            Self::Date
            | Self::MessageId
            | Self::MailFollowupTo
            | Self::ContentLength
            | Self::ResentDate
            | Self::ResentMessageId => Role::Copy,
        }
    }

    /// Tells whether the field is left out of the message that is sent on.
    pub(super) const fn is_dropped(self) -> bool {
        matches!(
            self,
            Self::Bcc | Self::ResentBcc | Self::ReturnPath | Self::ContentLength
        )
    }

    /// Tells whether its addresses count for Mail-Followup-To.
    pub(super) const fn is_followed_up(self) -> bool {
        matches!(self, Self::To | Self::Cc)
    }

    /// Tells whether a message with this field has been resent (RFC 5322 §3.6.6).
    pub(super) const fn is_resent(self) -> bool {
        matches!(
            self,
            Self::ResentTo
                | Self::ResentCc
                | Self::ResentBcc
                | Self::ResentSender
                | Self::ResentFrom
                | Self::ResentReplyTo
                | Self::ResentDate
                | Self::ResentMessageId
        )
    }
}
