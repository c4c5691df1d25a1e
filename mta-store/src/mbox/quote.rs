//! mboxrd quoting while a message streams past: a `>` before each line that is `>*From ` (mbox(5)).

const FROM: &[u8] = b"From ";

/// Quotes a message that comes in pieces; it never holds more than four bytes back.
///
/// A `>` put directly before `From ` gives the same line as one put before the line's other `>`,
/// so nothing needs to be known beforehand of how many of them there are.
///
/// ```
/// use mta_store::mbox::Quote;
/// let (mut quote, mut out) = (Quote::new(), Vec::new());
/// for piece in [&b"x\n>Fr"[..], b"om me\nFromage"] {
///     quote.feed(piece, &mut out);
/// }
/// quote.finish(&mut out);
/// assert_eq!(out, b"x\n>>From me\nFromage\n\n");
/// ```
#[derive(Clone, Debug)]
pub struct Quote {
    /// How many bytes of `From ` the line has shown; `None` where it cannot become one any more.
    matched: Option<usize>,
    /// Nothing of the line has been seen.
    line_is_empty: bool,
}

impl Default for Quote {
    fn default() -> Self {
        Self::new()
    }
}

impl Quote {
    /// Starts at the beginning of a message.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            matched: Some(0),
            line_is_empty: true,
        }
    }

    /// Takes the next bytes and appends what is certain to `out`: as many, a few held back ones, and
    /// a `>` for each quoted line.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for line in bytes.split_inclusive(|&b| b == b'\n') {
            self.part_of_line(line, out);
        }
    }

    /// Ends the message: completes a last line without LF and appends the blank line.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        if let Some(held) = self.matched.take() {
            out.extend(FROM.iter().take(held));
        }
        if !self.line_is_empty {
            out.push(b'\n');
        }
        out.push(b'\n');
    }

    fn part_of_line(&mut self, mut part: &[u8], out: &mut Vec<u8>) {
        self.line_is_empty = part.ends_with(b"\n") || (self.line_is_empty && part.is_empty());
        while let (Some(held), Some((&byte, rest))) = (self.matched, part.split_first()) {
            if FROM.get(held) == Some(&byte) {
                part = rest;
                self.matched = Some(held + 1);
                if held + 1 == FROM.len() {
                    out.push(b'>');
                    out.extend_from_slice(FROM);
                    self.matched = None;
                }
            } else if held == 0 && byte == b'>' {
                part = rest;
                out.push(byte);
            } else {
                out.extend(FROM.iter().take(held));
                self.matched = None;
            }
        }
        out.extend_from_slice(part);
        if part.ends_with(b"\n") {
            self.matched = Some(0);
        }
    }
}
