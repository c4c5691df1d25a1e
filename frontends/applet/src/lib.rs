//! What multi-call programs share: which applet is meant, installing their names, the home, exit codes.
//!
//! Nothing here has a mail meaning. A package is a library whose applets its tests call in-process;
//! its `main` is these few lines:
//!
//! ```
//! use applet::{Exit, Selection, select};
//! # fn run(_: &str, _: Vec<std::ffi::OsString>) -> Exit { Exit::OK }
//! # let arguments = ["/usr/bin/qmail-hello", "world"];
//! match select("qmail", &["qmail-hello", "qmail-bye"], arguments.map(Into::into)) {
//!     Ok(Selection::Run { applet, arguments }) => run(applet, arguments),
//!     Ok(Selection::Install { directory }) => {
//!         // applet::install(program, names, &directory)
//! #       let _ = directory;
//!         Exit::OK
//!     }
//!     Err(usage) => {
//!         // write `usage` to standard error
//! #       let _ = usage;
//!         Exit::PERMANENT
//!     }
//! };
//! ```

mod exit;
mod home;
mod install;
mod select;

pub use exit::Exit;
pub use home::{VARIABLE, home};
pub use install::{InstallError, install};
pub use select::{Selection, Usage, select};
