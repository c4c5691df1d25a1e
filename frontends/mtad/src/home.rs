//! The home: one directory in qmail's shape, where it is looked for and what stands where in it (qmail-control(5), spec vpopmail §1).

use crate::Failure;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variable that names the home where `--home` does not.
pub const VARIABLE: &str = "MTA_HOME";
/// The home where neither names one.
pub const DEFAULT: &str = "mta-home";

/// Where everything is kept. The path is absolute, because it is written into users/assign.
///
/// ```
/// use mtad::home::Home;
/// let home = Home::locate(None, Some("/srv/mail".into())).unwrap();
/// assert_eq!(home.control(), std::path::Path::new("/srv/mail/control"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// What stands at the path of a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "serve and init decide on each")]
pub enum Found {
    /// A home: control/me exists.
    Home,
    /// Nothing, or an empty directory.
    Nothing,
    /// Something else, or a home that was not finished.
    Other,
}

impl Home {
    /// Takes the argument of `--home`, else the value of `MTA_HOME`, else `./mta-home`.
    ///
    /// # Errors
    /// Fails where the path is empty or the current directory cannot be told.
    pub fn locate(argument: Option<&Path>, variable: Option<OsString>) -> Result<Self, Failure> {
        let variable = variable.filter(|value| !value.is_empty());
        let path = match (argument, variable) {
            (Some(path), _) => path.to_owned(),
            (None, Some(value)) => PathBuf::from(value),
            (None, None) => PathBuf::from(DEFAULT),
        };
        let root = std::path::absolute(&path)
            .map_err(|error| Failure::file("make an absolute path of", &path, &error))?;
        // Two spellings of one place must not give two paths in users/assign.
        let root = root.canonicalize().unwrap_or(root);
        Ok(Self { root })
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Control files.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.root.join("control")
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> PathBuf {
        self.root.join("queue")
    }

    /// Requests of the tools to the running server, see [`crate::requests`].
    #[must_use]
    pub fn requests(&self) -> PathBuf {
        self.root.join("queue/request")
    }

    /// users/assign and users/cdb.
    #[must_use]
    pub fn users(&self) -> PathBuf {
        self.root.join("users")
    }

    /// The virtual domains.
    #[must_use]
    pub fn domains(&self) -> PathBuf {
        self.root.join("domains")
    }

    /// The home of the user alias, who gets what no other user does.
    #[must_use]
    pub fn alias(&self) -> PathBuf {
        self.root.join("alias")
    }

    /// The server's own settings.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("mtad.toml")
    }

    /// The first user's address and password, where no terminal could show them.
    #[must_use]
    pub fn first_user(&self) -> PathBuf {
        self.root.join("first-user")
    }

    /// Looks what stands at the path.
    ///
    /// # Errors
    /// Fails where the system does not let us look.
    pub fn find(&self) -> Result<Found, Failure> {
        let me = self.control().join("me");
        match me.try_exists() {
            Ok(true) => return Ok(Found::Home),
            Ok(false) => {}
            Err(error) => return Err(Failure::file("look for", &me, &error)),
        }
        match self.root.read_dir() {
            Ok(mut entries) => Ok(match entries.next() {
                None => Found::Nothing,
                Some(_) => Found::Other,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) => Err(Failure::file("read", &self.root, &error)),
        }
    }

    /// Insists on a home that was made before.
    ///
    /// # Errors
    /// Fails where there is none, and says how the path was found and what makes a home.
    pub fn existing(self) -> Result<Self, Failure> {
        let shown = self.root.display();
        match self.find()? {
            Found::Home => Ok(self),
            Found::Nothing => Err(Failure::permanent(format!(
                "no home at {shown}: name one with --home or {VARIABLE}, or make it with mtad init"
            ))),
            Found::Other => Err(Failure::permanent(format!(
                "{shown} is not a mail home: control/me is missing; name another with --home or \
                 {VARIABLE}, or finish it with mtad init"
            ))),
        }
    }
}
