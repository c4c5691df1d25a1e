//! The lexical tokens of structured fields (RFC 822 §3.3, §3.4.3 to §3.4.6; RFC 5322 §3.2; spec §11.3).
//!
//! Unlike the original's tokens, which these follow otherwise:
//! - a line end inside quotes, a literal or a comment is folding and vanishes (RFC 5322 §3.2.2), so
//!   that no token can start a line of its own;
//! - nested comments keep their parentheses;
//! - letters beyond ASCII are no reason for quoting where they are UTF-8 (RFC 6532 §3.2);
//! - an atom with an escaped blank or special is quoted, for otherwise it would be read again as two.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Atom,
    Quote,
    Literal,
    Comment,
    At,
    Dot,
    Comma,
    Colon,
    Semicolon,
    Left,
    Right,
}

/// One token; `text` is empty in those that are one special character.
///
/// Quoted strings and literals hold their text without escapes, comments hold it as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: Vec<u8>,
    /// White space stood before it.
    pub(super) spaced: bool,
}

impl Token {
    pub(super) const fn special(kind: Kind) -> Self {
        Self {
            kind,
            text: Vec::new(),
            spaced: false,
        }
    }

    /// An atom, or a quoted string where the text can be no atom.
    pub(super) fn word(text: Vec<u8>) -> Self {
        let kind = if is_atom(&text) {
            Kind::Atom
        } else {
            Kind::Quote
        };
        Self {
            kind,
            text,
            spaced: false,
        }
    }
}

/// The text does not follow the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unparsable;

/// Cuts a field's body into tokens.
pub(super) fn tokens(text: &[u8]) -> Result<Vec<Token>, Unparsable> {
    let mut scanner = Scanner { rest: text };
    let mut found = Vec::new();
    let mut spaced = false;
    while let Some(byte) = scanner.next() {
        let mut token = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                spaced = true;
                continue;
            }
            b'.' => Token::special(Kind::Dot),
            b',' => Token::special(Kind::Comma),
            b'@' => Token::special(Kind::At),
            b'<' => Token::special(Kind::Left),
            b'>' => Token::special(Kind::Right),
            b':' => Token::special(Kind::Colon),
            b';' => Token::special(Kind::Semicolon),
            b')' | b']' => return Err(Unparsable),
            b'(' => Token {
                text: scanner.comment()?,
                ..Token::special(Kind::Comment)
            },
            b'"' => Token {
                text: scanner.until(b'"')?,
                ..Token::special(Kind::Quote)
            },
            b'[' => Token {
                text: scanner.until(b']')?,
                ..Token::special(Kind::Literal)
            },
            _ => {
                let text = scanner.atom(byte);
                if text.is_empty() {
                    continue;
                }
                Token::word(text)
            }
        };
        token.spaced = spaced;
        spaced = false;
        found.push(token);
    }
    Ok(found)
}

struct Scanner<'a> {
    rest: &'a [u8],
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn until(&mut self, close: u8) -> Result<Vec<u8>, Unparsable> {
        let mut text = Vec::new();
        loop {
            let byte = match self.next().ok_or(Unparsable)? {
                byte if byte == close => return Ok(text),
                b'\\' => self.next().ok_or(Unparsable)?,
                byte => byte,
            };
            if !is_line_end(byte) {
                text.push(byte);
            }
        }
    }

    fn comment(&mut self) -> Result<Vec<u8>, Unparsable> {
        let mut text = Vec::new();
        let mut depth = 1_usize;
        loop {
            let byte = self.next().ok_or(Unparsable)?;
            match byte {
                b'\\' => {
                    let escaped = self.next().ok_or(Unparsable)?;
                    if !is_line_end(escaped) {
                        text.extend_from_slice(&[b'\\', escaped]);
                    }
                    continue;
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ if is_line_end(byte) => continue,
                _ => {}
            }
            if depth == 0 {
                return Ok(text);
            }
            text.push(byte);
        }
    }

    fn atom(&mut self, first: u8) -> Vec<u8> {
        let mut text = Vec::new();
        let mut byte = first;
        loop {
            if byte == b'\\' {
                let Some(escaped) = self.next() else {
                    break;
                };
                byte = escaped;
            }
            if !is_line_end(byte) {
                text.push(byte);
            }
            match self.rest.split_first() {
                Some((&next, rest)) if !ends_atom(next) => {
                    byte = next;
                    self.rest = rest;
                }
                _ => break,
            }
        }
        text
    }
}

const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn ends_atom(byte: u8) -> bool {
    b" \t\r\n([\"<>;:@,.".contains(&byte)
}

/// Tells whether a text is written without quotes.
fn is_atom(text: &[u8]) -> bool {
    let special = |b: u8| b <= b' ' || b == 0x7f || b"\"(),:;<>@[\\].".contains(&b);
    !text.is_empty() && !text.iter().any(|&b| special(b)) && std::str::from_utf8(text).is_ok()
}
