//! vchangepw: lets somebody change the password of a mailbox by the old one (vchangepw(8), spec §2).

use crate::address;
use crate::code::Code;
use crate::failure::Failure;
use crate::io::Io;
use crate::onchange::{Change, tell};
use crate::secret::{ask, ask_twice, hashed};
use applet::Exit;
use mta_auth::password;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;

/// The longest address that is read.
const MAX_ADDRESS: usize = 255;
const FAILED: u8 = 3;

/// Made for a login shell: it takes no arguments and asks for everything.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    io.output.write_all(b"Please enter the email address: ")?;
    io.output.flush()?;
    let Some(word) = line(io)? else {
        io.output.write_all(b"\n\n")?;
        return Ok(Exit::OK);
    };
    writeln!(io.output, "{}", word.escape_ascii())?;
    let accounts = io.accounts()?;
    let address = address::mailbox(&accounts, &OsString::from_vec(word))?;
    let old = ask(io, "Enter old password: ")?;
    let found = accounts.find(address.name.as_str(), address.domain.as_str())?;
    // Who is not there takes as long as whose password is wrong, and is told the same.
    let right = match &found {
        Some(mailbox) => password::verify(old.bytes(), &mailbox.hash).unwrap_or_else(|_| {
            password::verify_nobody(old.bytes());
            false
        }),
        None => {
            password::verify_nobody(old.bytes());
            false
        }
    };
    if !right {
        (io.log)(&format!(
            "vchangepw: wrong name or password for <{address}>"
        ));
        return Err(Failure::said(FAILED, "Error: authentication failed!"));
    }
    let clear = ask_twice(io, &address.to_string())?;
    let new = hashed(io, &clear)?;
    let passwords = (new.crypt.as_str(), new.kept.as_ref());
    let changed = accounts.set_passwords(&address.domain, &address.name, passwords);
    if let Err(error) = changed {
        (io.log)(&format!("vchangepw: <{address}>: {error}"));
        return Err(error.into());
    }
    (io.log)(&format!("vchangepw: user <{address}> changed password"));
    tell(
        io,
        &accounts,
        &Change::UserChanged(&address.domain, &address.name),
    )?;
    writeln!(io.output, "Password successfully changed.")?;
    Ok(Exit::OK)
}

/// One line of standard input, byte by byte, since a terminal's rest belongs to who asks next.
fn line(io: &mut Io<'_>) -> Result<Option<Vec<u8>>, Failure> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        if io.input.read(&mut byte)? == 0 {
            return Ok(None);
        }
        match byte {
            [b'\n' | b'\r'] => return Ok(Some(line)),
            [byte] if line.len() < MAX_ADDRESS => line.push(byte),
            _ => return Err(Code::UserTooLong.into()),
        }
    }
}
