//! Makes the names of a multi-call program: one symbolic link for each applet.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A name that could not be made; those before it are there.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Something that is no link, and so perhaps the original program, has the name.
    #[error("{} is no symbolic link: move it away first", .0.display())]
    Occupied(PathBuf),
    /// The system did not let us.
    #[error("unable to link {}: {source}", path.display())]
    Failed {
        /// Which name.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Links every name in `directory` to `program`, an absolute path.
///
/// A link that is there already is replaced in one step, so that the name works all the time. Where
/// the program lies in `directory` itself the links are relative, and the directory may be moved.
///
/// # Errors
/// Fails where a name belongs to something that is no link, and where the system fails.
pub fn install(program: &Path, names: &[&str], directory: &Path) -> Result<(), InstallError> {
    let beside = program.parent() == Some(directory);
    let target = match program.file_name() {
        Some(name) if beside => Path::new(name),
        _ => program,
    };
    for name in names {
        let path = directory.join(name);
        if path == program {
            continue;
        }
        match path.symlink_metadata() {
            Ok(found) if !found.is_symlink() => return Err(InstallError::Occupied(path)),
            _ => {}
        }
        replace(target, &path, name).map_err(|source| InstallError::Failed { path, source })?;
    }
    Ok(())
}

fn replace(target: &Path, path: &Path, name: &str) -> io::Result<()> {
    let fresh = path.with_file_name(format!(".{name}.{}", std::process::id()));
    symlink(target, &fresh)?;
    std::fs::rename(&fresh, path).inspect_err(|_| {
        // The rename's failure is what matters.
        let _ = std::fs::remove_file(&fresh);
    })
}
