//! The accounts of a home: vpopmail's layout, read by deliveries and checked at logins (vchkpw(8), vdelivermail(8)).

use crate::Failure;
use crate::home::Home;
use async_trait::async_trait;
use driver::StorePool;
use mta_auth::LoginName;
use mta_auth::vpopmail::{self, Layout, Refusal, Service, Vpopmail};
use mta_core::ports::Authenticator;
use mta_core::ports::authenticator::{Account, Login};
use mta_store::files::RealFiles;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

pub use delivery::local::Accounts;

/// Names the accounts of a home; they belong to whoever owns it.
///
/// # Errors
/// Fails where the owner cannot be told.
pub fn of(home: &Home) -> Result<Accounts, Failure> {
    let root = home.root();
    let stat = root
        .metadata()
        .map_err(|error| Failure::file("stat", root, &error))?;
    let owner = (stat.uid(), stat.gid());
    let mut layout = Layout::in_one(root, owner);
    // Only root can give files away, and only then they need to be.
    let foreign = nix::unistd::geteuid().is_root() && owner.0 != 0;
    layout.chown = foreign.then_some(owner);
    Ok(Vpopmail::new(Arc::new(RealFiles::new()), layout))
}

/// Checks logins on threads of their own, because a good hash is slow.
#[derive(Clone, Debug)]
pub struct Logins {
    accounts: Arc<Accounts>,
    pool: StorePool,
}

impl Logins {
    /// Checks with these accounts.
    #[must_use]
    pub const fn new(accounts: Arc<Accounts>, pool: StorePool) -> Self {
        Self { accounts, pool }
    }
}

#[async_trait]
impl Authenticator for Logins {
    async fn login(&self, name: &[u8], clear: &[u8]) -> Login {
        let Ok(name) = LoginName::parse(name) else {
            return Login::Refused;
        };
        let (accounts, clear) = (Arc::clone(&self.accounts), clear.to_vec());
        let checked = self
            .pool
            .run(move || accounts.verify(&name, &clear, Service::Pop))
            .await;
        match checked {
            Ok(Ok(vpopmail::Login::Accepted(mailbox))) => Login::Accepted(Account {
                name: mailbox.address(),
                maildir: mailbox.maildir,
            }),
            Ok(Ok(vpopmail::Login::Refused(Refusal::Stored(error)))) => {
                Login::Unsure(error.to_string())
            }
            Ok(Ok(_)) => Login::Refused,
            Ok(Err(error)) => Login::Unsure(error.to_string()),
            Err(error) => Login::Unsure(error.to_string()),
        }
    }
}
