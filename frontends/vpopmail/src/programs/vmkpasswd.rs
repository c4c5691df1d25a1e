//! vmkpasswd: makes a domain's vpasswd.cdb of its vpasswd (vmkpasswd(8), spec §2).

use crate::address;
use crate::failure::Failure;
use crate::io::Io;
use crate::options::{Options, Usage};
use applet::Exit;

const USAGE: Usage = Usage {
    program: "vmkpasswd",
    letters: "v",
    text: "vmkpasswd: usage: [options] domain_name
options: -v (print version number)
",
};

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let Some(word) = options.operand() else {
        return Err(Failure::usage(255, USAGE.text));
    };
    let accounts = io.accounts()?;
    let domain = address::real(&accounts, &address::domain(&word)?)?;
    accounts.rebuild(&domain)?;
    Ok(Exit::OK)
}
