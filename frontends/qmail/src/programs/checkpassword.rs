//! checkpassword: checks the password of a system account and becomes that user's program (checkpassword's interface, spec §9.1).

use crate::child::command;
use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use mta_auth::checkpassword::{MAX_RECORD, Record};
use mta_auth::password::{HashError, verify, verify_nobody};
use mta_store::atomic::MAX_EDITED;
use mta_store::files::{Files, RealFiles};
use nix::unistd::{User, getgrouplist};
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;

const SHADOW: &str = "/etc/shadow";
const CREDENTIALS: i32 = 3;
const DAY: u64 = 86_400;

const MISUSE: Exit = Exit::other(2);

/// Never says a word: its caller knows the codes.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    Err(Failure::silent(become_user(io)))
}

/// Returns only where the user's program was not started.
fn become_user(io: &Io<'_>) -> Exit {
    let Some(mut program) = command(io, &io.arguments) else {
        return MISUSE;
    };
    let user = match read().and_then(|credentials| check(&credentials, io.now.0 / DAY)) {
        Ok(user) => user,
        Err(exit) => return exit,
    };
    let Ok(name) = CString::new(user.name.as_str()) else {
        return Exit::NO;
    };
    let Ok(groups) = getgrouplist(&name, user.gid) else {
        return Exit::TEMPORARY;
    };
    let groups: Vec<u32> = groups.into_iter().map(nix::unistd::Gid::as_raw).collect();
    if sys::drop_privileges(user.uid.as_raw(), user.gid.as_raw(), &groups).is_err()
        || std::env::set_current_dir(&user.dir).is_err()
    {
        return Exit::TEMPORARY;
    }
    program
        .env("USER", &user.name)
        .env("HOME", &user.dir)
        .env("SHELL", &user.shell);
    let _ = program.exec();
    Exit::TEMPORARY
}

/// Reads descriptor 3 to its end and closes it, so that the user's program does not have it.
fn read() -> Result<Vec<u8>, Exit> {
    let copy = sys::adopt(CREDENTIALS).map_err(|_| Exit::TEMPORARY)?;
    nix::unistd::close(CREDENTIALS).map_err(|_| Exit::TEMPORARY)?;
    let mut credentials = Vec::new();
    let limited = File::from(copy)
        .take(MAX_RECORD as u64 + 1)
        .read_to_end(&mut credentials);
    limited.map_err(|_| Exit::TEMPORARY)?;
    if credentials.len() > MAX_RECORD {
        return Err(Exit::NO);
    }
    Ok(credentials)
}

fn check(credentials: &[u8], today: u64) -> Result<User, Exit> {
    let Some(Record { name, password, .. }) = Record::parse(credentials) else {
        return Err(MISUSE);
    };
    let text = std::str::from_utf8(name)
        .ok()
        .filter(|name| !name.is_empty());
    let user = match text.map(User::from_name) {
        Some(Ok(found)) => found,
        Some(Err(_)) => return Err(Exit::TEMPORARY),
        None => None,
    };
    let Some(user) = user.filter(|user| !user.uid.is_root()) else {
        verify_nobody(password);
        return Err(Exit::NO);
    };
    let stored = match user.passwd.as_bytes() {
        b"x" => {
            let shadow = RealFiles::new().read(Path::new(SHADOW), MAX_EDITED);
            let shadow = shadow.map_err(|_| Exit::TEMPORARY)?;
            stored(&shadow, name, today).map(<[u8]>::to_vec)
        }
        old => Some(old.to_vec()),
    };
    judge(password, stored.as_deref())?;
    Ok(user)
}

/// The password of an account that may log in; accounts whose day has come may not (shadow(5)).
fn stored<'s>(shadow: &'s [u8], name: &[u8], today: u64) -> Option<&'s [u8]> {
    let mut lines = shadow.split(|&b| b == b'\n');
    let fields = lines.find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|&b| b == b':').collect();
        (fields.first() == Some(&name)).then_some(fields)
    })?;
    let expires = fields
        .get(7)
        .and_then(|field| std::str::from_utf8(field).ok()?.parse().ok());
    if expires.is_some_and(|day: u64| today >= day) {
        return None;
    }
    fields.get(1).copied()
}

fn judge(password: &[u8], stored: Option<&[u8]>) -> Result<(), Exit> {
    let locked = |stored: &[u8]| matches!(stored.first(), None | Some(b'!' | b'*'));
    let Some(stored) = stored.filter(|stored| !locked(stored)) else {
        verify_nobody(password);
        return Err(Exit::NO);
    };
    match verify(password, stored) {
        Ok(true) => Ok(()),
        Ok(false) | Err(HashError::NoPassword) => Err(Exit::NO),
        Err(_) => Err(Exit::TEMPORARY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_auth::password::{Salt, hash_with_rounds};

    #[test]
    fn the_line_of_the_account_decides() {
        let good = hash_with_rounds(b"sesame", Salt::from_random([1; 16]), 1000).unwrap();
        let shadow = format!(
            "root:*:1::::::\njoe:{good}:19000:0:99999:7:::\nold:{good}:1:0:9:7::100:\n\
             locked:!{good}:1::::::\nnone::1::::::\ndes:abnqrLigH.z/s:1::::::\n\
             gost:$gy$j9T$a$b:1::::::\nshort\n"
        );
        let rows = [
            ("right", "joe", "sesame", 0),
            ("wrong", "joe", "other", 1),
            ("empty", "joe", "", 1),
            ("expired", "old", "sesame", 1),
            ("locked", "locked", "sesame", 1),
            ("no password", "none", "", 1),
            ("no line", "ann", "sesame", 1),
            ("prefix of a name", "jo", "sesame", 1),
            ("DES", "des", "sesame", 0),
            ("unknown scheme", "gost", "sesame", 111),
            ("no fields", "short", "sesame", 1),
        ];
        for (name, user, password, code) in rows {
            let found = stored(shadow.as_bytes(), user.as_bytes(), 100);
            let got = judge(password.as_bytes(), found)
                .err()
                .map_or(0, Exit::code);
            assert_eq!(got, code, "{name}");
        }
        let day_before = stored(shadow.as_bytes(), b"old", 99);
        assert!(judge(b"sesame", day_before).is_ok());
    }
}
