//! A checkpassword program as the authenticator: descriptor 3 the record, its exit code the answer (checkpassword's interface, vchkpw(8)).

use crate::accounts::Accounts;
use crate::config::Config;
use crate::group;
use crate::home::Home;
use async_trait::async_trait;
use driver::StorePool;
use mta_auth::LoginName;
use mta_auth::checkpassword::{MAX_RECORD, Meaning, Record, meaning, variable};
use mta_core::ports::Authenticator;
use mta_core::ports::authenticator::{Account, Attempt, Login, Proof, Service};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// The descriptor that the record stands behind.
const CREDENTIALS: i32 = 3;
/// How much of what the program tells is looked at.
const MAX_TOLD: usize = 16 * 1024;

/// Checks logins by a program.
#[derive(Debug)]
pub struct Checkpassword {
    program: PathBuf,
    arguments: Vec<String>,
    home: PathBuf,
    /// The host of names that come without one.
    me: String,
    limit: Duration,
    room: Semaphore,
    pool: StorePool,
    accounts: Arc<Accounts>,
}

/// What a program came to.
struct Ended {
    meaning: Meaning,
    /// How it ended, for the log.
    how: String,
    told: Vec<u8>,
}

impl Checkpassword {
    /// Checks with the program of the settings, if they name one.
    #[must_use]
    pub fn new(
        home: &Home,
        config: &Config,
        me: String,
        (accounts, pool): (Arc<Accounts>, StorePool),
    ) -> Option<Self> {
        let (program, arguments) = config.auth.program.split_first()?;
        let program = home.root().join(program);
        Some(Self {
            program: std::path::absolute(&program).unwrap_or(program),
            arguments: arguments.to_vec(),
            home: home.root().to_path_buf(),
            me,
            limit: Duration::from_secs(config.timeouts.check_program),
            room: Semaphore::new(config.auth.programs.min(Semaphore::MAX_PERMITS)),
            pool,
            accounts,
        })
    }

    /// The command: no shell, no look-up in PATH, and of the environment what a checkpassword
    /// program knows a connection by.
    fn command(&self, service: Service, from: Option<IpAddr>) -> Command {
        let mut command = Command::new(&self.program);
        let port = match service {
            Service::Pop => "110",
            _ => "25",
        };
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("MTA_HOME", &self.home)
            .env("PROTO", "TCP")
            .env("TCPLOCALPORT", port)
            .current_dir(&self.home)
            .process_group(0)
            .kill_on_drop(true);
        if let Some(from) = from {
            command.env("TCPREMOTEIP", from.to_canonical().to_string());
        }
        command
    }

    async fn run(&self, command: Command, record: Vec<u8>) -> Result<Ended, String> {
        let waiting = tokio::time::timeout(self.limit, self.room.acquire());
        let Ok(Ok(_permit)) = waiting.await else {
            return Err("too many checkpassword programs run already".to_owned());
        };
        let runtime = Handle::current();
        // Starting a process takes longer than a task may block.
        let started = self.pool.run(move || {
            let _inside = runtime.enter();
            spawn(command, &record)
        });
        let started = started.await.map_err(|error| error.to_string())?;
        let (mut running, output) = started
            .map_err(|error| format!("unable to run {}: {error}", self.program.display()))?;
        let Ok(ended) = tokio::time::timeout(self.limit, running.0.wait()).await else {
            let seconds = self.limit.as_secs();
            return Err(format!("the program did not end within {seconds} s"));
        };
        let status = ended.map_err(|error| format!("the program is lost: {error}"))?;
        Ok(Ended {
            meaning: status.code().map_or(Meaning::Unsure, meaning),
            how: status.to_string(),
            told: read(&output),
        })
    }

    /// Who is in, and where the mail is: a mailbox of a virtual domain by our own files, everybody
    /// else as the program told.
    async fn account(
        &self,
        name: &[u8],
        service: Service,
        told: Vec<u8>,
    ) -> Result<Account, String> {
        let shown = String::from_utf8_lossy(name).to_ascii_lowercase();
        let login = LoginName::parse(name).map_err(|error| error.to_string())?;
        let accounts = Arc::clone(&self.accounts);
        let full = match login.domain() {
            Some(_) => shown,
            None => format!("{shown}@{}", self.me),
        };
        let found = self.pool.run(move || {
            let domain = match login.domain() {
                Some(domain) => Some(domain.to_owned()),
                None => accounts.default_domain().map_err(|e| e.to_string())?,
            };
            let found = domain.map(|domain| accounts.find(login.local(), &domain));
            let found = found.transpose().map_err(|error| error.to_string())?;
            if let Some(mailbox) = found.flatten() {
                return Ok(Account {
                    name: mailbox.address(),
                    maildir: mailbox.maildir,
                });
            }
            let home = variable(&told, "HOME").map(|home| PathBuf::from(OsStr::from_bytes(home)));
            let maildir = home.map(|home| home.join("Maildir")).unwrap_or_default();
            if service == Service::Pop {
                check_maildir(&maildir)?;
            }
            Ok(Account {
                name: full,
                maildir,
            })
        });
        found.await.map_err(|error| error.to_string())?
    }
}

/// Reading somebody else's Maildir would follow links that its owner put there.
fn check_maildir(maildir: &Path) -> Result<(), String> {
    if !maildir.is_absolute() {
        return Err("the program did not tell HOME: let it end with \"env\", \"-0\"".to_owned());
    }
    let shown = maildir.display();
    let stat = std::fs::symlink_metadata(maildir).map_err(|error| format!("{shown}: {error}"))?;
    let us = nix::unistd::geteuid().as_raw();
    if stat.is_dir() && stat.uid() == us {
        Ok(())
    } else {
        Err(format!("{shown}: expected a directory of uid {us}"))
    }
}

#[async_trait]
impl Authenticator for Checkpassword {
    async fn login(&self, attempt: Attempt<'_>) -> Login {
        let (password, timestamp) = match attempt.proof {
            Proof::Password(password) => (password, &b""[..]),
            Proof::Apop { timestamp, digest } => (digest, timestamp),
            Proof::CramMd5 { challenge, digest } => (digest, challenge),
            _ => return Login::Refused,
        };
        let record = Record {
            name: attempt.name,
            password,
            timestamp,
        };
        let Some(record) = record.encode() else {
            return Login::Refused;
        };
        let command = self.command(attempt.service, attempt.from);
        let ended = match self.run(command, record).await {
            Ok(ended) => ended,
            Err(why) => return Login::Unsure(why),
        };
        match ended.meaning {
            Meaning::Right => match self
                .account(attempt.name, attempt.service, ended.told)
                .await
            {
                Ok(account) => Login::Accepted(account),
                Err(why) => Login::Unsure(why),
            },
            Meaning::Wrong => Login::Refused,
            Meaning::Unsure => Login::Unsure(format!("the program ended with {}", ended.how)),
        }
    }
}

/// A program under way. Dropped early, it is killed with everything that it has started.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        group::kill(&self.0);
    }
}

fn spawn(mut command: Command, record: &[u8]) -> io::Result<(Running, pipe::Receiver)> {
    const { assert!(MAX_RECORD <= 4096, "every pipe has room for a record") };
    let (credentials, mut writer) = io::pipe()?;
    writer.write_all(record)?;
    drop(writer);
    let (output, told) = io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::from(OwnedFd::from(told)))
        .stderr(Stdio::null());
    sys::pass(command.as_std_mut(), credentials.into(), CREDENTIALS)?;
    let child = Running(command.spawn()?);
    Ok((child, pipe::Receiver::from_owned_fd(output.into())?))
}

/// What the program told. Its own children may still hold the pipe open, so only what is there now
/// is read.
fn read(output: &pipe::Receiver) -> Vec<u8> {
    let mut told = vec![0; MAX_TOLD];
    let mut filled = 0;
    while let Some(room) = told.get_mut(filled..).filter(|room| !room.is_empty()) {
        match output.try_read(room) {
            Ok(n) if n > 0 => filled += n,
            _ => break,
        }
    }
    told.truncate(filled);
    told
}
