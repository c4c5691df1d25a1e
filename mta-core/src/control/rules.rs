//! The three ways a control file is read: one line, one number, many lines (qmail-control(5), spec §2.1).

/// Cuts LF, blanks and tabs from the end. A CR is not cut.
#[must_use]
pub fn rtrim(line: &[u8]) -> &[u8] {
    let mut line = line;
    while let [rest @ .., b'\n' | b' ' | b'\t'] = line {
        line = rest;
    }
    line
}

/// Reads a one-line file: its first line without blanks at the end. What follows is not read.
///
/// An empty file is the empty text, which is not the same as no file.
///
/// ```
/// assert_eq!(mta_core::control::rules::first_line(b"host.example \nmore\n"), b"host.example");
/// ```
#[must_use]
pub fn first_line(text: &[u8]) -> &[u8] {
    let line = text.split(|&b| b == b'\n').next().unwrap_or_default();
    // The original's strings end at a NUL.
    rtrim(line.split(|&b| b == 0).next().unwrap_or_default())
}

/// Reads an integer file: the decimal digits that line 1 begins with, `None` where there are none.
///
/// Digits beyond what 64 bits hold count as the largest number.
///
/// ```
/// use mta_core::control::rules::number;
/// assert_eq!(number(b"10abc\n"), Some(10));
/// assert_eq!(number(b"-1\n"), None);
/// ```
#[must_use]
pub fn number(text: &[u8]) -> Option<u64> {
    let digits = first_line(text).iter().take_while(|b| b.is_ascii_digit());
    digits.fold(None, |sum, digit| {
        let digit = u64::from(digit - b'0');
        Some(
            sum.unwrap_or(0_u64)
                .saturating_mul(10)
                .saturating_add(digit),
        )
    })
}

/// Walks over the lines of a list file with their numbers, the first being 1.
///
/// Blanks at the end are cut, empty lines and lines whose first byte is `#` are left out. Leading
/// blanks stay. The last line needs no LF.
///
/// ```
/// use mta_core::control::rules::lines;
/// let text = b"# own\nexample.org \n\n .odd";
/// let read: Vec<_> = lines(text).collect();
/// assert_eq!(read, [(2, &b"example.org"[..]), (4, b" .odd")]);
/// ```
pub fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..)
        .zip(text.split(|&b| b == b'\n').map(rtrim))
        .filter(|(_, line)| !line.is_empty() && line.first() != Some(&b'#'))
}

/// Splits a line of a colon file at its first `:`; `None` where there is none.
#[must_use]
pub fn colon(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|&b| b == b':')?;
    let (key, rest) = line.split_at_checked(at)?;
    Some((key, rest.get(1..)?))
}
