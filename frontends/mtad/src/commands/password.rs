//! New passwords: from standard input, from a terminal without echo, or made up; hashed at once (crypt(5)).

use crate::cli::Password;
use crate::config::Config;
use crate::home::Home;
use crate::{Failure, accounts, random, scram};
use mta_auth::password::{Recipe, Salt};
use mta_auth::sasl::{ScramKeys, Secret};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use zeroing::Clear;

/// The most bytes of standard input that are looked at for a password.
const INPUT_MAX: u64 = 4096;

/// A new password as it is stored, and in clear where it was made up and must be shown.
pub(super) struct New {
    pub(super) crypt: String,
    pub(super) shown: Option<String>,
    /// Itself, where etc/vpopmail.conf says that clear passwords are kept.
    pub(super) kept: Option<Secret>,
    /// Keys of SCRAM, where mtad.toml says that they are kept.
    pub(super) scram: Option<ScramKeys>,
}

/// What happens where nobody says a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsaid {
    /// One is asked for on the terminal; without a terminal it is made up.
    AskOrInvent,
    /// One is asked for on the terminal; without a terminal there is none.
    Ask,
    /// It is made up.
    Invent,
}

/// Gets a new password.
pub(super) fn new(home: &Home, from: Password, unsaid: Unsaid) -> Result<New, Failure> {
    let settings = accounts::of(home)?.settings();
    let settings = settings.map_err(|error| Failure::permanent(error.to_string()))?;
    let way = &Way {
        recipe: Config::read(&home.config())?.auth.recipe(),
        clear_passwd: settings.clear_passwd,
        keep_scram: Config::read(&home.config())?.auth.keeps_scram(),
    };
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    if from.password_stdin {
        return way.store(&read_line()?.0);
    }
    match unsaid {
        Unsaid::Ask | Unsaid::AskOrInvent if terminal => way.store(&ask_twice()?.0),
        Unsaid::Ask => Err(Failure::permanent(
            "expected a terminal to ask for the password, or --password-stdin",
        )),
        _ => invent_by(way),
    }
}

/// How a password is stored.
struct Way {
    recipe: Recipe,
    clear_passwd: bool,
    keep_scram: bool,
}

impl Way {
    fn store(&self, clear: &[u8]) -> Result<New, Failure> {
        Ok(New {
            crypt: crypt(clear, &self.recipe)?,
            shown: None,
            kept: self.clear_passwd.then(|| Secret::new(clear)),
            scram: match self.keep_scram {
                true => Some(scram::derive(clear).map_err(no_randomness)?),
                false => None,
            },
        })
    }
}

/// Makes a password up, for a home whose settings are the defaults.
pub(super) fn invent() -> Result<New, Failure> {
    invent_by(&Way {
        recipe: Recipe::default(),
        clear_passwd: false,
        keep_scram: false,
    })
}

fn invent_by(way: &Way) -> Result<New, Failure> {
    let clear = random::password().map_err(no_randomness)?;
    let new = way.store(clear.as_bytes())?;
    Ok(New {
        shown: Some(clear),
        ..new
    })
}

fn crypt(clear: &[u8], recipe: &Recipe) -> Result<String, Failure> {
    let salt = Salt::from_random(random::bytes().map_err(no_randomness)?);
    let hashed = recipe.hash(clear, salt);
    hashed.map_err(|error| Failure::permanent(error.to_string()))
}

fn no_randomness(error: io::Error) -> Failure {
    Failure::temporary(format!("unable to get random bytes: {error}"))
}

fn read_line() -> Result<Clear, Failure> {
    let mut line = Clear(Vec::new());
    let mut input = io::stdin().lock().take(INPUT_MAX);
    input
        .read_until(b'\n', &mut line.0)
        .map_err(|error| Failure::temporary(format!("unable to read the password: {error}")))?;
    while line.0.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
        line.0.pop();
    }
    Ok(line)
}

fn ask_twice() -> Result<Clear, Failure> {
    let first = ask("New password: ")?;
    let second = ask("Once more: ")?;
    if first.0 == second.0 {
        Ok(first)
    } else {
        Err(Failure::permanent("the two passwords differ"))
    }
}

/// Asks on the terminal, which shows nothing of the answer.
fn ask(prompt: &str) -> Result<Clear, Failure> {
    let trouble =
        |error: nix::Error| Failure::temporary(format!("unable to set the terminal: {error}"));
    let stdin = io::stdin();
    write!(io::stderr(), "{prompt}")?;
    let before = tcgetattr(&stdin).map_err(trouble)?;
    let mut quiet = before.clone();
    quiet.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &quiet).map_err(trouble)?;
    let line = read_line();
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &before).map_err(trouble)?;
    writeln!(io::stderr())?;
    line
}

mod zeroing {
    //! A clear password that is overwritten when it goes.

    /// The bytes.
    pub(super) struct Clear(pub(super) Vec<u8>);

    impl Drop for Clear {
        fn drop(&mut self) {
            self.0.fill(0);
            std::hint::black_box(&self.0);
        }
    }
}
