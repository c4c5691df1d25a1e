//! What a spawner is told to deliver (qmail-lspawn(8), qmail-rspawn(8), spec §5.3).

use crate::Address;
use crate::ports::spool::MessageId;

/// The longest field of a command that is kept. Longer ones are read to their ends and refused.
pub const FIELD_MAX: usize = 16 * 1024;

/// The longest path of a message.
const PATH_MAX: usize = 100;

/// One delivery to one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Command {
    /// Names the delivery in its report.
    pub slot: u8,
    /// Where the message lies below `mess/`.
    pub message: Vec<u8>,
    /// The reverse-path, VERP expanded.
    pub sender: Vec<u8>,
    /// The recipient as it was routed.
    pub recipient: Vec<u8>,
    /// A field was longer than is kept.
    pub cut: bool,
}

impl Command {
    /// Makes a command for a message of a queue with `split` subdirectories.
    ///
    /// ```
    /// use mta_core::{Address, ports::spool::MessageId, spawn::Command};
    /// let (from, to) = (Address::new("a@b").unwrap(), Address::new("c@d").unwrap());
    /// let command = Command::new(3, (MessageId(24), 23), &from, &to);
    /// assert_eq!(command.encode(), b"\x031/24\0a@b\0c@d\0");
    /// ```
    #[must_use]
    pub fn new(
        slot: u8,
        (id, split): (MessageId, u64),
        sender: &Address,
        recipient: &Address,
    ) -> Self {
        let directory = id.0.checked_rem(split).unwrap_or(0);
        Self {
            slot,
            message: format!("{directory}/{id}").into_bytes(),
            sender: sender.as_bytes().to_vec(),
            recipient: recipient.as_bytes().to_vec(),
            cut: false,
        }
    }

    /// Returns the bytes that go to the spawner.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            slot,
            message,
            sender,
            recipient,
            ..
        } = self;
        [
            &[*slot][..],
            message,
            b"\0",
            sender,
            b"\0",
            recipient,
            b"\0",
        ]
        .concat()
    }

    /// Splits the recipient at its last `@`.
    #[must_use]
    pub fn local_and_host(&self) -> Option<(&[u8], &[u8])> {
        let at = self.recipient.iter().rposition(|&b| b == b'@')?;
        let (local, rest) = self.recipient.split_at(at);
        Some((local, rest.get(1..)?))
    }

    /// Judges everything that can be judged before the message is looked at.
    ///
    /// # Errors
    /// Returns the report's letter and text, as the original words them.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.cut {
            return Err("Zqmail-spawn out of memory. (#4.3.0)\n");
        }
        let path = |(at, &byte): (usize, &u8)| byte.is_ascii_digit() || (at > 0 && byte == b'/');
        if !self.message.iter().enumerate().all(path) {
            return Err("DInternal error: messid has nonnumerics. (#5.3.5)\n");
        }
        if self.message.len() > PATH_MAX {
            return Err("DInternal error: messid too long. (#5.3.5)\n");
        }
        if self.message.is_empty() {
            return Err("DInternal error: messid too short. (#5.3.5)\n");
        }
        if self.local_and_host().is_none() {
            return Err("DSorry, address must include host name. (#5.1.3)\n");
        }
        Ok(())
    }
}

/// Takes commands out of a stream of bytes.
///
/// ```
/// use mta_core::spawn::CommandReader;
/// let mut reader = CommandReader::default();
/// let mut seen = Vec::new();
/// for piece in [&b"\x031/2"[..], b"4\0a@b\0c", b"@d\0\x04"] {
///     reader.push(piece, &mut |command| seen.push(command));
/// }
/// assert_eq!((seen.len(), seen[0].slot), (1, 3));
/// assert_eq!(seen[0].recipient, b"c@d");
/// ```
#[derive(Debug, Default)]
pub struct CommandReader {
    command: Command,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Slot,
    Message,
    Sender,
    Recipient,
}

impl CommandReader {
    /// Takes bytes in and shows each command that they complete.
    pub fn push(&mut self, bytes: &[u8], show: &mut dyn FnMut(Command)) {
        for &byte in bytes {
            let field = match self.stage {
                Stage::Slot => {
                    self.command.slot = byte;
                    self.stage = Stage::Message;
                    continue;
                }
                Stage::Message => &mut self.command.message,
                Stage::Sender => &mut self.command.sender,
                Stage::Recipient => &mut self.command.recipient,
            };
            if byte != 0 {
                if field.len() < FIELD_MAX {
                    field.push(byte);
                } else {
                    self.command.cut = true;
                }
                continue;
            }
            self.stage = match self.stage {
                Stage::Slot | Stage::Message => Stage::Sender,
                Stage::Sender => Stage::Recipient,
                Stage::Recipient => {
                    show(std::mem::take(&mut self.command));
                    Stage::Slot
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Command> {
        let mut seen = Vec::new();
        CommandReader::default().push(bytes, &mut |command| seen.push(command));
        seen
    }

    #[test]
    fn commands_are_judged_in_the_originals_words() {
        let rows: [(&str, &[u8], Result<(), &str>); 9] = [
            ("well formed", b"\x001/24\0a@b\0c@d\0", Ok(())),
            ("null sender", b"\x001/24\0\0c@d\0", Ok(())),
            ("empty local part", b"\x001/24\0a@b\0@d\0", Ok(())),
            (
                "no host",
                b"\x001/24\0a@b\0c\0",
                Err("DSorry, address must include host name. (#5.1.3)\n"),
            ),
            (
                "a name",
                b"\x00../x\0a@b\0c@d\0",
                Err("DInternal error: messid has nonnumerics. (#5.3.5)\n"),
            ),
            (
                "upwards",
                b"\x001/../2\0a@b\0c@d\0",
                Err("DInternal error: messid has nonnumerics. (#5.3.5)\n"),
            ),
            (
                "absolute",
                b"\x00/1/24\0a@b\0c@d\0",
                Err("DInternal error: messid has nonnumerics. (#5.3.5)\n"),
            ),
            (
                "no path",
                b"\x00\0a@b\0c@d\0",
                Err("DInternal error: messid too short. (#5.3.5)\n"),
            ),
            (
                "long path",
                &[b"\0".as_slice(), &[b'1'; 101], b"\0a@b\0c@d\0"].concat(),
                Err("DInternal error: messid too long. (#5.3.5)\n"),
            ),
        ];
        for (name, bytes, want) in rows {
            let [command] = read(bytes).try_into().unwrap();
            assert_eq!(command.check(), want, "{name}");
        }
    }

    #[test]
    fn an_endless_field_is_refused_and_the_next_command_is_read() {
        let long = vec![b'x'; FIELD_MAX + 1];
        let bytes = [b"\x051/24\0", &*long, b"\0c@d\0\x061/24\0\0c@d\0"].concat();
        let [first, second] = read(&bytes).try_into().unwrap();
        assert_eq!(first.check(), Err("Zqmail-spawn out of memory. (#4.3.0)\n"));
        assert_eq!((first.slot, first.sender.len()), (5, FIELD_MAX));
        assert_eq!((second.slot, second.check()), (6, Ok(())));
    }

    #[test]
    fn what_is_written_is_read_however_it_is_cut() {
        let (from, to) = (Address::new("a-@b-@[]"), Address::new("c@d@e"));
        let command = Command::new(0, (MessageId(99), 23), &from.unwrap(), &to.unwrap());
        let bytes = command.encode();
        for cut in 0..bytes.len() {
            let (mut reader, mut seen) = (CommandReader::default(), Vec::new());
            reader.push(&bytes[..cut], &mut |command| seen.push(command));
            reader.push(&bytes[cut..], &mut |command| seen.push(command));
            assert_eq!(seen, std::slice::from_ref(&command), "{cut}");
        }
        assert_eq!(command.local_and_host(), Some((&b"c@d"[..], &b"e"[..])));
    }
}
