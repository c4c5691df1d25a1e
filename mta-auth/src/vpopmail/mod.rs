//! A vpopmail installation on disk: virtual domains and their mailboxes (vadddomain(8), vadduser(8), vchkpw(8)).
//!
//! ```text
//! users/assign, users/cdb     !DOMAIN-  ──►  where a domain is        (the look-up of every program)
//! control/virtualdomains      DOMAIN:DOMAIN                           (its mail is local)
//! control/rcpthosts           DOMAIN, from the 51st on morercpthosts  (its mail is taken)
//! domains/[x/]DOMAIN/         .qmail-default  vpasswd  vpasswd.cdb  .dir-control
//! domains/[x/]DOMAIN/[x/]NAME/Maildir/{tmp,new,cur}  lastauth
//! ```
//!
//! Every change is made of steps in an order that shows nothing half: a domain's mail is taken
//! (rcpthosts) only when all else is in place and durable. A change that a crash cut short is
//! repeated to complete it. Unlike vpopmail, which writes rcpthosts first.

mod aliases;
mod assign;
mod catch_all;
mod domains;
mod error;
mod hosts;
mod ip_map;
mod limits;
mod login;
mod mailbox_quota;
mod new_domain;
mod placement;
mod relay;
mod scram;
mod senders;
mod tree;
mod users;

pub use aliases::{Alias, AliasName};
pub use catch_all::CatchAll;
pub use domains::ListedDomain;
pub use error::AccountError;
pub use hosts::MAX_RCPTHOSTS;
pub use ip_map::IpMap;
pub use login::{Login, Refusal, Service};
pub use new_domain::NewDomain;
pub use relay::rules_cdb;
pub use users::NewUser;

use crate::sasl::Secret;
use crate::vpasswd::Entry;
use crate::{DomainName, Flags, password};
use error::doing;
use mta_core::assign::{Account, Key, cdb_key};
use mta_store::atomic::{self, Attributes};
use mta_store::files::{Access, Files};
use mta_store::{cdb_file, cdb_writer};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest record of users/cdb or vpasswd.cdb that is read.
const MAX_RECORD: usize = 8192;

/// Where an installation stands and who owns it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers build it")]
pub struct Layout {
    /// The qmail home, which holds `control/` and `users/`.
    pub qmail: PathBuf,
    /// The vpopmail home, which holds `domains/`, `etc/` and, named in `.qmail-default`, `bin/`.
    pub vpopmail: PathBuf,
    /// User and group of all domains, as users/assign says.
    pub owner: (u32, u32),
    /// Whom new files are given to; `None` leaves them to whoever runs the process.
    pub chown: Option<(u32, u32)>,
}

impl Layout {
    /// Keeps both homes in one directory.
    pub fn in_one(home: impl Into<PathBuf>, owner: (u32, u32)) -> Self {
        let home = home.into();
        Self {
            qmail: home.clone(),
            vpopmail: home,
            owner,
            chown: None,
        }
    }
}

/// A vpopmail installation.
///
/// ```
/// use mta_auth::vpopmail::{Layout, NewUser, Vpopmail};
/// use mta_auth::{DomainName, MailboxName, password};
/// use mta_store::files::{Files, SimFiles};
/// use std::{path::Path, sync::Arc};
///
/// let files = Arc::new(SimFiles::new());
/// for dir in ["/h", "/h/control", "/h/users"] {
///     files.mkdir(Path::new(dir), 0o755)?;
/// }
/// let accounts = Vpopmail::new(files, Layout::in_one("/h", (89, 89)));
/// let domain = DomainName::parse(b"example.org").unwrap();
/// let salt = password::Salt::from_random([7; 16]);
/// let crypt = password::hash(b"secret", salt).unwrap();
/// accounts.add_domain(&domain, &crypt).unwrap();
/// let joe = NewUser::new(MailboxName::parse(b"joe").unwrap(), crypt);
/// accounts.add_user(&domain, &joe).unwrap();
/// let mailbox = accounts.find("joe", "example.org").unwrap().unwrap();
/// assert_eq!(mailbox.maildir, Path::new("/h/domains/example.org/joe/Maildir"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Vpopmail<F> {
    files: Arc<F>,
    layout: Layout,
}

impl<F> Clone for Vpopmail<F> {
    fn clone(&self) -> Self {
        Self {
            files: Arc::clone(&self.files),
            layout: self.layout.clone(),
        }
    }
}

/// Where a domain is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Domain {
    /// The real domain's name; that of an alias domain leads to it.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// User and group of its files.
    pub owner: Option<(u32, u32)>,
}

/// One mailbox.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mailbox {
    /// Its name in the domain.
    pub name: String,
    /// The real domain's name.
    pub domain: String,
    /// The crypt(3) string.
    pub hash: Vec<u8>,
    /// The clear password, only where the installation keeps it.
    pub clear: Option<Secret>,
    /// 1 for POP, 2 for APOP.
    pub uid: u32,
    /// What it may not do by its own flags; [`Vpopmail::effective_flags`] adds its domain's.
    pub flags: Flags,
    /// A description.
    pub gecos: Vec<u8>,
    /// The domain's directory.
    pub domain_dir: PathBuf,
    /// As vpasswd has it: `NOQUOTA`, or sizes.
    pub quota: Vec<u8>,
    /// Its home, in which a `.qmail` may stand.
    pub home: PathBuf,
    /// Where its mail goes.
    pub maildir: PathBuf,
    /// User and group of its files.
    pub owner: Option<(u32, u32)>,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox")
            .field("address", &self.address())
            .field("flags", &self.flags)
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}

impl Mailbox {
    fn new(entry: Entry, domain: Domain) -> Self {
        let name = String::from_utf8_lossy(&entry.name).into_owned();
        let home = if entry.dir.is_empty() {
            domain.dir.join(&name)
        } else {
            path_of(&entry.dir)
        };
        Self {
            name,
            domain: domain.name,
            hash: entry.crypt,
            clear: entry
                .clear
                .filter(|clear| !clear.is_empty())
                .map(Secret::new),
            uid: entry.uid,
            flags: entry.flags,
            gecos: entry.gecos,
            domain_dir: domain.dir,
            quota: entry.quota,
            maildir: home.join("Maildir"),
            home,
            owner: domain.owner,
        }
    }

    /// What it may hold; a quota that cannot be read limits nothing.
    #[must_use]
    pub fn quota(&self) -> crate::Quota {
        mailbox_quota::account_quota(&self.quota)
    }

    /// The full name, `user@domain`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}@{}", self.name, self.domain)
    }
}

impl<F: Files> Vpopmail<F> {
    /// Names an installation; nothing is read yet.
    pub const fn new(files: Arc<F>, layout: Layout) -> Self {
        Self { files, layout }
    }

    /// Where it stands.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Finds a domain or the real domain behind an alias, by users/cdb.
    ///
    /// # Errors
    /// Fails where users/cdb is there but cannot be read.
    pub fn domain(&self, name: &str) -> Result<Option<Domain>, AccountError> {
        let path = self.users_cdb();
        let prefix = format!("{}-", name.to_ascii_lowercase());
        let key = cdb_key(&Key::Wildcard(prefix.into_bytes()));
        let Some(data) = self.record(&path, &key)? else {
            return Ok(None);
        };
        let account = Account::from_cdb_data(&data)
            .ok_or_else(|| AccountError::damaged(&path, "a record of six fields"))?;
        Ok(Some(domain_of(&account)))
    }

    /// Finds a mailbox by `vpasswd.cdb`; names are compared in lower case.
    ///
    /// A missing `vpasswd.cdb` beside a `vpasswd` is made anew.
    ///
    /// # Errors
    /// Fails where a file is there but cannot be read: that is never "no such mailbox".
    pub fn find(&self, local: &str, domain: &str) -> Result<Option<Mailbox>, AccountError> {
        let Some(domain) = self.domain(domain)? else {
            return Ok(None);
        };
        let path = domain.dir.join("vpasswd.cdb");
        if !self.exists(&path)? {
            self.rebuild(&domain)?;
        }
        let local = local.to_ascii_lowercase();
        let Some(data) = self.record(&path, local.as_bytes())? else {
            return Ok(None);
        };
        let entry = Entry::parse_data(local.as_bytes(), &data)
            .map_err(|_| AccountError::damaged(&path, "crypt:uid:gid:gecos:dir:quota"))?;
        Ok(Some(Mailbox::new(entry, domain)))
    }

    fn exists(&self, path: &Path) -> Result<bool, AccountError> {
        self.files.exists(path).map_err(doing("looking for", path))
    }

    /// Reads one record; no file has no records.
    fn record(&self, path: &Path, key: &[u8]) -> Result<Option<Vec<u8>>, AccountError> {
        let found = match self.files.open(path, Access::Read) {
            Ok(file) => cdb_file::find(&file, key, MAX_RECORD),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        };
        found.map_err(doing("reading", path))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, AccountError> {
        atomic::read_if_there(&*self.files, path, atomic::MAX_EDITED)
            .map(Option::unwrap_or_default)
            .map_err(doing("reading", path))
    }

    fn publish(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), AccountError> {
        let attributes = Attributes::owned(mode, self.owner_in(path));
        atomic::publish(&*self.files, path, bytes, attributes).map_err(doing("writing", path))
    }

    fn publish_cdb<K: AsRef<[u8]>, D: AsRef<[u8]>>(
        &self,
        path: &Path,
        records: impl IntoIterator<Item = (K, D)>,
        mode: u32,
    ) -> Result<(), AccountError> {
        let attributes = Attributes::owned(mode, self.owner_in(path));
        cdb_writer::publish(&*self.files, path, records, attributes)
            .map_err(|e| doing("writing", path)(e.into()))
    }

    fn lock(&self, path: &Path) -> Result<F::Lock, AccountError> {
        let held = atomic::lock(&*self.files, path).map_err(doing("locking", path))?;
        self.give_away(&atomic::lock_path(path))?;
        Ok(held)
    }

    /// Gives a lock file to whom the files beside it belong; otherwise one change by root would
    /// lock them out.
    fn give_away(&self, path: &Path) -> Result<(), AccountError> {
        match self.owner_in(path) {
            Some((uid, gid)) => {
                let given = self.files.chown(path, uid, gid);
                given.map_err(doing("giving away", path))
            }
            None => Ok(()),
        }
    }

    fn make_dir(&self, path: &Path, mode: u32) -> Result<(), AccountError> {
        let attributes = Attributes::owned(mode, self.owner_in(path));
        atomic::make_dir(&*self.files, path, attributes).map_err(doing("making", path))
    }

    /// Files of qmail belong to whoever runs the process, others to whom their directory belongs;
    /// what stands in one of root's, to vpopmail.
    fn owner_in(&self, path: &Path) -> Option<(u32, u32)> {
        let vpopmail = self.layout.chown?;
        let qmail = ["control", "users"].map(|dir| self.layout.qmail.join(dir));
        if qmail.iter().any(|dir| path.starts_with(dir)) {
            return None;
        }
        let above = path.parent().and_then(|dir| self.files.stat(dir).ok());
        above
            .map(|stat| (stat.uid, stat.gid))
            .filter(|&(uid, _)| uid != 0)
            .or(Some(vpopmail))
    }

    fn domains_dir(&self) -> PathBuf {
        self.layout.vpopmail.join("domains")
    }

    fn etc(&self, name: &str) -> PathBuf {
        self.layout.vpopmail.join("etc").join(name)
    }

    fn control(&self, name: &str) -> PathBuf {
        self.layout.qmail.join("control").join(name)
    }

    fn users_assign(&self) -> PathBuf {
        self.layout.qmail.join("users/assign")
    }

    fn users_cdb(&self) -> PathBuf {
        self.layout.qmail.join("users/cdb")
    }
}

fn domain_of(account: &Account) -> Domain {
    Domain {
        name: String::from_utf8_lossy(&account.user).into_owned(),
        dir: path_of(&account.home),
        owner: account.ids(),
    }
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// A caller that hands over a clear password by mistake must not see it in a file.
fn check_crypt(crypt: &str) -> Result<(), AccountError> {
    let fits = crypt.len() <= crate::vpasswd::MAX_CRYPT && !crypt.contains([':', '\n', '\0']);
    let known = crypt.starts_with('$') && crypt.get(1..).is_some_and(|rest| rest.contains('$'));
    if fits && (crypt.is_empty() || known || password::looks_like_des(crypt)) {
        Ok(())
    } else {
        Err(AccountError::NotCrypt)
    }
}

fn no_domain(name: &DomainName) -> AccountError {
    AccountError::NoSuchDomain(name.as_str().to_owned())
}
