//! What the log keeps of a message besides its body: the envelope with each recipient's channel (docs/spool-log.md).
//!
//! Five numbers, then tagged values: one byte, a length as u32, the bytes. A reader passes over
//! tags that it does not know.
//!
//! | tag | value |
//! |---|---|
//! | `F` | reverse-path |
//! | `B`, `U`, `R`, `E` | BODY (`7`, `8`), SMTPUTF8, RET (`F`, `H`), ENVID |
//! | `D` | whence it was taken: number, size and time of a message in the qmail layout |
//! | `X` | the body lies in a file of its own: its length and CRC-32 |
//! | `l`, `r` | a recipient on the local or remote channel, as it was routed |
//! | `o`, `n`, `q` | of the recipient before: the forward-path as given where it differs, NOTIFY, ORCPT |

use super::index::Size;
use crate::queue::{Origin, Params};
use mta_core::envelope::{Body, MailParams, Notify, RcptParams, Ret};
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::{Channel, Routed};
use mta_core::{Address, Envelope, Unix};

/// Names a message of the qmail layout that was taken into the log, so that it is taken once.
#[expect(
    clippy::exhaustive_structs,
    reason = "these three tell it from any other"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Door {
    /// Its number there.
    pub id: MessageId,
    /// The bytes of its message file.
    pub size: u64,
    /// The nanoseconds since 1970 at which that was last written.
    pub written: u128,
}

/// Where a message's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind the head, in the segment.
    Inline,
    /// In a file of its own.
    File { len: u64, sum: u32 },
}

/// The head of a message's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: MessageId,
    pub(super) birth: Unix,
    pub(super) origin: Origin,
    pub(super) place: Place,
    pub(super) door: Option<Door>,
    pub(super) sender: Address,
    pub(super) mail: MailParams,
    pub(super) recipients: Vec<Recipient>,
}

/// A recipient as it was routed when the message came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recipient {
    pub(super) routed: Routed,
    /// The forward-path as it was given, where that differs.
    pub(super) given: Option<Address>,
    pub(super) params: RcptParams,
}

impl Entry {
    /// Puts an envelope's recipients on their channels.
    pub(super) fn new(
        (id, birth, origin): (MessageId, Unix, Origin),
        envelope: &Envelope,
        route: &mut dyn FnMut(&Address) -> Routed,
    ) -> Self {
        let recipients = envelope.recipients.iter().map(|to| {
            let routed = route(&to.address);
            let given = (routed.address != to.address).then(|| to.address.clone());
            Recipient {
                routed,
                given,
                params: to.params.clone(),
            }
        });
        Self {
            id,
            birth,
            origin,
            place: Place::Inline,
            door: None,
            sender: envelope.reverse_path.clone(),
            mail: envelope.params.clone(),
            recipients: recipients.collect(),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 48 * self.recipients.len());
        out.extend_from_slice(&self.id.0.to_le_bytes());
        out.extend_from_slice(&self.birth.0.to_le_bytes());
        out.extend_from_slice(&self.origin.uid.to_le_bytes());
        out.extend_from_slice(&self.origin.pid.to_le_bytes());
        tag(&mut out, b'F', self.sender.as_bytes());
        encode_mail(&mut out, &self.mail);
        if let Some(door) = self.door {
            let (id, size) = (door.id.0.to_le_bytes(), door.size.to_le_bytes());
            let value = [&id[..], &size, &door.written.to_le_bytes()].concat();
            tag(&mut out, b'D', &value);
        }
        if let Place::File { len, sum } = self.place {
            tag(
                &mut out,
                b'X',
                &[&len.to_le_bytes()[..], &sum.to_le_bytes()].concat(),
            );
        }
        for to in &self.recipients {
            let letter = match to.routed.channel {
                Channel::Local => b'l',
                Channel::Remote => b'r',
            };
            tag(&mut out, letter, to.routed.address.as_bytes());
            if let Some(given) = &to.given {
                tag(&mut out, b'o', given.as_bytes());
            }
            encode_rcpt(&mut out, &to.params);
        }
        out
    }

    /// Reads a head; `None` where it makes no sense.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let mut entry = Self {
            id: MessageId(rest.u64()?),
            birth: Unix(rest.u64()?),
            origin: Origin {
                uid: rest.u32()?,
                pid: rest.u32()?,
            },
            place: Place::Inline,
            door: None,
            sender: Address::null(),
            mail: MailParams::default(),
            recipients: Vec::new(),
        };
        while !rest.0.is_empty() {
            let (tag, value) = rest.tagged()?;
            entry.take(tag, value)?;
        }
        Some(entry)
    }

    fn take(&mut self, tag: u8, value: &[u8]) -> Option<()> {
        let mut reader = Reader(value);
        match tag {
            b'F' => self.sender = Address::new(value).ok()?,
            b'D' => {
                self.door = Some(Door {
                    id: MessageId(reader.u64()?),
                    size: reader.u64()?,
                    written: u128::from(reader.u64()?) | u128::from(reader.u64()?) << 64,
                });
            }
            b'X' => {
                self.place = Place::File {
                    len: reader.u64()?,
                    sum: reader.u32()?,
                }
            }
            b'l' => self.recipients.push(recipient(Channel::Local, value)?),
            b'r' => self.recipients.push(recipient(Channel::Remote, value)?),
            b'o' => self.recipients.last_mut()?.given = Some(Address::new(value).ok()?),
            b'n' => self.recipients.last_mut()?.params.notify = Some(notify(value)),
            b'q' => self.recipients.last_mut()?.params.orcpt = Some(value.to_vec()),
            _ => take_mail(&mut self.mail, tag, value),
        }
        Some(())
    }

    /// Returns what the index keeps, given the bytes of the whole record.
    pub(super) fn size(&self, bytes: u64) -> Size {
        Size {
            bytes,
            recipients: u32::try_from(self.recipients.len()).unwrap_or(u32::MAX),
            apart: matches!(self.place, Place::File { .. }),
        }
    }

    /// Returns what SMTP extensions added, by the forward-paths as they were given.
    pub(super) fn params(&self) -> Params {
        let with_any = |to: &&Recipient| to.params != RcptParams::default();
        let recipients = self.recipients.iter().filter(with_any);
        Params {
            mail: self.mail.clone(),
            recipients: recipients
                .map(|to| mta_core::envelope::Recipient {
                    address: to.given.as_ref().unwrap_or(&to.routed.address).clone(),
                    params: to.params.clone(),
                })
                .collect(),
            ..Params::default()
        }
    }
}

fn recipient(channel: Channel, address: &[u8]) -> Option<Recipient> {
    Some(Recipient {
        routed: Routed {
            channel,
            address: Address::new(address).ok()?,
        },
        given: None,
        params: RcptParams::default(),
    })
}

fn encode_mail(out: &mut Vec<u8>, mail: &MailParams) {
    match mail.body {
        Some(Body::SevenBit) => tag(out, b'B', b"7"),
        Some(Body::EightBit) => tag(out, b'B', b"8"),
        None => {}
    }
    if mail.smtputf8 {
        tag(out, b'U', b"");
    }
    match mail.ret {
        Some(Ret::Full) => tag(out, b'R', b"F"),
        Some(Ret::Headers) => tag(out, b'R', b"H"),
        None => {}
    }
    if let Some(envid) = &mail.envid {
        tag(out, b'E', envid);
    }
}

fn take_mail(mail: &mut MailParams, tag: u8, value: &[u8]) {
    match (tag, value) {
        (b'B', b"7") => mail.body = Some(Body::SevenBit),
        (b'B', b"8") => mail.body = Some(Body::EightBit),
        (b'U', _) => mail.smtputf8 = true,
        (b'R', b"F") => mail.ret = Some(Ret::Full),
        (b'R', b"H") => mail.ret = Some(Ret::Headers),
        (b'E', envid) => mail.envid = Some(envid.to_vec()),
        _ => {}
    }
}

fn encode_rcpt(out: &mut Vec<u8>, params: &RcptParams) {
    if let Some(notify) = params.notify {
        let letters = [
            (notify.success, b'S'),
            (notify.failure, b'F'),
            (notify.delay, b'D'),
        ];
        let wanted = letters.into_iter().filter(|(wanted, _)| *wanted);
        tag(
            out,
            b'n',
            &wanted.map(|(_, letter)| letter).collect::<Vec<_>>(),
        );
    }
    if let Some(orcpt) = &params.orcpt {
        tag(out, b'q', orcpt);
    }
}

fn notify(letters: &[u8]) -> Notify {
    Notify {
        success: letters.contains(&b'S'),
        failure: letters.contains(&b'F'),
        delay: letters.contains(&b'D'),
    }
}

pub(super) fn tag(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    let len = u32::try_from(value.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(value);
}

/// Takes values from the front of a head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(front)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }

    pub(super) fn tagged(&mut self) -> Option<(u8, &'a [u8])> {
        let tag = *self.bytes(1)?.first()?;
        let len = usize::try_from(self.u32()?).ok()?;
        Some((tag, self.bytes(len)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_an_envelope_says_is_read_back() {
        let to = |a: &str| Address::new(a).unwrap();
        let envelope = Envelope {
            reverse_path: to("from@example.org"),
            recipients: vec![
                mta_core::envelope::Recipient {
                    address: to("one@here.example"),
                    params: RcptParams {
                        notify: Some(Notify {
                            success: true,
                            ..Notify::default()
                        }),
                        orcpt: Some(b"rfc822;one@here.example".to_vec()),
                    },
                },
                to("two@far.example").into(),
            ],
            params: MailParams {
                body: Some(Body::EightBit),
                smtputf8: true,
                ret: Some(Ret::Headers),
                envid: Some(b"QQ314159".to_vec()),
            },
        };
        let origin = Origin { pid: 4, uid: 5 };
        let mut entry = Entry::new((MessageId(9), Unix(77), origin), &envelope, &mut |a| {
            Routed {
                channel: if a.domain() == Some(b"here.example") {
                    Channel::Local
                } else {
                    Channel::Remote
                },
                address: if a.domain() == Some(b"here.example") {
                    to("v-one@here.example")
                } else {
                    a.clone()
                },
            }
        });
        entry.place = Place::File {
            len: 1 << 40,
            sum: 6,
        };
        entry.door = Some(Door {
            id: MessageId(3),
            size: 10,
            written: 1 << 70,
        });
        assert_eq!(Entry::decode(&entry.encode()), Some(entry.clone()));
        let params = entry.params();
        assert_eq!(params.recipients[0].address, to("one@here.example"));
        assert_eq!(params.recipients.len(), 1);
        let bytes = entry.encode();
        for cut in 0..bytes.len() {
            // Cut between two values it is another envelope; in the middle of one it is none.
            let _ = Entry::decode(&bytes[..cut]);
        }
        assert_eq!(Entry::decode(&bytes[..20]), None);
    }
}
