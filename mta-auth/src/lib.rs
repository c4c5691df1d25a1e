//! Accounts and passwords in vpopmail's layout (vchkpw(8), vadddomain(8)).
//!
//! What a line of `vpasswd` says, which sub-directory comes next, how a password is hashed and
//! verified: pure functions here. The installation itself, with its files edited under locks and
//! made durable, is [`Vpopmail`]. This crate speaks no protocol, reads no clock, no environment and
//! no randomness; salts and times are arguments.

pub mod checkpassword;
pub mod dir_control;
pub mod domain_name;
pub mod domain_order;
pub mod flags;
pub mod limits;
pub mod login_name;
pub mod maildir_quota;
pub mod maildirsize;
pub mod open_smtp;
pub mod password;
pub mod permission;
pub mod quota;
pub mod relay_windows;
pub mod sasl;
pub mod settings;
pub mod throttle;
pub mod vpasswd;
pub mod vpopmail;

pub use domain_name::{DomainName, MailboxName};
pub use flags::Flags;
pub use limits::Limits;
pub use login_name::LoginName;
pub use maildirsize::MaildirSize;
pub use quota::{Quota, Usage};
pub use settings::Settings;
pub use vpopmail::Vpopmail;
