//! vaddaliasdomain: gives a domain a second name (vaddaliasdomain(8), spec §2).

use crate::address;
use crate::failure::Failure;
use crate::io::Io;
use crate::onchange::{Change, tell};
use crate::options::{Options, Usage};
use crate::reload::reload;
use applet::Exit;
use std::io::Write;

const USAGE: Usage = Usage {
    program: "vaddaliasdomain",
    letters: "v",
    text: "vaddaliasdomain: usage: [options] real_domain alias_domain
options: -v (print version number)
note: for backward compatability, you can swap real_domain and alias_domain.
",
};

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let (Some(one), Some(other)) = (options.operand(), options.operand()) else {
        return Err(Failure::usage(255, USAGE.text));
    };
    let (one, other) = (address::domain(&one)?, address::domain(&other)?);
    if one == other {
        let text = "Error: real domain and alias domain are the same!";
        writeln!(io.output, "{text}")?;
        return Err(Failure::usage(255, USAGE.text));
    }
    let accounts = io.accounts()?;
    let exists = |name: &mta_auth::DomainName| accounts.domain(name.as_str());
    let (real, alias) = match (exists(&one)?, exists(&other)?) {
        // An alias that a crash cut short is completed.
        (Some(_), Some(_)) if accounts.is_begun(&other)? => (one, other),
        (Some(_), Some(_)) if accounts.is_begun(&one)? => (other, one),
        (Some(_), None) => (one, other),
        (None, Some(_)) => (other, one),
        (Some(_), Some(_)) => {
            let text = "Error: Both domains already exist, unable to create alias.";
            return Err(Failure::said(255, text));
        }
        (None, None) => {
            let text =
                format!("Error: Neither '{one}' or '{other}'  exist, unable to create alias.");
            return Err(Failure::said(255, text));
        }
    };
    accounts.add_alias_domain(&real, &alias)?;
    reload(&io.homes);
    tell(
        io,
        &accounts,
        &Change::AliasDomainCame(&alias, real.as_str()),
    )?;
    Ok(Exit::OK)
}
