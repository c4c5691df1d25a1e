//! From a stored body to the DATA stream: CRLF line ends, dots stuffed, final dot (RFC 5321 §4.5.2, §2.3.8).

use bytes::{BufMut, BytesMut};

/// Turns LF, CRLF and bare CR into CRLF and doubles each dot that begins a line, over pieces cut
/// anywhere.
///
/// Unlike qmail-remote, which sends a bare CR as it is, and unlike peers that turn it into CRLF
/// without looking at the byte behind: dots are stuffed after *every* CRLF that is emitted, so no
/// stored bytes can end DATA early (SMTP smuggling). A partial last line is completed.
///
/// ```
/// use bytes::BytesMut;
/// use mta_proto::smtp::client::Stuffer;
/// let (mut out, mut stuffer) = (BytesMut::new(), Stuffer::new());
/// stuffer.feed(b"one\n.two\r", &mut out);
/// stuffer.feed(b".\nthree", &mut out);
/// stuffer.finish(&mut out);
/// assert_eq!(&out[..], b"one\r\n..two\r\n..\r\nthree\r\n.\r\n");
/// ```
#[derive(Clone, Debug)]
pub struct Stuffer {
    at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    Middle,
    /// Behind a CR of which nothing is emitted yet.
    Cr,
}

impl Default for Stuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl Stuffer {
    /// Starts at the beginning of a body.
    #[must_use]
    pub const fn new() -> Self {
        Self { at: At::LineStart }
    }

    /// Appends the next piece in its form for the wire; at most twice its length and two bytes.
    pub fn feed(&mut self, piece: &[u8], out: &mut BytesMut) {
        let mut rest = piece;
        while let Some((&first, tail)) = rest.split_first() {
            if self.at == At::Cr {
                self.end_line(out);
                if first == b'\n' {
                    rest = tail;
                }
                continue;
            }
            if self.at == At::LineStart && first == b'.' {
                out.put_u8(b'.');
            }
            let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
                out.extend_from_slice(rest);
                self.at = At::Middle;
                return;
            };
            let (line, behind) = rest.split_at(end);
            out.extend_from_slice(line);
            if behind.first() == Some(&b'\n') {
                self.end_line(out);
            } else {
                self.at = At::Cr;
            }
            rest = behind.get(1..).unwrap_or_default();
        }
    }

    /// Completes the last line and appends the final dot; ready for another body.
    pub fn finish(&mut self, out: &mut BytesMut) {
        if self.at != At::LineStart {
            self.end_line(out);
        }
        out.extend_from_slice(b".\r\n");
    }

    fn end_line(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(b"\r\n");
        self.at = At::LineStart;
    }
}
