//! Which applet of a multi-call program is meant: by the name it was called, or by its first argument.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a main function must handle every one"
)]
pub enum Selection {
    /// Run an applet.
    Run {
        /// Its name, one of those given.
        applet: &'static str,
        /// What stands behind its name.
        arguments: Vec<OsString>,
    },
    /// `--install DIRECTORY`: make a link for every applet.
    Install {
        /// Where.
        directory: PathBuf,
    },
}

/// The command line names no applet; shown as a text of several lines for standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    program: &'static str,
    applets: Vec<&'static str>,
    unknown: Option<OsString>,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program;
        if let Some(unknown) = &self.unknown {
            writeln!(f, "{program}: there is no applet {unknown:?}")?;
        }
        writeln!(f, "usage: {program} APPLET [ARGUMENT]...")?;
        writeln!(f, "       {program} --install DIRECTORY")?;
        write!(f, "applets: {}", self.applets.join(" "))
    }
}

impl std::error::Error for Usage {}

/// Reads a command line, `arguments[0]` included.
///
/// Called by an applet's name (with any directory before it) it is that applet; called by any other
/// name, the first argument is the applet's name or `--install`.
///
/// # Errors
/// Fails with the usage where no applet is named.
pub fn select(
    program: &'static str,
    applets: &[&'static str],
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Selection, Usage> {
    let mut arguments = arguments.into_iter();
    let find = |name: &OsString| applets.iter().copied().find(|&applet| name == applet);
    let called = arguments.next().unwrap_or_default();
    let called = Path::new(&called).file_name().map(OsString::from);
    if let Some(applet) = called.as_ref().and_then(find) {
        let arguments = arguments.collect();
        return Ok(Selection::Run { applet, arguments });
    }
    let usage = |unknown| Usage {
        program,
        applets: applets.to_vec(),
        unknown,
    };
    let Some(first) = arguments.next() else {
        return Err(usage(None));
    };
    if first == "--install" {
        let directory = arguments.next().map(PathBuf::from);
        return match (directory, arguments.next()) {
            (Some(directory), None) => Ok(Selection::Install { directory }),
            _ => Err(usage(None)),
        };
    }
    match find(&first) {
        Some(applet) => Ok(Selection::Run {
            applet,
            arguments: arguments.collect(),
        }),
        None if first == "--help" || first == "-h" => Err(usage(None)),
        None => Err(usage(Some(first))),
    }
}
