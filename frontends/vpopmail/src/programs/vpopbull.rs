//! vpopbull: puts one message into the mailboxes of domains (vpopbull(8), spec §2).

use super::vdeloldusers::real_domains;
use crate::address;
use crate::failure::Failure;
use crate::io::{Io, host};
use crate::options::{Options, Usage};
use applet::Exit;
use mta_auth::maildir_quota::MaildirQuota;
use mta_auth::vpasswd::Entry;
use mta_core::date;
use mta_store::files::{Access, Files, OpenFile, RealFile, RealFiles};
use mta_store::maildir::{Maildir, UniqueName};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest list of addresses that are left out.
const MAX_EXCLUDED: usize = 16 * 1024 * 1024;
/// So much of a message is searched for its Date.
const MAX_HEADER: usize = 1024 * 1024;

const USAGE: Usage = Usage {
    program: "vpopbull",
    letters: "Vvcshnf:e:",
    text: "usage: vpopbull [options] -f [email_file] [virtual_domain] [...]
       -v (print version number)
       -V (verbose)
       -f email_file (file with message contents)
       -e exclude_email_addr_file (list of addresses to exclude)
       -n (don't mail. Use with -V to list accounts)
       -c (default, copy file)
       -h (use hard links)
       -s (use symbolic links)
",
};

/// How the message comes into a mailbox.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Nothing,
    Copy,
    HardLink,
    SymbolicLink,
}

struct Bulletin {
    way: Way,
    path: PathBuf,
    file: Option<RealFile>,
    /// Written before a copy whose message has none.
    date: String,
    excluded: BTreeSet<Vec<u8>>,
    host: String,
}

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    if io.arguments.is_empty() {
        return Err(Failure::usage(255, USAGE.text));
    }
    let mut options = Options::read(io, &USAGE)?;
    let bulletin = Bulletin::read(io, &options)?;
    let accounts = io.accounts()?;
    let mut domains = Vec::new();
    let mut exit = Exit::OK;
    while let Some(word) = options.operand() {
        let domain = address::domain(&word)?;
        match accounts.domain(domain.as_str())? {
            Some(_) => domains.push(domain),
            None => {
                writeln!(io.errors, "Error: domain {domain} does not exist")?;
                exit = Exit::other(255);
            }
        }
    }
    if domains.is_empty() && exit == Exit::OK {
        domains = real_domains(&accounts)?;
    }
    let mut counter = 0;
    for domain in domains {
        for entry in accounts.users(&domain)? {
            let address = [&entry.name, &b"@"[..], domain.as_str().as_bytes()].concat();
            if bulletin.excluded.contains(&address) {
                continue;
            }
            let shown = String::from_utf8_lossy(&address);
            counter += 1;
            let name = UniqueName {
                counter,
                ..io.unique(&bulletin.host)
            };
            let done = bulletin.deliver((&entry, &shown), name);
            match done {
                Ok(()) if bulletin.way == Way::Nothing || options.has(b'V') => {
                    writeln!(io.output, "{shown}")?;
                }
                Ok(()) => {}
                Err(error) => {
                    let home = String::from_utf8_lossy(&entry.dir);
                    writeln!(io.errors, "{shown}: ERROR COPYING TO {home}: {error}")?;
                    exit = Exit::other(255);
                }
            }
        }
    }
    Ok(exit)
}

impl Bulletin {
    fn read(io: &mut Io<'_>, options: &Options) -> Result<Self, Failure> {
        let last = options.given.iter().rev();
        let mut last = last.filter_map(|(letter, _)| match letter {
            b'c' => Some(Way::Copy),
            b'h' => Some(Way::HardLink),
            b's' => Some(Way::SymbolicLink),
            _ => None,
        });
        let way = if options.has(b'n') {
            Way::Nothing
        } else {
            last.next().unwrap_or(Way::Copy)
        };
        let path = match options.value(b'f') {
            Some(path) => std::path::absolute(path)?,
            None if way == Way::Nothing => PathBuf::new(),
            None => {
                writeln!(io.errors, "Error: email_file not specified")?;
                return Err(Failure::usage(255, USAGE.text));
            }
        };
        let mut date = String::new();
        let mut file = None;
        if way != Way::Nothing {
            let opened = open(&path)?;
            if !has_date(&opened).map_err(|error| unreadable(path.as_os_str(), &error))? {
                date = format!("Date: {}\n", date::rfc5322(io.now));
            }
            file = Some(opened);
        }
        Ok(Self {
            way,
            path,
            file,
            date,
            excluded: excluded(options.value(b'e'))?,
            host: host(),
        })
    }

    fn deliver(&self, (entry, address): (&Entry, &str), name: UniqueName<'_>) -> io::Result<()> {
        let home = Path::new(OsStr::from_bytes(&entry.dir));
        if self.way == Way::Nothing {
            return Ok(());
        }
        if !home.is_absolute() {
            return Err(io::Error::other("it has no home before its first login"));
        }
        let maildir = home.join("Maildir");
        let target = maildir.join("new").join(name.to_string());
        match (self.way, &self.file) {
            (Way::Copy, Some(file)) => self.copy(&maildir, (file, address), name),
            (Way::HardLink, _) => {
                std::fs::hard_link(&self.path, &target)?;
                own_as(&maildir, &target)?;
                std::fs::set_permissions(&target, Permissions::from_mode(0o600))?;
                RealFiles::new().sync_dir(&maildir.join("new"))
            }
            (Way::SymbolicLink, _) => {
                std::os::unix::fs::symlink(&self.path, &target)?;
                RealFiles::new().sync_dir(&maildir.join("new"))
            }
            _ => Ok(()),
        }
    }

    fn copy(
        &self,
        path: &Path,
        (file, address): (&RealFile, &str),
        name: UniqueName<'_>,
    ) -> io::Result<()> {
        let to = format!("To: {address}\n");
        let maildir = Maildir::new(Arc::new(RealFiles::new()), path);
        let prefix = [to.as_bytes(), self.date.as_bytes()];
        let delivered = maildir.deliver(name, &prefix, file);
        let delivered = delivered.map_err(io::Error::other)?;
        let target = path.join("new").join(&delivered.name);
        own_as(path, &target)?;
        let files = RealFiles::new();
        let quota = MaildirQuota::of(&files, path)?;
        quota.add(mta_auth::Usage::message(delivered.size))
    }
}

/// Root's files would be unreadable to whom the mailbox belongs.
fn own_as(maildir: &Path, target: &Path) -> io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let owner = maildir.metadata()?;
    std::os::unix::fs::lchown(target, Some(owner.uid()), Some(owner.gid()))
}

fn open(path: &Path) -> Result<RealFile, Failure> {
    let opened = RealFiles::new().open(path, Access::Read);
    let size = opened.and_then(|file| Ok((file.stat()?.size, file)));
    let shown = path.display();
    match size {
        Ok((0, _)) => Err(Failure::complaint(
            255,
            format_args!("Error: {shown} is empty"),
        )),
        Ok((_, file)) => Ok(file),
        Err(error) => Err(unreadable(path.as_os_str(), &error)),
    }
}

fn unreadable(path: &OsStr, error: &io::Error) -> Failure {
    let shown = path.display();
    Failure::complaint(255, format_args!("Could not open file {shown}\n{error}"))
}

/// Whether the header has a Date; a header is not longer than it is searched.
fn has_date(file: &RealFile) -> io::Result<bool> {
    let mut start = vec![0; MAX_HEADER];
    let n = file.read_at(&mut start, 0)?;
    start.truncate(n);
    let header = start
        .split(|&b| b == b'\n')
        .take_while(|line| !line.trim_ascii().is_empty());
    let mut fields = header.filter_map(|line| line.get(..5));
    Ok(fields.any(|name| name.eq_ignore_ascii_case(b"Date:")))
}

fn excluded(path: Option<&OsStr>) -> Result<BTreeSet<Vec<u8>>, Failure> {
    let Some(path) = path else {
        return Ok(BTreeSet::new());
    };
    let read = RealFiles::new().read(Path::new(path), MAX_EXCLUDED);
    let text = read.map_err(|error| unreadable(path, &error))?;
    let lines = text.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    Ok(lines.map(<[u8]>::to_ascii_lowercase).collect())
}
