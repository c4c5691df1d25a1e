//! qbiff: tells a user who is logged in of new mail, on each terminal (qbiff(1), utmp(5), spec §6.8).

use crate::failure::Failure;
use crate::io::Io;
use applet::Exit;
use mta_core::inject::{Found, HeaderReader, Limits};
use nix::libc::utmpx;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::mem::{offset_of, size_of};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

const LOGINS: &str = "/var/run/utmp";
const TERMINALS: &str = "/dev";
/// How much of the message is shown, four blanks included.
const SHOWN: usize = 78;
/// Who reads the file of logins: a process of the user himself.
const USER_PROCESS: i16 = nix::libc::USER_PROCESS;
/// The most that is read of the file of logins.
const MAX_LOGINS: u64 = 16 << 20;

/// Whatever goes wrong, the message is not to bounce for it.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let (Some(user), Some(sender), Some(local)) = (
        io.variable("USER"),
        io.variable("SENDER"),
        io.variable("LOCAL"),
    ) else {
        return Ok(Exit::OK);
    };
    if let Some(text) = glance(&mut *io.input) {
        let text = notice(&local, &sender, &text);
        tell(Path::new(LOGINS), Path::new(TERMINALS), &user, &text);
    }
    Ok(Exit::OK)
}

/// The subject and the beginning of the body, behind four blanks.
fn glance(input: &mut dyn Read) -> Option<Vec<u8>> {
    let mut reader = HeaderReader::new(Limits::default());
    let mut text = b"    ".to_vec();
    let mut in_body = false;
    let mut buffer = [0; 4096];
    while text.len() < SHOWN {
        let n = match input.read(&mut buffer) {
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        let mut piece = buffer.get(..n).unwrap_or_default();
        while !in_body {
            let found = match n {
                0 => reader.finish(),
                _ => reader.next(&mut piece).ok()?,
            };
            match found {
                Found::More => break,
                Found::Field(line) => text.extend_from_slice(subject(&line)),
                Found::Body(before) => {
                    text.extend_from_slice(&before);
                    in_body = true;
                }
            }
        }
        text.extend_from_slice(piece);
        if n == 0 {
            break;
        }
    }
    text.truncate(SHOWN);
    Some(text)
}

/// What stands in a Subject; nothing of any other field.
fn subject(line: &[u8]) -> &[u8] {
    let Some(colon) = line.iter().position(|&b| b == b':') else {
        return b"";
    };
    let (name, body) = line.split_at(colon);
    if !name.trim_ascii_end().eq_ignore_ascii_case(b"subject") {
        return b"";
    }
    let body = body.get(1..).unwrap_or_default();
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let start = body.iter().take_while(|b| blank(b)).count();
    body.get(start..).unwrap_or_default()
}

/// Nothing of a message or an address moves a terminal's cursor.
fn notice(local: &[u8], sender: &[u8], text: &[u8]) -> Vec<u8> {
    let shown = |text: &[u8], instead: u8| -> Vec<u8> {
        let plain = |&b: &u8| if matches!(b, 32..=126) { b } else { instead };
        text.iter().map(plain).collect()
    };
    let who = [b"*** TO <", local, b"> FROM <", sender, b">"].concat();
    let (who, text) = (shown(&who, b'_'), shown(text, b'/'));
    [b"\r\n\x07", &*who, b"\r\n", &*text, b"\r\n"].concat()
}

/// Writes to each terminal where the user is logged in, that is ours, and that lets itself be
/// written to (mesg(1)).
fn tell(logins: &Path, terminals: &Path, user: &[u8], text: &[u8]) {
    let mut records = Vec::new();
    let read = std::fs::File::open(logins)
        .and_then(|file| file.take(MAX_LOGINS).read_to_end(&mut records));
    if read.is_err() {
        return;
    }
    for record in records.chunks_exact(size_of::<utmpx>()) {
        let Some(line) = terminal_of(record, user) else {
            continue;
        };
        // A terminal that cannot be written to is nobody's fault.
        let _ = write_to(&terminals.join(OsStr::from_bytes(line)), text);
    }
}

/// The line of a record that says that this user is logged in.
fn terminal_of<'a>(record: &'a [u8], user: &[u8]) -> Option<&'a [u8]> {
    let kind = record.get(offset_of!(utmpx, ut_type)..)?.first_chunk()?;
    let who = text(
        record
            .get(offset_of!(utmpx, ut_user)..)?
            .first_chunk::<32>()?,
    );
    let line = text(
        record
            .get(offset_of!(utmpx, ut_line)..)?
            .first_chunk::<32>()?,
    );
    let sane = !line.is_empty() && !line.starts_with(b"/") && !line.contains(&b'.');
    (i16::from_ne_bytes(*kind) == USER_PROCESS && who == user && sane).then_some(line)
}

/// A field that ends at its first NUL, or is full.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&b| b == 0).next().unwrap_or_default()
}

fn write_to(terminal: &Path, text: &[u8]) -> std::io::Result<()> {
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let mut file = OpenOptions::new()
        .append(true)
        .custom_flags(flags)
        .open(terminal)?;
    let stat = file.metadata()?;
    if stat.mode() & 0o100 == 0 || stat.uid() != nix::unistd::getuid().as_raw() {
        return Ok(());
    }
    file.write_all(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn record(kind: i16, user: &str, line: &str) -> Vec<u8> {
        let mut record = vec![0; size_of::<utmpx>()];
        let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
        put(offset_of!(utmpx, ut_type), &kind.to_ne_bytes());
        put(offset_of!(utmpx, ut_user), user.as_bytes());
        put(offset_of!(utmpx, ut_line), line.as_bytes());
        record
    }

    #[test]
    fn subject_and_body_are_shown_in_78_columns_without_control_bytes() {
        let rows: [(&str, &[u8], &str); 5] = [
            ("plain", b"From: x\nSubject: Hi\n\nbody\n", "    Hi//body/"),
            ("folded", b"subject :  a\n b\n\n", "    a/ b//"),
            ("no subject", b"\nbody\x1b[2J", "    /body/[2J"),
            ("no header", b"just text\n", "    /just text/"),
            ("nothing", b"", "    "),
        ];
        for (name, message, want) in rows {
            let mut input = message;
            let text = glance(&mut input).unwrap();
            let shown = String::from_utf8(notice(b"l\n", b"s", &text)).unwrap();
            let want = format!("\r\n\x07*** TO <l_> FROM <s>\r\n{want}\r\n");
            assert_eq!(shown, want, "{name}");
        }
        let long = [b"Subject: ".as_slice(), &[b'x'; 9000], b"\n\nbody"].concat();
        assert_eq!(glance(&mut long.as_slice()).unwrap().len(), 78);
    }

    #[test]
    fn only_terminals_of_the_user_that_allow_it_are_written_to() {
        let rows = [
            ("logged in", 7, "joe", "tty1", 0o700, true),
            ("another user", 7, "joel", "tty1", 0o700, false),
            ("has left", 8, "joe", "tty1", 0o700, false),
            ("mesg n", 7, "joe", "tty1", 0o600, false),
            ("path", 7, "joe", "/tty1", 0o700, false),
            ("way up", 7, "joe", "../tty1", 0o700, false),
        ];
        for (name, kind, user, line, mode, told) in rows {
            let dir = tempfile::tempdir().unwrap();
            let terminal = dir.path().join("tty1");
            std::fs::write(&terminal, "").unwrap();
            std::fs::set_permissions(&terminal, std::fs::Permissions::from_mode(mode)).unwrap();
            let logins = dir.path().join("utmp");
            std::fs::write(&logins, record(kind, user, line)).unwrap();
            tell(&logins, dir.path(), b"joe", b"text");
            let got = std::fs::read(&terminal).unwrap();
            assert_eq!(got == b"text", told, "{name}");
        }
    }

    #[test]
    fn no_terminal_is_made_where_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let logins = dir.path().join("utmp");
        std::fs::write(&logins, record(7, "joe", "tty1")).unwrap();
        tell(&logins, dir.path(), b"joe", b"text");
        assert!(!dir.path().join("tty1").exists());
    }
}
