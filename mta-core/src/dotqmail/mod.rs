//! .qmail files: which one is used, and what its lines ask for (dot-qmail(5), spec §6.3 to §6.6).
//!
//! ```text
//! dash, extension ──► candidates ──► the caller opens one ──► search ──► Instruction, Instruction …
//! ```
//!
//! Nothing here opens a file or runs a program: the caller hands contents and modes in and carries
//! the instructions out in order.

mod candidates;
mod environment;
mod forward;
mod lines;
mod onward;
mod program;
mod search;
mod spoken;

pub use candidates::{Candidate, candidates};
pub use environment::{Facts, Variable, environment, safe};
pub use forward::{Did, OwnerFiles, new_sender, owner_names};
pub use lines::{Instruction, parse, parse_numbered};
pub use onward::Onward;
pub use program::{ProgramEnd, simple_words};
pub use search::{Chosen, Found, Unopened, check_home, search};
pub use spoken::{REPORT_MAX, cut_report};
