//! Makes a home: what qmail's config wrote, the aliases of the administrator, an empty queue (spec qmail §1 config-fast, §2).

use crate::cli::Spool;
use crate::home::Home;
use crate::{Failure, ownership, spools};
use mta_store::files::RealFiles;
use mta_store::log::Log;
use mta_store::queue::Queue;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// What is decided before a home is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    me: String,
    admin: Option<String>,
    spool: Spool,
}

/// The addresses that every host must take mail for and that belong to nobody's account.
const ALIASES: [&str; 3] = ["postmaster", "mailer-daemon", "root"];

impl Plan {
    /// Checks the host's name and the administrator's address.
    ///
    /// # Errors
    /// Fails where one of them cannot be written into the files, and says what was expected.
    pub fn new(me: &str, admin: Option<&str>) -> Result<Self, Failure> {
        let me = me.trim_end_matches('.').to_ascii_lowercase();
        if !is_host_name(&me) {
            return Err(Failure::permanent(format!(
                "--me: expected a full host name such as mx.example.org, found {me:?}"
            )));
        }
        if let Some(admin) = admin.filter(|admin| !is_plain_address(admin)) {
            return Err(Failure::permanent(format!(
                "--admin: expected an address such as joe@example.org, found {admin:?}"
            )));
        }
        let admin = admin.map(str::to_owned);
        let spool = Spool::default();
        Ok(Self { me, admin, spool })
    }

    /// Keeps messages in another way than usual.
    #[must_use]
    pub fn with_spool(self, spool: Spool) -> Self {
        Self { spool, ..self }
    }

    /// The host's name.
    #[must_use]
    pub fn me(&self) -> &str {
        &self.me
    }
}

/// The system's host name, where it is a full one.
#[must_use]
pub fn host_name() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
    let name = name.to_ascii_lowercase();
    (name.contains('.') && is_host_name(&name)).then_some(name)
}

/// Makes what is missing; files that exist stay as they are. control/me comes last, because it
/// tells that the home is whole.
///
/// # Errors
/// Fails where a file cannot be made; what was made until then stays, and trying again goes on.
pub fn make(home: &Home, plan: &Plan) -> Result<(), Failure> {
    let control = home.control();
    directory(home.root(), 0o755)?;
    for path in [control.clone(), home.users(), home.domains(), home.alias()] {
        directory(&path, 0o755)?;
    }
    let host = format!("{}\n", plan.me);
    let (default, plus) = (default_domain(&plan.me), plus_domain(&plan.me));
    file(
        &control.join("defaultdomain"),
        &format!("{default}\n"),
        0o644,
    )?;
    file(&control.join("plusdomain"), &format!("{plus}\n"), 0o644)?;
    file(&control.join("locals"), &host, 0o644)?;
    file(&control.join("rcpthosts"), &host, 0o644)?;
    file(&home.users().join("assign"), ".\n", 0o644)?;
    file(&home.config(), crate::config::TEMPLATE, 0o644)?;
    certificate(home, plan)?;
    aliases(home, plan)?;
    queue(home, plan.spool)?;
    let (users, domains, alias) = (home.users(), home.domains(), home.alias());
    ownership::give(home, &[&control, &users, &domains, &alias])?;
    ownership::give(home, &[&home.queue(), &home.config()])?;
    file(&control.join("me"), &host, 0o644)?;
    ownership::give(home, &[&control])?;
    for path in [&control, &home.users(), &home.alias(), home.root()] {
        sync(path)?;
    }
    home.root().parent().map_or(Ok(()), sync)
}

/// Where qmail's TLS patch had it. Nobody trusts it, but it keeps out those who only listen.
fn certificate(home: &Home, plan: &Plan) -> Result<(), Failure> {
    let path = home.root().join(crate::config::Tls::default().certificate);
    let there = path.try_exists();
    if there.map_err(|error| Failure::file("look for", &path, &error))? {
        return Ok(());
    }
    file(&path, &crate::tls::selfsigned::make(&plan.me)?, 0o600)
}

/// Without an administrator the mail is kept in the home of alias, so that none is refused.
fn aliases(home: &Home, plan: &Plan) -> Result<(), Failure> {
    let line = match &plan.admin {
        Some(address) => format!("&{address}\n"),
        None => {
            let maildir = home.alias().join("Maildir");
            directory(&maildir, 0o700)?;
            for part in ["tmp", "new", "cur"] {
                directory(&maildir.join(part), 0o700)?;
            }
            sync(&maildir)?;
            "./Maildir/\n".to_owned()
        }
    };
    ALIASES
        .iter()
        .try_for_each(|name| file(&home.alias().join(format!(".qmail-{name}")), &line, 0o644))
}

/// Makes the queue of a home that has lost it, and tells whether it did. A link that leads nowhere
/// is no lost queue: what it leads to may come back.
///
/// # Errors
/// Fails where it cannot be made.
pub fn remake_queue(home: &Home) -> Result<Remade, Failure> {
    let path = home.queue();
    match fs::symlink_metadata(&path) {
        Ok(_) => Ok(Remade::Nothing),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            queue(home, Spool::default())?;
            ownership::give(home, &[&path])?;
            sync(home.root())?;
            Ok(Remade::Queue)
        }
        Err(error) => Err(Failure::file("look for", &path, &error)),
    }
}

/// What [`remake_queue`] made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is one thing to make")]
pub enum Remade {
    /// The queue was there.
    Nothing,
    /// A new, empty one.
    Queue,
}

fn queue(home: &Home, spool: Spool) -> Result<(), Failure> {
    let path = home.queue();
    let there = path.join("mess").try_exists();
    if !there.map_err(|error| Failure::file("look for", &path, &error))? {
        let failure = |error| Failure::temporary(format!("unable to make the queue: {error}"));
        let queue = Queue::create(Arc::new(RealFiles::new()), &path).map_err(failure)?;
        if spool == Spool::Log {
            Log::create(&RealFiles::new(), &spools::log_dir(&queue)).map_err(failure)?;
        }
    }
    directory(&home.requests(), 0o700)?;
    sync(&path)
}

/// The name without its first label, where at least two dots stand in it.
fn default_domain(me: &str) -> &str {
    match me.split_once('.') {
        Some((_, rest)) if rest.contains('.') => rest,
        _ => me,
    }
}

/// The last two labels.
fn plus_domain(me: &str) -> &str {
    let second_last = me.rmatch_indices('.').nth(1);
    second_last.map_or(me, |(at, _)| me.get(at + 1..).unwrap_or(me))
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn is_plain_address(address: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"(),:;<>@[\\]|&".contains(&b);
    address.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && local.bytes().all(plain) && is_host_name(domain)
    })
}

/// Makes a directory unless it is there.
pub(crate) fn directory(path: &Path, mode: u32) -> Result<(), Failure> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => DirBuilder::new()
            .mode(mode)
            .recursive(true)
            .create(path)
            .map_err(|error| Failure::file("make", path, &error)),
        other => other.map_err(|error| Failure::file("make", path, &error)),
    }
}

/// Writes a file durably unless it is there.
pub(crate) fn file(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path);
        let mut file = match opened {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            other => other?,
        };
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all());
        if written.is_err() {
            let _ = fs::remove_file(path);
        }
        written
    };
    write().map_err(|error| Failure::file("write", path, &error))
}

pub(crate) fn sync(directory: &Path) -> Result<(), Failure> {
    let synced = File::open(directory).and_then(|file| file.sync_all());
    synced.map_err(|error| Failure::file("sync", directory, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_derived_as_config_fast_did() {
        let rows = [
            ("mx.example.org", "example.org", "example.org"),
            ("a.b.example.org", "b.example.org", "example.org"),
            ("example.org", "example.org", "example.org"),
            ("localhost", "localhost", "localhost"),
        ];
        for (me, default, plus) in rows {
            assert_eq!(
                (default_domain(me), plus_domain(me)),
                (default, plus),
                "{me}"
            );
        }
    }

    #[test]
    fn only_names_and_addresses_that_fit_the_files_are_taken() {
        let rows = [
            ("plain", "mx.example.org", Some("joe@example.org"), true),
            ("upper case and root dot", "MX.Example.ORG.", None, true),
            ("two lines", "a\nb", None, false),
            ("empty label", "a..b", None, false),
            ("no name", "", None, false),
            ("program as admin", "a.b", Some("|rm -rf@x.y"), false),
            ("admin without host", "a.b", Some("joe"), false),
            ("admin of two lines", "a.b", Some("joe@x.y\n|z"), false),
        ];
        for (name, me, admin, fits) in rows {
            assert_eq!(Plan::new(me, admin).is_ok(), fits, "{name}");
        }
    }
}
