//! What lies where in an installation, whose it is and with which mode (hier.c's table, spec §1, §3.1).
//!
//! The installer makes what this table says, and the checker compares: neither has a list of its own.
//! Man pages, documents and boot scripts are not in it, and neither is tcp-env.

use std::fmt;

/// A user of qmail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "qmail has these and no others")]
pub enum Account {
    /// Receives mail for addresses that are nobody's.
    Alias,
    /// Speaks with the network.
    Daemon,
    /// Writes the log.
    Log,
    /// Owns programs and settings.
    Root,
    /// Looks accounts up.
    Passwd,
    /// Keeps the queue.
    Queue,
    /// Sends mail away.
    Remote,
    /// Schedules deliveries.
    Send,
}

impl Account {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Alias,
        Self::Daemon,
        Self::Log,
        Self::Root,
        Self::Passwd,
        Self::Queue,
        Self::Remote,
        Self::Send,
    ];

    /// Returns the user's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Daemon => "qmaild",
            Self::Log => "qmaill",
            Self::Root => "root",
            Self::Passwd => "qmailp",
            Self::Queue => "qmailq",
            Self::Remote => "qmailr",
            Self::Send => "qmails",
        }
    }

    /// Returns the group that the user is in: those who work on the queue are in [`GROUP`].
    #[must_use]
    pub const fn group(self) -> &'static str {
        match self {
            Self::Queue | Self::Remote | Self::Send => GROUP,
            Self::Root => "root",
            Self::Alias | Self::Daemon | Self::Log | Self::Passwd => NO_FILES,
        }
    }
}

/// The group of everything in the table.
pub const GROUP: &str = "qmail";
/// The group of users who own nothing.
pub const NO_FILES: &str = "nofiles";
/// Into how many parts a queue is split.
pub const SPLIT: u64 = 23;
/// The program that runs as [`Account::Queue`] whoever calls it.
pub const SETUID_PROGRAM: &str = "qmail-queue";

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the installer must make every one")]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file of zeros, at least so long.
    File {
        /// In bytes.
        len: u64,
    },
    /// A named pipe.
    Fifo,
    /// A program.
    Program,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Where it is in the home; empty for the home itself.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Whose it is. Its group is [`GROUP`].
    pub owner: Account,
    /// Its permissions, with setuid and setgid.
    pub mode: u32,
}

fn entry(path: impl Into<String>, kind: Kind, owner: Account, mode: u32) -> Entry {
    let path = path.into();
    Entry {
        path,
        kind,
        owner,
        mode,
    }
}

/// Returns the directories and files of a home, each behind the directory that holds it.
///
/// ```
/// use mta_core::hierarchy::{directories, Kind};
/// let trigger = directories().into_iter().find(|e| e.path == "queue/lock/trigger").unwrap();
/// assert_eq!((trigger.kind, trigger.owner.name(), trigger.mode), (Kind::Fifo, "qmails", 0o622));
/// ```
#[must_use]
pub fn directories() -> Vec<Entry> {
    let directory = |path: &str, owner, mode| entry(path, Kind::Directory, owner, mode);
    let mut all = vec![
        directory("", Account::Root, 0o755),
        directory("control", Account::Root, 0o755),
        directory("users", Account::Root, 0o755),
        directory("bin", Account::Root, 0o755),
        directory("alias", Account::Alias, 0o2755),
        directory("queue", Account::Queue, 0o750),
        directory("queue/pid", Account::Queue, 0o700),
        directory("queue/intd", Account::Queue, 0o700),
        directory("queue/todo", Account::Queue, 0o750),
        directory("queue/bounce", Account::Send, 0o700),
    ];
    let split = [
        ("mess", Account::Queue, 0o750),
        ("info", Account::Send, 0o700),
        ("local", Account::Send, 0o700),
        ("remote", Account::Send, 0o700),
    ];
    for (name, owner, mode) in split {
        let path = format!("queue/{name}");
        all.push(directory(&path, owner, mode));
        all.extend((0..SPLIT).map(|n| directory(&format!("{path}/{n}"), owner, mode)));
    }
    let file = |path, len, owner, mode| entry(path, Kind::File { len }, owner, mode);
    all.extend([
        directory("queue/lock", Account::Queue, 0o750),
        file("queue/lock/tcpto", 1024, Account::Remote, 0o644),
        file("queue/lock/sendmutex", 0, Account::Send, 0o600),
        entry("queue/lock/trigger", Kind::Fifo, Account::Send, 0o622),
    ]);
    all
}

/// The programs and their modes, root's but for [`SETUID_PROGRAM`].
const PROGRAMS: [(&str, u32); 38] = [
    ("bouncesaying", 0o755),
    ("condredirect", 0o755),
    ("datemail", 0o755),
    ("except", 0o755),
    ("forward", 0o755),
    ("maildir2mbox", 0o755),
    ("maildirmake", 0o755),
    ("mailsubj", 0o755),
    ("predate", 0o755),
    ("preline", 0o755),
    ("qbiff", 0o755),
    ("qmail-clean", 0o711),
    ("qmail-getpw", 0o711),
    ("qmail-inject", 0o755),
    ("qmail-local", 0o711),
    ("qmail-lspawn", 0o700),
    ("qmail-newmrh", 0o700),
    ("qmail-newu", 0o700),
    ("qmail-pop3d", 0o755),
    ("qmail-popup", 0o711),
    ("qmail-pw2u", 0o711),
    ("qmail-qmqpc", 0o755),
    ("qmail-qmqpd", 0o755),
    ("qmail-qmtpd", 0o755),
    ("qmail-qread", 0o755),
    ("qmail-qstat", 0o755),
    (SETUID_PROGRAM, 0o4711),
    ("qmail-remote", 0o711),
    ("qmail-rspawn", 0o711),
    ("qmail-send", 0o711),
    ("qmail-showctl", 0o755),
    ("qmail-smtpd", 0o755),
    ("qmail-start", 0o700),
    ("qmail-tcpok", 0o755),
    ("qmail-tcpto", 0o755),
    ("qreceipt", 0o755),
    ("sendmail", 0o755),
    ("splogger", 0o711),
];

/// Returns the programs of qmail, in `bin`.
///
/// ```
/// let queue = mta_core::hierarchy::programs().into_iter().find(|e| e.mode & 0o4000 != 0).unwrap();
/// assert_eq!((queue.path.as_str(), queue.owner.name()), ("bin/qmail-queue", "qmailq"));
/// ```
#[must_use]
pub fn programs() -> Vec<Entry> {
    let program = |&(name, mode): &(&str, u32)| {
        let owner = match name {
            SETUID_PROGRAM => Account::Queue,
            _ => Account::Root,
        };
        entry(format!("bin/{name}"), Kind::Program, owner, mode)
    };
    PROGRAMS.iter().map(program).collect()
}

/// What was found under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill it in")]
pub struct Found {
    /// What it is; `None` is something that qmail has no use for.
    pub kind: Option<Kind>,
    /// Whose it is.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permissions, with setuid and setgid.
    pub mode: u32,
}

/// How something differs from its line in the table, shown in instcheck's words and with what was
/// expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deviation {
    /// There is no such name.
    Missing,
    /// Another user owns it.
    Owner(Account),
    /// It has another group.
    Group,
    /// It has other permissions: those expected, those found.
    Permissions(u32, u32),
    /// It is something else.
    Type(Kind),
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("does not exist"),
            Self::Owner(owner) => write!(f, "has wrong owner, expected {}", owner.name()),
            Self::Group => write!(f, "has wrong group, expected {GROUP}"),
            Self::Permissions(want, found) => {
                write!(
                    f,
                    "has wrong permissions, expected {want:04o} and found {found:04o}"
                )
            }
            Self::Type(kind) => {
                let what = match kind {
                    Kind::Directory => "a directory",
                    Kind::File { .. } | Kind::Program => "a file",
                    Kind::Fifo => "a named pipe",
                };
                write!(f, "has wrong type, expected {what}")
            }
        }
    }
}

impl Entry {
    /// Compares with what was found; `uid` and `gid` are those of [`owner`](Self::owner) and
    /// [`GROUP`] on this host.
    ///
    /// ```
    /// use mta_core::hierarchy::{Deviation, Found, Kind, programs};
    /// let entry = &programs()[0];
    /// let found = Found { kind: Some(Kind::Program), uid: 0, gid: 7, mode: 0o4755 };
    /// assert_eq!(entry.deviations(0, 7, found), [Deviation::Permissions(0o755, 0o4755)]);
    /// ```
    #[must_use]
    pub fn deviations(&self, uid: u32, gid: u32, found: Found) -> Vec<Deviation> {
        let same = match (self.kind, found.kind) {
            (Kind::File { len }, Some(Kind::File { len: is })) => is >= len,
            (Kind::Program, Some(kind)) => matches!(kind, Kind::File { .. } | Kind::Program),
            (wanted, kind) => kind == Some(wanted),
        };
        let rows = [
            (found.uid == uid, Deviation::Owner(self.owner)),
            (found.gid == gid, Deviation::Group),
            (
                found.mode == self.mode,
                Deviation::Permissions(self.mode, found.mode),
            ),
            (same, Deviation::Type(self.kind)),
        ];
        let wrong = rows.into_iter().filter(|(right, _)| !right);
        wrong.map(|(_, deviation)| deviation).collect()
    }
}
