//! The directory of control files, read through the port (qmail-control(5)).

use crate::atomic::{Attributes, edit, read_if_there};
use crate::files::Files;
use mta_core::control::{Controls, LoadError, Loaded};
use std::io;
use std::path::{Path, PathBuf};

/// The largest control file that is read; `morercpthosts.cdb` of a million domains fits.
pub const MAX_CONTROL: usize = 64 << 20;

/// A directory of control files.
///
/// ```
/// # #[cfg(feature = "sim")] {
/// use mta_store::control_dir::ControlDir;
/// use mta_store::files::{Files, SimFiles};
/// use std::path::Path;
///
/// let files = SimFiles::new();
/// files.mkdir(Path::new("/control"), 0o755)?;
/// let control = ControlDir::new(&files, "/control");
/// control.write("me", b"mx.example.org\n")?;
/// assert_eq!(control.load().unwrap().controls.me, b"mx.example.org");
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ControlDir<'a, F> {
    files: &'a F,
    path: PathBuf,
}

impl<'a, F: Files> ControlDir<'a, F> {
    /// Names the directory; nothing is read yet.
    pub fn new(files: &'a F, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { files, path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads one file; `None` where there is none.
    ///
    /// # Errors
    /// Passes on every other failure: a control file that cannot be read is never taken for a
    /// missing one.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        read_if_there(self.files, &self.path.join(name), MAX_CONTROL)
    }

    /// Reads all that the core knows.
    ///
    /// # Errors
    /// Fails where a file cannot be read, or where `me` says nothing.
    pub fn load(&self) -> Result<Loaded, LoadError<io::Error>> {
        Controls::load(|name| self.read(name))
    }

    /// Writes one file as a whole, durably, with mode 0644.
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn write(&self, name: &str, contents: &[u8]) -> io::Result<()> {
        self.edit(name, |_| Some(contents.to_vec()))
    }

    /// Changes one file under its lock; see [`edit`].
    ///
    /// # Errors
    /// Passes on what the file calls say.
    pub fn edit(
        &self,
        name: &str,
        change: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    ) -> io::Result<()> {
        let path = self.path.join(name);
        edit(self.files, &path, Attributes::mode(0o644), change)
    }
}
