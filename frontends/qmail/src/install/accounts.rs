//! The users and groups of qmail on this host (INSTALL.ids, hier.c).

use mta_core::hierarchy::{Account, GROUP, NO_FILES};
use nix::unistd::{Gid, Group, Uid, User};
use std::fmt;
use std::path::{Path, PathBuf};

/// The numbers that the installation's files get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accounts {
    users: Vec<(Account, Uid)>,
    pub(crate) group: Gid,
}

/// Some users or groups are missing; shown with the commands that make them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    users: Vec<Account>,
    groups: Vec<&'static str>,
    home: PathBuf,
}

impl Accounts {
    /// Looks the names up; an account database that cannot be asked has none of them.
    ///
    /// # Errors
    /// Names all that the host does not have.
    pub(crate) fn of_host(home: &Path) -> Result<Self, Missing> {
        let home = home.to_owned();
        let group = |name| Group::from_name(name).ok().flatten().map(|group| group.gid);
        let missing = [GROUP, NO_FILES].map(|name| (name, group(name)));
        let groups = missing.iter().filter(|(_, gid)| gid.is_none());
        let groups: Vec<_> = groups.map(|(name, _)| *name).collect();
        let user = |name| User::from_name(name).ok().flatten().map(|user| user.uid);
        let found = Account::ALL.map(|account| (account, user(account.name())));
        let users: Vec<_> = found
            .iter()
            .filter_map(|(account, uid)| uid.map(|uid| (*account, uid)))
            .collect();
        match group(GROUP) {
            Some(group) if groups.is_empty() && users.len() == found.len() => {
                Ok(Self { users, group })
            }
            _ => {
                let missing = found.iter().filter(|(_, uid)| uid.is_none());
                let users = missing.map(|(account, _)| *account).collect();
                Err(Missing {
                    users,
                    groups,
                    home,
                })
            }
        }
    }

    /// The user's number; root where it is not known, which no account of [`of_host`](Self::of_host)
    /// is.
    pub(crate) fn uid(&self, account: Account) -> Uid {
        let found = self.users.iter().find(|(known, _)| *known == account);
        found.map_or(Uid::from_raw(0), |(_, uid)| *uid)
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<_> = self.users.iter().map(|user| user.name()).collect();
        let list = |kind: &str, names: &[&str]| match names {
            [] => None,
            names => Some(format!("the {kind} {}", names.join(", "))),
        };
        let wanted = [list("users", &users), list("groups", &self.groups)];
        let wanted: Vec<_> = wanted.into_iter().flatten().collect();
        write!(
            f,
            "expected {} on this host; make them with:",
            wanted.join(" and ")
        )?;
        for group in &self.groups {
            write!(f, "\n  groupadd --system {group}")?;
        }
        for user in &self.users {
            let home = match user {
                Account::Alias => self.home.join("alias"),
                _ => self.home.clone(),
            };
            write!(
                f,
                "\n  useradd --system --no-create-home --shell /usr/sbin/nologin --gid {} --home-dir {} {}",
                user.group(),
                home.display(),
                user.name()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
impl Accounts {
    /// Numbers that a test gives: root is root, the others follow `first`.
    pub(crate) fn numbered(first: u32) -> Self {
        let number = |(n, account): (u32, &Account)| match account {
            Account::Root => (*account, Uid::from_raw(0)),
            _ => (*account, Uid::from_raw(first + n)),
        };
        Self {
            users: (0..).zip(&Account::ALL).map(number).collect(),
            group: Gid::from_raw(first + 100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_command_that_makes_it() {
        let missing = Missing {
            users: vec![Account::Alias, Account::Queue],
            groups: vec![GROUP],
            home: PathBuf::from("/var/qmail"),
        };
        let useradd = "useradd --system --no-create-home --shell /usr/sbin/nologin";
        assert_eq!(
            missing.to_string(),
            format!(
                "expected the users alias, qmailq and the groups qmail on this host; make them with:\n  \
                 groupadd --system qmail\n  \
                 {useradd} --gid nofiles --home-dir /var/qmail/alias alias\n  \
                 {useradd} --gid qmail --home-dir /var/qmail qmailq"
            )
        );
    }
}
