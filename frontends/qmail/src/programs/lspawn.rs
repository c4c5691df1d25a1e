//! qmail-lspawn: finds the user of each local recipient and delivers as that user (qmail-lspawn(8), spec §6.1).
//!
//! ```text
//! local part ─► users/cdb ─► qmail-getpw, as qmailp ─► user, uid, gid, home, dash, ext
//!                                                        └─► qmail-local, as that user, never as root
//! ```
//!
//! Where it does not run as root, everything is done as the one account that there is: users/cdb
//! may name only that one, and the home's alias directory gets the rest.

use crate::Environment;
use crate::failure::Failure;
use crate::io::Io;
use crate::spawner::{Delivery, environment, serve};
use crate::users::{NOFILES, Part, gid, uid};
use applet::Exit;
use delivery::local::Assigned;
use delivery::local::capture::{Captured, capture};
use mta_core::assign::Account;
use mta_core::dotqmail::REPORT_MAX;
use mta_core::report::Report;
use mta_core::spawn::{End, LocalExit, local};
use nix::unistd::{Gid, Uid, geteuid};
use std::ffi::OsStr;
use std::fs::File;
use std::io::pipe;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// The most that qmail-getpw may say.
const ACCOUNT_MAX: usize = 8 * 1024;
/// As long as a Maildir delivery may take; looking an account up takes no longer.
const GETPW_LIMIT: Duration = Duration::from_secs(86_400);

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let Some(default_delivery) = io.arguments.first().cloned() else {
        return Err(Failure::silent(Exit::PERMANENT));
    };
    let getpw = match geteuid().is_root() {
        true => Some((uid(Part::Password)?, gid(NOFILES)?)),
        false => None,
    };
    let spawner = Local {
        assigned: Assigned::new(io.home.join("users/cdb")),
        environment: environment(io),
        home: io.home.clone(),
        default_delivery: default_delivery.as_bytes().to_vec(),
        getpw,
    };
    serve(io, move |delivery| spawner.deliver(delivery))
}

struct Local {
    home: PathBuf,
    environment: Environment,
    assigned: Assigned,
    default_delivery: Vec<u8>,
    /// Whom qmail-getpw runs as; `None` where we cannot become anybody.
    getpw: Option<(Uid, Gid)>,
}

impl Local {
    fn deliver(&self, delivery: Delivery) -> Report {
        // The trash address: mail to it vanishes, as its users want.
        if delivery.local.is_empty() {
            return Report::success("");
        }
        let ran = self
            .account(&delivery.local)
            .and_then(|account| self.run(&account, &delivery));
        match ran {
            Ok(ran) => local(end(ran.status), ran.output),
            Err(code) => local(End::Code(code), Vec::new()),
        }
    }

    /// Whom the mail is for, else the exit code that says why that cannot be told.
    fn account(&self, local: &[u8]) -> Result<Account, i32> {
        let assigned = self.assigned.find(local);
        if let Some(account) = assigned.map_err(|_| LocalExit::Cdb.code())? {
            return Ok(account);
        }
        let Some(ids) = self.getpw else {
            return Ok(self.alias(local));
        };
        let ran = self.getpw(local, ids);
        let ran = ran.map_err(|_| LocalExit::NoGetpw.code())?;
        match ran.status.and_then(|status| status.code()) {
            Some(0) => {}
            Some(code) => return Err(code),
            None => return Err(LocalExit::System.code()),
        }
        let fields = ran.output.strip_suffix(b"\0").unwrap_or(&ran.output);
        Account::from_cdb_data(fields).ok_or_else(|| LocalExit::Usage.code())
    }

    /// Without root's rights nobody but us can be delivered to.
    fn alias(&self, local: &[u8]) -> Account {
        Account {
            user: b"alias".to_vec(),
            uid: geteuid().to_string().into_bytes(),
            gid: nix::unistd::getegid().to_string().into_bytes(),
            home: self.home.join("alias").as_os_str().as_bytes().to_vec(),
            dash: b"-".to_vec(),
            ext: local.to_vec(),
        }
    }

    fn getpw(&self, local: &[u8], (uid, gid): (Uid, Gid)) -> std::io::Result<Captured> {
        let (output, writer) = pipe()?;
        let mut command = self.program("qmail-getpw");
        command.arg(OsStr::from_bytes(local));
        command.uid(uid.as_raw()).gid(gid.as_raw());
        command.stdin(Stdio::null()).stdout(writer);
        capture(command, output, GETPW_LIMIT, ACCOUNT_MAX)
    }

    fn run(&self, account: &Account, delivery: &Delivery) -> Result<Captured, i32> {
        let (uid, gid) = account.ids().ok_or_else(|| LocalExit::Usage.code())?;
        if uid == 0 {
            return Err(LocalExit::Root.code());
        }
        let mut command = self.program("qmail-local");
        let us = geteuid().as_raw();
        if us == 0 {
            // Without a list of groups of its own the standard library clears that of root.
            command.uid(uid).gid(gid);
        } else if us != uid {
            return Err(LocalExit::Usage.code());
        }
        let words: [&[u8]; 9] = [
            b"--",
            &account.user,
            &account.home,
            &delivery.local,
            &account.dash,
            &account.ext,
            &delivery.host,
            &delivery.sender,
            &self.default_delivery,
        ];
        command.args(words.map(OsStr::from_bytes));
        let start = |message: &File| -> std::io::Result<Captured> {
            let (output, writer) = pipe()?;
            command.stdin(message.try_clone()?);
            command.stdout(writer.try_clone()?).stderr(writer);
            // One byte more tells the report's cut that there was more.
            capture(command, output, Duration::MAX, REPORT_MAX + 1)
        };
        start(&delivery.message).map_err(|_| LocalExit::NotRun.code())
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.home.join("bin").join(name));
        command
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.home);
        command
    }
}

/// How a program ended.
pub(super) fn end(status: Option<ExitStatus>) -> End {
    status
        .and_then(|status| status.code())
        .map_or(End::Crashed, End::Code)
}
