//! What injection is told: host names, options, time and limits (qmail-inject(8), qmail-control(5), spec §11.1).

use super::Environment;
use crate::Unix;
use crate::control::{Controls, HostSet, rules};

/// The four host names that complete addresses and identify messages.
///
/// ```
/// use mta_core::inject::Hosts;
/// let hosts = Hosts::load(|file| {
///     Ok::<_, std::io::Error>((file == "me").then(|| b"mx.example.org\n".to_vec()))
/// });
/// assert_eq!(hosts.unwrap().idhost, b"mx.example.org");
/// assert_eq!(Hosts::default().idhost, b"idhost");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hosts {
    /// control/defaulthost: completes addresses without a host.
    pub defaulthost: Vec<u8>,
    /// control/defaultdomain: completes host names without a dot.
    pub defaultdomain: Vec<u8>,
    /// control/plusdomain: replaces a final `+` of a host name.
    pub plusdomain: Vec<u8>,
    /// control/idhost: the host of Message-ID.
    pub idhost: Vec<u8>,
}

impl Default for Hosts {
    /// The names used where not even control/me exists: each file's own name.
    fn default() -> Self {
        Self {
            defaulthost: b"defaulthost".to_vec(),
            defaultdomain: b"defaultdomain".to_vec(),
            plusdomain: b"plusdomain".to_vec(),
            idhost: b"idhost".to_vec(),
        }
    }
}

impl Hosts {
    /// Reads the four files through `read`, which returns `None` for a file that does not exist.
    ///
    /// Each defaults to `me`, and without `me` to its own name: injection works on a host that is
    /// not set up yet, unlike [`Controls::load`].
    ///
    /// # Errors
    /// Fails with what `read` said.
    pub fn load<E>(
        mut read: impl FnMut(&'static str) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Self, E> {
        let me = read("me")?;
        let mut host = |file: &'static str| {
            let text = read(file)?.or_else(|| me.clone());
            Ok(text.map_or_else(|| file.into(), |text| clean(rules::first_line(&text))))
        };
        Ok(Self {
            defaulthost: host("defaulthost")?,
            defaultdomain: host("defaultdomain")?,
            plusdomain: host("plusdomain")?,
            idhost: host("idhost")?,
        })
    }

    /// Puts QMAILDEFAULTHOST and its like in the place of the files.
    #[must_use]
    pub fn overridden(self, environment: &Environment) -> Self {
        let choose = |set: &Option<Vec<u8>>, host| set.as_deref().map_or(host, clean);
        Self {
            defaulthost: choose(&environment.qmaildefaulthost, self.defaulthost),
            defaultdomain: choose(&environment.qmaildefaultdomain, self.defaultdomain),
            plusdomain: choose(&environment.qmailplusdomain, self.plusdomain),
            idhost: choose(&environment.qmailidhost, self.idhost),
        }
    }
}

impl From<&Controls> for Hosts {
    fn from(controls: &Controls) -> Self {
        Self {
            defaulthost: controls.defaulthost.clone(),
            defaultdomain: controls.defaultdomain.clone(),
            plusdomain: controls.plusdomain.clone(),
            idhost: controls.idhost.clone(),
        }
    }
}

/// Leaves out control bytes, with which a host name would break the line that it comes to stand in.
fn clean(host: &[u8]) -> Vec<u8> {
    let mut host = host.to_vec();
    host.retain(|byte| !byte.is_ascii_control());
    host
}

/// Where recipients come from: the options `-A`, `-a`, `-h` and `-H`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecipientsFrom {
    /// `-A`: the arguments where there are any, else the header.
    #[default]
    ArgumentsElseHeader,
    /// `-a`: the arguments only.
    Arguments,
    /// `-h`: the header only; the arguments are not looked at.
    Header,
    /// `-H`: both, the arguments first.
    Both,
}

/// How a generated Date is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DateForm {
    /// `3 Jan 2026 04:05:06 -0000`, in UTC.
    #[default]
    Qmail,
    /// `Sat, 3 Jan 2026 05:05:06 +0100`: local time, this many minutes ahead of UTC (the
    /// date-localtime patch, with the weekday that RFC 5322 §3.3 knows).
    Local {
        /// Minutes east of UTC.
        east: i16,
    },
}

/// What untrusted input may cost; the original has no such limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers set single limits")]
pub struct Limits {
    /// Bytes of the whole header.
    pub header: usize,
    /// Bytes of one field with its continuation lines; it is held as tokens while rewritten, which
    /// takes up to 40 times that.
    pub field: usize,
    /// Addresses in the arguments and in rewritten fields.
    pub addresses: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: 8 << 20,
            field: 2 << 20,
            addresses: 100_000,
        }
    }
}

/// Everything that injection is told beside the message and its arguments.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Host names from the control files; the environment's go before them.
    pub hosts: Hosts,
    /// The environment.
    pub environment: Environment,
    /// Where recipients come from.
    pub recipients: RecipientsFrom,
    /// `-f`: the sender. It is completed as an address is; the empty text is the null sender.
    pub sender: Option<Vec<u8>>,
    /// The addresses in the file that QMAILMFTFILE names.
    pub lists: HostSet,
    /// The moment of injection.
    pub now: Unix,
    /// The process id, for Message-ID and the letter `m`. Together with `now` it is to be unique.
    pub pid: u32,
    /// How Date is written.
    pub date: DateForm,
    /// What input may cost.
    pub limits: Limits,
}

impl Settings {
    /// Starts from host names and environment, all else as without options.
    #[must_use]
    pub fn new(hosts: Hosts, environment: Environment, now: Unix, pid: u32) -> Self {
        Self {
            hosts,
            environment,
            recipients: RecipientsFrom::default(),
            sender: None,
            lists: HostSet::default(),
            now,
            pid,
            date: DateForm::default(),
            limits: Limits::default(),
        }
    }
}
