//! Reads every control file once and fills in the defaults (qmail-control(5), spec §2.2).

use super::check;
use super::finding::{Finding, Weight};
use super::{
    BadList, Controls, Locals, PercentHack, QmqpServers, RcptHosts, SmtpRoutes, VirtualDomains,
    rules,
};
use crate::rewrite::Routing;
use std::time::Duration;

/// The files that [`Controls::load`] asks for, all by their names in control/.
pub const NAMES: [&str; 33] = [
    "me",
    "badhelo",
    "badmailfrom",
    "badmailfromnorelay",
    "badmailto",
    "badmailtonorelay",
    "bouncefrom",
    "bouncehost",
    "concurrencylocal",
    "concurrencyremote",
    "databytes",
    "defaultdomain",
    "defaulthost",
    "doublebouncehost",
    "doublebounceto",
    "envnoathost",
    "helohost",
    "idhost",
    "localiphost",
    "locals",
    "morercpthosts",
    "morercpthosts.cdb",
    "percenthack",
    "plusdomain",
    "qmqpservers",
    "queuelifetime",
    "rcpthosts",
    "smtpgreeting",
    "smtproutes",
    "timeoutconnect",
    "timeoutremote",
    "timeoutsmtpd",
    "virtualdomains",
];

/// The most deliveries that a concurrency file can ask for.
const MAX_CONCURRENCY: u64 = 10_000;
/// Timeouts above a day are cut to it.
const MAX_TIMEOUT: u64 = 86_400;

/// What a load came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The values.
    pub controls: Controls,
    /// What the administrator should know, in the order of the files.
    pub findings: Vec<Finding>,
}

/// Why the control files cannot be used; the administrator is to mend it, then to try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError<E> {
    /// A file exists and cannot be read. (A file that does not exist has its default.)
    #[error("control/{file}: expected a readable file or none: {source}")]
    Unreadable {
        /// The file's name in control/.
        file: &'static str,
        /// What the caller's function said.
        source: E,
    },
    /// `me` is missing or empty, and too much defaults to it.
    #[error("control/me:1: expected the full name of this host, such as mx.example.org")]
    NoMe,
}

impl Controls {
    /// Reads all files of [`NAMES`] through `read`, which returns `None` for a file that does not
    /// exist.
    ///
    /// # Errors
    /// Fails where a file cannot be read, or where `me` says nothing. Whatever else is odd in a
    /// file is read by qmail's rules and reported as a [`Finding`].
    pub fn load<E>(
        read: impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Loaded, LoadError<E>> {
        let mut source = Source {
            read,
            findings: Vec::new(),
        };
        let controls = source.controls()?;
        let mut findings = source.findings;
        check::together(&controls, &mut findings);
        Ok(Loaded { controls, findings })
    }
}

struct Source<F> {
    read: F,
    findings: Vec<Finding>,
}

impl<E, F: FnMut(&str) -> Result<Option<Vec<u8>>, E>> Source<F> {
    fn controls(&mut self) -> Result<Controls, LoadError<E>> {
        let me = self.line("me", b"")?;
        if me.is_empty() {
            return Err(LoadError::NoMe);
        }
        let postmaster = b"postmaster".as_slice();
        Ok(Controls {
            badhelo: self.bad("badhelo")?,
            badmailfrom: self.bad("badmailfrom")?,
            badmailfromnorelay: self.bad("badmailfromnorelay")?,
            badmailto: self.bad("badmailto")?,
            badmailtonorelay: self.bad("badmailtonorelay")?,
            bouncefrom: self.line("bouncefrom", b"MAILER-DAEMON")?,
            bouncehost: self.line("bouncehost", &me)?,
            concurrencylocal: self.concurrency("concurrencylocal", 10)?,
            concurrencyremote: self.concurrency("concurrencyremote", 20)?,
            databytes: self.number("databytes", 0)?,
            defaultdomain: self.line("defaultdomain", &me)?,
            defaulthost: self.line("defaulthost", &me)?,
            doublebouncehost: self.line("doublebouncehost", &me)?,
            doublebounceto: self.line("doublebounceto", postmaster)?,
            helohost: self.line("helohost", &me)?,
            idhost: self.line("idhost", &me)?,
            localiphost: self.line("localiphost", &me)?,
            plusdomain: self.line("plusdomain", &me)?,
            qmqpservers: QmqpServers::parse(&self.list("qmqpservers")?.unwrap_or_default()),
            queuelifetime: self.number("queuelifetime", 604_800)?,
            rcpthosts: self.rcpthosts()?,
            routing: self.routing(&me)?,
            smtpgreeting: self.line("smtpgreeting", &me)?,
            smtproutes: SmtpRoutes::parse(&self.list("smtproutes")?.unwrap_or_default()),
            timeoutconnect: self.timeout("timeoutconnect", 60)?,
            timeoutremote: self.timeout("timeoutremote", 1200)?,
            timeoutsmtpd: self.timeout("timeoutsmtpd", 1200)?,
            me,
        })
    }

    fn routing(&mut self, me: &[u8]) -> Result<Routing, LoadError<E>> {
        let locals = self.list("locals")?;
        let text = |list: Option<Vec<u8>>| list.unwrap_or_default();
        Ok(Routing {
            envnoathost: self.line("envnoathost", me)?,
            percenthack: PercentHack::parse(&text(self.list("percenthack")?)),
            locals: locals.map_or_else(|| Locals::of_me(me), |text| Locals::parse(&text)),
            virtualdomains: VirtualDomains::parse(&text(self.list("virtualdomains")?)),
        })
    }

    fn rcpthosts(&mut self) -> Result<RcptHosts, LoadError<E>> {
        let listed = self.list("rcpthosts")?;
        let text = self.list("morercpthosts")?;
        let cdb = self.file("morercpthosts.cdb")?;
        let findings = &mut self.findings;
        check::morercpthosts(listed.is_some(), text.as_deref(), cdb.as_deref(), findings);
        Ok(RcptHosts::parse(listed.as_deref(), cdb))
    }

    fn bad(&mut self, file: &'static str) -> Result<BadList, LoadError<E>> {
        let text = self.file(file)?.unwrap_or_default();
        let bad = BadList::parse(&text);
        check::bad_list(file, &text, &bad, &mut self.findings);
        Ok(bad)
    }

    fn file(&mut self, file: &'static str) -> Result<Option<Vec<u8>>, LoadError<E>> {
        (self.read)(file).map_err(|source| LoadError::Unreadable { file, source })
    }

    fn list(&mut self, file: &'static str) -> Result<Option<Vec<u8>>, LoadError<E>> {
        let text = self.file(file)?;
        if let Some(text) = &text {
            check::list(file, text, &mut self.findings);
        }
        Ok(text)
    }

    /// Reads a one-line file; control bytes, which would break a protocol line, are left out.
    fn line(&mut self, file: &'static str, default: &[u8]) -> Result<Vec<u8>, LoadError<E>> {
        let Some(text) = self.file(file)? else {
            return Ok(default.to_vec());
        };
        check::one_line(file, &text, &mut self.findings);
        let mut line = rules::first_line(&text).to_vec();
        line.retain(|byte| !byte.is_ascii_control());
        Ok(line)
    }

    fn number(&mut self, file: &'static str, default: u64) -> Result<u64, LoadError<E>> {
        let Some(text) = self.file(file)? else {
            return Ok(default);
        };
        let number = rules::number(&text).unwrap_or(default);
        let line = rules::first_line(&text);
        if line.is_empty() || !line.iter().all(u8::is_ascii_digit) {
            let text = format!("expected a decimal number and nothing else; {number} is used");
            let finding = Finding::new(file, 1, Weight::Warning, text);
            self.findings.push(finding);
        }
        Ok(number)
    }

    fn concurrency(&mut self, file: &'static str, default: u64) -> Result<u32, LoadError<E>> {
        let wanted = self.number(file, default)?;
        let given = wanted.min(MAX_CONCURRENCY);
        if given < wanted {
            let text = format!("expected at most {MAX_CONCURRENCY}, which is used");
            let finding = Finding::new(file, 1, Weight::Warning, text);
            self.findings.push(finding);
        }
        if given == 0 {
            let text = "0 holds all deliveries of this channel";
            self.findings
                .push(Finding::new(file, 1, Weight::Note, text));
        }
        Ok(u32::try_from(given).unwrap_or(u32::MAX))
    }

    fn timeout(&mut self, file: &'static str, default: u64) -> Result<Duration, LoadError<E>> {
        let seconds = self.number(file, default)?;
        Ok(Duration::from_secs(seconds.clamp(1, MAX_TIMEOUT)))
    }
}
