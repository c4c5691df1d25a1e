//! The fields of a message header, unfolded (RFC 5322 §2.2).

use std::borrow::Cow;

/// One field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    /// The name as written.
    pub(crate) name: &'a [u8],
    /// The value with its folds taken out and blanks at both ends trimmed.
    pub(crate) value: Cow<'a, [u8]>,
}

impl Field<'_> {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Returns the fields up to the first empty line; lines that are no field are passed over.
pub(crate) fn fields(header: &[u8]) -> impl Iterator<Item = Field<'_>> {
    Fields(header).filter_map(|whole| {
        let colon = whole.iter().position(|&b| b == b':')?;
        let (name, rest) = whole.split_at(colon);
        let name = name.trim_ascii_end();
        let value = unfold(rest.get(1..)?.trim_ascii());
        let graphic = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
        graphic.then_some(Field { name, value })
    })
}

/// Splits a header into its fields, folds included.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if matches!(self.0, [] | [b'\n', ..] | [b'\r', b'\n', ..]) {
            self.0 = &[];
            return None;
        }
        let folded = |pair: &[u8]| matches!(pair, [b'\n', next] if !matches!(next, b' ' | b'\t'));
        let end = self.0.windows(2).position(folded);
        let end = end.map_or(self.0.len(), |at| at + 1);
        let (field, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(field)
    }
}

fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if value.contains(&b'\n') {
        let kept = value
            .iter()
            .copied()
            .filter(|b| !matches!(b, b'\r' | b'\n'));
        return Cow::Owned(kept.collect());
    }
    Cow::Borrowed(value)
}
