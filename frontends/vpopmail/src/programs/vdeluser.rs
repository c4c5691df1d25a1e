//! vdeluser: removes a mailbox with its mail (vdeluser(8), spec §2).

use crate::address;
use crate::failure::Failure;
use crate::io::Io;
use crate::onchange::{Change, tell};
use crate::options::{Options, Usage};
use applet::Exit;

const USAGE: Usage = Usage {
    program: "vdeluser",
    letters: "v",
    text: "vdeluser: usage: [options] email_address
options: -v (print version number)
",
};

/// Unlike the original, a domain keeps its postmaster, to whom its errors go.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let Some(word) = options.operand() else {
        return Err(Failure::usage(255, USAGE.text));
    };
    let accounts = io.accounts()?;
    let address = address::mailbox(&accounts, &word)?;
    if address.name.as_str() == "postmaster" {
        let text = "Error: Illegal username\npostmaster goes with its domain only";
        return Err(Failure::said(255, text));
    }
    let found = accounts.find(address.name.as_str(), address.domain.as_str())?;
    if found.is_some() {
        tell(
            io,
            &accounts,
            &Change::UserGoes(&address.domain, &address.name),
        )?;
    }
    accounts.remove_user(&address.domain, &address.name)?;
    Ok(Exit::OK)
}
