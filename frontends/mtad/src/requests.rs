//! How the tools reach a running server: files in `HOME/queue/request`, then a pull at lock/trigger.
//!
//! | file | what the server does |
//! |---|---|
//! | `retry` | tries every message now, as on SIGALRM |
//! | `retry.ID` | tries one message now |
//! | `remove.ID` | takes one message out of the queue, without a bounce |
//! | `hold.ID`, `release.ID` | delivers one message to nobody for now; delivers it again |
//! | `reroute.ID` | sends one message to other hosts: the file has a line with a domain and the hosts, tabs between them |
//! | `forget` | forgets which hosts could not be reached |
//! | `reload` | reads the control files again, as on SIGHUP |
//!
//! The server removes the file once it has obeyed; a tool waits for that. Files make the order survive a server
//! that is just starting, and need no process to be found and signalled. The original programs look
//! into no directory of this name.

use mta_core::ports::spool::MessageId;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The most bytes that an order may say.
const SAID_MAX: u64 = 16 * 1024;

/// One order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the server carries out every one")]
pub enum Request {
    /// Try every message now.
    RetryAll,
    /// Try one message now.
    Retry(MessageId),
    /// Take one message out of the queue.
    Remove(MessageId),
    /// Deliver one message to nobody for now.
    Hold(MessageId),
    /// Deliver a held message again.
    Release(MessageId),
    /// Send one message to other hosts; the file says which.
    Reroute(MessageId),
    /// Forget which hosts could not be reached.
    Forget,
    /// Read the control files again.
    Reload,
}

impl Request {
    /// Returns the name of its file.
    ///
    /// ```
    /// use mta_core::ports::spool::MessageId;
    /// use mtad::requests::Request;
    /// let request = Request::Remove(MessageId(7));
    /// assert_eq!(request.file_name(), "remove.7");
    /// assert_eq!(Request::from_file_name("remove.7"), Some(request));
    /// ```
    #[must_use]
    pub fn file_name(self) -> String {
        match self {
            Self::RetryAll => "retry".to_owned(),
            Self::Retry(id) => format!("retry.{id}"),
            Self::Remove(id) => format!("remove.{id}"),
            Self::Hold(id) => format!("hold.{id}"),
            Self::Release(id) => format!("release.{id}"),
            Self::Reroute(id) => format!("reroute.{id}"),
            Self::Forget => "forget".to_owned(),
            Self::Reload => "reload".to_owned(),
        }
    }

    /// Reads a file's name; `None` for what is no order.
    #[must_use]
    pub fn from_file_name(name: &str) -> Option<Self> {
        let number = |digits: &str| digits.parse().ok().map(MessageId);
        match name.split_once('.') {
            None if name == "retry" => Some(Self::RetryAll),
            None if name == "reload" => Some(Self::Reload),
            None if name == "forget" => Some(Self::Forget),
            Some(("hold", digits)) => number(digits).map(Self::Hold),
            Some(("release", digits)) => number(digits).map(Self::Release),
            Some(("reroute", digits)) => number(digits).map(Self::Reroute),
            Some(("retry", digits)) => number(digits).map(Self::Retry),
            Some(("remove", digits)) => number(digits).map(Self::Remove),
            _ => None,
        }
    }

    /// Tells whether the order still waits.
    ///
    /// # Errors
    /// Fails where the system does not let us look.
    pub fn waits(self, directory: &Path) -> io::Result<bool> {
        directory.join(self.file_name()).try_exists()
    }

    /// Takes the order away, because it was carried out.
    ///
    /// # Errors
    /// Fails where the file cannot be removed.
    pub fn done(self, directory: &Path) -> io::Result<()> {
        match std::fs::remove_file(directory.join(self.file_name())) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Reads what the order's file says.
    ///
    /// # Errors
    /// Fails where the file cannot be read.
    pub fn said(self, directory: &Path) -> io::Result<Vec<u8>> {
        let mut said = Vec::new();
        let file = std::fs::File::open(directory.join(self.file_name()))?;
        file.take(SAID_MAX).read_to_end(&mut said)?;
        Ok(said)
    }

    /// Puts an order that says something where the server finds it, whole at once; the later of two
    /// about the same message counts.
    ///
    /// # Errors
    /// Fails where the file cannot be made.
    pub fn put_saying(self, directory: &Path, said: &[u8]) -> io::Result<()> {
        make(directory)?;
        // No order has such a name.
        let unread = directory.join(format!("new.{}", std::process::id()));
        std::fs::write(&unread, said)?;
        std::fs::rename(unread, directory.join(self.file_name()))
    }

    /// Puts the order where the server finds it. One that waits already stands for both.
    ///
    /// # Errors
    /// Fails where the file cannot be made.
    pub fn put(self, directory: &Path) -> io::Result<()> {
        make(directory)?;
        let path = directory.join(self.file_name());
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other.map(drop),
        }
    }
}

fn make(directory: &Path) -> io::Result<()> {
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Lists the orders that wait; what is no order is left alone.
///
/// # Errors
/// Fails where the directory cannot be read; without a directory there are no orders.
pub fn list(directory: &Path) -> io::Result<Vec<Request>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(Request::from_file_name));
    }
    Ok(found)
}
