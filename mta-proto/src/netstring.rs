//! Netstrings, the framing of QMQP and QMTP: a length in decimal digits, a colon, so many bytes, a comma (qmail-qmtpd(8)).
//!
//! ```abnf
//! netstring = 1*DIGIT ":" *OCTET ","
//! ```
//! A netstring passes in pieces, so that one of any length needs no more memory than its length's
//! digits. Unlike the original, whatever is no digit is refused, and so is a length without digits;
//! leading zeros are taken, as there.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Most digits of a length; enough for every `u64`, and a bound for leading zeros.
pub const MAX_DIGITS: u8 = 20;

/// Why bytes are no netstring that we take; nothing behind them can be understood any more.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// A length holds something else than digits, none, or too many.
    #[error("expected the decimal length of a netstring")]
    Length,
    /// A netstring is longer than the limit; the original answers with exit code 111 instead of 100.
    #[error("expected a netstring within the limit of length")]
    TooLong,
    /// The bytes are not followed by a comma.
    #[error("expected a comma behind a netstring")]
    Comma,
    /// A netstring reaches beyond the one around it.
    #[error("expected a netstring to end within the one around it")]
    Overrun,
    /// The bytes within are not what the protocol puts there.
    #[error("expected other content in a netstring")]
    Content,
}

/// What [`Reader::step`] found.
#[expect(
    clippy::exhaustive_enums,
    reason = "a netstring has these parts and no others"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Nothing more can be told before more input is there.
    Starved,
    /// The length was read: so many bytes are going to come.
    Begin(u64),
    /// So many of its bytes are in the input, at least one: [`Reader::take`] them.
    Content(usize),
    /// The comma was read; another netstring may follow.
    End,
}

/// Reads netstrings from a buffer that fills up bit by bit.
///
/// ```
/// use bytes::BytesMut;
/// use mta_proto::netstring::{Part, Reader};
/// let (mut input, mut reader) = (BytesMut::from("5:hel"), Reader::new(1000));
/// assert_eq!(reader.step(&mut input), Ok(Part::Begin(5)));
/// assert_eq!(reader.step(&mut input), Ok(Part::Content(3)));
/// assert_eq!(&reader.take(&mut input, 3)[..], b"hel");
/// assert_eq!(reader.step(&mut input), Ok(Part::Starved));
/// input.extend_from_slice(b"lo,");
/// assert_eq!(reader.step(&mut input), Ok(Part::Content(2)));
/// assert_eq!(&reader.take(&mut input, 2)[..], b"lo");
/// assert_eq!(reader.step(&mut input), Ok(Part::End));
/// ```
#[derive(Clone, Debug)]
pub struct Reader {
    longest: u64,
    at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Length { digits: u8, value: u64 },
    Content { left: u64 },
}

const START: At = At::Length {
    digits: 0,
    value: 0,
};

impl Reader {
    /// Starts in front of a netstring of at most `longest` bytes.
    #[must_use]
    pub const fn new(longest: u64) -> Self {
        Self { longest, at: START }
    }

    /// Tells whether nothing of a netstring was read yet.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        self.at == START
    }

    /// How many bytes of the netstring are still to come; 0 before its length is known.
    #[must_use]
    pub const fn left(&self) -> u64 {
        match self.at {
            At::Length { .. } => 0,
            At::Content { left } => left,
        }
    }

    /// Reads on in `input`.
    ///
    /// # Errors
    /// Fails where the bytes are no netstring; the reader is of no use afterwards.
    pub fn step(&mut self, input: &mut BytesMut) -> Result<Part, Malformed> {
        let mut boundless = u64::MAX;
        self.step_within(input, &mut boundless)
    }

    /// Takes up to `most` bytes of the netstring from `input`, as far as they are there.
    pub fn take(&mut self, input: &mut BytesMut, most: usize) -> BytesMut {
        let mut boundless = u64::MAX;
        self.take_within(input, &mut boundless, most)
    }

    /// Reads on in the netstring `around` this one.
    ///
    /// # Errors
    /// Fails where the bytes are no netstring, or where it does not end within the one around it.
    pub fn step_inside(
        &mut self,
        input: &mut BytesMut,
        around: &mut Self,
    ) -> Result<Part, Malformed> {
        match &mut around.at {
            At::Content { left } => self.step_within(input, left),
            At::Length { .. } => Err(Malformed::Overrun),
        }
    }

    /// Takes up to `most` bytes of this netstring, which are bytes of the one `around` it as well.
    pub fn take_inside(
        &mut self,
        input: &mut BytesMut,
        around: &mut Self,
        most: usize,
    ) -> BytesMut {
        match &mut around.at {
            At::Content { left } => self.take_within(input, left, most),
            At::Length { .. } => BytesMut::new(),
        }
    }

    fn step_within(&mut self, input: &mut BytesMut, room: &mut u64) -> Result<Part, Malformed> {
        match self.at {
            At::Content { left: 0 } => {
                let Some(byte) = next(input, room)? else {
                    return Ok(Part::Starved);
                };
                if byte != b',' {
                    return Err(Malformed::Comma);
                }
                self.at = START;
                Ok(Part::End)
            }
            At::Content { left } => Ok(match usize::try_from(left) {
                _ if input.is_empty() => Part::Starved,
                Ok(left) => Part::Content(left.min(input.len())),
                Err(_) => Part::Content(input.len()),
            }),
            At::Length { digits, value } => self.length(input, room, digits, value),
        }
    }

    fn length(
        &mut self,
        input: &mut BytesMut,
        room: &mut u64,
        mut digits: u8,
        mut value: u64,
    ) -> Result<Part, Malformed> {
        while let Some(byte) = next(input, room)? {
            match byte {
                b'0'..=b'9' if digits < MAX_DIGITS => {
                    let ten = value.checked_mul(10);
                    let sum = ten.and_then(|ten| ten.checked_add(u64::from(byte - b'0')));
                    value = sum
                        .filter(|&sum| sum <= self.longest)
                        .ok_or(Malformed::TooLong)?;
                    digits += 1;
                }
                b':' if digits > 0 => {
                    if value >= *room {
                        return Err(Malformed::Overrun);
                    }
                    self.at = At::Content { left: value };
                    return Ok(Part::Begin(value));
                }
                _ => return Err(Malformed::Length),
            }
            self.at = At::Length { digits, value };
        }
        Ok(Part::Starved)
    }

    fn take_within(&mut self, input: &mut BytesMut, room: &mut u64, most: usize) -> BytesMut {
        let At::Content { left } = &mut self.at else {
            return BytesMut::new();
        };
        let n = usize::try_from(*left).unwrap_or(usize::MAX);
        let n = n.min(input.len()).min(most);
        *left = left.saturating_sub(n as u64);
        *room = room.saturating_sub(n as u64);
        input.split_to(n)
    }
}

/// Takes one byte; fails where the netstring around has none left.
fn next(input: &mut BytesMut, room: &mut u64) -> Result<Option<u8>, Malformed> {
    *room = room.checked_sub(1).ok_or(Malformed::Overrun)?;
    if input.has_remaining() {
        return Ok(Some(input.get_u8()));
    }
    *room = room.saturating_add(1);
    Ok(None)
}

/// Appends `bytes` as a netstring.
///
/// ```
/// let mut out = Vec::new();
/// mta_proto::netstring::encode(b"hello world!", &mut out);
/// assert_eq!(out, b"12:hello world!,");
/// ```
pub fn encode(bytes: &[u8], out: &mut impl BufMut) {
    out.put_slice(&head(bytes.len() as u64));
    out.put_slice(bytes);
    out.put_u8(b',');
}

/// How many bytes the netstring of `length` bytes has.
#[must_use]
pub fn encoded_len(length: u64) -> u64 {
    let digits = length.checked_ilog10().unwrap_or(0) + 1;
    length.saturating_add(u64::from(digits)).saturating_add(2)
}

/// What stands in front of the bytes of a netstring of that length: its digits and the colon.
pub(crate) fn head(length: u64) -> Vec<u8> {
    format!("{length}:").into_bytes()
}

/// Reads a whole netstring of at most `longest` bytes; returns its bytes and what stands behind it.
///
/// # Errors
/// Fails where it is none; one that is cut off lacks its comma.
///
/// ```
/// use mta_proto::netstring::{decode, Malformed};
/// assert_eq!(decode(b"3:abc,rest", 100), Ok((&b"abc"[..], &b"rest"[..])));
/// assert_eq!(decode(b"3:ab", 100), Err(Malformed::Comma));
/// ```
pub fn decode(bytes: &[u8], longest: u64) -> Result<(&[u8], &[u8]), Malformed> {
    let colon = bytes
        .iter()
        .take(usize::from(MAX_DIGITS) + 1)
        .position(|&b| b == b':')
        .ok_or(Malformed::Length)?;
    let mut head = BytesMut::from(bytes.get(..=colon).unwrap_or_default());
    let Part::Begin(length) = Reader::new(longest).step(&mut head)? else {
        return Err(Malformed::Length);
    };
    let behind = bytes.get(colon + 1..).unwrap_or_default();
    let length = usize::try_from(length).map_err(|_| Malformed::TooLong)?;
    let (content, rest) = behind.split_at_checked(length).ok_or(Malformed::Comma)?;
    match rest.split_first() {
        Some((b',', rest)) => Ok((content, rest)),
        _ => Err(Malformed::Comma),
    }
}

/// The content of a netstring that is collected: an address, which has to be short.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Collected {
    /// Starts with a netstring of `length` bytes, of which more than `longest` are only skipped.
    pub(crate) fn begin(length: u64, longest: usize) -> Self {
        let fits = usize::try_from(length).ok().filter(|&n| n <= longest);
        Self {
            bytes: Vec::with_capacity(fits.unwrap_or(0)),
            too_long: fits.is_none(),
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !self.too_long {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The address, where it can be one: short enough and without NUL.
    pub(crate) fn address(self) -> Option<mta_core::Address> {
        if self.too_long {
            return None;
        }
        mta_core::Address::new(self.bytes).ok()
    }
}

/// Cuts `text` at the limit `most` of the session that is at `size` bytes; 0 sets no limit.
pub(crate) fn within(text: BytesMut, size: u64, most: u64) -> (Bytes, Within) {
    let mut text = text.freeze();
    let room = match most {
        0 => u64::MAX,
        most => most.saturating_sub(size),
    };
    if text.len() as u64 <= room {
        return (text, Within::Limit);
    }
    text.truncate(usize::try_from(room).unwrap_or(usize::MAX));
    (text, Within::Excess)
}

/// Whether a message stays within its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    Limit,
    Excess,
}
