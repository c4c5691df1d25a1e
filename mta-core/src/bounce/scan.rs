//! What must be known of a message before it is returned: its header's end and whether it is 8-bit (RFC 6152, RFC 6522 §4).

/// The most bytes of a header that are returned where the whole message is not.
pub const HEADER_COPY_MAX: u64 = 256 * 1024;

/// Reads a message once, in chunks of any size, before a bounce is composed.
///
/// ```
/// use mta_core::bounce::Scan;
/// let mut scan = Scan::default();
/// scan.feed(b"Subject: x\n");
/// scan.feed("\ngrün\n".as_bytes());
/// assert_eq!((scan.header(), scan.eight_bit(), scan.eight_bit_header()), (11, true, false));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    seen: u64,
    /// End of the last header line that ends within the bound.
    header: u64,
    eight_bit_header: bool,
    eight_bit_body: bool,
    place: Place,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    LineStart,
    /// A CR began the line; an LF after it ends the header.
    LoneCr,
    Line,
    Body,
}

impl Scan {
    /// Takes the next bytes of the message.
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while self.place != Place::Body
            && let Some((&byte, after)) = rest.split_first()
        {
            self.header_byte(byte);
            rest = after;
        }
        self.eight_bit_body |= !rest.is_ascii();
        self.seen += rest.len() as u64;
    }

    fn header_byte(&mut self, byte: u8) {
        self.seen += 1;
        self.place = match (self.place, byte) {
            (Place::LineStart | Place::LoneCr, b'\n') => Place::Body,
            (_, b'\n') => {
                if self.seen <= HEADER_COPY_MAX {
                    self.header = self.seen;
                }
                Place::LineStart
            }
            (Place::LineStart, b'\r') => Place::LoneCr,
            _ => {
                self.eight_bit_header |= !byte.is_ascii();
                Place::Line
            }
        };
    }

    /// Returns how many bytes the header has without the empty line behind it, in whole lines and
    /// at most [`HEADER_COPY_MAX`].
    #[must_use]
    pub const fn header(&self) -> u64 {
        self.header
    }

    /// Returns how many bytes were read.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.seen
    }

    /// Tells whether nothing was read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// Tells whether the header holds a byte beyond ASCII.
    #[must_use]
    pub const fn eight_bit_header(&self) -> bool {
        self.eight_bit_header
    }

    /// Tells whether any byte is beyond ASCII.
    #[must_use]
    pub const fn eight_bit(&self) -> bool {
        self.eight_bit_header || self.eight_bit_body
    }
}
