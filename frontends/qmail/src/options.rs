//! Option letters as qmail's programs read them (sgetopt(3), spec §1).

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The options of a command line in their order, and what follows them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Letters, with their arguments.
    pub(crate) given: Vec<(u8, Option<OsString>)>,
    /// The rest.
    pub(crate) rest: Vec<OsString>,
}

impl Options {
    /// Reads letters of `known`, where `:` behind a letter says that it has an argument, and `*`
    /// that the rest of its word is one, if there is any. Letters may be bundled; `--` ends the options, and so does the first argument that is none.
    ///
    /// # Errors
    /// Says `PROGRAM: illegal option -- x` or `PROGRAM: option requires an argument -- x`.
    pub(crate) fn parse(
        program: &str,
        arguments: &[OsString],
        known: &str,
    ) -> Result<Self, String> {
        let mut rest: VecDeque<OsString> = arguments.iter().cloned().collect();
        let mut given = Vec::new();
        while let Some(word) = rest.front().cloned() {
            let [b'-', letters @ ..] = word.as_bytes() else {
                break;
            };
            if letters.is_empty() {
                break;
            }
            rest.pop_front();
            if letters.starts_with(b"-") {
                break;
            }
            let mut letters = letters.iter();
            while let Some(&letter) = letters.next() {
                let shown = char::from(letter);
                let wanted = wanted(known, letter)
                    .ok_or_else(|| format!("{program}: illegal option -- {shown}"))?;
                let argument = match wanted {
                    Wanted::Nothing => None,
                    Wanted::RestOfWord => {
                        letters.by_ref().for_each(drop);
                        None
                    }
                    Wanted::Argument => {
                        let joined: Vec<u8> = letters.by_ref().copied().collect();
                        let argument = match joined.is_empty() {
                            false => Some(OsString::from_vec(joined)),
                            true => rest.pop_front(),
                        };
                        if argument.is_none() {
                            return Err(format!(
                                "{program}: option requires an argument -- {shown}"
                            ));
                        }
                        argument
                    }
                };
                given.push((letter, argument));
            }
        }
        Ok(Self {
            given,
            rest: rest.into(),
        })
    }
}

/// What belongs to a letter.
enum Wanted {
    Nothing,
    Argument,
    /// Whatever follows in the same word, which says nothing to us.
    RestOfWord,
}

fn wanted(known: &str, letter: u8) -> Option<Wanted> {
    let known = known.as_bytes();
    let is_letter = |&b: &u8| b == letter && !matches!(b, b':' | b'*');
    let at = known.iter().position(is_letter)?;
    Some(match known.get(at + 1) {
        Some(b':') => Wanted::Argument,
        Some(b'*') => Wanted::RestOfWord,
        _ => Wanted::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = Result<(&'static str, &'static [&'static str]), &'static str>;

    #[test]
    fn letters_are_read_as_the_original_does() {
        let rows: [(&str, &[&str], Read); 11] = [
            ("none", &["a", "-f"], Ok(("", &["a", "-f"]))),
            ("bundled", &["-fr", "a"], Ok(("fr", &["a"]))),
            ("ended", &["-f", "--", "-r"], Ok(("f", &["-r"]))),
            ("lone dash stays", &["-", "a"], Ok(("", &["-", "a"]))),
            ("joined argument", &["-cx", "a"], Ok(("c=x", &["a"]))),
            ("own argument", &["-fc", "x", "a"], Ok(("fc=x", &["a"]))),
            ("rest of its word", &["-fEzz", "a"], Ok(("fE", &["a"]))),
            ("star", &["-*"], Err("p: illegal option -- *")),
            ("unknown", &["-fz"], Err("p: illegal option -- z")),
            ("colon", &["-:"], Err("p: illegal option -- :")),
            (
                "no argument",
                &["-c"],
                Err("p: option requires an argument -- c"),
            ),
        ];
        for (name, words, want) in rows {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            let got = Options::parse("p", &words, "frc:E*").map(|options| {
                let shown = |(letter, argument): &(u8, Option<OsString>)| match argument {
                    Some(a) => format!("{}={}", char::from(*letter), a.to_str().unwrap()),
                    None => char::from(*letter).to_string(),
                };
                (
                    options.given.iter().map(shown).collect::<String>(),
                    options.rest,
                )
            });
            let want = want
                .map(|(g, r)| {
                    (
                        g.to_owned(),
                        r.iter().map(OsString::from).collect::<Vec<_>>(),
                    )
                })
                .map_err(str::to_owned);
            assert_eq!(got, want, "{name}");
        }
    }
}
