//! The mechanisms by name, and which of them are offered now (RFC 4422 §3.1, RFC 4954 §4, RFC 8314 §3).

/// A way to log in; the later in [`Mechanism::ALL`], the weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// SCRAM-SHA-256 bound to the TLS channel.
    ScramSha256Plus,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// CRAM-MD5, which needs clear passwords on both sides.
    CramMd5,
    /// PLAIN.
    Plain,
    /// LOGIN, for clients that know nothing else.
    Login,
}

impl Mechanism {
    /// All of them, the strongest first.
    pub const ALL: [Self; 5] = [
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::CramMd5,
        Self::Plain,
        Self::Login,
    ];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::CramMd5 => "CRAM-MD5",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// Finds one by its name, in either case.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Tells whether the server speaks first, so that an initial response makes no sense
    /// (RFC 4422 §3.3).
    #[must_use]
    pub const fn server_first(self) -> bool {
        matches!(self, Self::CramMd5)
    }
}

/// What the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Channel {
    /// Everybody on the way can read it.
    Clear,
    /// TLS, whose binding is not known.
    Tls,
    /// TLS with data to bind an exchange to it.
    BoundTls,
}

/// Where the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// On this machine.
    Loopback,
    /// Anywhere else.
    Elsewhere,
}

/// Whether logins are taken without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WithoutTls {
    /// From this machine only.
    #[default]
    Loopback,
    /// From nowhere.
    Never,
    /// From everywhere: passwords are read by whoever listens.
    Everywhere,
}

/// What is stored of the accounts, apart from hashes of their passwords.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers build it")]
pub struct Stored {
    /// Clear passwords, which CRAM-MD5 and APOP need.
    pub clear: bool,
    /// Keys of SCRAM.
    pub scram: bool,
}

/// All that decides which mechanisms are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers build it")]
pub struct Circumstances {
    /// What the connection is.
    pub channel: Channel,
    /// Where the client is.
    pub origin: Origin,
    /// What the settings allow.
    pub without_tls: WithoutTls,
    /// What the accounts can do.
    pub stored: Stored,
}

impl Circumstances {
    /// Tells whether any login may be offered at all, USER and PASS of POP3 included.
    #[must_use]
    pub fn allow_login(&self) -> bool {
        match (self.channel, self.without_tls, self.origin) {
            (Channel::Tls | Channel::BoundTls, ..) | (_, WithoutTls::Everywhere, _) => true,
            (Channel::Clear, WithoutTls::Loopback, origin) => origin == Origin::Loopback,
            (Channel::Clear, WithoutTls::Never, _) => false,
        }
    }

    /// Tells whether APOP may be offered (RFC 1939 §7).
    #[must_use]
    pub fn allow_apop(&self) -> bool {
        self.allow_login() && self.stored.clear
    }
}

/// The mechanisms to offer, the strongest first.
///
/// ```
/// use mta_auth::sasl::{Channel, Circumstances, Mechanism, Origin, Stored, WithoutTls, offered};
/// let mut now = Circumstances {
///     channel: Channel::Tls,
///     origin: Origin::Elsewhere,
///     without_tls: WithoutTls::Loopback,
///     stored: Stored::default(),
/// };
/// assert_eq!(offered(&now), [Mechanism::Plain, Mechanism::Login]);
/// now.channel = Channel::Clear;
/// assert!(offered(&now).is_empty());
/// ```
#[must_use]
pub fn offered(now: &Circumstances) -> Vec<Mechanism> {
    if !now.allow_login() {
        return Vec::new();
    }
    let possible = |mechanism: &Mechanism| match mechanism {
        Mechanism::ScramSha256Plus => now.stored.scram && now.channel == Channel::BoundTls,
        Mechanism::ScramSha256 => now.stored.scram,
        Mechanism::CramMd5 => now.stored.clear,
        Mechanism::Plain | Mechanism::Login => true,
    };
    Mechanism::ALL.into_iter().filter(possible).collect()
}
