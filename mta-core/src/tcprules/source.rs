//! The language of rules, line by line (tcprules(1), spec §9.3).
//!
//! ```text
//! line     = [ "#" anything | anything-without-colon | rule ] *( SP / HTAB )
//! rule     = address ":" ( "allow" / "deny" ) *( "," name "=" quote value quote )
//! address  = *( any byte but ":" )                 ; of N-M each number, where it has no "=" or "@"
//!          / [ info "@" ] "[" IPv6 [ "/" length ] "]"
//! quote    = any byte, the same one at both ends; it cannot stand in the value
//! ```

use super::address;

/// The longest line that may hold a rule, and so the longest key and data.
pub const MAX_LINE: usize = 8000;

/// Which addresses are understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Syntax {
    /// Those of tcprules; IPv6 in brackets is added, since there it is no rule at all.
    #[default]
    Original,
    /// Also IPv4 networks as `192.0.2.0/25`, which the original takes for a name that nobody has.
    Extended,
}

/// A line that is no rule. Whoever wrote the source is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse this line: {}", String::from_utf8_lossy(text))]
#[non_exhaustive]
pub struct ParseError {
    /// Its number, from 1.
    pub line: usize,
    /// The line without white space at its end.
    pub text: Vec<u8>,
    /// What would have been right.
    pub expected: &'static str,
}

/// One record of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// For whom.
    pub key: Vec<u8>,
    /// What: see [`super::Variable`] and [`super::Decision`].
    pub data: Vec<u8>,
    /// The line it comes from.
    pub line: usize,
}

/// Walks over the records that a source stands for, in their order; ends after the first error.
///
/// ```
/// use mta_core::tcprules::{Parser, Syntax};
/// let mut rules = Parser::new(b"# nobody else\n10.0.0.1-2:deny\n", Syntax::Original);
/// let first = rules.next().unwrap()?;
/// assert_eq!((&first.key[..], &first.data[..]), (&b"10.0.0.1"[..], &b"D\0"[..]));
/// assert_eq!(rules.next().unwrap()?.key, b"10.0.0.2");
/// assert!(rules.next().is_none());
/// # Ok::<(), mta_core::tcprules::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Parser<'a> {
    rest: &'a [u8],
    syntax: Syntax,
    line: usize,
    /// What is left of the line's keys, and the data of each.
    keys: std::vec::IntoIter<Vec<u8>>,
    data: Vec<u8>,
    suspicious: Vec<usize>,
}

impl<'a> Parser<'a> {
    /// Starts at the beginning of a source; its last line may lack the line feed.
    #[must_use]
    pub fn new(source: &'a [u8], syntax: Syntax) -> Self {
        Self {
            rest: source,
            syntax,
            line: 0,
            keys: Vec::new().into_iter(),
            data: Vec::new(),
            suspicious: Vec::new(),
        }
    }

    /// Returns the numbers of lines so far whose address looks like a network, but is taken as it
    /// stands and so never fits anybody.
    #[must_use]
    pub fn suspicious(&self) -> &[usize] {
        &self.suspicious
    }

    fn take_line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|&byte| byte == b'\n');
        let (line, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
        self.rest = rest.get(1..).unwrap_or_default();
        self.line += 1;
        Some(line)
    }

    fn parse(&mut self, line: &[u8]) -> Result<(), &'static str> {
        if line.first() == Some(&b'#') {
            return Ok(());
        }
        let Some((address, instructions)) = address::split(line) else {
            return Ok(());
        };
        if line.len() > MAX_LINE {
            return Err("expected a rule of at most 8000 bytes");
        }
        if line.contains(&0) {
            return Err("expected a rule without NUL bytes");
        }
        self.data = data(instructions)?;
        self.keys = address::keys(address, self.syntax)?.into_iter();
        if self.syntax == Syntax::Original && address::v4_network(address).is_some() {
            self.suspicious.push(self.line);
        }
        Ok(())
    }
}

impl Iterator for Parser<'_> {
    type Item = Result<Rule, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(key) = self.keys.next() {
                return Some(Ok(Rule {
                    key,
                    data: self.data.clone(),
                    line: self.line,
                }));
            }
            let line = trimmed(self.take_line()?);
            if let Err(expected) = self.parse(line) {
                self.rest = &[];
                return Some(Err(ParseError {
                    line: self.line,
                    text: line.to_vec(),
                    expected,
                }));
            }
        }
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    let last = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'));
    line.get(..last.map_or(0, |at| at + 1)).unwrap_or_default()
}

/// Turns what follows the colon into the record's data.
fn data(instructions: &[u8]) -> Result<Vec<u8>, &'static str> {
    let (mut data, mut rest) = if let Some(rest) = instructions.strip_prefix(b"deny") {
        (b"D\0".to_vec(), rest)
    } else if let Some(rest) = instructions.strip_prefix(b"allow") {
        (Vec::new(), rest)
    } else {
        return Err("expected allow or deny after the colon");
    };
    while let Some((&first, variable)) = rest.split_first() {
        if first != b',' {
            return Err("expected a comma or the end of the line after an instruction");
        }
        let equals = variable.iter().position(|&byte| byte == b'=');
        let (name, value) = equals
            .and_then(|at| variable.split_at_checked(at))
            .ok_or("expected NAME=\"VALUE\" after a comma")?;
        let (quote, value) = value
            .get(1..)
            .and_then(<[u8]>::split_first)
            .ok_or("expected a quoted value after the equals sign")?;
        let close = value.iter().position(|byte| byte == quote);
        let (value, after) = close
            .and_then(|at| value.split_at_checked(at))
            .ok_or("expected the byte that opens a value to close it too")?;
        for piece in [b"+", name, b"=", value, b"\0"] {
            data.extend_from_slice(piece);
        }
        rest = after.get(1..).unwrap_or_default();
    }
    Ok(data)
}
