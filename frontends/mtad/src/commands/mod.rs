//! What each command of the command line does.

mod ask;
mod check;
mod convert;
mod domain;
mod host_users;
mod init;
mod instcheck;
mod orders;
mod password;
mod queue;
mod route;
mod service_dir;
mod user;
mod why;

use crate::Failure;
use crate::cli::{Cli, Command, Serve};
use crate::home::{Found, Home};
use crate::local::as_user;
use crate::serve;
use host_users::Wish;
use mta_auth::vpopmail::AccountError;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Runs a command; `variable` is the value of `MTA_HOME`, results go to `out`.
///
/// # Errors
/// Says why the command could not be carried out.
pub fn run(
    cli: &Cli,
    variable: Option<OsString>,
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let home = Home::locate(cli.home.as_deref(), variable)?;
    let mut code = ExitCode::SUCCESS;
    match &cli.command {
        Command::Serve(arguments) => serve_home(home, arguments, out)?,
        Command::Init(arguments) => init::run(&home, arguments, out)?,
        Command::Domain(what) => domain::run(&home.existing()?, what, out)?,
        Command::User(what) => user::run(&home.existing()?, what, out)?,
        Command::Queue(what) => queue::run(&home.existing()?, what, out)?,
        Command::Route { address } => code = route::run(&home.existing()?, address, out)?,
        Command::Why { id } => why::run(&home.existing()?, *id, out)?,
        Command::Check { no_dns } => {
            let names = match no_dns {
                true => check::Names::Alone,
                false => check::Names::Judged,
            };
            code = check::run(&home.existing()?, names, out)?;
        }
        Command::ServiceDir(what) => service_dir::run(&home.existing()?, what, out)?,
        Command::HostUsers { make: false } => host_users::run(Wish::Print, out)?,
        Command::HostUsers { make: true } => host_users::run(Wish::Make, out)?,
        Command::Deliver { words } => as_user::run(home, words, out)?,
    }
    out.flush()?;
    Ok(code)
}

fn serve_home(home: Home, arguments: &Serve, out: &mut dyn Write) -> Result<(), Failure> {
    let home = match home.find()? {
        Found::Nothing => init::first_start(home, out)?,
        _ => home.existing()?,
    };
    serve::serve(home, arguments, out)
}

/// An account that cannot be changed is the caller's fault, unless the system failed.
impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        if error.is_temporary() {
            Self::temporary(error.to_string())
        } else {
            Self::permanent(error.to_string())
        }
    }
}
