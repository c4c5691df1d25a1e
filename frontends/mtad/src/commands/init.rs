//! `mtad init`, and the home that the first `mtad serve` makes.

use super::password::{self, New};
use crate::cli::Init;
use crate::home::{Found, Home};
use crate::setup::{self, Plan, Remade};
use crate::{Failure, accounts, ownership};
use mta_auth::DomainName;
use std::io::{self, IsTerminal, Write};

/// The domain of a home that nobody described.
const FIRST_DOMAIN: &str = "localhost";
const FIRST_USER: &str = "postmaster@localhost";

pub(super) fn run(home: &Home, arguments: &Init, out: &mut dyn Write) -> Result<(), Failure> {
    let shown = home.root().display();
    if home.find()? == Found::Home {
        if setup::remake_queue(home)? == Remade::Queue {
            writeln!(out, "made {shown}/queue, which was gone, anew and empty")?;
            return Ok(());
        }
        return Err(Failure::permanent(format!(
            "{shown} is a mail home already"
        )));
    }
    let me = arguments.me.clone().or_else(setup::host_name);
    if me.is_none() {
        writeln!(
            io::stderr(),
            "mtad: warning: this machine's name is not a full one, so localhost is used; \
             write the full name into control/me before mail goes out, or use --me"
        )?;
    }
    let plan = Plan::new(
        me.as_deref().unwrap_or("localhost"),
        arguments.admin.as_deref(),
    )?
    .with_spool(arguments.spool);
    setup::make(home, &plan)?;
    writeln!(out, "made {shown} for {}", plan.me())?;
    Ok(())
}

/// Makes a home in which everything works at once, and says how to log in.
pub(super) fn first_start(home: Home, out: &mut dyn Write) -> Result<Home, Failure> {
    setup::make(&home, &Plan::new(FIRST_DOMAIN, Some(FIRST_USER))?)?;
    // Its path was made absolute when there was nothing there; now links on it can be followed.
    let home = Home::locate(Some(home.root()), None)?;
    let new = password::invent()?;
    let domain = DomainName::parse(FIRST_DOMAIN.as_bytes())
        .map_err(|error| Failure::permanent(error.to_string()))?;
    accounts::of(&home)?.add_domain(&domain, &new.crypt)?;
    ownership::give(&home, &[&home.control(), &home.users()])?;
    tell(&home, &new, out)?;
    Ok(home)
}

/// Shows the password once on a terminal, else keeps it in a file that only the owner reads.
fn tell(home: &Home, new: &New, out: &mut dyn Write) -> Result<(), Failure> {
    let clear = new.shown.as_deref().unwrap_or_default();
    let shown = home.root().display();
    if io::stdout().is_terminal() {
        writeln!(
            out,
            "made {shown} with the mailbox {FIRST_USER}, password {clear}"
        )?;
    } else if io::stderr().is_terminal() {
        writeln!(
            io::stderr(),
            "made {shown} with the mailbox {FIRST_USER}, password {clear}"
        )?;
    } else {
        let path = home.first_user();
        setup::file(&path, &format!("{FIRST_USER}\n{clear}\n"), 0o600)?;
        writeln!(
            io::stderr(),
            "made {shown} with the mailbox {FIRST_USER}; its password is in {}",
            path.display()
        )?;
    }
    Ok(())
}
