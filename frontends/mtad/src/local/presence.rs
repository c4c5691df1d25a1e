//! Answers at RCPT whether a local recipient exists, by the same look-up that delivers (qmail-local(8), vdelivermail(8)).

use super::Local;
use async_trait::async_trait;
use delivery::local::{User, script, vdelivermail};
use driver::StorePool;
use mta_auth::Flags;
use mta_core::Address;
use mta_core::dotqmail::{Instruction, simple_words};
use mta_core::ports::Directory;
use mta_core::ports::directory::Presence;
use mta_core::report::Outcome;
use std::sync::Arc;

/// The directory of a home, asked on store threads.
#[derive(Clone, Debug)]
pub struct HomeDirectory {
    local: Arc<Local>,
    pool: StorePool,
}

impl HomeDirectory {
    /// Looks up in this home.
    #[must_use]
    pub const fn new(local: Arc<Local>, pool: StorePool) -> Self {
        Self { local, pool }
    }
}

#[async_trait]
impl Directory for HomeDirectory {
    async fn presence(&self, recipient: &Address) -> Presence {
        let (local, recipient) = (Arc::clone(&self.local), recipient.clone());
        let found = self.pool.run(move || local.presence(&recipient)).await;
        found.unwrap_or_else(|error| Presence::Unsure(error.to_string()))
    }
}

impl Local {
    /// Tells whether mail to a routed recipient would find a place; blocks.
    pub fn presence(&self, recipient: &Address) -> Presence {
        // The trash address: mail to it vanishes, as its users want.
        if recipient.local().is_empty() {
            return Presence::Known;
        }
        let user = match self.users.find(recipient.local()) {
            Ok(user) => user,
            Err(why) => return Presence::Unsure(why.trim_end().to_owned()),
        };
        let script = match script::script(&user, &self.tools.settings.default_delivery) {
            Ok(script) => script,
            Err(report) if report.outcome == Outcome::Failure => return Presence::Unknown,
            // The delivery will tell, which is done as that account.
            Err(_) if user.ids.is_some() => return Presence::Known,
            Err(report) => {
                let text = String::from_utf8_lossy(&report.text);
                return Presence::Unsure(text.trim_end().to_owned());
            }
        };
        match script.chosen.instructions.as_slice() {
            [Instruction::Program(command)] => self.behind_program(command, &user, recipient),
            _ => Presence::Known,
        }
    }

    /// Behind vdelivermail stand mailboxes; of any other program nobody knows.
    fn behind_program(&self, command: &[u8], user: &User, recipient: &Address) -> Presence {
        let words = simple_words(command).unwrap_or_default();
        let Some(accounts) = &self.tools.accounts else {
            return Presence::Known;
        };
        let Some(Ok(call)) = vdelivermail::Call::from_words(&words) else {
            return Presence::Known;
        };
        let domain = recipient.domain().unwrap_or_default();
        match vdelivermail::find(accounts, &user.ext, domain) {
            Ok(Some(mailbox)) if mailbox.flags.contains(Flags::BOUNCE_MAIL) => Presence::Unknown,
            Ok(None) if call.bounces() => Presence::Unknown,
            Ok(_) => Presence::Known,
            Err(error) => Presence::Unsure(error.to_string()),
        }
    }
}
