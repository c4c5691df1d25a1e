//! qmail-showctl: says in words what the control files mean (qmail-showctl(8)).

use crate::failure::{Failure, unwritten};
use crate::io::Io;
use applet::Exit;
use mta_core::control::rules;
use mta_store::atomic::{MAX_EDITED, read_if_there};
use mta_store::files::RealFiles;
use nix::unistd::{Group, User};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

const USERS: [&str; 8] = [
    "alias", "qmaild", "qmaill", "root", "qmailp", "qmailq", "qmailr", "qmails",
];
const GROUPS: [&str; 2] = ["nofiles", "qmail"];
const TROUBLE: &str = "Oops! Trouble reading this file.\n";

/// How a file is shown.
enum Show {
    /// A line; the default is control/me where the flag says so and there is one.
    Line(bool, &'static str, &'static str),
    /// A number between two texts.
    Number(&'static str, &'static str, &'static str),
    /// Each entry between two texts, or a sentence where there is no file.
    List(&'static str, &'static str, &'static str),
    /// morercpthosts, whose texts depend on rcpthosts.
    More,
    /// Whether morercpthosts.cdb is fresh.
    MoreCdb,
}

use Show::{Line, List, More, MoreCdb, Number};

/// The files in the order in which they are shown.
const FILES: &[(&str, Show)] = &[
    (
        "badmailfrom",
        List(
            "Any MAIL FROM is allowed.",
            "",
            " not accepted in MAIL FROM.",
        ),
    ),
    (
        "bouncefrom",
        Line(false, "MAILER-DAEMON", "Bounce user name is "),
    ),
    (
        "bouncehost",
        Line(true, "bouncehost", "Bounce host name is "),
    ),
    (
        "concurrencylocal",
        Number("10", "Local concurrency is ", ""),
    ),
    (
        "concurrencyremote",
        Number("20", "Remote concurrency is ", ""),
    ),
    ("databytes", Number("0", "SMTP DATA limit is ", " bytes")),
    (
        "defaultdomain",
        Line(true, "defaultdomain", "Default domain name is "),
    ),
    (
        "defaulthost",
        Line(true, "defaulthost", "Default host name is "),
    ),
    (
        "doublebouncehost",
        Line(true, "doublebouncehost", "2B recipient host: "),
    ),
    (
        "doublebounceto",
        Line(false, "postmaster", "2B recipient user: "),
    ),
    (
        "envnoathost",
        Line(true, "envnoathost", "Presumed domain name is "),
    ),
    (
        "helohost",
        Line(true, "helohost", "SMTP client HELO host name is "),
    ),
    ("idhost", Line(true, "idhost", "Message-ID host name is ")),
    (
        "localiphost",
        Line(true, "localiphost", "Local IP address becomes "),
    ),
    (
        "locals",
        List(
            "Messages for me are delivered locally.",
            "Messages for ",
            " are delivered locally.",
        ),
    ),
    ("me", Line(false, "undefined! Uh-oh", "My name is ")),
    (
        "percenthack",
        List(
            "The percent hack is not allowed.",
            "The percent hack is allowed for user%host@",
            ".",
        ),
    ),
    (
        "plusdomain",
        Line(true, "plusdomain", "Plus domain name is "),
    ),
    (
        "qmqpservers",
        List("No QMQP servers.", "QMQP server: ", "."),
    ),
    (
        "queuelifetime",
        Number("604800", "Message lifetime in the queue is ", " seconds"),
    ),
    (
        "rcpthosts",
        List(
            "SMTP clients may send messages to any recipient.",
            SMTP_CLIENTS,
            ".",
        ),
    ),
    ("morercpthosts", More),
    ("morercpthosts.cdb", MoreCdb),
    (
        "smtpgreeting",
        Line(true, "smtpgreeting", "SMTP greeting: 220 "),
    ),
    (
        "smtproutes",
        List("No artificial SMTP routes.", "SMTP route: ", ""),
    ),
    (
        "timeoutconnect",
        Number("60", "SMTP client connection timeout is ", " seconds"),
    ),
    (
        "timeoutremote",
        Number("1200", "SMTP client data timeout is ", " seconds"),
    ),
    (
        "timeoutsmtpd",
        Number("1200", "SMTP server data timeout is ", " seconds"),
    ),
    (
        "virtualdomains",
        List("No virtual domains.", "Virtual domain: ", ""),
    ),
];
const SMTP_CLIENTS: &str = "SMTP clients may send messages to recipients at ";

pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let home = io.home.as_os_str().as_bytes().to_vec();
    let mut page = Page {
        control: io.home.join("control"),
        me: None,
        out: Vec::new(),
    };
    page.constants(&home);
    let told = page.files(&home);
    let written = io.output.write_all(&page.out);
    written.map_err(|error| unwritten("qmail-showctl", &error))?;
    Ok(if told.is_ok() {
        Exit::OK
    } else {
        Exit::TEMPORARY
    })
}

struct Page {
    control: PathBuf,
    me: Option<Vec<u8>>,
    out: Vec<u8>,
}

impl Page {
    fn say(&mut self, text: impl AsRef<[u8]>) {
        self.out.extend_from_slice(text.as_ref());
    }

    /// Writes what a file holds so that it cannot disturb a terminal.
    fn show(&mut self, text: &[u8]) {
        let shown = |&byte: &u8| if matches!(byte, 32..=126) { byte } else { b'?' };
        self.out.extend(text.iter().map(shown));
    }

    fn constants(&mut self, home: &[u8]) {
        self.say(b"qmail home directory: ");
        self.say(home);
        self.say(".\nuser-ext delimiter: -.\npaternalism (in decimal): 2.\n");
        self.say("silent concurrency limit: 120.\nsubdirectory split: 23.\n");
        let shown = |id: Option<u32>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let user = |name: &str| User::from_name(name).ok().flatten().map(|u| u.uid.as_raw());
        let group = |name: &str| {
            Group::from_name(name)
                .ok()
                .flatten()
                .map(|g| g.gid.as_raw())
        };
        let users = USERS.map(|name| shown(user(name))).join(", ");
        let groups = GROUPS.map(|name| shown(group(name))).join(", ");
        self.say(format!("user ids: {users}.\ngroup ids: {groups}.\n"));
    }

    fn files(&mut self, home: &[u8]) -> Result<(), ()> {
        if std::fs::read_dir(std::ffi::OsStr::from_bytes(home)).is_err() {
            self.say([b"Oops! Unable to chdir to ", home, b".\n"].concat());
            return Err(());
        }
        let Ok(entries) = std::fs::read_dir(&self.control) else {
            self.say("Oops! Unable to chdir to control.\n");
            return Err(());
        };
        let mut names: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .collect();
        names.sort();
        let Ok(me) = self.read("me") else {
            self.say("Oops! Trouble reading control/me.");
            return Err(());
        };
        self.me = me.map(|text| rules::first_line(&text).to_vec());
        for (name, how) in FILES {
            self.say(format!("\n{name}: "));
            self.file(name, how);
        }
        for name in names {
            if !FILES.iter().any(|(known, _)| name == *known) {
                self.say("\n");
                self.show(name.as_bytes());
                self.say(": I have no idea what this file does.\n");
            }
        }
        Ok(())
    }

    fn read(&self, name: &str) -> std::io::Result<Option<Vec<u8>>> {
        read_if_there(&RealFiles::new(), &self.control.join(name), MAX_EDITED)
    }

    fn file(&mut self, name: &str, how: &Show) {
        match *how {
            MoreCdb => self.say(self.freshness()),
            More if self.read("rcpthosts").is_ok_and(|text| text.is_none()) => {
                let without = "No rcpthosts; doesn't matter that morercpthosts has ";
                self.list(
                    name,
                    "No rcpthosts; morercpthosts is irrelevant.",
                    without,
                    ".",
                );
            }
            More => self.list(name, "No effect.", SMTP_CLIENTS, "."),
            List(default, before, behind) => self.list(name, default, before, behind),
            Line(as_me, default, before) => self.line(name, as_me, default, before),
            Number(default, before, behind) => self.number(name, default, before, behind),
        }
    }

    fn list(&mut self, name: &str, default: &str, before: &str, behind: &str) {
        match self.read(name) {
            Err(_) => self.say(TROUBLE),
            Ok(None) => self.say(format!("(Default.) {default}\n")),
            Ok(Some(text)) => {
                self.say("\n");
                for (_, entry) in rules::lines(&text) {
                    self.say(before);
                    self.show(entry);
                    self.say(behind);
                    self.say("\n");
                }
            }
        }
    }

    fn line(&mut self, name: &str, as_me: bool, default: &str, before: &str) {
        let text = match self.read(name) {
            Err(_) => return self.say(TROUBLE),
            Ok(Some(text)) => rules::first_line(&text).to_vec(),
            Ok(None) => {
                self.say("(Default.) ");
                let me = self.me.clone().filter(|_| as_me);
                me.unwrap_or_else(|| default.into())
            }
        };
        self.say(before);
        self.show(&text);
        self.say(".\n");
    }

    fn number(&mut self, name: &str, default: &str, before: &str, behind: &str) {
        match self
            .read(name)
            .map(|text| text.and_then(|text| rules::number(&text)))
        {
            Err(_) => self.say(TROUBLE),
            Ok(None) => self.say(format!("(Default.) {before}{default}{behind}.\n")),
            Ok(Some(number)) => self.say(format!("{before}{number}{behind}.\n")),
        }
    }

    fn freshness(&self) -> &'static str {
        let time = |name: &str| {
            self.control
                .join(name)
                .metadata()
                .and_then(|m| m.modified())
                .ok()
        };
        match (time("morercpthosts"), time("morercpthosts.cdb")) {
            (None, None) => "(Default.) No effect.\n",
            (None, Some(_)) => "Oops! morercpthosts.cdb exists but morercpthosts doesn't.\n",
            (Some(_), None) => "Oops! morercpthosts exists but morercpthosts.cdb doesn't.\n",
            (Some(text), Some(cdb)) if text > cdb => {
                "Oops! morercpthosts.cdb is older than morercpthosts.\n"
            }
            _ => "Modified recently enough; hopefully up to date.\n",
        }
    }
}
