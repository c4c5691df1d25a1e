//! Carries out the lines of a .qmail file (dot-qmail(5), qmail-local(8), spec §6.3–§6.6).

use super::vdelivermail;
use super::{Delivery, User};
use mta_core::Address;
use mta_core::delivered::{delivered_to, return_path};
use mta_core::dotqmail::{
    Chosen, Did, Found, Instruction, OwnerFiles, Unopened, check_home, new_sender, owner_names,
    search, simple_words,
};
use mta_core::report::Report;
use mta_store::files::{Files, Kind, RealFiles};
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The largest .qmail file that is read.
const DOT_QMAIL_MAX: usize = 1 << 20;
/// What an account without a .qmail file gets.
const DEFAULT_DELIVERY: &[u8] = b"./Maildir/\n";

/// The .qmail file that was chosen, with what is needed to name its lines.
pub(super) struct Script {
    pub(super) chosen: Chosen,
    path: PathBuf,
    contents: Vec<u8>,
}

impl Script {
    /// Says where a line stands, as FILE:LINE, its blanks at the end left out.
    pub(super) fn place_of(&self, line: &[u8]) -> String {
        place_of(&self.path, &self.contents, line)
    }
}

/// Finds the .qmail file of a user; blocks.
pub(super) fn script(user: &User) -> Result<Script, Report> {
    let files = RealFiles::new();
    let stat = files.stat(&user.home).map_err(|error| {
        Report::deferral(format!(
            "Unable to switch to {}: {error}. (#4.3.0)\n",
            user.home.display()
        ))
    })?;
    check_home(stat.mode)?;
    let (mut path, mut contents) = (user.home.clone(), Vec::new());
    let chosen = search(&user.dash, &user.ext, DEFAULT_DELIVERY, |name| {
        let candidate = user.home.join(OsStr::from_bytes(name));
        // An extension with a slash would lead out of the home.
        if name.contains(&b'/') {
            return Ok(None);
        }
        let found = open(&files, &candidate)?;
        if let Some(found) = &found {
            (path, contents) = (candidate, found.contents.clone());
        }
        Ok(found)
    })?;
    Ok(Script {
        chosen,
        path,
        contents,
    })
}

fn open(files: &RealFiles, path: &Path) -> Result<Option<Found>, Unopened> {
    let absent = |error: &io::Error| {
        matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
        )
    };
    let unopened = |error: io::Error| Unopened {
        error: error.to_string(),
    };
    match files.stat(path) {
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(unopened(error)),
        Ok(stat) if stat.kind != Kind::File => Ok(None),
        Ok(stat) => match files.read(path, DOT_QMAIL_MAX) {
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(unopened(error)),
            Ok(contents) => Ok(Some(Found {
                mode: stat.mode,
                contents,
            })),
        },
    }
}

impl Delivery<'_> {
    /// Delivers as a user: all lines in order, then the forwards in one message.
    pub(super) fn as_user(&self, user: &User) -> Result<Did, Report> {
        let script = script(user)?;
        let mut did = Did::default();
        let mut forwards = Vec::new();
        let prefix = [
            return_path(&self.job.sender),
            delivered_to(&self.job.recipient),
        ];
        for instruction in &script.chosen.instructions {
            match instruction {
                Instruction::Maildir(path) => {
                    self.deliver_to(user.home.join(OsStr::from_bytes(path)), &prefix)?;
                    did.files += 1;
                }
                Instruction::Forward(address) => {
                    forwards.push(address.clone());
                    did.forwards += 1;
                }
                Instruction::Refuse(report) => return Err(report.clone()),
                Instruction::Program(command) => {
                    self.program(user, command, &script)?;
                    did.programs += 1;
                }
                Instruction::Mbox(path) => {
                    return Err(unable("append to the mbox", &script.place_of(path)));
                }
                _ => return Err(unable("do what is asked", &script.place_of(b""))),
            }
        }
        if !forwards.is_empty() {
            let sender = self.new_sender(user);
            let [_, delivered] = &prefix;
            let id = self.forward(&sender, forwards, &[delivered])?;
            did.qp = Some(id.0);
        }
        Ok(did)
    }

    /// Delivers into one Maildir.
    pub(super) fn deliver_to(&self, path: PathBuf, prefix: &[Vec<u8>]) -> Result<(), Report> {
        let prefix: Vec<&[u8]> = prefix.iter().map(Vec::as_slice).collect();
        let maildir = self.local.maildir(path);
        let source =
            mta_store::maildir::from_fn(|buf: &mut [u8], at| self.message.read_at(buf, at));
        let delivered = maildir.deliver(self.local.unique(self.job), &prefix, &source);
        delivered.map(drop).map_err(|error| {
            let path = maildir.path().display();
            tracing::warn!(
                "unable to deliver message {} into {path}: {error}",
                self.job.id
            );
            Report::deferral(error.qmail_text())
        })
    }

    /// Does what a program line asks, where it names a program whose work is known here.
    fn program(&self, user: &User, command: &[u8], script: &Script) -> Result<(), Report> {
        let words = simple_words(command).unwrap_or_default();
        match vdelivermail::Call::from_words(&words) {
            Some(call) => self.vdelivermail(&call?, user),
            None => {
                let line = [b"|", command].concat();
                Err(unable("run the program", &script.place_of(&line)))
            }
        }
    }

    /// Who bounces of forwarded mail go to: the owner, where the list has one.
    fn new_sender(&self, user: &User) -> Address {
        let (owner, verp) = owner_names(&user.dash, &user.ext);
        let there = |name: &[u8]| {
            let path = user.home.join(OsStr::from_bytes(name));
            !name.contains(&b'/') && path.is_file()
        };
        let files = match (there(&owner), there(&verp)) {
            (false, _) => OwnerFiles::None,
            (true, false) => OwnerFiles::Owner,
            (true, true) => OwnerFiles::OwnerAndDefault,
        };
        new_sender(&self.job.sender, &self.job.recipient, files)
    }
}

/// Says where a line stands in a file, as FILE:LINE, its blanks at the end left out.
pub(super) fn place_of(path: &Path, contents: &[u8], line: &[u8]) -> String {
    let lines = contents.split(|&b| b == b'\n');
    let number = lines
        .map(|l| l.trim_ascii_end())
        .position(|l| l == line.trim_ascii_end())
        .map_or(1, |at| at + 1);
    format!("{}:{number}", path.display())
}

/// What this server does not do defers, so that no mail is lost over it, and names the line.
pub(super) fn unable(what: &str, place: &str) -> Report {
    Report::deferral(format!(
        "Unable to {what} that {place} asks for: this server delivers to Maildirs, forwards, and \
         does the work of vdelivermail. (#4.3.5)\n"
    ))
}
