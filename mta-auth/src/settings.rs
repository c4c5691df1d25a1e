//! What the original fixes when it is configured, as settings that are read at run time: `etc/vpopmail.conf` (vpopmail(8)).
//!
//! ```text
//! # the names of configure's options, with or without --enable-
//! roaming-users=y
//! relay-clear-minutes=10
//! ```

use std::path::PathBuf;

/// The largest file that is read.
pub const MAX_FILE: usize = 64 * 1024;
/// The longest window: four weeks.
pub const MAX_MINUTES: u64 = 28 * 24 * 60;

/// The settings.
///
/// ```
/// use mta_auth::Settings;
/// let settings = Settings::parse(b"--enable-roaming-users=y\n").unwrap();
/// assert!(settings.roaming_users);
/// assert_eq!(settings.relay_clear_minutes, 10);
/// assert!(Settings::parse(b"roaming-user=y\n").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// `roaming-users`: who fetches mail may send through us from the same address for a while.
    pub roaming_users: bool,
    /// `relay-clear-minutes`: how long.
    pub relay_clear_minutes: u64,
    /// `tcpserver-file`: the rules of tcpserver for SMTP, without `.cdb`; `None` is `etc/tcp.smtp`.
    pub tcpserver_file: Option<PathBuf>,
    /// `tcprules-prog`: the program that compiles them; `None` compiles them here.
    pub tcprules_prog: Option<PathBuf>,
    /// `clear-passwd`: new passwords are kept readable besides, for APOP and CRAM-MD5.
    pub clear_passwd: bool,
    /// `qmail-ext`: `joe-x` is joe's.
    pub qmail_ext: bool,
    /// `ip-alias-domains`: the address that was connected to tells the domain of a bare name.
    pub ip_alias_domains: bool,
    /// `domainquotas`: the limits of whole domains bind deliveries.
    pub domain_quotas: bool,
    /// `onchange-script`: `etc/onchange` is told what the programs change.
    pub onchange_script: bool,
    /// `logging`: which logins are logged.
    pub logging: Logging,
}

/// Which logins are logged; passwords never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are none, some and all")]
pub enum Logging {
    /// `n`: none.
    Nothing,
    /// `e`: those that failed.
    Errors,
    /// `y`: all.
    Everything,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            roaming_users: false,
            relay_clear_minutes: 10,
            tcpserver_file: None,
            tcprules_prog: None,
            clear_passwd: false,
            qmail_ext: false,
            ip_alias_domains: false,
            domain_quotas: false,
            onchange_script: false,
            logging: Logging::Everything,
        }
    }
}

/// A line that says nothing that is known: the administrator's fault, permanent until it is edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {expected} was expected")]
#[non_exhaustive]
pub struct SettingsError {
    /// The line, counted from 1.
    pub line: usize,
    /// What was expected there.
    pub expected: &'static str,
}

/// One setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InForce {
    /// Its name, as configure's option has it.
    pub name: &'static str,
    /// Its value, as the file would say it; `None` where the default is a place or nothing at all.
    pub value: Option<String>,
    /// The line that says so, counted from 1; `None` is the default.
    pub line: Option<usize>,
}

impl Settings {
    /// Reads the file: `name=value`, `#` begins a comment, the later line wins.
    ///
    /// # Errors
    /// Names the first line that is none: a name nobody knows is never passed over, since somebody
    /// meant something by it.
    pub fn parse(file: &[u8]) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        for said in lines(file) {
            let said = said?;
            let wrong = |expected| SettingsError {
                line: said.line,
                expected,
            };
            settings.take(said.name, said.value).map_err(wrong)?;
        }
        Ok(settings)
    }

    /// Tells of every setting what it is and which line of the file says so.
    ///
    /// ```
    /// use mta_auth::Settings;
    /// let listed = Settings::in_force(b"\nrelay-clear-minutes=15\n").unwrap();
    /// let minutes = listed.iter().find(|one| one.name == "relay-clear-minutes").unwrap();
    /// assert_eq!((minutes.value.as_deref(), minutes.line), (Some("15"), Some(2)));
    /// assert_eq!(listed[0].line, None);
    /// ```
    ///
    /// # Errors
    /// Fails as [`Settings::parse`] does.
    pub fn in_force(file: &[u8]) -> Result<Vec<InForce>, SettingsError> {
        let settings = Self::parse(file)?;
        let said: Vec<Said<'_>> = lines(file).collect::<Result<_, _>>()?;
        let line = |name: &str| said.iter().rfind(|said| said.name == name).map(|s| s.line);
        let listed = settings.values().into_iter();
        Ok(listed
            .map(|(name, value)| InForce {
                line: line(name),
                name,
                value,
            })
            .collect())
    }

    fn values(&self) -> [(&'static str, Option<String>); 10] {
        let yes = |on: bool| Some(if on { "y" } else { "n" }.to_owned());
        let place = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string());
        let logging = match self.logging {
            Logging::Nothing => "n",
            Logging::Errors => "e",
            Logging::Everything => "y",
        };
        [
            ("roaming-users", yes(self.roaming_users)),
            (
                "relay-clear-minutes",
                Some(self.relay_clear_minutes.to_string()),
            ),
            ("tcpserver-file", place(&self.tcpserver_file)),
            ("tcprules-prog", place(&self.tcprules_prog)),
            ("clear-passwd", yes(self.clear_passwd)),
            ("qmail-ext", yes(self.qmail_ext)),
            ("ip-alias-domains", yes(self.ip_alias_domains)),
            ("domainquotas", yes(self.domain_quotas)),
            ("onchange-script", yes(self.onchange_script)),
            ("logging", Some(logging.to_owned())),
        ]
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "roaming-users" => self.roaming_users = switch(value)?,
            "relay-clear-minutes" => self.relay_clear_minutes = minutes(value)?,
            "tcpserver-file" => self.tcpserver_file = Some(path(value)?),
            "tcprules-prog" => self.tcprules_prog = Some(path(value)?),
            "clear-passwd" => self.clear_passwd = switch(value)?,
            "qmail-ext" => self.qmail_ext = switch(value)?,
            "ip-alias-domains" => self.ip_alias_domains = switch(value)?,
            "domainquotas" => self.domain_quotas = switch(value)?,
            "onchange-script" => self.onchange_script = switch(value)?,
            "logging" => {
                self.logging = match value {
                    "n" => Logging::Nothing,
                    "e" => Logging::Errors,
                    "y" => Logging::Everything,
                    _ => return Err("n, e or y (p and v, which log passwords, are not there)"),
                }
            }
            _ => {
                return Err(
                    "roaming-users, relay-clear-minutes, tcpserver-file, tcprules-prog, clear-passwd, \
                     qmail-ext, ip-alias-domains, domainquotas, onchange-script or logging",
                );
            }
        }
        Ok(())
    }
}

/// A line that sets something.
struct Said<'a> {
    line: usize,
    name: &'a str,
    value: &'a str,
}

/// The lines that are neither empty nor comments.
fn lines(file: &[u8]) -> impl Iterator<Item = Result<Said<'_>, SettingsError>> {
    let numbered = (1..).zip(file.split(|&b| b == b'\n'));
    numbered.filter_map(|(line, text)| {
        let wrong = |expected| SettingsError { line, expected };
        let Ok(text) = std::str::from_utf8(text) else {
            return Some(Err(wrong("text in UTF-8")));
        };
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            return None;
        }
        let Some((name, value)) = text.split_once('=') else {
            return Some(Err(wrong("name=value")));
        };
        let (name, value) = (name.trim(), value.trim());
        let name = name.strip_prefix("--enable-").unwrap_or(name);
        Some(Ok(Said { line, name, value }))
    })
}

fn switch(value: &str) -> Result<bool, &'static str> {
    match value {
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err("y or n"),
    }
}

fn minutes(value: &str) -> Result<u64, &'static str> {
    let minutes = value.parse().ok();
    minutes
        .filter(|minutes| (1..=MAX_MINUTES).contains(minutes))
        .ok_or("a number of minutes from 1 to 40320")
}

fn path(value: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(value);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err("an absolute path")
    }
}
