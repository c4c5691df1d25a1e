//! Cuts a message into header fields and the beginning of its body while it streams past (hfield(3), spec §11.1).

use super::{InjectError, Limits};

/// The longest field name: no line of a message is longer (RFC 5322 §2.1.1). A line that holds no
/// colon until then is text, and with it the body begins.
pub const MAX_NAME: usize = 998;

/// One thing found in a message's header.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "all must be handled")]
pub enum Found {
    /// All input was taken, the header goes on.
    More,
    /// A field with its continuation lines; it ends with LF.
    Field(Vec<u8>),
    /// The header has ended. These bytes go before the rest of the input: the empty line, or one
    /// that is put in and the beginning of the line that is no field.
    Body(Vec<u8>),
}

/// ```text
///              name colon, From_                 LF
///  LineStart ─────────────────► Inside ─────────────────► LineStart
///      │ │  blank after a field   ▲
///      │ └────────────────────────┘
///      └── empty line, or no field ──► Ended
/// ```
#[derive(Debug)]
enum State {
    /// In a line of which it is not known what it is.
    LineStart(Scan),
    /// In a line of `field`.
    Inside,
    /// In the body; what goes before the rest is still to be given out.
    Ended(Vec<u8>),
}

/// What the undecided beginning of a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scan {
    Nothing,
    Name,
    BlankAfterName,
    CarriageReturn,
}

#[derive(Debug)]
enum Decision {
    Open(Scan),
    Continuation,
    Field,
    MboxLine,
    EmptyLine,
    Text,
}

/// Cuts a message into its fields and the beginning of its body.
///
/// ```
/// use mta_core::inject::{Found, HeaderReader, Limits};
/// let mut reader = HeaderReader::new(Limits::default());
/// let mut input: &[u8] = b"Subject: x\n y\n\nbody\n";
/// assert_eq!(reader.next(&mut input).unwrap(), Found::Field(b"Subject: x\n y\n".to_vec()));
/// assert_eq!(reader.next(&mut input).unwrap(), Found::Body(b"\n".to_vec()));
/// assert_eq!(input, b"body\n");
/// ```
#[derive(Debug)]
pub struct HeaderReader {
    limits: Limits,
    state: State,
    /// The field being read, empty where there is none.
    field: Vec<u8>,
    /// The undecided beginning of a line, at most [`MAX_NAME`] and a few bytes.
    start: Vec<u8>,
    total: usize,
}

impl HeaderReader {
    /// Starts before the first byte.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::LineStart(Scan::Nothing),
            field: Vec::new(),
            start: Vec::new(),
            total: 0,
        }
    }

    /// Takes bytes off the front of `input` until something is found.
    ///
    /// # Errors
    /// Fails where a limit is passed.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Found, InjectError> {
        loop {
            match &mut self.state {
                State::Ended(before) => return Ok(Found::Body(std::mem::take(before))),
                State::Inside => {
                    if input.is_empty() {
                        return Ok(Found::More);
                    }
                    let end = input.iter().position(|&b| b == b'\n');
                    let (line, rest) = input.split_at(end.map_or(input.len(), |at| at + 1));
                    *input = rest;
                    self.grow(line)?;
                    if end.is_some() {
                        self.state = State::LineStart(Scan::Nothing);
                    }
                }
                State::LineStart(scan) => {
                    let scan = *scan;
                    let Some((&byte, rest)) = input.split_first() else {
                        return Ok(Found::More);
                    };
                    *input = rest;
                    let decision = self.decide(scan, byte);
                    self.start.push(byte);
                    if let Some(found) = self.act(decision)? {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// Ends the input. To be called until it gives [`Found::Body`].
    pub fn finish(&mut self) -> Found {
        let before = match &mut self.state {
            State::Ended(before) => std::mem::take(before),
            State::Inside => {
                self.field.push(b'\n');
                Vec::new()
            }
            State::LineStart(Scan::Nothing) => Vec::new(),
            State::LineStart(Scan::CarriageReturn) => std::mem::take(&mut self.start),
            // The line would have needed a colon to be a field.
            State::LineStart(_) => [b"\n", self.start.as_slice()].concat(),
        };
        self.start.clear();
        self.state = State::Ended(before);
        self.ended()
    }

    fn decide(&self, scan: Scan, byte: u8) -> Decision {
        let blank = matches!(byte, b' ' | b'\t');
        match scan {
            Scan::Nothing if byte == b'\n' => Decision::EmptyLine,
            Scan::Nothing if byte == b'\r' => Decision::Open(Scan::CarriageReturn),
            Scan::Nothing if blank && !self.field.is_empty() => Decision::Continuation,
            // Unlike qmail, a line of CR LF ends the header too, instead of becoming a line of text.
            Scan::CarriageReturn if byte == b'\n' => Decision::EmptyLine,
            Scan::Name | Scan::BlankAfterName if byte == b':' => Decision::Field,
            Scan::Name if byte == b' ' && self.start == b"From" => Decision::MboxLine,
            _ if self.start.len() >= MAX_NAME => Decision::Text,
            Scan::Name | Scan::BlankAfterName if blank => Decision::Open(Scan::BlankAfterName),
            Scan::Nothing | Scan::Name if byte.is_ascii_graphic() && byte != b':' => {
                Decision::Open(Scan::Name)
            }
            _ => Decision::Text,
        }
    }

    fn act(&mut self, decision: Decision) -> Result<Option<Found>, InjectError> {
        let begin: &[u8] = match decision {
            Decision::Open(scan) => {
                self.state = State::LineStart(scan);
                return Ok(None);
            }
            Decision::Field | Decision::Continuation => b"",
            Decision::MboxLine => b"MBOX-Line: ",
            Decision::EmptyLine => {
                self.state = State::Ended(std::mem::take(&mut self.start));
                return Ok(Some(self.ended()));
            }
            Decision::Text => {
                self.state = State::Ended([b"\n", self.start.as_slice()].concat());
                return Ok(Some(self.ended()));
            }
        };
        self.state = State::Inside;
        let line = [begin, &std::mem::take(&mut self.start)].concat();
        if matches!(decision, Decision::Continuation) {
            self.grow(&line)?;
            return Ok(None);
        }
        let before = std::mem::take(&mut self.field);
        self.grow(&line)?;
        Ok((!before.is_empty()).then_some(Found::Field(before)))
    }

    /// Gives out the last field, then what goes before the body.
    fn ended(&mut self) -> Found {
        match &mut self.state {
            State::Ended(before) if self.field.is_empty() => Found::Body(std::mem::take(before)),
            _ => Found::Field(std::mem::take(&mut self.field)),
        }
    }

    fn grow(&mut self, bytes: &[u8]) -> Result<(), InjectError> {
        self.field.extend_from_slice(bytes);
        self.total += bytes.len();
        // The limit that was passed first is named, however the input is cut.
        let over = |is: usize, limit: usize| (is.saturating_sub(limit), limit);
        let field = over(self.field.len(), self.limits.field);
        let header = over(self.total, self.limits.header);
        let (over, limit) = if header.0 > field.0 { header } else { field };
        if over > 0 {
            return Err(InjectError::HeaderTooLong { limit });
        }
        Ok(())
    }
}
