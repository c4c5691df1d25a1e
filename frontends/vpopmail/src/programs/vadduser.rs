//! vadduser: adds a mailbox to a domain (vadduser(8), spec §2).

use super::vadddomain::{existing, quota};
use crate::code::Code;
use crate::failure::Failure;
use crate::io::Io;
use crate::onchange::{Change, tell};
use crate::options::{Options, Usage, text};
use crate::{address, secret};
use applet::Exit;
use mta_auth::vpopmail::NewUser;
use std::io::Write;

const USAGE: Usage = Usage {
    program: "vadduser",
    letters: "svc:nq:e:r::",
    text: "vadduser: usage: [options] email_address [passwd]
options: -v (print the version)
         -q quota_in_bytes (sets the users quota, use NOQUOTA for unlimited)
         -c comment (sets the gecos comment field)
         -e standard_encrypted_password
         -n no_password
         -r[len] (generate a len (default 12) char random password)
",
};

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut options = Options::read(io, &USAGE)?;
    let Some(word) = options.operand() else {
        return Err(Failure::usage(255, USAGE.text));
    };
    if options.has(b's') {
        writeln!(io.errors, "Warning: The -s option has been disabled.")?;
    }
    let accounts = io.accounts()?;
    let address = address::mailbox(&accounts, &word)?;
    existing(io, &address.domain).map_err(|failure| Failure {
        exit: Exit::other(255),
        ..failure
    })?;
    if accounts
        .find(address.name.as_str(), address.domain.as_str())?
        .is_some()
    {
        return Err(Failure::said(255, "Error: User already exists"));
    }
    let password = if options.has(b'n') {
        secret::New::stored(String::new())
    } else if let Some(stored) = options.value(b'e') {
        secret::New::stored(text(stored)?.to_owned())
    } else {
        secret::new(io, &mut options, &word.to_string_lossy())?
    };
    let name = address.name;
    let mut user = NewUser::new(name.clone(), password.crypt.clone()).clear(password.kept.clone());
    if let Some(gecos) = options.text(b'c')? {
        if gecos.len() > mta_auth::vpasswd::MAX_GECOS {
            return Err(Code::GecosTooLong.into());
        }
        user = user.gecos(gecos);
    }
    if let Some(text) = options.text(b'q')? {
        user = user.quota(quota(text)?);
    }
    accounts.add_user(&address.domain, &user)?;
    tell(io, &accounts, &Change::UserCame(&address.domain, &name))?;
    password.show(io)?;
    Ok(Exit::OK)
}
