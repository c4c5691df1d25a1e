//! The names under which a .qmail file is looked for (dot-qmail(5), spec §6.4).

/// A name to try, and what DEFAULT is set to where it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// The file's name in the home directory.
    pub name: Vec<u8>,
    /// The part of the extension that `default` stands for, in its own case.
    pub default: Option<Vec<u8>>,
}

/// Yields the names in the order they are tried, made one by one.
///
/// The extension is used in lower case with `:` for `.`, so no name can lead to another directory
/// by `..`. A `/` stays, as in the original.
///
/// ```
/// use mta_core::dotqmail::candidates;
/// let names: Vec<_> = candidates(b"-", b"List-A.b").map(|c| c.name).collect();
/// assert_eq!(names, [&b".qmail-list-a:b"[..], b".qmail-list-default", b".qmail-default"]);
/// assert_eq!(candidates(b"-", b"List-A.b").nth(1).unwrap().default.unwrap(), b"A.b");
/// ```
pub fn candidates(dash: &[u8], ext: &[u8]) -> impl Iterator<Item = Candidate> {
    let safe: Vec<u8> = ext.iter().map(|&b| safe_byte(b)).collect();
    let exact = Candidate {
        name: [b".qmail", dash, &safe].concat(),
        default: safe
            .strip_suffix(b"default")
            .and_then(|start| ext.get(start.len()..))
            .map(<[u8]>::to_vec),
    };
    let (dash, ext) = (dash.to_vec(), ext.to_vec());
    let ends = (0..=safe.len()).rev();
    let defaults = ends.filter_map(move |end| {
        let (start, _) = safe.split_at_checked(end)?;
        if !matches!(start.last(), None | Some(b'-')) {
            return None;
        }
        Some(Candidate {
            name: [b".qmail", &*dash, start, b"default"].concat(),
            default: ext.get(end..).map(<[u8]>::to_vec),
        })
    });
    std::iter::once(exact).chain(defaults)
}

/// The form in which a byte of the extension stands in a file name.
pub(super) fn safe_byte(byte: u8) -> u8 {
    match byte {
        b'.' => b':',
        other => other.to_ascii_lowercase(),
    }
}
