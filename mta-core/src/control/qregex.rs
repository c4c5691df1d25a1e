//! Lists of regular expressions: what badmailfrom, badmailto and badhelo are under the qregex patch (spec §8.7, regex(7)).
//!
//! The expressions are POSIX extended ones, in the bytes of the C locale and without regard to
//! case. They are translated for the `regex` crate, which matches in linear time.
//!
//! Unlike POSIX regexec:
//! - back-references do not exist, and a pattern with one is reported and refuses nobody;
//! - a pattern whose automaton would take more than [`MAX_PROGRAM`] bytes is reported likewise;
//! - names of collating elements are single bytes (`[.-.]`, not `[.hyphen.]`);
//! - an escaped letter that means nothing (`\d`) is that letter; in glibc it then matches nothing;
//! - the ends of a range are compared as they are written; glibc turns them to capitals before.
//!
//! What glibc adds (`\w`, `\W`, `\s`, `\S`, `\b`, `\B`, `\<`, `\>`) means the same here.

use super::rules;
use regex::bytes::{Regex, RegexBuilder};

/// The longest pattern that is compiled, in bytes.
pub const MAX_PATTERN: usize = 1000;
/// The most memory that one compiled pattern may take, in bytes.
pub const MAX_PROGRAM: usize = 1 << 20;
/// The most repetitions that `{n}` can ask for (RE_DUP_MAX of POSIX).
pub const MAX_REPEAT: u32 = 255;

/// The lines of such a file in order.
///
/// ```
/// use mta_core::control::Patterns;
/// let bad = Patterns::parse(b"# no robots\n^robot[0-9]+@\n!@.*\\.\n");
/// assert_eq!(bad.refusing(b"Robot7@host.example"), Some(&b"^robot[0-9]+@"[..]));
/// assert_eq!(bad.refusing(b"joe@host"), Some(&b"!@.*\\."[..]));
/// assert_eq!(bad.refusing(b"joe@host.example"), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    patterns: Vec<Pattern>,
    unusable: Vec<Unusable>,
}

#[derive(Clone, Debug)]
struct Pattern {
    line: Vec<u8>,
    /// The line begins with `!`: it refuses what does not match.
    negated: bool,
    regex: Regex,
}

/// A line that is no pattern; it refuses nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
#[non_exhaustive]
pub struct Unusable {
    /// The line's number, the first being 1.
    pub line: usize,
    /// What is wrong.
    pub reason: BadPattern,
}

/// Why a pattern cannot be used; its author is to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPattern {
    /// It is longer than [`MAX_PATTERN`].
    #[error("expected a pattern of at most {MAX_PATTERN} bytes")]
    TooLong,
    /// It grows beyond [`MAX_PROGRAM`], or nests too deep.
    #[error("expected a pattern that takes less than {MAX_PROGRAM} bytes when compiled")]
    TooLarge,
    /// `\` ends it.
    #[error("expected a character behind the last \\")]
    TrailingBackslash,
    /// `\1` and the like.
    #[error("expected no back-reference, which is not supported")]
    BackReference,
    /// A bracket expression does not end or does not make sense.
    #[error("expected a bracket expression as in [a-z], [^]x] or [[:alpha:]]")]
    Bracket,
    /// `(` without `)`.
    #[error("expected as many ) as (")]
    Parenthesis,
    /// Nothing stands before a repetition.
    #[error("expected something to repeat before *, +, ? or {{")]
    NothingToRepeat,
    /// `{` is not followed by numbers that make sense.
    #[error("expected {{n}}, {{n,}}, {{,m}} or {{n,m}} with n <= m <= {MAX_REPEAT}")]
    Interval,
    /// A NUL, with which it would end for the original.
    #[error("expected no NUL")]
    Nul,
}

impl Patterns {
    /// Reads the file by the rules of list files.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut read = Self::default();
        for (number, line) in rules::lines(text) {
            let rest = line.strip_prefix(b"!");
            match compile(rest.unwrap_or(line)) {
                Ok(regex) => read.patterns.push(Pattern {
                    line: line.to_vec(),
                    negated: rest.is_some(),
                    regex,
                }),
                Err(reason) => read.unusable.push(Unusable {
                    line: number,
                    reason,
                }),
            }
        }
        read
    }

    /// Returns the first line that refuses a value: an address, or the argument of HELO.
    ///
    /// The empty value, which is the null sender, is never refused.
    #[must_use]
    pub fn refusing(&self, value: &[u8]) -> Option<&[u8]> {
        if value.is_empty() {
            return None;
        }
        let mut patterns = self.patterns.iter();
        let refusing = patterns.find(|pattern| pattern.regex.is_match(value) != pattern.negated)?;
        Some(&refusing.line)
    }

    /// Returns the lines that are no patterns.
    #[must_use]
    pub fn unusable(&self) -> &[Unusable] {
        &self.unusable
    }

    /// Tells whether nothing can be refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }
}

fn compile(pattern: &[u8]) -> Result<Regex, BadPattern> {
    RegexBuilder::new(&translate(pattern)?)
        .case_insensitive(true)
        .unicode(false)
        .dot_matches_new_line(true)
        .size_limit(MAX_PROGRAM)
        .dfa_size_limit(MAX_PROGRAM)
        .build()
        .map_err(|_| BadPattern::TooLarge)
}

/// Writes a POSIX extended regular expression in the syntax of the `regex` crate.
///
/// ```abnf
/// ere        = branch *("|" branch)
/// branch     = *(("^" / "$" / atom *repetition))
/// atom       = "(" ere ")" / bracket / "." / "\" char / char
/// repetition = "*" / "+" / "?" / "{" [n] ["," [m]] "}"
/// ```
fn translate(pattern: &[u8]) -> Result<String, BadPattern> {
    if pattern.len() > MAX_PATTERN {
        return Err(BadPattern::TooLong);
    }
    let mut translator = Translator {
        rest: pattern,
        out: String::new(),
        groups: Vec::new(),
        atom: None,
        repeated: false,
    };
    while let Some(byte) = translator.next() {
        translator.take(byte)?;
    }
    if translator.groups.is_empty() {
        Ok(translator.out)
    } else {
        Err(BadPattern::Parenthesis)
    }
}

struct Translator<'a> {
    rest: &'a [u8],
    out: String,
    /// Where in `out` the open groups begin.
    groups: Vec<usize>,
    /// Where in `out` the atom begins that a repetition would repeat.
    atom: Option<usize>,
    /// That atom has a repetition already.
    repeated: bool,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn take(&mut self, byte: u8) -> Result<(), BadPattern> {
        match byte {
            0 => return Err(BadPattern::Nul),
            b'\\' => return self.escape(),
            b'[' => {
                let set = self.bracket().ok_or(BadPattern::Bracket)?;
                self.push_atom(&class(&set));
            }
            b'(' => {
                self.groups.push(self.out.len());
                self.push_mark("(?:");
            }
            // glibc takes a ) that nothing opened as a letter.
            b')' => match self.groups.pop() {
                Some(start) => {
                    self.push_mark(")");
                    self.atom = Some(start);
                }
                None => self.push_letter(byte),
            },
            b'|' => self.push_mark("|"),
            b'^' => self.push_mark("^"),
            b'$' => self.push_mark("$"),
            b'.' => self.push_atom("."),
            b'*' => return self.repeat("*"),
            b'+' => return self.repeat("+"),
            b'?' => return self.repeat("?"),
            b'{' => {
                let (least, most) = self.interval().ok_or(BadPattern::Interval)?;
                let most = most.map_or_else(String::new, |most| most.to_string());
                return self.repeat(&format!("{{{least},{most}}}"));
            }
            _ => self.push_letter(byte),
        }
        Ok(())
    }

    fn push_mark(&mut self, text: &str) {
        self.out.push_str(text);
        self.atom = None;
        self.repeated = false;
    }

    fn push_atom(&mut self, text: &str) {
        self.atom = Some(self.out.len());
        self.repeated = false;
        self.out.push_str(text);
    }

    fn push_letter(&mut self, byte: u8) {
        if byte.is_ascii_alphanumeric() {
            self.push_atom(&char::from(byte).to_string());
        } else {
            self.push_atom(&format!("\\x{byte:02x}"));
        }
    }

    fn escape(&mut self) -> Result<(), BadPattern> {
        match self.next().ok_or(BadPattern::TrailingBackslash)? {
            0 => return Err(BadPattern::Nul),
            b'1'..=b'9' => return Err(BadPattern::BackReference),
            b'w' => self.push_atom("\\w"),
            b'W' => self.push_atom("\\W"),
            b's' => self.push_atom("\\s"),
            b'S' => self.push_atom("\\S"),
            b'b' => self.push_mark("\\b"),
            b'B' => self.push_mark("\\B"),
            b'<' => self.push_mark("\\b{start}"),
            b'>' => self.push_mark("\\b{end}"),
            byte => self.push_letter(byte),
        }
        Ok(())
    }

    /// Repeats the last atom. A second repetition needs parentheses: `a+?` is lazy otherwise.
    fn repeat(&mut self, repetition: &str) -> Result<(), BadPattern> {
        let start = self.atom.ok_or(BadPattern::NothingToRepeat)?;
        if std::mem::replace(&mut self.repeated, true) {
            self.out.insert_str(start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(repetition);
        Ok(())
    }

    /// Reads what stands behind `{`.
    fn interval(&mut self) -> Option<(u32, Option<u32>)> {
        let least = self.number()?;
        let (least, most) = match self.next()? {
            b'}' => (least?, least),
            b',' => {
                let most = self.number()?;
                if self.next()? != b'}' {
                    return None;
                }
                (least.unwrap_or(0), most)
            }
            _ => return None,
        };
        let ordered = most.is_none_or(|most| least <= most);
        (ordered).then_some((least, most))
    }

    /// Reads a number, which may be missing; `None` is one that is too large.
    #[expect(clippy::option_option, reason = "missing and too large are two things")]
    fn number(&mut self) -> Option<Option<u32>> {
        let mut number = None;
        while let Some((&digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            let sum = number.unwrap_or(0) * 10 + u32::from(digit - b'0');
            if sum > MAX_REPEAT {
                return None;
            }
            number = Some(sum);
            self.rest = rest;
        }
        Some(number)
    }

    /// Reads a bracket expression behind its `[` into the set of bytes that it matches.
    fn bracket(&mut self) -> Option<[bool; 256]> {
        let negated = self.rest.first() == Some(&b'^');
        if negated {
            self.next();
        }
        let mut set = [false; 256];
        let mut first = true;
        loop {
            let byte = self.next()?;
            if byte == b']' && !first {
                break;
            }
            first = false;
            if byte == b'[' && self.rest.first() == Some(&b':') {
                self.named_class(&mut set)?;
                continue;
            }
            let from = self.element(byte)?;
            let to = match self.rest {
                [b'-', next, ..] if *next != b']' => {
                    self.next();
                    let byte = self.next()?;
                    self.element(byte)?
                }
                _ => from,
            };
            if from > to {
                return None;
            }
            for byte in from..=to {
                add(&mut set, byte);
            }
        }
        if negated {
            for member in &mut set {
                *member = !*member;
            }
        }
        Some(set)
    }

    /// Reads a byte, `[.x.]` or `[=x=]`.
    fn element(&mut self, byte: u8) -> Option<u8> {
        if byte == 0 {
            return None;
        }
        match self.rest {
            [open @ (b'.' | b'='), inner, close, b']', rest @ ..]
                if byte == b'[' && open == close =>
            {
                self.rest = rest;
                Some(*inner)
            }
            [b'.' | b'=', ..] if byte == b'[' => None,
            _ => Some(byte),
        }
    }

    /// Reads `:alpha:]` and adds what it names.
    fn named_class(&mut self, set: &mut [bool; 256]) -> Option<()> {
        let text = self.rest.get(1..)?;
        let end = text.windows(2).position(|pair| pair == b":]")?;
        let (name, rest) = text.split_at_checked(end)?;
        self.rest = rest.get(2..)?;
        let holds: fn(&u8) -> bool = match name {
            b"alnum" => u8::is_ascii_alphanumeric,
            b"alpha" => u8::is_ascii_alphabetic,
            b"blank" => |b| matches!(b, b' ' | b'\t'),
            b"cntrl" => u8::is_ascii_control,
            b"digit" => u8::is_ascii_digit,
            b"graph" => u8::is_ascii_graphic,
            b"lower" => u8::is_ascii_lowercase,
            b"print" => |b| matches!(b, b' '..=b'~'),
            b"punct" => u8::is_ascii_punctuation,
            b"space" => |b| matches!(b, b' ' | b'\t'..=b'\r'),
            b"upper" => u8::is_ascii_uppercase,
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return None,
        };
        for byte in (0..=u8::MAX).filter(holds) {
            add(set, byte);
        }
        Some(())
    }
}

/// Adds a byte in both cases, so that a negated set excludes both.
fn add(set: &mut [bool; 256], byte: u8) {
    for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
        if let Some(member) = set.get_mut(usize::from(byte)) {
            *member = true;
        }
    }
}

/// Writes a set as a class of single bytes.
fn class(set: &[bool; 256]) -> String {
    let members = (0..=u8::MAX).zip(set).filter(|(_, member)| **member);
    let members: String = members.map(|(byte, _)| format!("\\x{byte:02x}")).collect();
    if members.is_empty() {
        return "[^\\x00-\\xff]".to_owned();
    }
    format!("[{members}]")
}
