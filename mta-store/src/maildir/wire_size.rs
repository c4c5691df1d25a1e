//! How many octets a stored message has on the wire, with CRLF line ends (RFC 1939 §11).

/// Counts octets piece by piece: a bare LF counts two, and a last line without LF is completed.
///
/// ```
/// use mta_store::maildir::WireSize;
/// let mut size = WireSize::default();
/// size.add(b"Subject: x\n\nbody");
/// assert_eq!(size.total(), b"Subject: x\r\n\r\nbody\r\n".len() as u64);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireSize {
    octets: u64,
    last: Option<u8>,
}

impl WireSize {
    /// Counts the next piece.
    pub fn add(&mut self, piece: &[u8]) {
        let mut bare = 0_u64;
        let mut before = self.last;
        for &byte in piece {
            bare += u64::from(byte == b'\n' && before != Some(b'\r'));
            before = Some(byte);
        }
        self.last = before;
        self.octets += piece.len() as u64 + bare;
    }

    /// The octets of all pieces together.
    #[must_use]
    pub fn total(self) -> u64 {
        let open = !matches!(self.last, None | Some(b'\n'));
        self.octets + if open { 2 } else { 0 }
    }
}
