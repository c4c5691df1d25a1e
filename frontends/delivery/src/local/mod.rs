//! One local delivery: from a user and a message to Maildirs, mboxes, programs and forwards (qmail-local(8)).
//!
//! ```text
//! user: home, dash, ext ─► .qmail-… ─► lines, in order    (script, work)
//!                                       ├─► Maildir, mbox      (mailbox)
//!                                       ├─► program            (program, capture)
//!                                       ├─► vdelivermail, where accounts are at hand
//!                                       └─► forwards, handed back to be queued at the end
//! ```
//!
//! mtad and qmail-local run this same code. It finds no user, becomes nobody else and queues
//! nothing: that is its callers' part. Everything here blocks.

mod assigned;
pub mod capture;
mod in_memory;
mod mailbox;
mod program;
mod quota;
pub mod script;
pub mod vdelivermail;
mod work;

pub use assigned::Assigned;
pub use in_memory::in_memory;
pub use program::Output;
pub use work::{Done, Forward, Work};

use mta_auth::vpopmail::Vpopmail;
use mta_core::ports::spool::MessageId;
use mta_core::{Address, Unix};
use mta_store::dir_syncs::DirSyncs;
use mta_store::files::RealFiles;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The accounts of a home.
pub type Accounts = Vpopmail<RealFiles>;

/// Bytes of a message that are looked at in one go.
const PIECE: usize = 32 * 1024;

/// What an administrator sets about deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Settings {
    /// The lines for an account without a .qmail file.
    pub default_delivery: Vec<u8>,
    /// What becomes of that which programs say.
    pub output: Output,
}

/// The user whose .qmail files decide about a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "these are the parts of the look-up"
)]
pub struct User {
    /// The user's name.
    pub name: Vec<u8>,
    /// Whom the delivery is done as: uid and gid, `None` for ourselves.
    pub ids: Option<(u32, u32)>,
    /// The home directory.
    pub home: PathBuf,
    /// `-` where `ext` follows it in a .qmail file's name, empty where there is no extension.
    pub dash: Vec<u8>,
    /// The extension in the case it was given in.
    pub ext: Vec<u8>,
    /// It is the user alias.
    pub alias: bool,
}

/// One delivery to one recipient.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Job {
    /// The message.
    pub id: MessageId,
    /// The reverse-path.
    pub sender: Address,
    /// The recipient as it was routed, with a virtual domain's prepend.
    pub recipient: Address,
    /// This host's name, for file names.
    pub host: String,
    /// When the delivery began.
    pub now: Unix,
}

/// What it takes to carry lines out.
#[derive(Debug)]
pub struct Tools {
    /// What the administrator set.
    pub settings: Settings,
    /// Mailboxes of virtual domains; `None` leaves vdelivermail to be run as the program it is.
    pub accounts: Option<Arc<Accounts>>,
    files: Arc<RealFiles>,
    syncs: Arc<DirSyncs<RealFiles>>,
    pid: u32,
    counter: AtomicU64,
}

impl Tools {
    /// Delivers with these settings.
    #[must_use]
    pub fn new(settings: Settings, accounts: Option<Arc<Accounts>>) -> Self {
        let files = Arc::new(RealFiles::new());
        Self {
            settings,
            accounts,
            syncs: Arc::new(DirSyncs::new(Arc::clone(&files))),
            files,
            pid: std::process::id(),
            counter: AtomicU64::new(0),
        }
    }
}
