//! The work of vdelivermail, done here: mailboxes of virtual domains and what happens without one (vdelivermail(8), spec vpopmail §4).

use super::Accounts;
use super::User;
use super::quota::Bounds;
use super::script::place_of;
use super::work::{Done, Forward, Work};
use mta_auth::Flags;
use mta_auth::vpopmail::{AccountError, Mailbox};
use mta_core::Address;
use mta_core::delivered::{delivered_to, return_path};
use mta_core::dotqmail::{Did, Instruction, ProgramEnd, Variable, parse, simple_words};
use mta_core::report::Report;
use mta_store::files::{Files, RealFiles};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The largest file of a mailbox or domain that is read.
const SMALL: usize = 64 * 1024;
const NO_MAILBOX: &str = "Sorry, no mailbox here by that name. (#5.1.1)\n";

/// One call, as its two arguments describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    action: Action,
}

/// What happens to mail for nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Bounce,
    Delete,
    /// A directory that holds a .qmail file or a Maildir.
    Directory(Vec<u8>),
    Forward(Address),
}

impl Call {
    /// Reads a command's words; `None` where it is another program, a report where its arguments
    /// are wrong.
    #[must_use]
    pub fn from_words(words: &[Vec<u8>]) -> Option<Result<Self, Report>> {
        let (program, arguments) = words.split_first()?;
        if program.rsplit(|&b| b == b'/').next() != Some(b"vdelivermail") {
            return None;
        }
        let [_, action] = arguments else {
            let text = "vdelivermail: expected two arguments, '' and an action. (#4.3.5)\n";
            return Some(Err(Report::deferral(text)));
        };
        let action = match action.as_slice() {
            b"bounce-no-mailbox" => Action::Bounce,
            b"delete" => Action::Delete,
            [b'/', ..] => Action::Directory(action.clone()),
            address => {
                let address = address.strip_prefix(b"&").unwrap_or(address);
                match Address::new(address) {
                    Ok(address) if address.domain().is_some() => Action::Forward(address),
                    _ => {
                        let text = "vdelivermail: expected bounce-no-mailbox, delete, a directory or an address. (#4.3.5)\n";
                        return Some(Err(Report::deferral(text)));
                    }
                }
            }
        };
        Some(Ok(Self { action }))
    }

    /// Tells whether mail for nobody is refused.
    #[must_use]
    pub fn bounces(&self) -> bool {
        self.action == Action::Bounce
    }
}

/// Finds a mailbox by bytes from an envelope; what is no name names nobody. Blocks.
///
/// # Errors
/// Fails where the account files cannot be read.
pub fn find(
    accounts: &Accounts,
    local: &[u8],
    domain: &[u8],
) -> Result<Option<Mailbox>, AccountError> {
    let (Ok(local), Ok(domain)) = (std::str::from_utf8(local), std::str::from_utf8(domain)) else {
        return Ok(None);
    };
    let found = accounts.find(local, domain)?;
    match local.split_once('-') {
        Some((name, _)) if found.is_none() && accounts.settings()?.qmail_ext => {
            accounts.find(name, domain)
        }
        _ => Ok(found),
    }
}

/// Splits a command into words where a shell would do nothing else with it but put in `EXT`,
/// `HOST` and `LOCAL`, as a domain's default line `'' $EXT@other.domain` wants it. What is put in
/// is not looked at again, unlike by a shell.
#[must_use]
pub fn words(command: &[u8], environment: &[Variable]) -> Vec<Vec<u8>> {
    let known: Vec<(Vec<u8>, &[u8])> = ["EXT", "HOST", "LOCAL"]
        .into_iter()
        .filter_map(|name| {
            let value = environment.iter().rev().find(|(n, _)| *n == name)?;
            Some((format!("${name}").into_bytes(), value.1.as_deref()?))
        })
        .collect();
    let mut plain = Vec::with_capacity(command.len());
    let mut rest = command;
    let mut quoted = false;
    while let Some((&first, behind)) = rest.split_first() {
        quoted ^= first == b'\'';
        let fits = |(name, _): &(Vec<u8>, &[u8])| {
            let next = rest.strip_prefix(name.as_slice());
            next.is_some_and(|n| {
                !n.first()
                    .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
            })
        };
        match known.iter().position(fits).filter(|_| !quoted) {
            Some(at) => {
                plain.extend([MARK, b'0'.saturating_add(u8::try_from(at).unwrap_or(0))]);
                let length = known.get(at).map_or(1, |(name, _)| name.len());
                rest = rest.get(length..).unwrap_or_default();
            }
            None if first == MARK => return Vec::new(),
            None => {
                plain.push(first);
                rest = behind;
            }
        }
    }
    let put_in = |word: Vec<u8>| {
        let mut out = Vec::with_capacity(word.len());
        let mut bytes = word.into_iter();
        while let Some(byte) = bytes.next() {
            match (byte, byte == MARK) {
                (_, true) => {
                    let at = usize::from(bytes.next().unwrap_or(b'0').saturating_sub(b'0'));
                    out.extend_from_slice(known.get(at).map_or(b"", |(_, value)| value));
                }
                (byte, false) => out.push(byte),
            }
        }
        out
    };
    let words = simple_words(&plain).unwrap_or_default();
    words.into_iter().map(put_in).collect()
}

/// Stands where a value is to be put in; no UTF-8 holds it.
const MARK: u8 = 0xff;

impl Work<'_> {
    /// Does what the program vdelivermail is called for: delivers to the mailbox `user.ext` of the
    /// recipient's domain, or does with it what `call` says. What is to be forwarded is handed
    /// back; [`ProgramEnd::Stop`] is the exit code 99.
    ///
    /// # Errors
    /// The report says what failed and whether trying again may help.
    pub fn run_vdelivermail(
        mut self,
        (accounts, call): (&Accounts, &Call),
        user: &User,
        environment: &[Variable],
    ) -> Result<(Done, ProgramEnd), Report> {
        match self.vdelivermail(accounts, call, user, environment) {
            Ok(end) => Ok((self.done(Did::default()), end)),
            Err(report) => Err(self.failed(report)),
        }
    }

    /// Delivers to the mailbox `ext` of the recipient's domain.
    pub(crate) fn vdelivermail(
        &mut self,
        accounts: &Accounts,
        call: &Call,
        user: &User,
        environment: &[Variable],
    ) -> Result<ProgramEnd, Report> {
        let domain = self.job.recipient.domain().unwrap_or_default();
        let found = find(accounts, &user.ext, domain).map_err(|error| {
            Report::deferral(format!(
                "vdelivermail: unable to look the mailbox up: {error}. (#4.3.0)\n"
            ))
        })?;
        match found {
            Some(mailbox) => self.deliver_to_mailbox(accounts, &mailbox, (user, environment)),
            None => self.deliver_to_nobody(accounts, call, user, environment),
        }
    }

    fn deliver_to_mailbox(
        &mut self,
        accounts: &Accounts,
        mailbox: &Mailbox,
        (user, environment): (&User, &[Variable]),
    ) -> Result<ProgramEnd, Report> {
        let address = Address::new(mailbox.address()).unwrap_or_default();
        if mailbox.flags.contains(Flags::BOUNCE_MAIL) {
            return Err(Report::failure(format!(
                "vdelivermail: account is locked email bounced {}\n",
                mailbox.address()
            )));
        }
        self.refuse_over_domain_quota(accounts, &mailbox.domain)?;
        let extension = user.ext.get(mailbox.name.len()..).unwrap_or_default();
        let place = Place {
            home: &mailbox.home,
            maildir: &mailbox.maildir,
            extension: extension.strip_prefix(b"-").unwrap_or_default(),
            bounds: Bounds {
                accounts,
                domain_dir: &mailbox.domain_dir,
                own: Some((&mailbox.maildir, mailbox.quota())),
            },
        };
        self.deliver_to_home(&place, &address, environment)
    }

    /// Delivers by the .qmail file in a mailbox's home, without one into its Maildir.
    fn deliver_to_home(
        &mut self,
        place: &Place<'_>,
        address: &Address,
        environment: &[Variable],
    ) -> Result<ProgramEnd, Report> {
        self.refuse_loop(address)?;
        let head = [return_path(&self.job.sender), delivered_to(address)];
        if let Some(lines) = dot_qmail(place.home, place.extension)? {
            return self.home_lines(place, &lines, &head, environment);
        }
        self.deliver_within(&place.bounds, place.maildir.to_owned(), &head)
            .map(|()| ProgramEnd::Next)
    }

    /// Carries out a mailbox's own .qmail file; a line for the mailbox itself keeps a copy.
    ///
    /// Programs run in the mailbox's home; USER and HOME stay those of the domain.
    fn home_lines(
        &mut self,
        place: &Place<'_>,
        contents: &[u8],
        head: &[Vec<u8>; 2],
        environment: &[Variable],
    ) -> Result<ProgramEnd, Report> {
        let home = place.home;
        let mut environment = environment.to_vec();
        environment.push(("SHELL", Some(b"/bin/sh".to_vec())));
        let mut recipients = Vec::new();
        let mut end = ProgramEnd::Next;
        // Blank lines are passed over wherever they stand, as is the execute bit.
        let lines: Vec<&[u8]> = contents
            .split(|&b| b == b'\n')
            .filter(|l| !l.trim_ascii().is_empty())
            .collect();
        for instruction in parse(&lines.join(&b'\n'), 0o600) {
            match instruction {
                Instruction::Maildir(path) => {
                    let path = inside(home, Path::new(OsStr::from_bytes(&path)));
                    self.deliver_within(&place.bounds, path, head)?;
                }
                Instruction::Forward(to) => recipients.push(to),
                Instruction::Refuse(report) => return Err(report),
                Instruction::Program(command) => {
                    end = self.program(&command, home, &environment)?;
                }
                Instruction::Mbox(path) => return Err(no_mbox(home, contents, &path)),
                _ => return Err(no_mbox(home, contents, b"")),
            }
            if end == ProgramEnd::Stop {
                break;
            }
        }
        if !recipients.is_empty() {
            self.forward_later(Forward {
                sender: self.job.sender.clone(),
                recipients,
                head: head.concat(),
                counts: false,
            });
        }
        Ok(end)
    }

    fn deliver_to_nobody(
        &mut self,
        accounts: &Accounts,
        call: &Call,
        user: &User,
        environment: &[Variable],
    ) -> Result<ProgramEnd, Report> {
        match &call.action {
            Action::Delete => Ok(ProgramEnd::Next),
            Action::Bounce => Err(Report::failure(no_user_text(accounts, &user.home))),
            Action::Forward(to) => {
                let wanted = self.wanted(user);
                self.refuse_loop(&wanted)?;
                let head = [return_path(&self.job.sender), delivered_to(&wanted)];
                self.forward_later(Forward {
                    sender: self.job.sender.clone(),
                    recipients: vec![to.clone()],
                    head: head.concat(),
                    counts: false,
                });
                Ok(ProgramEnd::Next)
            }
            Action::Directory(path) => {
                let home = Path::new(OsStr::from_bytes(path));
                let wanted = self.wanted(user);
                let place = Place {
                    home,
                    maildir: &home.join("Maildir"),
                    extension: b"",
                    bounds: Bounds {
                        accounts,
                        domain_dir: &user.home,
                        own: None,
                    },
                };
                self.deliver_to_home(&place, &wanted, environment)
            }
        }
    }

    /// The address that the sender meant.
    fn wanted(&self, user: &User) -> Address {
        let domain = self.job.recipient.domain().unwrap_or_default();
        let address = [&user.ext, b"@".as_slice(), domain]
            .concat()
            .to_ascii_lowercase();
        Address::new(address).unwrap_or_else(|_| self.job.recipient.clone())
    }

    /// Delivers into a Maildir that is made where it is missing.
    pub(super) fn deliver_fresh(&self, path: PathBuf, head: &[Vec<u8>]) -> Result<(), Report> {
        let fresh = !path.join("new").exists();
        if fresh {
            let made = self.tools.maildir_at(path.clone()).create(None);
            made.map_err(|error| {
                tracing::warn!("unable to make {}: {error}", path.display());
                Report::deferral("Unable to chdir to maildir. (#4.2.1)\n")
            })?;
        }
        self.maildir(path, head)
    }
}

/// The domain's own words, else everybody's, else the usual ones.
fn no_user_text(accounts: &Accounts, domain: &Path) -> Vec<u8> {
    let files = RealFiles::new();
    let own = [
        domain.join(".no-user.msg"),
        accounts.layout().vpopmail.join("domains/.no-user.msg"),
    ];
    let text = own.iter().find_map(|path| files.read(path, SMALL).ok());
    text.unwrap_or_else(|| NO_MAILBOX.as_bytes().to_vec())
}

/// As in vdelivermail, a mailbox has Maildirs only; the line is named.
fn no_mbox(home: &Path, contents: &[u8], line: &[u8]) -> Report {
    let place = place_of(&home.join(".qmail"), contents, line);
    Report::deferral(format!(
        "Unable to do what {place} asks for: vdelivermail delivers to Maildirs, programs and \
         addresses. (#4.3.5)\n"
    ))
}

/// Where a mailbox's mail goes.
struct Place<'a> {
    home: &'a Path,
    maildir: &'a Path,
    /// What follows the mailbox's name and a hyphen, where extensions are in use.
    extension: &'a [u8],
    bounds: Bounds<'a>,
}

/// A path of a line in a home, without the `.` and the last slash that it is written with.
fn inside(home: &Path, line: &Path) -> PathBuf {
    home.join(line).components().collect()
}

/// The mailbox's own instructions; an empty file counts as none.
///
/// With an extension the first of `.qmail-EXT`, `.qmail-PART-default`, `.qmail-default` and
/// `.qmail` that is there, dots in it written as colons.
fn dot_qmail(home: &Path, extension: &[u8]) -> Result<Option<Vec<u8>>, Report> {
    for name in names(extension) {
        let path = home.join(OsStr::from_bytes(&name));
        match RealFiles::new().read(&path, SMALL) {
            Ok(lines) if lines.is_empty() => return Ok(None),
            Ok(lines) => return Ok(Some(lines)),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => {
                return Err(Report::deferral(format!(
                    "Unable to open {}: {error}. (#4.3.0)\n",
                    path.display()
                )));
            }
        }
    }
    Ok(None)
}

fn names(extension: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    // A slash would lead out of the home.
    if !extension.is_empty() && !extension.contains(&b'/') {
        let safe: Vec<u8> = extension
            .iter()
            .map(|&b| {
                if b == b'.' {
                    b':'
                } else {
                    b.to_ascii_lowercase()
                }
            })
            .collect();
        names.push([b".qmail-", safe.as_slice()].concat());
        for (at, _) in safe.iter().enumerate().rev().filter(|(_, b)| **b == b'-') {
            let part = safe.get(..=at).unwrap_or_default();
            names.push([b".qmail-", part, b"default"].concat());
        }
        names.push(b".qmail-default".to_vec());
    }
    names.push(b".qmail".to_vec());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_variables_of_a_default_line_are_put_in() {
        let environment: [Variable; 2] = [
            ("EXT", Some(b"joe $(id)".to_vec())),
            ("HOST", Some(b"example.org".to_vec())),
        ];
        let rows: [(&[u8], &[&[u8]]); 7] = [
            (b"v '' $EXT@far.test", &[b"v", b"", b"joe $(id)@far.test"]),
            (
                b"v '' \"$EXT@$HOST\"",
                &[b"v", b"", b"joe $(id)@example.org"],
            ),
            (b"v '$EXT'", &[b"v", b"$EXT"]),
            (b"v $EXTRA", &[]),
            (b"v $LOCAL", &[]),
            (b"v $(id)", &[]),
            (b"v \xff0", &[]),
        ];
        for (command, expected) in rows {
            let got = words(command, &environment);
            assert_eq!(got, expected, "{}", command.escape_ascii());
        }
    }

    #[test]
    fn extensions_shorten_at_hyphens() {
        let names = |ext: &[u8]| {
            let names = super::names(ext).into_iter();
            names
                .map(|n| String::from_utf8(n).unwrap())
                .collect::<Vec<_>>()
        };
        let all = [
            ".qmail-A:b-c".to_ascii_lowercase(),
            ".qmail-a:b-default".to_owned(),
            ".qmail-default".to_owned(),
            ".qmail".to_owned(),
        ];
        assert_eq!(names(b"A.b-c"), all);
        assert_eq!(names(b""), [".qmail"]);
        assert_eq!(names(b"../x"), [".qmail"]);
    }

    #[test]
    fn calls_are_recognised_by_the_programs_name() {
        let read = |line: &[u8]| Call::from_words(&simple_words(line).unwrap_or_default());
        let action = |line: &[u8]| read(line).map(|call| call.map(|call| call.action));
        assert_eq!(
            action(b" /h/bin/vdelivermail '' bounce-no-mailbox"),
            Some(Ok(Action::Bounce))
        );
        assert_eq!(action(b"vdelivermail '' delete"), Some(Ok(Action::Delete)));
        assert_eq!(
            action(b"vdelivermail '' /v/joe"),
            Some(Ok(Action::Directory(b"/v/joe".to_vec())))
        );
        let joe = Address::new("joe@example.org").unwrap();
        assert_eq!(
            action(b"vdelivermail '' joe@example.org"),
            Some(Ok(Action::Forward(joe)))
        );
        assert_eq!(action(b"autorespond 1 2 3 4"), None);
        assert_eq!(action(b"preline vdelivermail '' delete"), None);
        for wrong in [
            &b"vdelivermail"[..],
            b"vdelivermail ''",
            b"vdelivermail '' a b",
            b"vdelivermail '' joe",
        ] {
            assert!(
                matches!(read(wrong), Some(Err(_))),
                "{}",
                wrong.escape_ascii()
            );
        }
    }
}
