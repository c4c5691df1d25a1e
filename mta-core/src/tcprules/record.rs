//! What a record of a rules cdb holds: `D` for deny and `+NAME=VALUE`, each with a NUL behind it (spec §9.2).

/// A variable that a rule sets, as it stands in the record: `NAME=VALUE`.
///
/// The name is what the rule's author wrote, spaces included, and may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    text: Vec<u8>,
}

impl Variable {
    /// Returns `NAME=VALUE`.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Splits it at the first `=`; the value is `None` in a record that lacks it, which tcprules
    /// does not write.
    #[must_use]
    pub fn split(&self) -> (&[u8], Option<&[u8]>) {
        let mut parts = self.text.splitn(2, |&byte| byte == b'=');
        (parts.next().unwrap_or_default(), parts.next())
    }
}

/// Reads a record: the variables in their order up to a `D`, and whether there was one.
///
/// As in the original, a piece that begins with another letter is skipped, and so is a last one
/// without its NUL.
pub(super) fn read(data: &[u8]) -> (Vec<Variable>, bool) {
    let whole = data.iter().rposition(|&byte| byte == 0).unwrap_or(0);
    let mut variables = Vec::new();
    for piece in data
        .get(..whole)
        .unwrap_or_default()
        .split(|&byte| byte == 0)
    {
        match piece.split_first() {
            Some((b'D', _)) => return (variables, true),
            Some((b'+', text)) => variables.push(Variable {
                text: text.to_vec(),
            }),
            _ => {}
        }
    }
    (variables, false)
}
