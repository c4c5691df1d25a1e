//! xtext, in which DSN parameters hide arbitrary bytes (RFC 3461 §4).

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::combinator::{all_consuming, recognize};
use nom::multi::many0_count;
use nom::{IResult, Parser};

/// Tells whether `value` is xtext; with `utf8`, bytes beyond ASCII may stand for themselves
/// (RFC 6533 §3).
pub(super) fn is_xtext(value: &[u8], utf8: bool) -> bool {
    all_consuming(|i| xtext(i, utf8)).parse(value).is_ok()
}

/// ```abnf
/// xtext   = *( xchar / hexchar )
/// xchar   = %x21-2A / %x2C-3C / %x3E-7E   ; printable but "+" and "="
/// hexchar = "+" 2HEXDIG                   ; upper case only
/// ```
fn xtext(input: &[u8], utf8: bool) -> IResult<&[u8], &[u8]> {
    let xchars = take_while1(|b: u8| {
        (b.is_ascii_graphic() && b != b'+' && b != b'=') || (utf8 && b >= 0x80)
    });
    let hexchar = recognize((tag("+"), take_while_m_n(2, 2, is_hexdig)));
    recognize(many0_count(alt((xchars, hexchar)))).parse(input)
}

fn is_hexdig(b: u8) -> bool {
    b.is_ascii_digit() || (b'A'..=b'F').contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext_is_what_rfc_3461_says() {
        let table: &[(&str, &[u8], bool)] = &[
            ("empty", b"", true),
            ("plain", b"joe@example.org", true),
            ("hidden plus", b"a+2Bb", true),
            ("lower case hex", b"a+2bb", false),
            ("half a hexchar", b"a+2", false),
            ("equals sign", b"a=b", false),
            ("space", b"a b", false),
            ("8 bit", b"\xc3\xa9", false),
        ];
        for (name, value, wanted) in table {
            assert_eq!(is_xtext(value, false), *wanted, "{name}");
        }
        assert!(is_xtext(b"\xc3\xa9", true));
    }
}
