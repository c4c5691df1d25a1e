//! How qmail-send and its two spawners talk: commands go down, reports come up (qmail-send(8), qmail-lspawn(8), qmail-rspawn(8)).
//!
//! ```text
//! qmail-send ── slot · N/ID \0 · sender \0 · recipient \0 ──► qmail-lspawn, qmail-rspawn
//!            ◄── slot · K, Z or D · text \0 ────────────────
//! ```
//!
//! Before all else a spawner writes one byte: how many deliveries it can run at a time. Both sides
//! read in bounded memory whatever the other one says.

mod command;
mod local;
mod remote;
mod report;

pub use command::{Command, CommandReader, FIELD_MAX};
pub use local::{LocalExit, local};
pub use remote::{REMOTE_MAX, remote};
pub use report::{ReportReader, SlotReport, encode};

/// How many deliveries a spawner of ours runs at a time at most (conf-spawn).
pub const LIMIT: u8 = 120;

/// How a program ended that a spawner ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "wait(2) knows these two ends")]
pub enum End {
    /// A signal ended it.
    Crashed,
    /// It exited with this code.
    Code(i32),
}
