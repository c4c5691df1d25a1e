//! vdominfo: tells whose a domain is, where it lies and how many mailboxes it has (vdominfo(8), spec §2).

use crate::address;
use crate::code::Code;
use crate::failure::Failure;
use crate::io::{Accounts, Io};
use crate::options::{Options, Usage};
use applet::Exit;
use mta_auth::vpopmail::ListedDomain;
use std::io::Write;

const USAGE: Usage = Usage {
    program: "vdominfo",
    letters: "vanugdtr",
    text: "vdominfo: usage: [options] [domain]
options: -v (print version number)
         -a (display all fields, this is the default)
         -n (display domain name)
         -u (display uid field)
         -g (display gid field)
         -d (display domain directory)
         -t (display total users)
         -r (display real domain)
",
};

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let accounts = io.accounts()?;
    let listed = accounts.domains()?;
    let Some(word) = options.operand() else {
        for domain in &listed {
            show(io, &accounts, (&options, domain))?;
            writeln!(io.output)?;
        }
        return Ok(Exit::OK);
    };
    let unknown = || Failure::said(245, "Invalid domain name");
    let name = address::domain(&word).map_err(|_| unknown())?;
    let real = accounts.domain(name.as_str())?.ok_or_else(unknown)?.name;
    for domain in listed.iter().filter(|domain| domain.name == real) {
        show(io, &accounts, (&options, domain))?;
    }
    for alias in &listed {
        if alias.alias_of.as_deref() == Some(&real) {
            writeln!(io.output, "alias: {}", alias.name)?;
        }
    }
    Ok(Exit::OK)
}

fn show(
    io: &mut Io<'_>,
    accounts: &Accounts,
    (options, domain): (&Options, &ListedDomain),
) -> Result<(), Failure> {
    let found = accounts.domain(&domain.name)?.ok_or(Code::NoSuchDomain)?;
    let (uid, gid) = found.owner.unwrap_or_else(|| accounts.layout().owner);
    let dir = domain.dir.display();
    let name = match &domain.alias_of {
        Some(real) => format!("{} (alias of {real})", domain.name),
        None => domain.name.clone(),
    };
    let fields: Vec<u8> = options.given.iter().map(|(letter, _)| *letter).collect();
    let users = || accounts.count_users(&found);
    if fields.contains(&b'a') || !fields.iter().any(|letter| *letter != b'v') {
        writeln!(io.output, "domain: {name}")?;
        writeln!(io.output, "uid:    {uid}")?;
        writeln!(io.output, "gid:    {gid}")?;
        writeln!(io.output, "dir:    {dir}")?;
        writeln!(io.output, "users:  {}", users()?)?;
        return Ok(());
    }
    let chosen = |letter: u8| fields.contains(&letter);
    if chosen(b'n') {
        writeln!(io.output, "{name}")?;
    }
    if chosen(b'u') {
        writeln!(io.output, "{uid}")?;
    }
    if chosen(b'g') {
        writeln!(io.output, "{gid}")?;
    }
    if chosen(b'd') {
        writeln!(io.output, "{dir}")?;
    }
    if chosen(b't') {
        writeln!(io.output, "{}", users()?)?;
    }
    if chosen(b'r') {
        writeln!(io.output, "{}", found.name)?;
    }
    Ok(())
}
