//! HELO and EHLO (RFC 5321 §4.1.1.1).

use super::{BadCommand, Command};
use bytes::Bytes;

/// The longest name that is kept (RFC 5321 §4.5.3.1.2).
const NAME_MAX: usize = 255;

/// Reads the argument.
///
/// ```abnf
/// ehlo = "EHLO" SP ( Domain / address-literal ) CRLF
/// helo = "HELO" SP Domain CRLF
/// ```
/// Names in the wild hold underscores and worse, so any run of bytes without white space and
/// control characters is taken: what it is worth is for policy to say.
pub(super) fn parse(argument: &[u8], extended: bool) -> Result<Command, BadCommand> {
    let legal = !argument.is_empty()
        && argument.len() <= NAME_MAX
        && argument.iter().all(|&b| b > b' ' && b != 0x7f);
    if legal {
        Ok(Command::Hello {
            name: Bytes::copy_from_slice(argument),
            extended,
        })
    } else if extended {
        Err(BadCommand::Argument("syntax: EHLO hostname"))
    } else {
        Err(BadCommand::Argument("syntax: HELO hostname"))
    }
}
