//! Where the installation lies: an option, the environment, or the place it was built for (qmail(7)).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variable that names the home.
pub const VARIABLE: &str = "MTA_HOME";

/// Chooses the home: what the command line says, else what [`VARIABLE`] holds, else `default`.
///
/// An empty value says nothing. A program that runs with more rights than its caller must pass
/// `None` for both, since the caller chose them.
///
/// ```
/// let home = applet::home(None, Some("/srv/mail".into()), "/var/qmail".as_ref());
/// assert_eq!(home, std::path::Path::new("/srv/mail"));
/// ```
#[must_use]
pub fn home(option: Option<PathBuf>, variable: Option<OsString>, default: &Path) -> PathBuf {
    let said = |path: &PathBuf| !path.as_os_str().is_empty();
    option
        .filter(said)
        .or_else(|| variable.map(PathBuf::from).filter(said))
        .unwrap_or_else(|| default.to_path_buf())
}
