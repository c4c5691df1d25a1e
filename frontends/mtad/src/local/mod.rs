//! Local delivery: from a routed recipient to Maildirs, mboxes, programs and forwards (qmail-lspawn(8), qmail-local(8)).
//!
//! ```text
//! recipient ─► users/cdb ─► passwd, as root ─► alias          (account)
//!                  └──────────────┴── home, dash, ext ─► .qmail-… ─► lines, in order    (work)
//!                                                            ├─► Maildir, mbox, program
//!                                                            ├─► vdelivermail, done here
//!                                                            └─► forwards ─► queue, at the end
//! ```
//!
//! Run by root, a delivery to another account is a process of its own that is that account from its
//! start ([`as_user`]); it does the lines and hands the forwards back. Everything here blocks and
//! runs on store threads.

mod account;
pub mod as_user;
mod forward;
mod presence;
mod trace;

pub use delivery::local::{Job, Settings};
pub use presence::HomeDirectory;

use crate::accounts::Accounts;
use crate::home::Home;
use delivery::dates::Dates;
use delivery::local::{Done, Tools, User, Work};
use mta_core::Address;
use mta_core::dotqmail::{Onward, cut_report};
use mta_core::envelope::RcptParams;
use mta_core::ports::spool::MessageId;
use mta_core::report::{Handover, Outcome, Report};
use mta_store::files::RealFiles;
use mta_store::queue::{Message, Origin, Source};
use mta_store::store::Store;
use std::fs::File;
use std::sync::Arc;

/// The local part that everybody may write to, whatever accounts there are (RFC 5321 §4.5.1).
const POSTMASTER: &[u8] = b"postmaster";

/// Everything that deliveries share.
pub struct Local {
    home: Home,
    tools: Tools,
    store: Store<RealFiles>,
    origin: Origin,
    dates: Dates,
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

/// A delivery with its message open.
struct Delivery<'a> {
    local: &'a Local,
    job: &'a Job,
    /// What RCPT said of the recipient.
    params: &'a RcptParams,
    /// Opened for reading only: programs get it as their standard input.
    message: File,
}

impl Local {
    /// Delivers in this home; `queued` is told of every message that a forward makes.
    pub fn new(
        home: Home,
        store: Store<RealFiles>,
        accounts: Arc<Accounts>,
        origin: Origin,
        settings: Settings,
        queued: impl Fn(MessageId) + Send + Sync + 'static,
    ) -> Self {
        Self {
            users: account::Users::new(home.users().join("cdb"), home.alias()),
            tools: Tools::new(settings, Some(accounts)),
            home,
            store,
            origin,
            dates: Dates::Utc,
            queued: Box::new(queued),
        }
    }

    /// Writes dates in this zone.
    #[must_use]
    pub fn with_dates(mut self, dates: Dates) -> Self {
        self.dates = dates;
        self
    }

    /// Delivers and says in qmail's words what came of it.
    #[must_use]
    pub fn deliver(&self, job: &Job, params: &RcptParams) -> Report {
        // The trash address: mail to it vanishes, as its users want.
        if job.recipient.local().is_empty() {
            return Report::success("");
        }
        let opened = self.store.open_message(job.id);
        let message = match opened.map(Message::into_source) {
            Ok(Source::File(file)) => file.into_inner(),
            Ok(Source::Bytes(bytes)) => match delivery::local::in_memory(&bytes) {
                Ok(file) => file,
                Err(error) => return unopened(job, &error.to_string()),
            },
            Err(error) => return unopened(job, &error.to_string()),
        };
        let delivery = Delivery {
            local: self,
            job,
            params,
            message,
        };
        let report = delivery.run().unwrap_or_else(|report| report);
        Report {
            text: cut_report(report.text),
            ..report
        }
    }
}

/// Tells whether the host's postmaster gets what this user has no place for: a domain without one
/// of its own has the host's.
fn is_for_postmaster(recipient: &Address, user: &User) -> bool {
    let named = user.ext.eq_ignore_ascii_case(POSTMASTER)
        || recipient.local().eq_ignore_ascii_case(POSTMASTER);
    named && !user.alias
}

fn unopened(job: &Job, why: &str) -> Report {
    tracing::warn!("unable to open message {}: {why}", job.id);
    Report::deferral("Zqmail-spawn unable to open message. (#4.3.0)\n")
}

impl Delivery<'_> {
    fn run(&self) -> Result<Report, Report> {
        let recipient = &self.job.recipient;
        let found = self.local.users.find(recipient.local());
        let user = found.map_err(Report::deferral)?;
        let done = self.to_user(&user);
        match done {
            Err(report)
                if report.outcome == Outcome::Failure && is_for_postmaster(recipient, &user) =>
            {
                let alias = self.local.users.alias(POSTMASTER);
                self.to_user(&alias.map_err(Report::deferral)?)
                    .map_err(|_| report)
            }
            other => other,
        }
    }

    /// Delivers to one user: the lines as that user, the forwards from here.
    fn to_user(&self, user: &User) -> Result<Report, Report> {
        let tools = &self.local.tools;
        let done = match user.ids {
            None => Work::new(tools, self.job, &self.message).run(user)?,
            Some(ids) => as_user::start(self.local, self.job, &self.message, user, ids)?,
        };
        self.finish(done)
    }

    /// Queues what is to be forwarded, now that all else has succeeded. With it goes whatever its
    /// sender asked to hear, as far as it is still the sender's.
    fn finish(&self, done: Done) -> Result<Report, Report> {
        let Done {
            mut said,
            mut did,
            forwards,
        } = done;
        let others = forwards
            .iter()
            .map(|forward| forward.recipients.len())
            .sum();
        let kept = did.files > 0 || did.programs > 0;
        let mut handover = Handover::Delivered;
        for forward in forwards {
            let onward = Onward::new(&self.job.sender, &forward.sender, kept, others);
            handover = onward.handover();
            let counts = forward.counts;
            let queued = self.forward(forward, onward).map_err(|report| {
                let text = [&*said, &report.text].concat();
                Report::new(report.outcome, text)
            })?;
            if counts {
                did.qp = Some(queued.0);
            }
        }
        said.extend_from_slice(did.to_string().as_bytes());
        Ok(Report::success(said).with(handover))
    }
}
