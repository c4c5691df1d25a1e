//! Walks over the addresses of a field from right to left (RFC 822 §6.1, spec §11.3).
//!
//! ```abnf
//! field   = [element] *("," [element])      ; a missing comma between elements is put in
//! element = address / [phrase] "<" address ">" / phrase ":" field ";"
//! ```
//!
//! From the right a list needs no look-ahead: `>` and `;` say what is coming. That is also why the
//! recipients of one field stand in an envelope in this order.

use super::token::{Kind, Token, Unparsable};

/// Calls `each` with every address, `<>` included, and returns the field with what it made of them.
///
/// Unlike the original:
/// - a `<` or `>` without its partner is an error and not a letter of an address, and so is a
///   group within a group;
/// - commas are put in wherever an element ends without one, so that nothing beside a group or a
///   bracketed address is swallowed;
/// - blanks inside a phrase stay (`John Q. Public`);
/// - comments in angle brackets move behind the address, where they keep no rule from its end.
///
/// # Errors
/// Fails where the field does not follow the grammar or `each` fails.
pub(super) fn rewrite(
    tokens: Vec<Token>,
    each: &mut dyn FnMut(&mut Vec<Token>) -> Result<(), Unparsable>,
) -> Result<Vec<Token>, Unparsable> {
    let mut list = List {
        left: tokens,
        out: Vec::new(),
        address: Vec::new(),
        in_group: false,
        word_fits: true,
        comma_due: false,
        each,
    };
    while let Some(token) = list.left.pop() {
        list.take(token)?;
    }
    list.flush()?;
    list.out.reverse();
    Ok(list.out)
}

struct List<'a> {
    /// What was not looked at yet; its end comes next.
    left: Vec<Token>,
    /// What was written, from right to left.
    out: Vec<Token>,
    /// An address that is being read, from right to left.
    address: Vec<Token>,
    /// A `;` was seen and its `:` not yet.
    in_group: bool,
    /// A word can go on the address: its neighbour is not a word.
    word_fits: bool,
    /// An element stands at the end of `out` without a comma before it.
    comma_due: bool,
    each: &'a mut dyn FnMut(&mut Vec<Token>) -> Result<(), Unparsable>,
}

impl List<'_> {
    fn take(&mut self, mut token: Token) -> Result<(), Unparsable> {
        token.spaced = false;
        match token.kind {
            Kind::Atom | Kind::Quote | Kind::Literal => {
                if !self.word_fits || self.comma_due {
                    self.flush_with_comma()?;
                }
                self.word_fits = false;
                self.address.push(token);
            }
            Kind::At | Kind::Dot => {
                self.word_fits = true;
                self.address.push(token);
            }
            Kind::Comment => self.out.push(token),
            Kind::Comma => {
                self.flush()?;
                self.comma_due = false;
                self.word_fits = true;
                self.out.push(token);
            }
            Kind::Semicolon => {
                self.flush_with_comma()?;
                if std::mem::replace(&mut self.in_group, true) {
                    return Err(Unparsable);
                }
                self.word_fits = true;
                self.out.push(token);
            }
            Kind::Colon => {
                self.flush()?;
                if !std::mem::replace(&mut self.in_group, false) {
                    return Err(Unparsable);
                }
                self.out.push(token);
                self.phrase(|kind| kind == Kind::Literal);
            }
            Kind::Right => self.bracketed(token)?,
            Kind::Left => return Err(Unparsable),
        }
        Ok(())
    }

    /// Takes what stands before a `>`, and the phrase before that.
    fn bracketed(&mut self, right: Token) -> Result<(), Unparsable> {
        self.flush_with_comma()?;
        self.out.push(right);
        let mut comments = Vec::new();
        let left = loop {
            let mut token = self.left.pop().ok_or(Unparsable)?;
            token.spaced = false;
            match token.kind {
                Kind::Left => break token,
                Kind::Right => return Err(Unparsable),
                Kind::Comment => comments.push(token),
                _ => self.address.push(token),
            }
        };
        self.out.append(&mut comments);
        self.emit()?;
        self.out.push(left);
        self.phrase(|_| false);
        Ok(())
    }

    /// Copies the words before a bracketed address or a group.
    fn phrase(&mut self, also: impl Fn(Kind) -> bool) {
        let belongs = |kind| {
            let usual = [Kind::Atom, Kind::Quote, Kind::Comment, Kind::At, Kind::Dot];
            usual.contains(&kind) || also(kind)
        };
        while let Some(token) = self.left.pop_if(|token| belongs(token.kind)) {
            self.out.push(token);
        }
        self.word_fits = true;
        self.comma_due = true;
    }

    fn flush_with_comma(&mut self) -> Result<(), Unparsable> {
        if !self.address.is_empty() {
            self.emit()?;
            self.comma_due = true;
        }
        if std::mem::replace(&mut self.comma_due, false) {
            self.out.push(Token::special(Kind::Comma));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Unparsable> {
        if self.address.is_empty() {
            return Ok(());
        }
        self.emit()
    }

    fn emit(&mut self) -> Result<(), Unparsable> {
        self.address.reverse();
        (self.each)(&mut self.address)?;
        self.out.extend(self.address.drain(..).rev());
        Ok(())
    }
}
