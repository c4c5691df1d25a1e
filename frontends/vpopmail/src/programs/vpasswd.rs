//! vpasswd: sets the password of a mailbox (vpasswd(8), spec §2).

use crate::code::Code;
use crate::failure::Failure;
use crate::io::Io;
use crate::onchange::{Change, tell};
use crate::options::{Options, Usage};
use crate::{address, secret};
use applet::Exit;

const USAGE: Usage = Usage {
    program: "vpasswd",
    letters: "vr::",
    text: "vpasswd: usage: [options] email_address [password]
options: -v (print version number)
         -r[len] (generate a len (default 12) char random password)
",
};

/// Who does not exist and whose password is fixed are the same answer, as in the original.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let Some(word) = options.operand() else {
        return Err(Failure::usage(255, USAGE.text));
    };
    let accounts = io.accounts()?;
    let address = address::mailbox(&accounts, &word)?;
    let found = accounts.find(address.name.as_str(), address.domain.as_str())?;
    if found.is_none() {
        return Err(Code::IllegalUsername.into());
    }
    let password = secret::new(io, &mut options, &word.to_string_lossy())?;
    let passwords = (password.crypt.as_str(), password.kept.as_ref());
    accounts.set_passwords(&address.domain, &address.name, passwords)?;
    tell(
        io,
        &accounts,
        &Change::UserChanged(&address.domain, &address.name),
    )?;
    password.show(io)?;
    Ok(Exit::OK)
}
