//! New passwords: from standard input, from a terminal without echo, or made up; hashed at once (crypt(5)).

use crate::cli::Password;
use crate::config::Config;
use crate::home::Home;
use crate::{Failure, random};
use mta_auth::password::{Recipe, Salt};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use zeroing::Clear;

/// The most bytes of standard input that are looked at for a password.
const INPUT_MAX: u64 = 4096;

/// A new password as it is stored, and in clear where it was made up and must be shown.
pub(super) struct New {
    pub(super) crypt: String,
    pub(super) shown: Option<String>,
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
    let recipe = Config::read(&home.config())?.auth.recipe();
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    if from.password_stdin {
        return said(read_line()?, &recipe);
    }
    match unsaid {
        Unsaid::Ask | Unsaid::AskOrInvent if terminal => said(ask_twice()?, &recipe),
        Unsaid::Ask => Err(Failure::permanent(
            "expected a terminal to ask for the password, or --password-stdin",
        )),
        _ => invent_by(&recipe),
    }
}

/// Makes a password up, for a home whose settings are the defaults.
pub(super) fn invent() -> Result<New, Failure> {
    invent_by(&Recipe::default())
}

fn invent_by(recipe: &Recipe) -> Result<New, Failure> {
    let clear = random::password().map_err(no_randomness)?;
    let crypt = crypt(clear.as_bytes(), recipe)?;
    Ok(New {
        crypt,
        shown: Some(clear),
    })
}

fn said(clear: Clear, recipe: &Recipe) -> Result<New, Failure> {
    Ok(New {
        crypt: crypt(&clear.0, recipe)?,
        shown: None,
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
