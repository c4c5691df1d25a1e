//! What a Maildir holds, kept in its `maildirsize` and counted anew by Maildir++'s rules (maildirquota(7)).
//!
//! The file is a cache: nothing here is synced, and one that is damaged, old or long is made anew
//! from the messages themselves.

use crate::maildirsize::{self, MaildirSize};
use crate::quota::{Quota, Usage};
use mta_core::Unix;
use mta_store::files::{Access, Files, Kind, OpenFile, Stat};
use mta_store::maildir::{UniqueName, uid};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// From so many percent on the owner is warned.
pub const WARN_PERCENT: u8 = 90;
/// The owner is warned at most once in so many seconds.
pub const WARN_EVERY: u64 = 24 * 60 * 60;

/// The largest `maildirsize` that is believed.
const MAX_FILE: usize = 64 * 1024;

/// The accounting of one Maildir.
///
/// ```
/// use mta_auth::maildir_quota::MaildirQuota;
/// use mta_auth::{Quota, Usage};
/// use mta_core::Unix;
/// use mta_store::files::SimFiles;
/// use mta_store::maildir::{Maildir, UniqueName};
/// use std::{path::Path, sync::Arc};
///
/// let files = Arc::new(SimFiles::new());
/// Maildir::new(Arc::clone(&files), "/Maildir").create(None)?;
/// let quota = MaildirQuota::of(&*files, Path::new("/Maildir"))?;
/// let name = UniqueName { time: Unix(7), pid: 1, counter: 0, host: "mx" };
/// let state = quota.state(Quota::parse(b"100S").unwrap(), name)?;
/// assert!(!state.is_over_with(Usage::message(100)));
/// assert!(state.is_over_with(Usage::message(101)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct MaildirQuota<'a, F> {
    files: &'a F,
    maildir: PathBuf,
}

/// What a Maildir may hold and holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct State {
    /// What it may hold, as its `maildirsize` says.
    pub quota: Quota,
    /// What it holds.
    pub usage: Usage,
    /// It changed while it was counted, so that the numbers bind nobody.
    pub uncertain: bool,
}

impl State {
    /// Tells whether `incoming` would be too much.
    #[must_use]
    pub fn is_over_with(&self, incoming: Usage) -> bool {
        !self.uncertain && self.quota.is_over(self.usage.plus(incoming))
    }

    /// How full it is, in percent.
    #[must_use]
    pub fn percent(&self) -> u8 {
        self.quota.percent(self.usage)
    }
}

/// A recount: the sum, and when the newest directory changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    usage: Usage,
    newest: (u64, u32),
}

impl<'a, F: Files> MaildirQuota<'a, F> {
    /// Finds the Maildir whose accounts `maildir` is on: its own, or its parent's where it is a
    /// sub-folder, which the file `maildirfolder` tells.
    ///
    /// # Errors
    /// Passes on why that cannot be told.
    pub fn of(files: &'a F, maildir: &Path) -> io::Result<Self> {
        let folder = files.exists(&maildir.join("maildirfolder"))?;
        let parent = maildir.parent().filter(|_| folder);
        Ok(Self {
            files,
            maildir: parent.unwrap_or(maildir).to_path_buf(),
        })
    }

    /// Tells whether the Maildir has a running sum.
    ///
    /// # Errors
    /// Passes on why that cannot be told.
    pub fn is_kept(&self) -> io::Result<bool> {
        self.files.exists(&self.file())
    }

    /// Tells what it may hold and holds; `account` is the quota where the Maildir has none of its
    /// own. A recount writes the file, through `tmp` under a name made of `unique`.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn state(&self, account: Quota, unique: UniqueName<'_>) -> io::Result<State> {
        let mut quota = account;
        if let Some((stat, size)) = self.read()? {
            if !MaildirSize::is_stale(stat.size, stat.mtime, unique.time) {
                return Ok(State {
                    quota: size.quota,
                    usage: size.usage,
                    uncertain: false,
                });
            }
            quota = size.quota;
        }
        self.recount(quota, unique)
    }

    /// Counts what it holds and writes nothing.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn usage(&self) -> io::Result<Usage> {
        self.count().map(|count| count.usage)
    }

    /// Counts anew and writes the file; without a quota there is none.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn recount(&self, quota: Quota, unique: UniqueName<'_>) -> io::Result<State> {
        let before = self.count()?;
        let mut state = State {
            quota,
            usage: before.usage,
            uncertain: false,
        };
        if quota.is_none() {
            self.forget()?;
            return Ok(state);
        }
        self.write(&maildirsize::recounted(quota, before.usage), unique)?;
        if self.count()?.newest != before.newest {
            // Whoever changed it meanwhile added to the file that was replaced.
            self.forget()?;
            state.uncertain = true;
        }
        Ok(state)
    }

    /// Notes mail that came. Where there is no file, or one that is stale, the next recount sees it.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn add(&self, usage: Usage) -> io::Result<()> {
        self.append(&maildirsize::added(usage))
    }

    /// Notes mail that went.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn subtract(&self, usage: Usage) -> io::Result<()> {
        self.append(&maildirsize::removed(usage))
    }

    /// Removes the file, so that the next who asks counts anew with the account's quota.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn forget(&self) -> io::Result<()> {
        self.files.unlink_if_there(&self.file()).map(|_| ())
    }

    /// Tells whether a warning is due, and takes it that it is given now: at most one in
    /// [`WARN_EVERY`].
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn take_warning(&self, now: Unix) -> io::Result<bool> {
        let path = self.maildir.join("quotawarn");
        let file = match self.files.open(&path, Access::ReadWrite) {
            Ok(file) => {
                let last = file.stat()?.mtime;
                if now.0.saturating_sub(last.0) < WARN_EVERY {
                    return Ok(false);
                }
                file
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.create(&path)?,
            Err(e) => return Err(e),
        };
        file.set_mtime(now)?;
        Ok(true)
    }

    fn file(&self) -> PathBuf {
        self.maildir.join("maildirsize")
    }

    /// The file's state and what it says; `None` where it is missing or damaged.
    fn read(&self) -> io::Result<Option<(Stat, MaildirSize)>> {
        let file = match self.files.open(&self.file(), Access::Read) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let stat = file.stat()?;
        if stat.kind != Kind::File || stat.size > MAX_FILE as u64 {
            return Ok(None);
        }
        let size = MaildirSize::parse(&file.read_all(MAX_FILE)?);
        Ok(size.ok().map(|size| (stat, size)))
    }

    fn append(&self, line: &[u8]) -> io::Result<()> {
        match self.files.open(&self.file(), Access::Append) {
            Ok(file) => file.append_all(line),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn write(&self, text: &[u8], unique: UniqueName<'_>) -> io::Result<()> {
        let name = format!("{unique}_NeWmAiLdIrSiZe");
        let scratch = self.maildir.join("tmp").join(name);
        // The name is nobody else's: whoever left it there was this call before a failure.
        self.files.unlink_if_there(&scratch)?;
        let file = self.create(&scratch)?;
        let written = file.append_all(text);
        if let Err(error) = written.and_then(|()| self.files.rename(&scratch, &self.file())) {
            // The failure that is reported is the first one.
            let _ = self.files.unlink_if_there(&scratch);
            return Err(error);
        }
        Ok(())
    }

    /// Makes a file that belongs to whom the Maildir belongs, also where root makes it.
    fn create(&self, path: &Path) -> io::Result<F::File> {
        let file = self.files.create_new(path, 0o600)?;
        let (ours, theirs) = (file.stat()?, self.files.stat(&self.maildir)?);
        if ours.uid == 0 && theirs.uid != 0 {
            self.files.chown(path, theirs.uid, theirs.gid)?;
        }
        Ok(file)
    }

    /// Sums up the Maildir and its sub-folders but `.Trash`.
    fn count(&self) -> io::Result<Count> {
        let mut count = Count::default();
        self.count_folder(&self.maildir, &mut count)?;
        for name in self.files.names(&self.maildir)? {
            if !name.as_bytes().starts_with(b".") || name == ".Trash" {
                continue;
            }
            let path = self.maildir.join(&name);
            match self.files.stat(&path) {
                Ok(stat) if stat.kind == Kind::Dir => self.count_folder(&path, &mut count)?,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(count)
    }

    fn count_folder(&self, folder: &Path, count: &mut Count) -> io::Result<()> {
        for part in ["new", "cur"] {
            let dir = folder.join(part);
            let changed = match self.files.stat(&dir) {
                Ok(stat) => (stat.mtime.0, stat.mtime_nanos),
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            count.newest = count.newest.max(changed);
            let mut unsized_names = Vec::new();
            self.files.read_dir(&dir, &mut |name| {
                if !counts(name) {
                    return;
                }
                match promised_size(name) {
                    Some(size) => count.usage = count.usage.plus(Usage::message(size)),
                    None => unsized_names.push(name.to_os_string()),
                }
            })?;
            for name in unsized_names {
                match self.files.stat(&dir.join(name)) {
                    Ok(stat) => count.usage = count.usage.plus(Usage::message(stat.size)),
                    // It was removed meanwhile, or moved by its reader; the check afterwards sees it.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }
}

/// Hidden files are no messages, and what is marked as trash is not the owner's any more.
fn counts(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    let flags = bytes.split(|&b| b == b':').nth(1);
    let trashed = flags.is_some_and(|f| f.starts_with(b"2,") && f.contains(&b'T'));
    !bytes.starts_with(b".") && !trashed
}

/// What a message is counted as, by its file's name and its size on disk; `None` where it is not
/// counted at all.
///
/// ```
/// use mta_auth::{Usage, maildir_quota::usage_of};
/// let counted = usage_of("1.2.mx,S=10:2,S".as_ref(), 99);
/// assert_eq!(counted, Some(Usage::message(10)));
/// assert_eq!(usage_of("1.2.mx,S=10:2,T".as_ref(), 10), None);
/// ```
#[must_use]
pub fn usage_of(name: &OsStr, size: u64) -> Option<Usage> {
    counts(name).then(|| Usage::message(promised_size(name).unwrap_or(size)))
}

/// The size that the name promises: `,S=`.
#[must_use]
pub fn promised_size(name: &OsStr) -> Option<u64> {
    let fields = uid(name).split(|&b| b == b',');
    let digits = fields
        .filter_map(|field| field.strip_prefix(b"S="))
        .next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
