//! What the outside must provide: one trait a file, each with a null or in-memory implementation.
//!
//! They are async through `async-trait`, object-safe and free of any runtime, because accounts and
//! spools may live in a database or on another machine.

pub mod authenticator;
pub mod directory;
pub mod mail_store;
pub mod resolver;
pub mod spool;

pub use authenticator::Authenticator;
pub use directory::Directory;
pub use mail_store::MailStore;
pub use resolver::Resolver;
pub use spool::Spool;
