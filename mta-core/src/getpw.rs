//! Which of the system's accounts a local part belongs to (qmail-getpw(8), qmail-users(5), spec §6.2).

use crate::assign::Account;

/// User names of so many bytes and more are not looked up.
pub const NAME_MAX: usize = 32;
/// What separates a user's name from an extension.
pub const BREAK: u8 = b'-';

/// An entry of the account database, as passwd(5) has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Entry {
    /// The user's name.
    pub name: Vec<u8>,
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The home directory.
    pub home: Vec<u8>,
}

/// The account database, and the homes it names. What it cannot tell now is an error and never
/// "no": mail must not bounce because a directory server is down.
pub trait Accounts {
    /// Why it cannot be told.
    type Error;

    /// Finds a user by name.
    ///
    /// # Errors
    /// Fails where the database could not be asked.
    fn user(&self, name: &[u8]) -> Result<Option<Entry>, Self::Error>;

    /// Tells who owns a directory; `None` where there is none or it cannot be reached.
    ///
    /// # Errors
    /// Fails for reasons that pass.
    fn owner(&self, home: &[u8]) -> Result<Option<u32>, Self::Error>;
}

/// Finds the user for a local part: the longest name that ends with it or before a dash of it.
///
/// The name counts in lower case; the user must not be root and must own the home. `None` means
/// that the user alias gets the mail, see [`alias`].
///
/// # Errors
/// Passes on what the database could not tell.
///
/// ```
/// use mta_core::getpw::{Accounts, Entry, find};
/// struct Joe;
/// impl Accounts for Joe {
///     type Error = ();
///     fn user(&self, name: &[u8]) -> Result<Option<Entry>, ()> {
///         let home = b"/home/joe".to_vec();
///         Ok((name == b"joe").then(|| Entry { name: name.to_vec(), uid: 1000, gid: 100, home }))
///     }
///     fn owner(&self, _: &[u8]) -> Result<Option<u32>, ()> {
///         Ok(Some(1000))
///     }
/// }
/// let found = find(b"Joe-List-Owner", &Joe).unwrap().unwrap();
/// assert_eq!((found.dash, found.ext), (b"-".to_vec(), b"List-Owner".to_vec()));
/// assert_eq!(find(b"jim", &Joe), Ok(None));
/// ```
pub fn find<A: Accounts>(local: &[u8], accounts: &A) -> Result<Option<Account>, A::Error> {
    for end in (0..=local.len().min(NAME_MAX - 1)).rev() {
        let Some((name, rest)) = local.split_at_checked(end) else {
            continue;
        };
        let (dash, ext): (&[u8], &[u8]) = match rest.split_first() {
            None => (b"", b""),
            Some((&BREAK, ext)) => (b"-", ext),
            Some(_) => continue,
        };
        let Some(entry) = accounts.user(&name.to_ascii_lowercase())? else {
            continue;
        };
        if entry.uid != 0 && accounts.owner(&entry.home)? == Some(entry.uid) {
            return Ok(Some(account(entry, dash, ext)));
        }
    }
    Ok(None)
}

/// Gives a local part that belongs to nobody to the user alias, as an extension.
#[must_use]
pub fn alias(alias: Entry, local: &[u8]) -> Account {
    account(alias, b"-", local)
}

fn account(entry: Entry, dash: &[u8], ext: &[u8]) -> Account {
    Account {
        user: entry.name,
        uid: entry.uid.to_string().into_bytes(),
        gid: entry.gid.to_string().into_bytes(),
        home: entry.home,
        dash: dash.to_vec(),
        ext: ext.to_vec(),
    }
}
