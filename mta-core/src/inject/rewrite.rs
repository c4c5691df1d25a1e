//! Completes one address: route, host, plus domain, default domain (qmail-header(5), spec §11.3).

use super::layout::unquoted;
use super::token::{Kind, Token, Unparsable, tokens};
use super::{Hosts, InjectError};
use crate::Address;

/// Completes addresses by control/defaulthost, defaultdomain and plusdomain.
///
/// ```
/// use mta_core::inject::{Hosts, Rewriter};
/// let mut hosts = Hosts::default();
/// hosts.defaultdomain = b"example.org".to_vec();
/// hosts.plusdomain = b"plus.example".to_vec();
/// let rewriter = Rewriter::new(&hosts).unwrap();
/// let complete = |text: &str| rewriter.address(text.as_bytes()).unwrap().as_bytes().to_vec();
/// assert_eq!(complete("fred@box"), b"fred@box.example.org");
/// assert_eq!(complete("eric@m.cs+"), b"eric@m.cs.plus.example");
/// assert_eq!(complete("joe"), b"joe@defaulthost.example.org");
/// ```
#[derive(Clone, Debug)]
pub struct Rewriter {
    defaulthost: Vec<Token>,
    defaultdomain: Vec<Token>,
    plusdomain: Vec<Token>,
}

impl Rewriter {
    /// Reads the host names.
    ///
    /// # Errors
    /// Fails where a host name is not made of words, dots and literals.
    pub fn new(hosts: &Hosts) -> Result<Self, InjectError> {
        let after = |mark: &[u8], host: &[u8]| {
            let text = [mark, host].concat();
            host_tokens(&text).map_err(|Unparsable| InjectError::UnparsableLine(text))
        };
        Ok(Self {
            defaulthost: after(b"@", &hosts.defaulthost)?,
            defaultdomain: after(b".", &hosts.defaultdomain)?,
            plusdomain: after(b".", &hosts.plusdomain)?,
        })
    }

    /// Completes an address that is not quoted, as arguments and `-f` give it.
    ///
    /// The local part is taken as it is: `a b@c` has a blank in it. The empty text is the null
    /// sender. Unlike qmail, an address in angle brackets is the one inside, and a source route is
    /// stripped here too.
    ///
    /// # Errors
    /// Fails where there is a NUL, or the host is not made of words, dots and literals.
    pub fn address(&self, text: &[u8]) -> Result<Address, InjectError> {
        let fail = |_| InjectError::UnparsableAddress(text.to_vec());
        let mut address = self.parse(text).map_err(fail)?;
        self.complete(&mut address);
        Address::new(unquoted(&address)).map_err(|_| fail(Unparsable))
    }

    fn parse(&self, text: &[u8]) -> Result<Vec<Token>, Unparsable> {
        let bare = text.strip_prefix(b"<").and_then(|t| t.strip_suffix(b">"));
        let bare = without_route(bare.unwrap_or(text));
        if bare.is_empty() {
            return Ok(Vec::new());
        }
        let at = bare.iter().rposition(|&b| b == b'@');
        let (local, host) = bare.split_at(at.unwrap_or(bare.len()));
        mailbox(local, at.map(|_| host.get(1..).unwrap_or_default()))
    }

    /// Completes an address that has been cut into tokens.
    ///
    /// Unlike qmail, which strips one, all dots and `@` at the end go: so rewriting what was
    /// rewritten changes nothing. (Header fields pass through several programs.)
    pub(super) fn complete(&self, address: &mut Vec<Token>) {
        if let [.., at, literal] = address.as_slice()
            && at.kind == Kind::At
            && literal.kind == Kind::Literal
            && literal.text.is_empty()
        {
            return;
        }
        while address.first().is_some_and(|token| token.kind == Kind::At) {
            let colon = address.iter().position(|token| token.kind == Kind::Colon);
            address.drain(..colon.map_or(address.len(), |at| at + 1));
        }
        while address
            .pop_if(|token| matches!(token.kind, Kind::Dot | Kind::At))
            .is_some()
        {}
        if address.is_empty() {
            return;
        }
        if !address.iter().any(|token| token.kind == Kind::At) {
            address.extend_from_slice(&self.defaulthost);
        }
        if let Some(last) = address.last_mut()
            && last.kind == Kind::Atom
            && last.text.last() == Some(&b'+')
        {
            last.text.pop();
            if last.text.is_empty() {
                address.pop();
            }
            address.extend_from_slice(&self.plusdomain);
        }
        let host = address.rsplit(|token| token.kind == Kind::At).next();
        let whole = |token: &Token| matches!(token.kind, Kind::Dot | Kind::Literal);
        if !host.unwrap_or_default().iter().any(whole) {
            address.extend_from_slice(&self.defaultdomain);
        }
    }
}

/// Makes an address of an unquoted local part and a host.
pub(super) fn mailbox(local: &[u8], host: Option<&[u8]>) -> Result<Vec<Token>, Unparsable> {
    if local.contains(&0) {
        return Err(Unparsable);
    }
    let dots = |part: &[u8]| part.is_empty();
    let mut address = if local.split(|&b| b == b'.').any(dots) {
        vec![Token {
            text: local.to_vec(),
            ..Token::special(Kind::Quote)
        }]
    } else {
        local_words(local)
    };
    if let Some(host) = host {
        address.extend(host_tokens(&[b"@", host].concat())?);
    }
    Ok(address)
}

/// Cuts a local part at its dots; where a part needs quotes, all of it gets them.
fn local_words(local: &[u8]) -> Vec<Token> {
    let mut words = Vec::new();
    for part in local.split(|&b| b == b'.') {
        if !words.is_empty() {
            words.push(Token::special(Kind::Dot));
        }
        words.push(Token::word(part.to_vec()));
    }
    if words.iter().any(|word| word.kind == Kind::Quote) {
        return vec![Token {
            text: local.to_vec(),
            ..Token::special(Kind::Quote)
        }];
    }
    words
}

/// Reads what may stand behind a local part: words between dots or a literal, behind a mark.
fn host_tokens(text: &[u8]) -> Result<Vec<Token>, Unparsable> {
    let mut found = tokens(text)?;
    found.retain(|token| token.kind != Kind::Comment);
    let mut word_fits = true;
    for (at, token) in found.iter_mut().enumerate() {
        let word = matches!(token.kind, Kind::Atom | Kind::Literal);
        let mark = token.kind == Kind::Dot || (at == 0 && token.kind == Kind::At);
        if token.text.contains(&0) || !(mark || (word && word_fits)) {
            return Err(Unparsable);
        }
        token.spaced = false;
        word_fits = !word;
    }
    Ok(found)
}

/// Drops `@a,@b:` from the front (RFC 5321 §4.1.1.3). Colons in literals do not end a route.
fn without_route(text: &[u8]) -> &[u8] {
    if text.first() != Some(&b'@') {
        return text;
    }
    let mut in_literal = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'[' => in_literal = true,
            b']' => in_literal = false,
            b':' if !in_literal => return text.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    text
}
