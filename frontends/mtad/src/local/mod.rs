//! Local delivery: from a routed recipient to Maildirs and forwards (qmail-lspawn(8), qmail-local(8)).
//!
//! ```text
//! recipient ─► users/cdb ─► home, dash, ext ─► .qmail-… ─► Maildir lines, done at once
//!                  └─ none: alias                      ├─► vdelivermail, done here
//!                                                      └─► forwards, in one message at the end
//! ```
//!
//! Everything here blocks and runs on store threads.

mod account;
mod carry_out;
mod forward;
mod presence;
mod vdelivermail;

pub use account::User;
pub use presence::HomeDirectory;

use crate::accounts::Accounts;
use crate::home::Home;
use mta_core::delivered::LOOPING;
use mta_core::delivered::LoopCheck;
use mta_core::ports::spool::MessageId;
use mta_core::report::{Outcome, Report};
use mta_core::{Address, Unix};
use mta_store::dir_syncs::DirSyncs;
use mta_store::files::RealFiles;
use mta_store::maildir::{Maildir, UniqueName};
use mta_store::queue::{Message, Origin, Queue};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a message that are looked at in one go.
const PIECE: usize = 32 * 1024;
/// The local part that everybody may write to, whatever accounts there are (RFC 5321 §4.5.1).
const POSTMASTER: &[u8] = b"postmaster";

/// Everything that deliveries share.
pub struct Local {
    files: Arc<RealFiles>,
    home: Home,
    queue: Queue<RealFiles>,
    accounts: Arc<Accounts>,
    origin: Origin,
    syncs: Arc<DirSyncs<RealFiles>>,
    counter: AtomicU64,
    users: account::Users,
    queued: Box<dyn Fn(MessageId) + Send + Sync>,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local")
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
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

/// A delivery with its message open.
struct Delivery<'a> {
    local: &'a Local,
    job: &'a Job,
    message: Message<RealFiles>,
}

impl Local {
    /// Delivers in this home; `queued` is told of every message that a forward makes.
    pub fn new(
        home: Home,
        queue: Queue<RealFiles>,
        accounts: Arc<Accounts>,
        origin: Origin,
        queued: impl Fn(MessageId) + Send + Sync + 'static,
    ) -> Self {
        let files = Arc::new(RealFiles::new());
        Self {
            users: account::Users::new(home.users().join("cdb"), home.alias()),
            syncs: Arc::new(DirSyncs::new(Arc::clone(&files))),
            files,
            home,
            queue,
            accounts,
            origin,
            counter: AtomicU64::new(0),
            queued: Box::new(queued),
        }
    }

    /// Delivers and says in qmail's words what came of it.
    #[must_use]
    pub fn deliver(&self, job: &Job) -> Report {
        let message = match self.queue.open_message(job.id) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!("unable to open message {}: {error}", job.id);
                return Report::deferral("qmail-spawn unable to open message. (#4.3.0)\n");
            }
        };
        let delivery = Delivery {
            local: self,
            job,
            message,
        };
        match delivery.run() {
            Ok(did) => Report::success(did.to_string()),
            Err(report) => report,
        }
    }

    fn maildir(&self, path: PathBuf) -> Maildir<RealFiles> {
        Maildir::new(Arc::clone(&self.files), path).sharing(Arc::clone(&self.syncs))
    }

    fn unique<'a>(&self, job: &'a Job) -> UniqueName<'a> {
        UniqueName {
            time: job.now,
            pid: self.origin.pid,
            counter: self.counter.fetch_add(1, Ordering::Relaxed),
            host: &job.host,
        }
    }
}

impl Delivery<'_> {
    fn run(&self) -> Result<mta_core::dotqmail::Did, Report> {
        let recipient = &self.job.recipient;
        self.refuse_loop(recipient)?;
        let user = self
            .local
            .users
            .find(recipient.local())
            .map_err(Report::deferral)?;
        let done = self.as_user(&user);
        let is_postmaster = user.ext.eq_ignore_ascii_case(POSTMASTER)
            || recipient.local().eq_ignore_ascii_case(POSTMASTER);
        match done {
            Err(report) if report.outcome == Outcome::Failure && is_postmaster && !user.alias => {
                // A domain without a postmaster of its own has the host's.
                self.as_user(&self.local.users.alias(POSTMASTER))
                    .map_err(|_| report)
            }
            other => other,
        }
    }

    /// Fails where the message has been here before.
    fn refuse_loop(&self, recipient: &Address) -> Result<(), Report> {
        let mut check = LoopCheck::new(recipient);
        let mut piece = vec![0; PIECE];
        let mut at = 0_u64;
        while !check.is_decided() {
            let n = self.message.read_at(&mut piece, at).map_err(|error| {
                tracing::warn!("unable to read message {}: {error}", self.job.id);
                Report::deferral("Unable to read message. (#4.3.0)\n")
            })?;
            if n == 0 {
                break;
            }
            at += n as u64;
            check.feed(piece.get(..n).unwrap_or_default());
        }
        if check.is_looping() {
            return Err(Report::failure(LOOPING));
        }
        Ok(())
    }
}
