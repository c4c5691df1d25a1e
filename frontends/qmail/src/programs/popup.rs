//! qmail-popup: asks a POP3 client for name and password and hands them to a checker (qmail-popup(8)).

use crate::failure::Failure;
use crate::io::Io;
use crate::net::Net;
use applet::Exit;
use driver::BlockingLink;
use mta_core::Mono;
use mta_proto::pop3::{Config, Event, Limits, Server, Timeouts};
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1200);
/// Where a checker reads name, password and timestamp.
const CHECKED: i32 = 3;

/// Whatever happens, the code is 1, and the client is told rather than a log.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    if let Err(text) = serve(io) {
        // A client that has gone needs no answer.
        let _ = write!(io.output, "-ERR {text}\r\n").and_then(|()| io.output.flush());
    }
    Ok(Exit::NO)
}

fn serve(io: &Io<'_>) -> Result<(), &'static str> {
    let [host, program @ ..] = io.arguments.as_slice() else {
        return Err("usage: popup hostname subprogram");
    };
    if program.is_empty() {
        return Err("usage: popup hostname subprogram");
    }
    let host = String::from_utf8_lossy(host.as_bytes());
    let stamp = format!("<{}.{}@{host}>", std::process::id(), io.now.0);
    let Some(credentials) = ask(&stamp) else {
        return Ok(());
    };
    check(io, program, &credentials)
}

/// Returns what goes to the checker; `None` where the client left or said nothing of use.
fn ask(stamp: &str) -> Option<Vec<u8>> {
    let config = Config {
        greeting: "".into(),
        limits: Limits {
            failed_logins: 1,
            ..Limits::default()
        },
        timeouts: Timeouts {
            idle: PATIENCE,
            authorization: PATIENCE,
            ..Timeouts::default()
        },
        ..Config::default()
    };
    let net = Net::open().ok()?.byte_by_byte();
    let server = Server::with_apop(Arc::new(config), Mono::ZERO, stamp);
    let mut link = BlockingLink::new(server, net);
    loop {
        let (name, word) = match link.next().ok()? {
            Event::Login { name, password, .. } => (name, password),
            Event::Apop { name, digest, .. } => (name, digest),
            Event::Abort(_) => return None,
            _ => continue,
        };
        // The checker's program goes on with the conversation.
        link.finish().ok()?;
        let words: [&[u8]; 3] = [&name, word.expose(), stamp.as_bytes()];
        let mut credentials = words.join(&0);
        credentials.push(0);
        return Some(credentials);
    }
}

/// Runs the checker, which becomes the POP3 server where it lets the client in.
fn check(io: &Io<'_>, program: &[OsString], credentials: &[u8]) -> Result<(), &'static str> {
    let pipe = std::io::pipe();
    let (reader, mut writer) = pipe.map_err(|_| "unable to open pipe")?;
    let mut command =
        crate::child::command(io, program).ok_or("usage: popup hostname subprogram")?;
    sys::pass(&mut command, reader.into(), CHECKED).map_err(|_| "unable to open pipe")?;
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            return Err("unable to fork");
        }
        Err(_) => return Err("authorization failed"),
    };
    drop(command);
    // A checker that does not read them will say so by its code.
    let _ = writer.write_all(credentials);
    drop(writer);
    match child.wait().ok().and_then(|status| status.code()) {
        Some(0) => Ok(()),
        Some(_) => Err("authorization failed"),
        None => Err("aack, child crashed"),
    }
}
