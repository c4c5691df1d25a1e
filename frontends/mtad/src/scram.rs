//! Keys of SCRAM: made when a password is seen in clear, looked up at logins, pretended for everybody else (RFC 5802 §5, RFC 7677).

use crate::accounts::Accounts;
use crate::home::Home;
use crate::{Failure, random};
use driver::StorePool;
use mta_auth::LoginName;
use mta_auth::sasl::{DEFAULT_ITERATIONS, ScramKeys};
use mta_auth::vpopmail::{self, Mailbox};
use mta_core::ports::authenticator::{Account, Service};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

const SECRET: usize = 32;

/// Where keys are looked up.
pub(crate) struct Keys {
    accounts: Arc<Accounts>,
    pool: StorePool,
    /// What the keys of nobody are made of.
    secret: [u8; SECRET],
}

impl Keys {
    /// Opens them; blocks. The secret outlives a restart, or names that are not there would be told
    /// by a salt that changes.
    ///
    /// # Errors
    /// Names the file that cannot be read or made.
    pub(crate) fn open(
        home: &Home,
        (accounts, pool): (Arc<Accounts>, StorePool),
    ) -> Result<Self, Failure> {
        let path = home.root().join("scram-secret");
        let secret = secret(&path).map_err(|error| Failure::file("read", &path, &error))?;
        Ok(Self {
            accounts,
            pool,
            secret,
        })
    }

    /// The keys for a name, and whose they are; pretended ones are nobody's.
    ///
    /// # Errors
    /// Says why it could not be found out.
    pub(crate) async fn find(
        &self,
        name: &[u8],
        service: Service,
    ) -> Result<(Option<Account>, ScramKeys), String> {
        let service = match service {
            Service::Pop => vpopmail::Service::Pop,
            _ => vpopmail::Service::Smtp,
        };
        let accounts = Arc::clone(&self.accounts);
        let login = LoginName::parse(name).ok();
        let found = self.pool.run(move || match login {
            Some(login) => accounts.scram_login(&login, service),
            None => Ok(None),
        });
        let found = found.await.map_err(|error| error.to_string())?;
        Ok(match found.map_err(|error| error.to_string())? {
            Some((mailbox, keys)) => {
                let account = Account {
                    name: mailbox.address(),
                    maildir: mailbox.maildir,
                };
                (Some(account), keys)
            }
            None => (None, ScramKeys::pretended(&self.secret, name)),
        })
    }
}

/// Makes keys of a password.
///
/// # Errors
/// Fails where no random bytes are to be had.
pub(crate) fn derive(clear: &[u8]) -> io::Result<ScramKeys> {
    let salt: [u8; 16] = random::bytes()?;
    ScramKeys::derive(clear, &salt, DEFAULT_ITERATIONS).map_err(io::Error::other)
}

/// Keeps keys for a mailbox that has none for its password; blocks. What goes wrong is logged: the
/// login is good all the same.
pub(crate) fn keep(accounts: &Accounts, mailbox: &Mailbox, clear: &[u8]) {
    let keep = || -> Result<(), String> {
        if accounts
            .scram_keys(mailbox)
            .map_err(|error| error.to_string())?
            .is_none()
        {
            let keys = derive(clear).map_err(|error| error.to_string())?;
            let kept = accounts.keep_scram_keys(mailbox, &keys);
            kept.map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    if let Err(error) = keep() {
        let address = mailbox.address();
        tracing::warn!("unable to keep keys of SCRAM for {address}: {error}");
    }
}

fn secret(path: &Path) -> io::Result<[u8; SECRET]> {
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    let mut secret = [0; SECRET];
    match file.read_exact(&mut secret) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            // New, or cut short by a crash: nobody has seen it yet.
            secret = random::bytes()?;
            file.set_len(0)?;
            io::Seek::rewind(&mut file)?;
            file.write_all(&secret)?;
            file.sync_all()?;
        }
        other => other?,
    }
    Ok(secret)
}
