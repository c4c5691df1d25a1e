//! vdeldomain: removes a domain with its mail, or an alias of one (vdeldomain(8), spec §2).

use crate::address;
use crate::failure::Failure;
use crate::io::Io;
use crate::onchange::{Change, tell};
use crate::options::{Options, Usage};
use crate::reload::reload;
use applet::Exit;
use std::io::Write;

const USAGE: Usage = Usage {
    program: "vdeldomain",
    letters: "vf",
    text: "vdeldomain: usage: [options] domain_name
options: -v (print version number)
options: -f (force delete of virtual domains)
",
};

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let Some(word) = options.operand() else {
        return Err(Failure::usage(0, USAGE.text));
    };
    let accounts = io.accounts()?;
    let name = address::domain(&word)?;
    let listed = accounts.domains()?;
    let aliases: Vec<_> = listed
        .iter()
        .filter(|domain| domain.alias_of.as_deref() == Some(name.as_str()))
        .collect();
    if !aliases.is_empty() {
        let forced = options.has(b'f');
        let what = if forced { "deleted" } else { "exist" };
        writeln!(io.output, "Warning: Alias domains {what}:")?;
        for alias in aliases {
            writeln!(io.output, "   {}", alias.name)?;
        }
        if !forced {
            let hint = "   use -f to force delete of domain and all aliases";
            writeln!(io.output, "{hint}")?;
            return Ok(Exit::OK);
        }
    }
    if accounts.domain(name.as_str())?.is_some() {
        tell(io, &accounts, &Change::DomainGoes(&name))?;
    }
    accounts.remove_domain(&name)?;
    reload(&io.homes);
    Ok(Exit::OK)
}
