//! Programs that .qmail lines name: exit codes, and lines plain enough to read (qmail-command(8), spec §6.6).

/// What a program's exit code asks for.
#[expect(
    clippy::exhaustive_enums,
    reason = "the protocol has these four meanings and callers obey all"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramEnd {
    /// 0: go on with the next line.
    Next,
    /// 99: success, but leave out all further lines. Forwards collected before still go out.
    Stop,
    /// The delivery failed for good.
    Failed,
    /// The delivery is to be tried again.
    Deferred,
}

impl ProgramEnd {
    /// Reads an exit code.
    ///
    /// ```
    /// use mta_core::dotqmail::ProgramEnd;
    /// assert_eq!(ProgramEnd::from_code(99), ProgramEnd::Stop);
    /// assert_eq!(ProgramEnd::from_code(1), ProgramEnd::Deferred);
    /// ```
    #[must_use]
    pub const fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Next,
            99 => Self::Stop,
            64 | 65 | 70 | 76 | 77 | 78 | 100 | 112 => Self::Failed,
            _ => Self::Deferred,
        }
    }
}

/// Splits a command into words where a shell would do nothing else with it.
///
/// `None` where it holds anything that a shell gives a meaning to, apart from blanks and quotes
/// around plain text. So a server can carry out well-known commands without a shell.
///
/// ```
/// use mta_core::dotqmail::simple_words;
/// let words = simple_words(b" /home/v/bin/vdelivermail '' bounce-no-mailbox").unwrap();
/// assert_eq!(words, [&b"/home/v/bin/vdelivermail"[..], b"", b"bounce-no-mailbox"]);
/// assert_eq!(simple_words(b"a | b"), None);
/// assert_eq!(simple_words(b"a $(b)"), None);
/// ```
#[must_use]
pub fn simple_words(command: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = command.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' => words.extend(word.take()),
            b'\'' | b'"' => {
                let word = word.get_or_insert_with(Vec::new);
                loop {
                    match bytes.next()? {
                        end if end == byte => break,
                        b'$' | b'`' | b'\\' if byte == b'"' => return None,
                        inside => word.push(inside),
                    }
                }
            }
            _ if byte.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&byte) || byte >= 0x80 => {
                word.get_or_insert_with(Vec::new).push(byte);
            }
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}
