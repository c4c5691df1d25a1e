//! A crash-safe queue, Maildir and mbox in qmail's layout, behind one port for file calls (INTERNALS, maildir(5), mbox(5)).
//!
//! Everything here is synchronous and is written once against [`files::Files`]. The operating
//! system's files are [`files::RealFiles`] (feature `real-files`, on by default); a file system that
//! loses power between any two calls is `files::SimFiles` (feature `sim`). This crate reads no
//! clock, no environment and no randomness: time and the parts of unique names are arguments.

pub mod atomic;
pub mod cdb_file;
#[cfg(feature = "cdb-writer")]
pub mod cdb_writer;
pub mod control_dir;
pub mod dir_syncs;
pub mod door;
pub mod files;
pub mod log;
pub mod maildir;
pub mod mbox;
pub mod queue;
pub mod rules_file;
pub mod store;
