//! vadddomain: adds a virtual domain with its postmaster (vadddomain(8), spec §1.4, §2).

use crate::code::Code;
use crate::failure::Failure;
use crate::io::Io;
use crate::onchange::{Change, tell};
use crate::options::{Options, Usage, number};
use crate::reload::reload;
use crate::{address, secret};
use applet::Exit;
use mta_auth::vpopmail::{CatchAll, NewDomain};
use mta_auth::{DomainName, MailboxName, Quota};
use nix::unistd::User;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

const USAGE: Usage = Usage {
    program: "vadddomain",
    letters: "q:be:u:vi:g:d:Or::",
    text: "vadddomain: usage: vadddomain [options] virtual_domain [postmaster password]
options: -v prints the version
         -q quota_in_bytes (sets the quota for postmaster account)
         -b (bounces all mail that doesn't match a user, default)
         -e email_address (forwards all non matching user to this address [*])
         -u user (sets the uid/gid based on a user in /etc/passwd)
         -d dir (sets the dir to use for this domain)
         -i uid (sets the uid to use for this domain)
         -g gid (sets the gid to use for this domain)
         -O optimize adding, for bulk adds set this for all
            except the last one
         -r[len] (generate a len (default 12) char random postmaster password)

 [*] omit @-sign to deliver directly into user's Maildir: '-e postmaster'
",
};

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let Some(word) = options.operand() else {
        return Err(Failure::usage(0, USAGE.text));
    };
    let accounts = io.accounts()?;
    let name = address::domain(&word)?;
    if accounts.domain(name.as_str())?.is_some() && !accounts.is_begun(&name)? {
        return Err(Code::DomainExists.into());
    }
    let new = whose(&options, NewDomain::new(name.clone(), String::new()))?;
    let new = catch_all(&options, new)?;
    let new = match options.text(b'q')? {
        Some(quota) => new.quota(self::quota(quota)?),
        None => new,
    };
    let password = secret::new(io, &mut options, "postmaster")?;
    let new = new.crypt(password.crypt.clone());
    accounts.create_domain(&new.clear(password.kept.clone()))?;
    if !options.has(b'O') {
        reload(&io.homes);
    }
    tell(io, &accounts, &Change::DomainCame(&name))?;
    password.show(io)?;
    Ok(Exit::OK)
}

/// `-u`, `-d`, `-i` and `-g`: whose the domain is and below which home.
fn whose(options: &Options, mut new: NewDomain) -> Result<NewDomain, Failure> {
    let mut base = options.value(b'd').map(PathBuf::from);
    let (mut uid, mut gid) = (None, None);
    if let Some(name) = options.text(b'u')? {
        let found = User::from_name(name).ok().flatten();
        let Some(user) = found else {
            let text = format!("Error: user {name} not found in /etc/passwd");
            return Err(Failure::said(255, text));
        };
        base = base.or(Some(user.dir));
        (uid, gid) = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
    }
    if let Some(word) = options.value(b'i') {
        uid = uid.or(Some(number('i', word)?));
    }
    if let Some(word) = options.value(b'g') {
        gid = gid.or(Some(number('g', word)?));
    }
    match (uid, gid) {
        (Some(uid), Some(gid)) => new = new.owner((uid, gid)),
        (None, None) => {}
        _ => {
            let text = "Error: -i and -g: expected both or neither";
            return Err(Failure::said(255, text));
        }
    }
    Ok(match base {
        Some(base) => new.base(base),
        None => new,
    })
}

/// `-e`: an address, or a mailbox of the domain.
fn catch_all(options: &Options, new: NewDomain) -> Result<NewDomain, Failure> {
    let Some(word) = options.value(b'e') else {
        return Ok(new);
    };
    if address::is_address(word) {
        let action = CatchAll::parse(word.as_bytes()).filter(|a| matches!(a, CatchAll::Forward(_)));
        return action
            .map(|action| new.catch_all(action))
            .ok_or_else(|| wrong_target(word));
    }
    let name = MailboxName::parse(word.as_bytes()).map_err(|_| wrong_target(word))?;
    Ok(new.catch_all_mailbox(name))
}

fn wrong_target(word: &OsStr) -> Failure {
    let shown = word.display();
    let more = format!("-e: expected an address or the name of a mailbox, found {shown}");
    Failure::code_with(Code::BadChar, &more)
}

/// A quota of the command line.
pub(super) fn quota(text: &str) -> Result<Quota, Failure> {
    let quota = Quota::parse(text.as_bytes());
    let quota = quota.map_err(|error| Failure::said(255, format_args!("Error: {error}")))?;
    if quota.to_string().len() > mta_auth::vpasswd::MAX_QUOTA {
        return Err(Code::QuotaTooLong.into());
    }
    Ok(quota)
}

/// The domain's name for programs that add to it.
pub(super) fn existing(io: &Io<'_>, name: &DomainName) -> Result<(), Failure> {
    match io.accounts()?.domain(name.as_str())? {
        Some(_) => Ok(()),
        None => Err(Code::NoSuchDomain.into()),
    }
}
