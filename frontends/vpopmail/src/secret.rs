//! Passwords: from the command line, asked for twice without echo, or made up; hashed at once (getpass(3), crypt(5)).

use crate::code::Code;
use crate::failure::Failure;
use crate::io::Io;
use crate::options::{Options, number};
use mta_auth::password::{PasswordError, Salt, hash};
use mta_auth::sasl::Secret;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStringExt;

/// The longest password; the original's arrays end there.
pub(crate) const MAX: usize = 128;
/// How long a made-up one is where nobody says.
const USUAL: usize = 12;
/// The letters of made-up ones.
const LETTERS: &[u8; 68] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.@!#%*";
/// How often two answers may differ.
const ATTEMPTS: usize = 5;

/// A clear password that is overwritten when it goes.
pub(crate) struct Clear(Vec<u8>);

impl Drop for Clear {
    fn drop(&mut self) {
        self.0.fill(0);
        std::hint::black_box(&self.0);
    }
}

impl Clear {
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A new password: its crypt(3) string, and itself where it was made up and must be shown.
pub(crate) struct New {
    pub(crate) crypt: String,
    pub(crate) shown: Option<Clear>,
    /// Itself once more, where the settings keep it readable.
    pub(crate) kept: Option<Secret>,
}

impl New {
    /// One that is a crypt(3) string already, or an empty one for none.
    pub(crate) const fn stored(crypt: String) -> Self {
        Self {
            crypt,
            shown: None,
            kept: None,
        }
    }

    /// Shows a made-up password, as the last thing that a program says.
    pub(crate) fn show(&self, io: &mut Io<'_>) -> io::Result<()> {
        match &self.shown {
            Some(clear) => {
                io.output.write_all(b"Random password: ")?;
                io.output.write_all(clear.bytes())?;
                io.output.write_all(b"\n")
            }
            None => Ok(()),
        }
    }
}

/// Gets a new password: `-r[len]` makes one up, else the next operand is it, else it is asked for
/// in the name of `whose`.
pub(crate) fn new(io: &mut Io<'_>, options: &mut Options, whose: &str) -> Result<New, Failure> {
    let operand = options.operand();
    if options.has(b'r') {
        if operand.is_some() {
            return Err(Failure::said(
                255,
                "Error: don't use -r option when giving password on command line",
            ));
        }
        let length = match options.value(b'r') {
            Some(word) => number('r', word)?,
            None => USUAL,
        };
        let clear = invent(length)?;
        let mut new = hashed(io, &clear)?;
        new.shown = Some(clear);
        return Ok(new);
    }
    let clear = match operand {
        Some(word) => Clear(OsString::into_vec(word)),
        None => ask_twice(io, whose)?,
    };
    hashed(io, &clear)
}

/// A password as the settings want it stored.
pub(crate) fn hashed(io: &Io<'_>, clear: &Clear) -> Result<New, Failure> {
    let mut new = New::stored(crypt(clear)?);
    if io.accounts()?.settings()?.clear_passwd {
        new.kept = Some(Secret::new(clear.bytes()));
    }
    Ok(new)
}

/// Hashes a password.
fn crypt(clear: &Clear) -> Result<String, Failure> {
    if clear.0.len() > MAX {
        return Err(Code::PasswordTooLong.into());
    }
    let salt = Salt::from_random(random()?);
    hash(&clear.0, salt).map_err(|error| match error {
        PasswordError::Empty => Failure::said(255, "Error: No password entered"),
        PasswordError::TooLong => Code::PasswordTooLong.into(),
        _ => Failure::code_with(Code::CryptFailed, &error.to_string()),
    })
}

/// Asks until two answers are the same.
pub(crate) fn ask_twice(io: &mut Io<'_>, whose: &str) -> Result<Clear, Failure> {
    for _ in 0..ATTEMPTS {
        let first = ask(io, &format!("Please enter password for {whose}: "))?;
        let second = ask(io, "enter password again: ")?;
        if first.0 == second.0 {
            return Ok(first);
        }
        writeln!(io.output, "Passwords do not match, try again")?;
    }
    Err(Failure::said(255, "Error: the passwords did not match"))
}

/// Asks for one password.
pub(crate) fn ask(io: &mut Io<'_>, prompt: &str) -> Result<Clear, Failure> {
    io.output.flush()?;
    (io.secret)(prompt).map(Clear).map_err(|error| {
        Failure::complaint(255, format_args!("unable to read the password: {error}"))
    })
}

/// Makes a password up.
fn invent(length: usize) -> Result<Clear, Failure> {
    if length > MAX {
        return Err(Code::PasswordTooLong.into());
    }
    if length == 0 {
        return Err(Failure::said(
            255,
            "Error: -r: expected a length of at least 1",
        ));
    }
    let mut clear = Clear(Vec::with_capacity(length));
    while clear.0.len() < length {
        for byte in random::<64>()? {
            // Bytes beyond the last whole multiple would favour the first letters.
            let fair = usize::from(byte) < 256 - 256 % LETTERS.len();
            if let Some(&letter) = LETTERS.get(usize::from(byte) % LETTERS.len())
                && fair
                && clear.0.len() < length
            {
                clear.0.push(letter);
            }
        }
    }
    Ok(clear)
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::complaint(255, format_args!("unable to get random bytes: {error}"))
    })?;
    Ok(bytes)
}

/// Asks on the process's terminal, which shows nothing of the answer; without one, on standard
/// error, and the answer is the next line of standard input (getpass(3)).
pub(crate) fn from_terminal(prompt: &str) -> io::Result<Vec<u8>> {
    let Ok(mut terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        io::stderr().write_all(prompt.as_bytes())?;
        return line(&mut io::stdin().lock());
    };
    terminal.write_all(prompt.as_bytes())?;
    let before = tcgetattr(&terminal)?;
    let mut quiet = before.clone();
    quiet.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&terminal, SetArg::TCSAFLUSH, &quiet)?;
    let answer = line(&mut BufReader::<&File>::new(&terminal));
    tcsetattr(&terminal, SetArg::TCSAFLUSH, &before)?;
    terminal.write_all(b"\n")?;
    answer
}

fn line(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let limit = u64::try_from(MAX).unwrap_or(u64::MAX).saturating_add(2);
    let read = from.take(limit).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(line)
}
