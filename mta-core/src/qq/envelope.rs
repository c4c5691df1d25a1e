//! The envelope that qmail-queue reads: `Fsender\0` (`Trecipient\0`)* `\0` (envelopes(5), spec §4).

use crate::{Address, Envelope};

/// The longest address that is taken.
pub const MAX_ADDRESS: usize = 1002;

/// The most bytes of an envelope; the recipients are in memory until the message is queued.
pub const MAX_ENVELOPE: usize = 256 << 20;

/// Why an envelope is refused, each with an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadEnvelope {
    /// The caller stopped before the final NUL, as it does to take the message back; temporary.
    #[error("the envelope ended before its final NUL")]
    Incomplete,
    /// An address has more than [`MAX_ADDRESS`] bytes; permanent.
    #[error("an address of at most {MAX_ADDRESS} bytes was expected")]
    AddressTooLong,
    /// Something else than `F` first and `T` later; the caller's bug.
    #[error("one F record and then T records were expected")]
    Malformed,
    /// All addresses together have more than [`MAX_ENVELOPE`] bytes; temporary, for want of memory.
    #[error("an envelope of at most {MAX_ENVELOPE} bytes was expected")]
    TooLarge,
}

impl BadEnvelope {
    /// Returns qmail-queue's exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Incomplete => 54,
            Self::AddressTooLong => 11,
            Self::Malformed => 91,
            Self::TooLarge => 51,
        }
    }
}

/// Reads an envelope whose bytes may come in any pieces.
///
/// ```
/// use mta_core::qq::EnvelopeParser;
/// let mut parser = EnvelopeParser::new();
/// assert!(!parser.push(b"Fme@here\0Tyou@th").unwrap());
/// assert!(parser.push(b"ere\0\0").unwrap());
/// let envelope = parser.finish().unwrap();
/// assert_eq!(envelope.reverse_path.as_bytes(), b"me@here");
/// assert_eq!(envelope.recipients[0].address.as_bytes(), b"you@there");
/// ```
#[derive(Clone, Debug, Default)]
pub struct EnvelopeParser {
    envelope: Envelope,
    state: State,
    address: Vec<u8>,
    total: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Sender,
    Letter,
    Recipient,
    Done,
}

impl EnvelopeParser {
    /// Starts before the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and tells whether the final NUL was among them; what comes behind it is
    /// not looked at.
    ///
    /// # Errors
    /// Says what is wrong; the parser is of no use afterwards.
    pub fn push(&mut self, bytes: &[u8]) -> Result<bool, BadEnvelope> {
        for &byte in bytes {
            match (self.state, byte) {
                (State::Done, _) => break,
                (State::Start, b'F') => self.state = State::Sender,
                (State::Letter, b'T') => self.state = State::Recipient,
                (State::Letter, 0) => self.state = State::Done,
                (State::Start | State::Letter, _) => return Err(BadEnvelope::Malformed),
                (State::Sender | State::Recipient, 0) => self.end_of_address()?,
                (State::Sender | State::Recipient, _) => self.address.push(byte),
            }
            if self.address.len() > MAX_ADDRESS {
                return Err(BadEnvelope::AddressTooLong);
            }
        }
        Ok(self.state == State::Done)
    }

    /// Returns the envelope.
    ///
    /// # Errors
    /// Fails where the final NUL did not come.
    pub fn finish(self) -> Result<Envelope, BadEnvelope> {
        match self.state {
            State::Done => Ok(self.envelope),
            _ => Err(BadEnvelope::Incomplete),
        }
    }

    fn end_of_address(&mut self) -> Result<(), BadEnvelope> {
        self.total += self.address.len() + 2;
        if self.total > MAX_ENVELOPE {
            return Err(BadEnvelope::TooLarge);
        }
        // A NUL ends an address, so none is in it.
        let address = Address::new(self.address.as_slice()).map_err(|_| BadEnvelope::Malformed)?;
        self.address.clear();
        if self.state == State::Sender {
            self.envelope.reverse_path = address;
        } else {
            self.envelope.recipients.push(address.into());
        }
        self.state = State::Letter;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<usize, BadEnvelope> {
        let mut parser = EnvelopeParser::new();
        parser.push(bytes)?;
        parser.finish().map(|envelope| envelope.recipients.len())
    }

    #[test]
    fn envelopes_are_taken_and_refused_as_the_original_does() {
        let long = |n: usize| [b"F\0T".as_slice(), &vec![b'a'; n], b"\0\0"].concat();
        let rows: [(&str, Vec<u8>, Result<usize, BadEnvelope>); 12] = [
            ("one recipient", b"Fa\0Tb\0\0".to_vec(), Ok(1)),
            ("no recipient", b"F\0\0".to_vec(), Ok(0)),
            ("empty recipient", b"F\0T\0\0".to_vec(), Ok(1)),
            ("more behind the end", b"F\0T\0\0Xjunk".to_vec(), Ok(1)),
            ("nothing", Vec::new(), Err(BadEnvelope::Incomplete)),
            (
                "sender only",
                b"Fa\0".to_vec(),
                Err(BadEnvelope::Incomplete),
            ),
            (
                "cut recipient",
                b"Fa\0Tb".to_vec(),
                Err(BadEnvelope::Incomplete),
            ),
            ("no F", b"Ta\0\0".to_vec(), Err(BadEnvelope::Malformed)),
            (
                "two senders",
                b"Fa\0Fb\0\0".to_vec(),
                Err(BadEnvelope::Malformed),
            ),
            ("a NUL first", b"\0".to_vec(), Err(BadEnvelope::Malformed)),
            ("1002 bytes", long(1002), Ok(1)),
            ("1003 bytes", long(1003), Err(BadEnvelope::AddressTooLong)),
        ];
        for (name, bytes, want) in rows {
            assert_eq!(parse(&bytes), want, "{name}");
            for cut in 0..bytes.len().min(40) {
                let mut parser = EnvelopeParser::new();
                let (a, b) = bytes.split_at(cut);
                let got = parser
                    .push(a)
                    .and_then(|_| parser.push(b))
                    .and_then(|_| parser.finish());
                assert_eq!(got.map(|e| e.recipients.len()), want, "{name} cut at {cut}");
            }
        }
    }
}
