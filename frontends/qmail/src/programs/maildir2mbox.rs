//! maildir2mbox: moves the messages of a Maildir to the end of an mbox (maildir2mbox(1)).

use crate::failure::Failure;
use crate::io::Io;
use crate::words::why;
use applet::Exit;
use mta_core::{Address, delivered};
use mta_store::files::{OpenFile, RealFiles};
use mta_store::maildir::{Listing, Maildir, Message};
use mta_store::mbox::Quote;
use nix::sys::stat::Mode;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Error, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const TOOL: &str = "maildir2mbox";
const PIECE: usize = 64 * 1024;
/// How often the mbox may be replaced while we wait for its lock.
const REPLACED: usize = 100;

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
    let variable = |name: &str| {
        let value = io.environment.get(OsStr::new(name)).map(PathBuf::from);
        value.ok_or_else(|| Failure::temporary(format!("{TOOL}: fatal: {name} not set")))
    };
    let (mbox, scratch) = (variable("MAIL")?, variable("MAILTMP")?);
    let maildir = variable("MAILDIR")?;
    // Relative names of the other two are looked up there, as the original does.
    std::env::set_current_dir(&maildir)
        .map_err(|error| Failure::system(TOOL, "unable to chdir to $MAILDIR", &error))?;
    let maildir = Maildir::new(Arc::new(RealFiles::new()), ".");
    // What others have left is no reason to keep the mail.
    let _ = maildir.clean_tmp(io.now);
    let listing = maildir.list();
    let listing =
        listing.map_err(|error| Failure::system(TOOL, "unable to scan $MAILDIR", &error))?;
    if listing.messages().is_empty() {
        return Ok(Exit::OK);
    }
    let old = locked(&mbox).map_err(|error| failed("lock", &mbox, &error))?;
    write(&old, &mbox, &scratch, &listing)?;
    std::fs::rename(&scratch, &mbox).map_err(|error| {
        let what = format!("move {} to", scratch.display());
        failed(&what, &mbox, &error)
    })?;
    let above = mbox.parent().filter(|above| !above.as_os_str().is_empty());
    let synced = File::open(above.unwrap_or_else(|| Path::new("."))).and_then(|dir| dir.sync_all());
    synced.map_err(|error| failed("sync", &mbox, &error))?;
    remove(io, &listing);
    Ok(Exit::OK)
}

fn failed(doing: &str, path: &Path, error: &Error) -> Failure {
    Failure::system(
        TOOL,
        &format!("unable to {doing} {}", path.display()),
        error,
    )
}

/// Opens the mbox and locks it; whoever held the lock may have put another file at its place.
fn locked(mbox: &Path) -> std::io::Result<File> {
    for _ in 0..REPLACED {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(mbox)?;
        file.lock()?;
        let (held, there) = (file.metadata()?, mbox.metadata()?);
        if (held.dev(), held.ino()) == (there.dev(), there.ino()) {
            return Ok(file);
        }
    }
    Err(Error::from_raw_os_error(11))
}

/// Writes the old contents and all messages to a file of its own, durably.
fn write(
    old: &File,
    mbox: &Path,
    scratch: &Path,
    listing: &Listing<RealFiles>,
) -> Result<(), Failure> {
    let unwritten = |error: Error| failed("write to", scratch, &error);
    let fresh = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(scratch);
    let mut out = BufWriter::new(fresh.map_err(|error| failed("create", scratch, &error))?);
    let mut reader = old;
    let mut buffer = vec![0; PIECE];
    loop {
        let read = std::io::Read::read(&mut reader, &mut buffer);
        let n = read.map_err(|error| failed("read", mbox, &error))?;
        if n == 0 {
            break;
        }
        out.write_all(buffer.get(..n).unwrap_or_default())
            .map_err(unwritten)?;
    }
    for (index, message) in listing.messages().iter().enumerate() {
        let unread = |error: Error| failed("read", &name(message), &error);
        let file = listing.open(index).map_err(unread)?;
        let mut quote = Quote::new();
        let mut at = 0;
        loop {
            let n = file.read_at(&mut buffer, at).map_err(unread)?;
            let piece = buffer.get(..n).unwrap_or_default();
            let mut text = Vec::new();
            if at == 0 {
                text = delivered::from_line(&sender(piece), message.time);
            }
            at += n as u64;
            if n == 0 {
                quote.finish(&mut text);
                out.write_all(&text).map_err(unwritten)?;
                break;
            }
            quote.feed(piece, &mut text);
            out.write_all(&text).map_err(unwritten)?;
        }
    }
    out.flush().map_err(unwritten)?;
    out.get_ref().sync_all().map_err(unwritten)
}

/// Who sent a message that begins so; `XXX` where its first line does not say.
fn sender(beginning: &[u8]) -> Address {
    let line = beginning.split(|&b| b == b'\n').next().unwrap_or_default();
    let path = line
        .strip_prefix(b"Return-Path: <")
        .and_then(|rest| rest.strip_suffix(b">"));
    let path = path.unwrap_or(b"XXX").to_vec();
    Address::new(path).unwrap_or_default()
}

fn name(message: &Message) -> PathBuf {
    let folder = match message.folder {
        mta_store::maildir::Folder::New => "new",
        mta_store::maildir::Folder::Cur => "cur",
    };
    Path::new("$MAILDIR").join(folder).join(&message.name)
}

/// The mbox has them all by now: one that stays is no reason to fail, but to say so.
fn remove(io: &mut Io<'_>, listing: &Listing<RealFiles>) {
    for (index, message) in listing.messages().iter().enumerate() {
        if let Err(error) = listing.remove(index) {
            let mut line = format!("{TOOL}: warning: ").into_bytes();
            line.extend_from_slice(name(message).as_os_str().as_bytes());
            let text = format!(
                " will be delivered twice; unable to unlink: {}\n",
                why(&error)
            );
            line.extend_from_slice(text.as_bytes());
            let _ = io.errors.write_all(&line);
        }
    }
    // Unsynced removals can only come back.
    let _ = listing.sync();
}
