//! `--install HOME --as-root`: makes an installation as `make setup check` did (INSTALL, hier.c, spec §3.1).

mod accounts;
mod place;

use crate::NAMES;
use accounts::Accounts;
use mta_core::hierarchy::{Account, SETUID_PROGRAM, directories, programs};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The program that is every other one but [`SETUID_PROGRAM`].
const MULTI_CALL: &str = "qmail";

/// Where the programs to install are, as they were built.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Built {
    multi_call: PathBuf,
    queue: PathBuf,
}

/// Makes the installation in `home`, which must be, or end with, the home that the programs were
/// built for.
///
/// # Errors
/// Says what keeps it from being made; nothing was changed where that is known beforehand.
pub(crate) fn as_root(home: &Path, built_for: &Path) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("--as-root: expected to be run by root".to_owned());
    }
    let home = std::path::absolute(home).map_err(|error| format!("{}: {error}", home.display()))?;
    let inner = built_for.strip_prefix("/").unwrap_or(built_for);
    if !home.ends_with(inner) {
        return Err(format!(
            "{}: expected {}, or a directory that will be it, because {SETUID_PROGRAM} knows no other home; \
             build with MTA_BUILD_HOME={} for another",
            home.display(),
            built_for.display(),
            home.display()
        ));
    }
    let accounts = Accounts::of_host(built_for).map_err(|missing| missing.to_string())?;
    let program = std::env::current_exe()
        .map_err(|error| format!("unable to find the program itself: {error}"))?;
    let built = Built {
        queue: program.with_file_name(SETUID_PROGRAM),
        multi_call: program,
    };
    make(&home, &accounts, &built)
}

fn make(home: &Path, accounts: &Accounts, built: &Built) -> Result<(), String> {
    nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
    let bin = home.join("bin");
    built.check()?;
    free_names(&bin)?;
    let parents = DirBuilder::new().recursive(true).mode(0o755).create(home);
    parents.map_err(|error| failed(home, &error))?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let opened = open(home, flags, Mode::empty());
    let opened = opened.map_err(|error| failed(home, &error.into()))?;
    for entry in directories() {
        place::make(&opened, &entry, accounts.uid(entry.owner), accounts.group)
            .map_err(|error| failed(&home.join(&entry.path), &error.into()))?;
    }
    let root = (accounts.uid(Account::Root), accounts.group);
    let multi_call = bin.join(MULTI_CALL);
    built.put(&built.multi_call, &multi_call, root, 0o755)?;
    for entry in programs().into_iter().filter(|e| e.mode & 0o4000 != 0) {
        let ids = (accounts.uid(entry.owner), accounts.group);
        built.put(&built.queue, &home.join(&entry.path), ids, entry.mode)?;
    }
    applet::install(&multi_call, &linked(), &bin).map_err(|error| error.to_string())?;
    nix::unistd::sync();
    Ok(())
}

/// The names that are links: a setuid program is never one of many.
fn linked() -> Vec<&'static str> {
    let others = NAMES.iter().filter(|name| **name != SETUID_PROGRAM);
    others.copied().collect()
}

/// Programs of somebody else's are not written over. Where the multi-call program is there, the
/// installation is ours.
fn free_names(bin: &Path) -> Result<(), String> {
    let ours = bin.join(MULTI_CALL).is_file();
    let is_taken = |name: &&str| {
        let found = bin.join(name).symlink_metadata();
        found.is_ok_and(|found| !found.is_symlink()) && !(ours && **name == *SETUID_PROGRAM)
    };
    let taken: Vec<_> = NAMES.iter().copied().filter(is_taken).collect();
    if taken.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}: expected no programs of others, found {}: move them away first",
        bin.display(),
        taken.join(", ")
    ))
}

impl Built {
    /// The setuid bit is for a program that does one thing, and does not ask how it was called.
    fn check(&self) -> Result<(), String> {
        let wanted = "expected the program that was built with this one";
        let found = self.queue.symlink_metadata();
        let found =
            found.map_err(|error| format!("{}: {wanted}: {error}", self.queue.display()))?;
        if !found.is_file() {
            return Err(format!("{}: {wanted}, and no link", self.queue.display()));
        }
        let read = |path: &Path| std::fs::read(path).map_err(|error| failed(path, &error));
        if read(&self.queue)? == read(&self.multi_call)? {
            let path = self.queue.display();
            return Err(format!(
                "{path}: {wanted}, and not the same under another name"
            ));
        }
        Ok(())
    }

    fn put(
        &self,
        from: &Path,
        to: &Path,
        ids: (nix::unistd::Uid, nix::unistd::Gid),
        mode: u32,
    ) -> Result<(), String> {
        let same = |a: &Path, b: &Path| Some(a.canonicalize().ok()? == b.canonicalize().ok()?);
        let done = match same(from, to) {
            Some(true) => place::mend(to, ids, mode),
            _ => place::program(from, to, ids, mode),
        };
        done.map_err(|error| failed(to, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("unable to make {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_core::hierarchy::{Deviation, Entry, Found, Kind};
    use std::fs;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

    const FIRST: u32 = 60_000;

    struct Place {
        dir: tempfile::TempDir,
        accounts: Accounts,
        built: Built,
    }

    impl Place {
        /// `None` where we are not root, who alone can give files away.
        fn new(test: &str) -> Option<Self> {
            if !nix::unistd::geteuid().is_root() {
                mta_tests::skip(test, "expected to be run by root");
                return None;
            }
            let dir = tempfile::tempdir().unwrap();
            let path = |name: &str| dir.path().join(name);
            fs::write(path("qmail"), "every program").unwrap();
            fs::write(path("qmail-queue"), "one program").unwrap();
            let built = Built {
                multi_call: path("qmail"),
                queue: path("qmail-queue"),
            };
            let accounts = Accounts::numbered(FIRST);
            Some(Self {
                dir,
                accounts,
                built,
            })
        }

        fn home(&self) -> PathBuf {
            self.dir.path().join("home")
        }

        fn make(&self) -> Result<(), String> {
            make(&self.home(), &self.accounts, &self.built)
        }

        fn deviations(&self, entry: &Entry) -> Vec<Deviation> {
            let stat = fs::symlink_metadata(self.home().join(&entry.path)).unwrap();
            let kind = match stat.file_type() {
                it if it.is_dir() => Some(Kind::Directory),
                it if it.is_fifo() => Some(Kind::Fifo),
                it if it.is_file() => Some(Kind::File { len: stat.len() }),
                _ => None,
            };
            let found = Found {
                kind,
                uid: stat.uid(),
                gid: stat.gid(),
                mode: stat.mode() & 0o7777,
            };
            let uid = self.accounts.uid(entry.owner).as_raw();
            entry.deviations(uid, self.accounts.group.as_raw(), found)
        }

        fn is_as_in_the_table(&self) {
            let mut entries = directories();
            entries.extend(programs().into_iter().filter(|e| e.mode & 0o4000 != 0));
            assert!(entries.len() > 100);
            for entry in entries {
                assert_eq!(self.deviations(&entry), [], "{}", entry.path);
            }
        }
    }

    #[test]
    fn an_installation_is_made_and_made_good_again() {
        let Some(place) = Place::new("an_installation_is_made_and_made_good_again") else {
            return;
        };
        place.make().unwrap();
        place.is_as_in_the_table();
        let at = |path: &str| place.home().join(path);
        fs::write(at("queue/lock/tcpto"), [7; 2048]).unwrap();
        fs::set_permissions(at("queue/pid"), fs::Permissions::from_mode(0o777)).unwrap();
        fs::remove_file(at("queue/lock/trigger")).unwrap();
        std::os::unix::fs::chown(at("alias"), Some(1), Some(1)).unwrap();
        place.make().unwrap();
        place.is_as_in_the_table();
        assert_eq!(fs::read(at("queue/lock/tcpto")).unwrap(), [7; 2048]);
    }

    #[test]
    fn no_name_of_many_gets_a_setuid_bit() {
        let Some(place) = Place::new("no_name_of_many_gets_a_setuid_bit") else {
            return;
        };
        place.make().unwrap();
        let bin = place.home().join("bin");
        let stat = fs::metadata(bin.join("qmail")).unwrap();
        assert_eq!((stat.mode() & 0o7777, stat.uid()), (0o755, 0));
        for name in linked() {
            assert_eq!(fs::read_link(bin.join(name)).unwrap(), Path::new("qmail"));
        }
        assert_eq!(fs::read(bin.join("qmail-queue")).unwrap(), b"one program");
        let mut same = place.built.clone();
        same.queue = same.multi_call.clone();
        assert!(make(&place.home(), &place.accounts, &same).is_err());
        let link = place.dir.path().join("link");
        symlink(&place.built.queue, &link).unwrap();
        same.queue = link;
        assert!(make(&place.home(), &place.accounts, &same).is_err());
    }

    #[test]
    fn programs_of_others_stay() {
        let Some(place) = Place::new("programs_of_others_stay") else {
            return;
        };
        let bin = place.home().join("bin");
        fs::create_dir_all(&bin).unwrap();
        for name in ["qmail-inject", "qmail-queue"] {
            fs::write(bin.join(name), "the original").unwrap();
        }
        let said = place.make().unwrap_err();
        assert!(
            said.contains("found qmail-inject, qmail-queue: move"),
            "{said}"
        );
        assert_eq!(fs::read(bin.join("qmail-queue")).unwrap(), b"the original");
        assert!(!place.home().join("queue").exists());
    }

    #[test]
    fn users_of_the_queue_lead_root_nowhere() {
        let Some(place) = Place::new("users_of_the_queue_lead_root_nowhere") else {
            return;
        };
        let outside = place.dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "x").unwrap();
        let lock = place.home().join("queue/lock");
        let secret = outside.join("secret");
        let rows: [(&str, &dyn Fn()); 3] = [
            ("a directory elsewhere", &|| {
                fs::remove_dir_all(&lock).unwrap();
                symlink(&outside, &lock).unwrap();
            }),
            ("a file elsewhere", &|| {
                fs::remove_file(lock.join("sendmutex")).unwrap();
                symlink(&secret, lock.join("sendmutex")).unwrap();
            }),
            ("another name of a file", &|| {
                fs::remove_file(lock.join("sendmutex")).unwrap();
                fs::hard_link(&secret, lock.join("sendmutex")).unwrap();
            }),
        ];
        for (name, plant) in rows {
            let _ = fs::remove_dir_all(place.home());
            place.make().unwrap();
            plant();
            place.make().unwrap_err();
            assert_eq!(fs::metadata(&outside).unwrap().uid(), 0, "{name}");
            assert_eq!(fs::metadata(&secret).unwrap().uid(), 0, "{name}");
        }
    }
}
