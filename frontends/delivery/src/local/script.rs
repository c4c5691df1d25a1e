//! Finds and reads the .qmail file of a user (dot-qmail(5), qmail-local(8), spec §6.3, §6.4).

use super::User;
use mta_core::Address;
use mta_core::dotqmail::{
    Chosen, Found, OwnerFiles, Unopened, check_home, new_sender, owner_names, search,
};
use mta_core::report::Report;
use mta_store::files::{Access, Files, Kind, OpenFile, RealFiles};
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The largest .qmail file that is read.
pub const DOT_QMAIL_MAX: usize = 1 << 20;

/// The .qmail file that was chosen, with what is needed to name its lines.
#[derive(Clone, Debug)]
pub struct Script {
    /// What is to be done.
    pub chosen: Chosen,
    path: PathBuf,
    contents: Vec<u8>,
}

impl Script {
    /// Says where the instruction with this number stands, as FILE:LINE; the first is 0.
    #[must_use]
    pub fn place(&self, instruction: usize) -> String {
        let line = self.chosen.lines.get(instruction).copied().unwrap_or(1);
        if self.chosen.by_default {
            format!("defaultdelivery:{line}")
        } else {
            format!("{}:{line}", self.path.display())
        }
    }

    /// Says where a line stands, as FILE:LINE.
    #[must_use]
    pub fn place_of(&self, line: &[u8]) -> String {
        place_of(&self.path, &self.contents, line)
    }
}

/// Says where a line stands in a file, as FILE:LINE, its blanks at the end left out.
pub(crate) fn place_of(path: &Path, contents: &[u8], line: &[u8]) -> String {
    let lines = contents.split(|&b| b == b'\n');
    let number = lines
        .map(|l| l.trim_ascii_end())
        .position(|l| l == line.trim_ascii_end())
        .map_or(1, |at| at + 1);
    format!("{}:{number}", path.display())
}

/// Finds the .qmail file of a user whose home may be delivered to; blocks. For a delivery that is to
/// be done as another account it gives a first impression: what cannot be judged from here defers.
///
/// # Errors
/// The report says why nothing can be delivered.
pub fn script(user: &User, default_delivery: &[u8]) -> Result<Script, Report> {
    check_home(home_mode(user)?)?;
    choose(user, default_delivery)
}

/// Returns the permission bits of a user's home.
///
/// # Errors
/// The report defers the delivery where they cannot be told.
pub fn home_mode(user: &User) -> Result<u32, Report> {
    let stat = RealFiles::new().stat(&user.home).map_err(|error| {
        Report::deferral(format!(
            "Unable to switch to {}: {error}. (#4.3.0)\n",
            user.home.display()
        ))
    })?;
    Ok(stat.mode)
}

/// Finds the .qmail file of a user, whatever the home looks like; blocks.
///
/// # Errors
/// As [`script`].
pub fn choose(user: &User, default_delivery: &[u8]) -> Result<Script, Report> {
    let files = RealFiles::new();
    let (mut path, mut contents) = (user.home.clone(), Vec::new());
    let chosen = search(&user.dash, &user.ext, default_delivery, |name| {
        let candidate = user.home.join(OsStr::from_bytes(name));
        // An extension with a slash would lead out of the home.
        if name.contains(&b'/') {
            return Ok(None);
        }
        let found = match user.ids {
            None => open(&files, &candidate)?,
            Some((uid, _)) => open_owned(&files, &candidate, uid)?,
        };
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

/// Who bounces of forwarded mail go to: the owner, where the list has one.
///
/// # Errors
/// The report defers the delivery where that cannot be told.
pub fn forwarder(user: &User, sender: &Address, recipient: &Address) -> Result<Address, Report> {
    let (owner, verp) = owner_names(&user.dash, &user.ext);
    let there = |name: &[u8]| {
        if name.contains(&b'/') {
            return Ok(false);
        }
        match RealFiles::new().stat(&user.home.join(OsStr::from_bytes(name))) {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => {
                let name = String::from_utf8_lossy(name).replace(|c: char| c.is_control(), "_");
                let text = format!("Unable to open {name}: {error}. (#4.3.0)\n");
                Err(Report::deferral(text))
            }
        }
    };
    let files = match (there(&owner)?, there(&verp)?) {
        (false, _) => OwnerFiles::None,
        (true, false) => OwnerFiles::Owner,
        (true, true) => OwnerFiles::OwnerAndDefault,
    };
    Ok(new_sender(sender, recipient, files))
}

fn open(files: &RealFiles, path: &Path) -> Result<Option<Found>, Unopened> {
    let unopened = |error: io::Error| Unopened {
        error: error.to_string(),
    };
    match files.stat(path) {
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(unopened(error)),
        Ok(stat) if stat.kind != Kind::File => Ok(None),
        Ok(stat) => match files.read(path, DOT_QMAIL_MAX) {
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(unopened(error)),
            Ok(contents) => Ok(Some(Found {
                mode: stat.mode,
                contents,
            })),
        },
    }
}

/// Opens a file in another account's home as root may: only what is that account's own, and by no
/// symbolic link, so that it tells nothing that the account could not know.
fn open_owned(files: &RealFiles, path: &Path, uid: u32) -> Result<Option<Found>, Unopened> {
    let foreign = || Unopened {
        error: "not the account's own".to_owned(),
    };
    let named = match files.lstat(path) {
        Err(error) if is_absent(&error) => return Ok(None),
        other => other.map_err(|_| foreign())?,
    };
    if named.kind != Kind::File || named.uid != uid {
        return Err(foreign());
    }
    let file = files.open(path, Access::Read).map_err(|_| foreign())?;
    let opened = file.stat().map_err(|_| foreign())?;
    if (opened.ino, opened.uid) != (named.ino, uid) {
        return Err(foreign());
    }
    let contents = file.read_all(DOT_QMAIL_MAX).map_err(|_| foreign())?;
    let mode = opened.mode;
    Ok(Some(Found { mode, contents }))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
    )
}
