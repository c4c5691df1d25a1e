//! qmail-rspawn: runs qmail-remote for each remote recipient (qmail-rspawn(8), spec §7.1).

use super::lspawn::end;
use crate::failure::Failure;
use crate::io::Io;
use crate::spawner::{Delivery, environment, serve};
use applet::Exit;
use delivery::local::capture::{Captured, capture};
use mta_core::spawn::{End, REMOTE_MAX, remote};
use mta_core::tcpto::TABLE;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{Write, pipe};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The variable that names another program.
const VARIABLE: &str = "QMAILREMOTE";

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    // Without the table every host is tried, which is what clearing it comes to.
    let _ = forget_timeouts(io);
    let named = io.environment.get(OsStr::new(VARIABLE)).cloned();
    let program = named.unwrap_or_else(|| OsString::from("qmail-remote"));
    let (environment, home) = (environment(io), io.home.clone());
    serve(io, move |delivery| {
        let mut command = Command::new(&program);
        command.env_clear().envs(&environment);
        match start(command, &delivery, &home) {
            Ok(ran) => remote(end(ran.status), &ran.output),
            Err(_) => remote(End::Code(111), b""),
        }
    })
}

fn start(mut command: Command, delivery: &Delivery, home: &PathBuf) -> std::io::Result<Captured> {
    let recipient = [&*delivery.local, b"@", &delivery.host].concat();
    let words: [&[u8]; 3] = [&delivery.host, &delivery.sender, &recipient];
    let (output, writer) = pipe()?;
    command.args(words.map(OsStr::from_bytes)).current_dir(home);
    command.stdin(delivery.message.try_clone()?);
    command.stdout(writer.try_clone()?).stderr(writer);
    // One byte more tells that there was more.
    capture(command, output, Duration::MAX, REMOTE_MAX + 1)
}

/// A fresh start tries hosts that timed out before.
fn forget_timeouts(io: &Io<'_>) -> std::io::Result<()> {
    let path = io.home.join("queue/lock/tcpto");
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    file.lock()?;
    file.write_all(&[0; TABLE])
}
