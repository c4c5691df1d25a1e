//! The grammar of paths and mailboxes (RFC 5321 §4.1.2, RFC 6531 §3.3), read into internal form.
//!
//! The parsers take what a complete command line holds and leave over what follows, so that a
//! command parser can be built on them. Letters beyond ASCII are always read; whether SMTPUTF8 was
//! asked for is known only behind the path, so the caller compares [`Address::needs_smtputf8`].

use super::{Address, literal};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::character::complete::char;
use nom::combinator::{map_opt, opt, recognize, value};
use nom::error::{Error, ErrorKind};
use nom::multi::{fold_many0, separated_list0, separated_list1};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

/// The longest address taken, in internal form; qmail refuses 900 bytes (qmail-smtpd(8)).
///
/// RFC 5321 §4.5.3.1 asks for at least 256 octets of path.
pub const MAX_ADDRESS: usize = 899;

/// The longest domain that the DNS can hold (RFC 1035 §2.3.4, RFC 5321 §4.5.3.1.2).
pub const MAX_DOMAIN: usize = 255;

/// Text that is no mailbox; the writer is at fault, and writing it again does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address at byte {at}: expected {expected}")]
pub struct BadAddress {
    /// The byte at which reading stopped.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

/// Reads a reverse-path.
///
/// ```abnf
/// Reverse-path = Path / "<>"
/// ```
///
/// # Errors
/// Fails as nom does, at the byte that does not fit.
///
/// ```
/// use mta_core::address::grammar::reverse_path;
/// let (rest, address) = reverse_path(b"<> SIZE=1").unwrap();
/// assert!(address.is_null());
/// assert_eq!(rest, b" SIZE=1");
/// ```
pub fn reverse_path(input: &[u8]) -> IResult<&[u8], Address> {
    alt((value(Address::null(), tag("<>")), forward_path)).parse(input)
}

/// Reads a forward-path; a source route is dropped (RFC 5321 §4.1.1.3, appendix C).
///
/// ```abnf
/// Path      = "<" [ A-d-l ":" ] Mailbox ">"
/// A-d-l     = At-domain *( "," At-domain )
/// At-domain = "@" Domain
/// ```
///
/// # Errors
/// Fails as nom does, at the byte that does not fit.
///
/// ```
/// use mta_core::address::grammar::forward_path;
/// let (_, address) = forward_path(br#"<@a.example,@b.example:"joe x"@c.example>"#).unwrap();
/// assert_eq!(address.as_bytes(), b"joe x@c.example");
/// ```
pub fn forward_path(input: &[u8]) -> IResult<&[u8], Address> {
    let at_domain = preceded(char('@'), domain);
    let route = terminated(separated_list1(char(','), at_domain), char(':'));
    delimited(char('<'), preceded(opt(route), mailbox), char('>')).parse(input)
}

/// Reads a mailbox without angle brackets.
///
/// ```abnf
/// Mailbox = Local-part "@" ( Domain / address-literal )
/// ```
///
/// Unlike RFC 5321, the domain may be missing after any local part, not only after `Postmaster`,
/// as the original has it; policy completes or refuses such an address. A lone local part must not
/// be empty nor hold `@`, which in internal form would make another address of it.
///
/// # Errors
/// Fails as nom does, at the byte that does not fit.
pub fn mailbox(input: &[u8]) -> IResult<&[u8], Address> {
    let host = preceded(char('@'), alt((literal::recognized, domain)));
    let (rest, (local, host)) = (local_part, opt(host)).parse(input)?;
    let bytes = match host {
        Some(host) => [&*local, b"@", host].concat(),
        // A lone `@` that no host follows is not left over as if it were a separator.
        None if rest.first() == Some(&b'@') => return Err(too(rest.get(1..).unwrap_or_default())),
        None if local.is_empty() || local.contains(&b'@') => return Err(too(rest)),
        None => local,
    };
    if bytes.len() > MAX_ADDRESS {
        return Err(nom::Err::Error(Error::new(input, ErrorKind::TooLarge)));
    }
    match Address::new(bytes) {
        Ok(address) => Ok((rest, address)),
        Err(_) => Err(too(input)),
    }
}

fn too(at: &[u8]) -> nom::Err<Error<&[u8]>> {
    nom::Err::Error(Error::new(at, ErrorKind::Verify))
}

/// Reads a local part and takes its quoting off.
///
/// ```abnf
/// Local-part = Dot-string / Quoted-string
/// Dot-string = [Atom] *( "." [Atom] )   ; RFC 5321: Atom *( "." Atom )
/// Atom       = 1*( atext / UTF8-non-ascii )
/// ```
///
/// Unlike RFC 5321, dots may stand first, last and side by side: such mailboxes exist and the
/// original serves them. They are written quoted.
fn local_part(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    alt((quoted_string, dot_string)).parse(input)
}

fn dot_string(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    map_opt(
        take_while1(|b| b == b'.' || is_atext(b)),
        |text: &[u8]| {
            std::str::from_utf8(text).ok()?;
            Some(text.to_vec())
        },
    )
    .parse(input)
}

/// ```abnf
/// Quoted-string    = DQUOTE *QcontentSMTP DQUOTE
/// QcontentSMTP     = qtextSMTP / quoted-pairSMTP
/// quoted-pairSMTP  = %d92 %d32-126
/// qtextSMTP        = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii
/// ```
fn quoted_string(input: &[u8]) -> IResult<&[u8], Vec<u8>> {
    let text = take_while1(|b: u8| b >= b' ' && !matches!(b, b'"' | b'\\' | 0x7f));
    let pair = preceded(
        char('\\'),
        take_while_m_n(1, 1, |b: u8| (b' '..0x7f).contains(&b)),
    );
    let content = fold_many0(alt((text, pair)), Vec::new, |mut all: Vec<u8>, part| {
        all.extend_from_slice(part);
        all
    });
    map_opt(delimited(char('"'), content, char('"')), |all| {
        std::str::from_utf8(&all).is_ok().then_some(all)
    })
    .parse(input)
}

/// Reads a domain.
///
/// ```abnf
/// Domain     = sub-domain *( "." sub-domain )
/// sub-domain = Let-dig [Ldh-str] / U-label
/// ```
///
/// Unlike RFC 5321, `_` counts as a letter: hosts with such names send mail.
///
/// # Errors
/// Fails as nom does, at the byte that does not fit.
pub fn domain(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let labels = separated_list1(char('.'), sub_domain);
    let (rest, text) = recognize(labels).parse(input)?;
    // A final dot would be left over and make another name of it.
    if rest.first() == Some(&b'.') {
        return Err(too(rest.get(1..).unwrap_or_default()));
    }
    if text.len() > MAX_DOMAIN {
        return Err(nom::Err::Error(Error::new(input, ErrorKind::TooLarge)));
    }
    match std::str::from_utf8(text) {
        Ok(_) => Ok((rest, text)),
        Err(_) => Err(too(input)),
    }
}

fn sub_domain(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let outer = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
    let inner = separated_list0(take_while1(|b| b == b'-'), take_while1(outer));
    let (rest, text) = recognize(inner).parse(input)?;
    if text.is_empty() || rest.first() == Some(&b'-') {
        return Err(too(rest));
    }
    Ok((rest, text))
}

/// `atext` (RFC 5322 §3.2.3) and `UTF8-non-ascii` (RFC 6531 §3.3).
fn is_atext(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b) || b >= 0x80
}

/// Reads a whole text as one mailbox, bracketed or not.
pub(super) fn whole(text: &[u8]) -> Result<Address, BadAddress> {
    let read = match text.first() {
        Some(b'<') => forward_path(text),
        _ => mailbox(text),
    };
    match read {
        Ok(([], address)) => Ok(address),
        Ok((rest, _)) => Err(BadAddress {
            at: text.len().saturating_sub(rest.len()),
            expected: "nothing more",
        }),
        Err(nom::Err::Error(e) | nom::Err::Failure(e)) => Err(BadAddress {
            at: text.len().saturating_sub(e.input.len()),
            expected: match e.code {
                ErrorKind::TooLarge => "at most 899 bytes, 255 of them domain",
                _ => "box@host",
            },
        }),
        Err(nom::Err::Incomplete(_)) => Err(BadAddress {
            at: text.len(),
            expected: "box@host",
        }),
    }
}
