//! The accounts of a home: vpopmail's layout, read by deliveries and checked at logins (vchkpw(8), vdelivermail(8)).

use crate::home::Home;
use crate::roaming::Roaming;
use crate::{Failure, random, scram};
use async_trait::async_trait;
use driver::StorePool;
use mta_auth::LoginName;
use mta_auth::password::{Recipe, Salt, needs_rehash};
use mta_auth::sasl;
use mta_auth::vpopmail::{self, AccountError, Layout, Mailbox, Refusal, Service, Vpopmail};
use mta_core::ports::Authenticator;
use mta_core::ports::authenticator::{self, Account, Attempt, Login, Proof};
use mta_store::files::RealFiles;
use std::net::IpAddr;
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
    rehash: Option<Recipe>,
    keep_scram: bool,
    roaming: Arc<Roaming>,
}

impl Logins {
    /// Checks with these accounts; with a recipe, weaker strings are replaced after a login.
    #[must_use]
    pub(crate) const fn new(
        accounts: Arc<Accounts>,
        pool: StorePool,
        rehash: Option<Recipe>,
        roaming: Arc<Roaming>,
    ) -> Self {
        Self {
            accounts,
            pool,
            rehash,
            keep_scram: false,
            roaming,
        }
    }

    /// Keeps keys of SCRAM as well for whoever logs in with a clear password.
    #[must_use]
    pub(crate) const fn keeping_scram(mut self) -> Self {
        self.keep_scram = true;
        self
    }
}

/// An attempt that can go to another thread.
enum Claim {
    Password(Vec<u8>),
    CramMd5 { challenge: Vec<u8>, digest: Vec<u8> },
    Apop { timestamp: Vec<u8>, digest: Vec<u8> },
}

impl Claim {
    fn of(proof: Proof<'_>) -> Option<Self> {
        Some(match proof {
            Proof::Password(password) => Self::Password(password.to_vec()),
            Proof::CramMd5 { challenge, digest } => Self::CramMd5 {
                challenge: challenge.to_vec(),
                digest: digest.to_vec(),
            },
            Proof::Apop { timestamp, digest } => Self::Apop {
                timestamp: timestamp.to_vec(),
                digest: digest.to_vec(),
            },
            _ => return None,
        })
    }

    fn check(
        &self,
        accounts: &Accounts,
        name: &LoginName,
        service: Service,
    ) -> Result<vpopmail::Login, AccountError> {
        match self {
            Self::Password(clear) => accounts.verify(name, clear, service),
            Self::CramMd5 { challenge, digest } => accounts.verify_clear(name, service, |clear| {
                sasl::digests_equal(&sasl::cram_md5_digest(clear, challenge), digest)
            }),
            Self::Apop { timestamp, digest } => accounts.verify_clear(name, service, |clear| {
                sasl::digests_equal(&sasl::apop_digest(clear, timestamp), digest)
            }),
        }
    }
}

/// Replaces a string that is weaker than what is written today. What goes wrong is logged: the
/// login is good all the same.
fn rehash(accounts: &Accounts, mailbox: &mut Mailbox, clear: &[u8], recipe: &Recipe) {
    if !needs_rehash(&mailbox.hash, recipe) {
        return;
    }
    let address = mailbox.address();
    let salt = match random::bytes() {
        Ok(bytes) => Salt::from_random(bytes),
        Err(error) => return tracing::warn!("unable to hash anew for {address}: {error}"),
    };
    // A password that the recipe would cut keeps its old string.
    let Ok(crypt) = recipe.hash(clear, salt) else {
        return;
    };
    match accounts.rehash(mailbox, &crypt) {
        Ok(true) => {
            tracing::info!("password of {address} hashed anew");
            mailbox.hash = crypt.into_bytes();
        }
        Ok(false) => {}
        Err(error) => tracing::warn!("unable to hash anew for {address}: {error}"),
    }
}

/// Notes when and from where somebody logged in.
fn note(accounts: &Accounts, mailbox: &Mailbox, from: IpAddr) {
    let noted = accounts.note_login(mailbox, &from.to_canonical().to_string());
    if let Err(error) = noted {
        tracing::warn!("unable to note a login of {}: {error}", mailbox.address());
    }
}

#[async_trait]
impl Authenticator for Logins {
    async fn login(&self, attempt: Attempt<'_>) -> Login {
        let service = match attempt.service {
            authenticator::Service::Pop => Service::Pop,
            _ => Service::Smtp,
        };
        let (Ok(name), Some(claim)) = (LoginName::parse(attempt.name), Claim::of(attempt.proof))
        else {
            return Login::Refused;
        };
        let (accounts, recipe) = (Arc::clone(&self.accounts), self.rehash);
        let keep_scram = self.keep_scram;
        let (roaming, from) = (Arc::clone(&self.roaming), attempt.from);
        let checked = self.pool.run(move || {
            let mut login = claim.check(&accounts, &name, service)?;
            if let (vpopmail::Login::Accepted(mailbox), Claim::Password(clear)) =
                (&mut login, &claim)
            {
                if let Some(recipe) = &recipe {
                    rehash(&accounts, mailbox, clear, recipe);
                }
                if keep_scram {
                    scram::keep(&accounts, mailbox, clear);
                }
            }
            if let (vpopmail::Login::Accepted(mailbox), Some(from)) = (&login, from) {
                note(&accounts, mailbox, from);
                roaming.logged_in(mailbox, from, service);
            }
            Ok::<_, AccountError>(login)
        });
        match checked.await {
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
