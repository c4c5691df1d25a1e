//! A directory that vanishes with the test, and a home of mtad inside it.

use crate::tools::{Ran, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of its own below the system's temporary one; removed when dropped.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes one.
    ///
    /// # Panics
    /// Panics where the system has no room for it.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "making a directory is an effect, not a default"
    )]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mta-test-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A home with the domain `example.org`, the user `joe@example.org` and the password `secret word`.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    _temp: Option<TempDir>,
}

impl Home {
    /// The password of `joe@example.org`.
    pub const PASSWORD: &'static str = "secret word";

    /// Makes one in a directory of its own.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "making a home is an effect, not a default"
    )]
    pub fn new() -> Self {
        let temp = TempDir::new();
        let mut home = Self::at(&temp.path().join("home"));
        home._temp = Some(temp);
        home
    }

    /// Makes one at `dir`, which stays when the value is dropped.
    ///
    /// # Panics
    /// Panics where mtad cannot make it.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        let home = Self {
            dir: dir.to_path_buf(),
            _temp: None,
        };
        let _ = home
            .mtad(
                &[
                    "init",
                    "--me",
                    "mx.example.org",
                    "--admin",
                    "joe@example.org",
                ],
                b"",
            )
            .ok();
        let _ = home
            .mtad(&["domain", "add", "example.org"], b"postmaster secret\n")
            .ok();
        home.add_user("joe@example.org");
        home
    }

    /// One whose messages lie in qmail's layout alone, so that the original programs can drain it.
    ///
    /// # Panics
    /// Panics where the log of a new home cannot be removed.
    #[must_use]
    pub fn in_qmail_layout() -> Self {
        let home = Self::new();
        // What init makes for `--spool qmail`; no message has come yet.
        std::fs::remove_dir_all(home.path().join("queue/log")).unwrap();
        home
    }

    /// Names a home that exists.
    #[must_use]
    pub fn existing(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            _temp: None,
        }
    }

    /// Adds a mailbox with [`Self::PASSWORD`].
    ///
    /// # Panics
    /// Panics where mtad refuses it.
    pub fn add_user(&self, address: &str) {
        let password = format!("{}\n", Self::PASSWORD);
        let _ = self
            .mtad(
                &["user", "add", address, "--password-stdin"],
                password.as_bytes(),
            )
            .ok();
    }

    /// Runs `mtad ARGS --home HOME` to its end.
    pub fn mtad(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut command = Command::new(mtad_binary());
        command
            .args(args)
            .arg("--home")
            .arg(&self.dir)
            .env_remove("MTA_HOME");
        run(&mut command, input)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Writes a control file.
    ///
    /// # Panics
    /// Panics where the file cannot be written.
    pub fn control(&self, name: &str, text: &str) {
        std::fs::write(self.dir.join("control").join(name), text).unwrap();
    }

    /// The Maildir of a mailbox, as vpasswd's sixth field names its home.
    ///
    /// # Panics
    /// Panics where there is no such mailbox.
    #[must_use]
    pub fn maildir(&self, user: &str, domain: &str) -> PathBuf {
        let text =
            std::fs::read_to_string(self.dir.join("domains").join(domain).join("vpasswd")).unwrap();
        let line = text
            .lines()
            .find(|l| l.split(':').next() == Some(user))
            .unwrap();
        PathBuf::from(line.split(':').nth(5).unwrap()).join("Maildir")
    }

    /// The files in `new` and `cur` of joe's Maildir.
    #[must_use]
    pub fn mail(&self) -> Vec<PathBuf> {
        let maildir = self.maildir("joe", "example.org");
        ["new", "cur"]
            .iter()
            .filter_map(|sub| std::fs::read_dir(maildir.join(sub)).ok())
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect()
    }
}

/// The program under test, beside the running test; built where it is not there yet.
#[must_use]
pub fn mtad_binary() -> PathBuf {
    binary("mtad")
}

/// qmail's programs, one binary; built where it is not there yet.
#[must_use]
pub fn qmail_binary() -> PathBuf {
    binary("qmail")
}

/// vpopmail's programs, one binary; built where it is not there yet.
#[must_use]
pub fn vpopmail_binary() -> PathBuf {
    binary("vpopmail")
}

/// The programs of ucspi-tcp, one binary; built where it is not there yet.
#[must_use]
pub fn ucspi_binary() -> PathBuf {
    binary("ucspi")
}

fn binary(name: &str) -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let dir = exe.parent().unwrap();
    let dir = if dir.ends_with("deps") {
        dir.parent().unwrap()
    } else {
        dir
    };
    let binary = dir.join(name);
    if !binary.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "-p", name])
            .status()
            .unwrap();
        assert!(
            built.success() && binary.exists(),
            "cargo could not build {}",
            binary.display()
        );
    }
    binary
}
