//! The mail server `mtad` as a library: what its program, its tests and later tools call in-process.
//!
//! ```text
//!   smtp_service ─┐                       ┌─► local ──► Maildir, forwards
//!   pop3_service  ├─► store threads ──►  engine
//!                 │   (queue, accounts)   └─► remote ─► resolve, pool ─► other hosts
//! ```
//!
//! It decides little itself: the conversations are [`mta_proto`]'s, the rules [`mta_core`]'s, the
//! files [`mta_store`]'s and [`mta_auth`]'s, sockets and threads the [`driver`]'s.

mod abuse;
pub mod accounts;
pub mod bounce;
pub mod checkpassword;
pub mod cli;
pub mod commands;
pub mod config;
mod door;
pub mod engine;
mod failure;
mod group;
pub mod home;
mod intake;
pub mod journal;
pub mod listen;
pub mod local;
pub mod log;
pub mod maildrops;
mod orders;
pub mod ownership;
pub mod pop3_service;
pub mod privileges;
pub mod proxied;
pub mod qmail_service;
mod random;
pub mod remote;
pub mod requests;
mod roaming;
pub mod rules;
mod scram;
pub mod serve;
pub mod server;
pub mod setup;
pub mod signals;
pub mod smtp_service;
mod spools;
mod stand;
pub mod stop;
pub mod supervisor;
pub mod tls;
pub mod watch;

pub use failure::{Failure, PERMANENT, TEMPORARY};

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// Runs the program: arguments from the command line, results to standard output, failures to
/// standard error.
#[must_use]
pub fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let variable = std::env::var_os(home::VARIABLE);
    let mut stdout = std::io::stdout();
    match commands::run(&cli, variable, &mut stdout) {
        Ok(code) => code,
        Err(failure) => {
            // Nowhere is left to tell that standard error is closed.
            let _ = writeln!(std::io::stderr(), "mtad: fatal: {failure}");
            ExitCode::from(failure.code())
        }
    }
}
