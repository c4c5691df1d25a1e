//! The environment that injection obeys, as a value (qmail-inject(8), spec §11.3).

/// What the variables of [`Environment::NAMES`] say; `None` is a variable that is not set.
///
/// The library reads no environment: a program fills this in, a server leaves it empty.
///
/// ```
/// use mta_core::inject::Environment;
/// let set = Environment::read(|name| match name {
///     "USER" => Some(b"joe".to_vec()),
///     "MAILUSER" => Some(b"joe.doe".to_vec()),
///     _ => None,
/// });
/// assert_eq!(set.user(), b"joe.doe");
/// assert_eq!(set.sender_user(), b"joe.doe");
/// assert_eq!(Environment::default().user(), b"anonymous");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Environment {
    /// QMAILUSER: the user of From.
    pub qmailuser: Option<Vec<u8>>,
    /// MAILUSER: the same, second choice.
    pub mailuser: Option<Vec<u8>>,
    /// USER: the same, third choice.
    pub user: Option<Vec<u8>>,
    /// LOGNAME: the same, last choice before `anonymous`.
    pub logname: Option<Vec<u8>>,
    /// QMAILHOST: the host of From.
    pub qmailhost: Option<Vec<u8>>,
    /// MAILHOST: the same, second choice before control/defaulthost.
    pub mailhost: Option<Vec<u8>>,
    /// QMAILNAME: the person's name in From.
    pub qmailname: Option<Vec<u8>>,
    /// MAILNAME: the same, second choice.
    pub mailname: Option<Vec<u8>>,
    /// NAME: the same, last choice.
    pub name: Option<Vec<u8>>,
    /// QMAILSUSER: the user of the envelope sender, where it differs.
    pub qmailsuser: Option<Vec<u8>>,
    /// QMAILSHOST: the host of the envelope sender, where it differs.
    pub qmailshost: Option<Vec<u8>>,
    /// QMAILDEFAULTDOMAIN: goes before control/defaultdomain.
    pub qmaildefaultdomain: Option<Vec<u8>>,
    /// QMAILDEFAULTHOST: goes before control/defaulthost.
    pub qmaildefaulthost: Option<Vec<u8>>,
    /// QMAILPLUSDOMAIN: goes before control/plusdomain.
    pub qmailplusdomain: Option<Vec<u8>>,
    /// QMAILIDHOST: goes before control/idhost.
    pub qmailidhost: Option<Vec<u8>>,
    /// QMAILINJECT: see [`Letters`].
    pub qmailinject: Option<Vec<u8>>,
    /// QMAILMFTFILE: the file whose contents become [`Settings::lists`](super::Settings::lists).
    pub qmailmftfile: Option<Vec<u8>>,
}

impl Environment {
    /// The variables, by name.
    pub const NAMES: [&str; 17] = [
        "QMAILUSER",
        "MAILUSER",
        "USER",
        "LOGNAME",
        "QMAILHOST",
        "MAILHOST",
        "QMAILNAME",
        "MAILNAME",
        "NAME",
        "QMAILSUSER",
        "QMAILSHOST",
        "QMAILDEFAULTDOMAIN",
        "QMAILDEFAULTHOST",
        "QMAILPLUSDOMAIN",
        "QMAILIDHOST",
        "QMAILINJECT",
        "QMAILMFTFILE",
    ];

    /// Asks `variable` for each of [`Environment::NAMES`].
    #[must_use]
    pub fn read(mut variable: impl FnMut(&'static str) -> Option<Vec<u8>>) -> Self {
        Self {
            qmailuser: variable("QMAILUSER"),
            mailuser: variable("MAILUSER"),
            user: variable("USER"),
            logname: variable("LOGNAME"),
            qmailhost: variable("QMAILHOST"),
            mailhost: variable("MAILHOST"),
            qmailname: variable("QMAILNAME"),
            mailname: variable("MAILNAME"),
            name: variable("NAME"),
            qmailsuser: variable("QMAILSUSER"),
            qmailshost: variable("QMAILSHOST"),
            qmaildefaultdomain: variable("QMAILDEFAULTDOMAIN"),
            qmaildefaulthost: variable("QMAILDEFAULTHOST"),
            qmailplusdomain: variable("QMAILPLUSDOMAIN"),
            qmailidhost: variable("QMAILIDHOST"),
            qmailinject: variable("QMAILINJECT"),
            qmailmftfile: variable("QMAILMFTFILE"),
        }
    }

    /// Returns the user of From: QMAILUSER, MAILUSER, USER, LOGNAME or `anonymous`.
    #[must_use]
    pub fn user(&self) -> &[u8] {
        let set = self.qmailuser.as_deref().or(self.mailuser.as_deref());
        let set = set.or(self.user.as_deref()).or(self.logname.as_deref());
        set.unwrap_or(b"anonymous")
    }

    /// Returns the host of From: QMAILHOST or MAILHOST; where neither is set, defaulthost serves.
    #[must_use]
    pub fn host(&self) -> Option<&[u8]> {
        self.qmailhost.as_deref().or(self.mailhost.as_deref())
    }

    /// Returns the person's name: QMAILNAME, MAILNAME or NAME.
    ///
    /// Unlike qmail, a name that is set and empty is no name: it would read `"" <joe@host>`.
    #[must_use]
    pub fn person(&self) -> Option<&[u8]> {
        let set = self.qmailname.as_deref().or(self.mailname.as_deref());
        set.or(self.name.as_deref()).filter(|name| !name.is_empty())
    }

    /// Returns the user of the envelope sender: QMAILSUSER, or as in From.
    #[must_use]
    pub fn sender_user(&self) -> &[u8] {
        self.qmailsuser.as_deref().unwrap_or_else(|| self.user())
    }

    /// Returns the host of the envelope sender: QMAILSHOST, or as in From.
    #[must_use]
    pub fn sender_host(&self) -> Option<&[u8]> {
        self.qmailshost.as_deref().or_else(|| self.host())
    }

    /// Returns what QMAILINJECT asks for.
    #[must_use]
    pub fn letters(&self) -> Letters {
        Letters::parse(self.qmailinject.as_deref().unwrap_or_default())
    }
}

/// What the letters of QMAILINJECT ask for (qmail-inject(8)); others are ignored.
///
/// ```
/// use mta_core::inject::Letters;
/// let letters = Letters::parse(b"fx");
/// assert!(letters.drop_from && !letters.verp);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "six independent letters, each there or not"
)]
pub struct Letters {
    /// `c`: From is written `joe@host (Joe)` and not `"Joe" <joe@host>`.
    pub name_in_comment: bool,
    /// `s`: an incoming Return-Path is not looked at.
    pub drop_return_path: bool,
    /// `f`: an incoming From is replaced.
    pub drop_from: bool,
    /// `i`: an incoming Message-ID is replaced.
    pub drop_message_id: bool,
    /// `r`: the sender is `user-@host-@[]`, a variable envelope return path per recipient.
    pub verp: bool,
    /// `m`: the sender's user is `user-TIME.PID`, another for each message.
    pub per_message: bool,
}

impl Letters {
    /// Reads the value of QMAILINJECT.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let asked = |letter: u8| text.contains(&letter);
        Self {
            name_in_comment: asked(b'c'),
            drop_return_path: asked(b's'),
            drop_from: asked(b'f'),
            drop_message_id: asked(b'i'),
            verp: asked(b'r'),
            per_message: asked(b'm'),
        }
    }
}
