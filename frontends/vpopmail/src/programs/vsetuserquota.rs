//! vsetuserquota: sets the quota of a mailbox or of all of a domain (vsetuserquota(8), spec §2).

use super::vadddomain::quota;
use crate::address;
use crate::failure::Failure;
use crate::io::{Io, host};
use crate::onchange::{Change, tell};
use crate::options::{Options, Usage, text};
use applet::Exit;

const USAGE: Usage = Usage {
    program: "vsetuserquota",
    letters: "v",
    text: "vsetuserquota: [options] email_address|domain_name quota
options:
-v (print version number)

If you specify a domain name rather than an email address,
the quota will be applied to all users in that domain
",
};

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let (Some(word), Some(quota_word)) = (options.operand(), options.operand()) else {
        return Err(Failure::usage(255, USAGE.text));
    };
    let quota = quota(text(&quota_word)?)?;
    let accounts = io.accounts()?;
    let host = host();
    for address in address::mailboxes(&accounts, &word)? {
        address::real(&accounts, &address.domain)?;
        let set = (quota, io.unique(&host));
        accounts.set_quota(&address.domain, &address.name, set)?;
        tell(
            io,
            &accounts,
            &Change::UserChanged(&address.domain, &address.name),
        )?;
    }
    Ok(Exit::OK)
}
