//! Why a recipient or a message is not taken, in the words of SMTP and of QMTP and QMQP (RFC 3463, qmail-smtpd(8), qmail-qmtpd(8)).

use mta_core::abuse::Rule;
use mta_core::dnsbl;
use mta_core::policy;
use mta_core::ports::spool::SpoolError;
use mta_core::qq;
use mta_core::report::Report;
use mta_proto::smtp::{Enhanced, Reply};
use std::borrow::Cow;

/// A refusal: the code says whose fault it is and whether later helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The reply code of SMTP.
    code: u16,
    /// Subject and detail of the enhanced code.
    enhanced: (u16, u16),
    text: Cow<'static, str>,
}

impl Refused {
    const fn fixed(code: u16, enhanced: (u16, u16), text: &'static str) -> Self {
        let text = Cow::Borrowed(text);
        Self {
            code,
            enhanced,
            text,
        }
    }

    pub(super) const NO_MAILBOX: Self =
        Self::fixed(550, (1, 1), "sorry, no mailbox here by that name");
    pub(super) const UNSURE: Self = Self::fixed(
        451,
        (3, 0),
        "unable to look that mailbox up now; try again later",
    );
    pub(super) const LOOPS: Self =
        Self::fixed(554, (4, 6), "too many hops, this message is looping");
    pub(super) const FULL: Self = Self::fixed(
        452,
        (3, 1),
        "no space left for this message; try again later",
    );
    pub(super) const STOPPING: Self =
        Self::fixed(421, (3, 2), "the server is stopping; try again soon");
    pub(crate) const TROUBLE: Self = Self::fixed(
        451,
        (3, 0),
        "unable to queue this message now; try again later",
    );
    const UNACCEPTABLE: Self = Self::fixed(554, (3, 0), "this envelope cannot be queued");

    /// In place of a greeting, which has codes of its own (RFC 5321 §3.1, §4.2.4.2).
    pub(super) fn at_greeting(refusal: &dnsbl::Refusal) -> Self {
        Self {
            code: match refusal.class {
                dnsbl::Class::Temporary => 421,
                dnsbl::Class::Permanent => 554,
            },
            enhanced: (7, 1),
            text: said(refusal).into(),
        }
    }

    /// The reply of SMTP, its enhanced code before the text.
    pub(crate) fn reply(&self) -> Reply {
        let (subject, detail) = self.enhanced;
        Reply::new(self.code, self.text.clone()).with(Enhanced::new(subject, detail))
    }

    /// The report of QMTP and QMQP, the enhanced code behind the text.
    pub(crate) fn report(&self) -> Report {
        let ((subject, detail), text) = (self.enhanced, &self.text);
        match self.code / 100 {
            5 => Report::failure(format!("{text} (#5.{subject}.{detail})")),
            _ => Report::deferral(format!("{text} (#4.{subject}.{detail})")),
        }
    }
}

impl From<policy::Refusal> for Refused {
    fn from(refusal: policy::Refusal) -> Self {
        let (_, subject, detail) = refusal.enhanced();
        Self {
            code: refusal.code(),
            enhanced: (subject, detail),
            text: split(&refusal.to_string()).0.to_owned().into(),
        }
    }
}

impl From<Rule> for Refused {
    fn from(rule: Rule) -> Self {
        Self::fixed(450, (7, 1), rule.reason())
    }
}

impl From<&dnsbl::Refusal> for Refused {
    fn from(refusal: &dnsbl::Refusal) -> Self {
        Self {
            code: refusal.code(),
            enhanced: (7, 1),
            text: said(refusal).into(),
        }
    }
}

fn said(refusal: &dnsbl::Refusal) -> String {
    String::from_utf8_lossy(&refusal.text).into_owned()
}

impl From<&SpoolError> for Refused {
    fn from(error: &SpoolError) -> Self {
        match error {
            SpoolError::Full => Self::FULL,
            SpoolError::Closed => Self::STOPPING,
            SpoolError::Unacceptable(_) => Self::UNACCEPTABLE,
            _ => Self::TROUBLE,
        }
    }
}

impl From<&qq::Refusal> for Refused {
    /// The text may be a program's own.
    fn from(refusal: &qq::Refusal) -> Self {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let said = String::from_utf8_lossy(&refusal.text);
        let said: String = said.trim_end().chars().map(plain).collect();
        let (text, enhanced) = split(&said);
        Self {
            code: if refusal.permanent { 554 } else { 451 },
            enhanced: enhanced.unwrap_or((3, 0)),
            text: text.to_owned().into(),
        }
    }
}

/// Takes the code in parentheses off the end of a text.
fn split(text: &str) -> (&str, Option<(u16, u16)>) {
    let parts = || {
        let (text, code) = text.strip_suffix(')')?.rsplit_once(" (#")?;
        let (class, rest) = code.split_once('.')?;
        let (subject, detail) = rest.split_once('.')?;
        class.parse::<u16>().ok()?;
        Some((text, (subject.parse().ok()?, detail.parse().ok()?)))
    };
    match parts() {
        Some((text, code)) => (text, Some(code)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_has_the_code_where_it_belongs() {
        let custom = |text: &str| qq::meaning(82, text.as_bytes()).unwrap_err();
        let code = |code| qq::meaning(code, b"").unwrap_err();
        #[rustfmt::skip]
        let rows = [
            ("policy", Refused::from(policy::Refusal::NotInRcptHosts),
             "553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts\r\n",
             "Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
            ("policy, later", Refused::from(policy::Refusal::Controls),
             "451 4.3.0 unable to read controls\r\n", "Zunable to read controls (#4.3.0)"),
            ("disk full", Refused::from(&SpoolError::Full),
             "452 4.3.1 no space left for this message; try again later\r\n",
             "Zno space left for this message; try again later (#4.3.1)"),
            ("queue program says no", Refused::from(&code(31)),
             "554 5.3.0 mail server permanently rejected message\r\n",
             "Dmail server permanently rejected message (#5.3.0)"),
            ("queue program says later", Refused::from(&code(73)),
             "451 4.4.1 connection to mail server rejected\r\n",
             "Zconnection to mail server rejected (#4.4.1)"),
            ("a text of its own", Refused::from(&custom("Dvirus\nfound (#5.7.1)\n")),
             "554 5.7.1 virus found\r\n", "Dvirus found (#5.7.1)"),
            ("without a code", Refused::from(&custom("Zgreylisted (see below)")),
             "451 4.3.0 greylisted (see below)\r\n", "Zgreylisted (see below) (#4.3.0)"),
        ];
        for (name, refused, reply, report) in rows {
            assert_eq!(refused.reply().to_string(), reply, "{name}");
            let said = refused.report();
            let said = [&[said.outcome.letter()], &*said.text].concat();
            assert_eq!(String::from_utf8(said).unwrap(), report, "{name}");
        }
    }
}
