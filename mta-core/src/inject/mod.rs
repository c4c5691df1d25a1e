//! Injection: a local user's message made fit for the queue (qmail-inject(8), qmail-header(5), spec §11.1 to §11.3).
//!
//! ```text
//!            ┌───────────────────── Injector ────────────────────┐
//!  message ──► fields ──► tokens ──► list ──► addresses completed ──► Injection: head, sender,
//!            └───────────────────────────────────────────────────┘              recipients
//!     the rest of the message ───────────────────────────────────► behind the head, untouched
//! ```
//!
//! Unlike qmail:
//! - a line of CR LF ends a header too;
//! - fields, the header and addresses are counted ([`Limits`]);
//! - a NUL in a field that is rewritten refuses the message: an envelope would end an address there;
//! - `<>` in a recipient field is no recipient, and an address that vanishes in rewriting (`@host`)
//!   makes its field unparsable;
//! - a null sender from Return-Path stays null under the letter `r`;
//! - nothing from the environment or an argument can end a header line.
//!
//! How lists and single addresses are read otherwise than in the original stands where that is done.

mod environment;
mod error;
mod field;
mod generate;
mod layout;
mod list;
mod reader;
mod receipt;
mod rewrite;
mod settings;
mod token;

pub use environment::{Environment, Letters};
pub use error::InjectError;
pub use reader::{Found, HeaderReader, MAX_NAME};
pub use receipt::ReceiptRequest;
pub use rewrite::Rewriter;
pub use settings::{DateForm, Hosts, Limits, RecipientsFrom, Settings};

use crate::Address;
use field::{Group, Known, Role};
use layout::unquoted;
use std::collections::BTreeSet;
use token::{Token, Unparsable};

/// Takes a message's header and makes an [`Injection`] of it.
///
/// ```
/// use mta_core::Unix;
/// use mta_core::inject::{Environment, Fed, Hosts, Injector, Settings};
///
/// let mut hosts = Hosts::default();
/// hosts.defaultdomain = b"example.org".to_vec();
/// let settings = Settings::new(hosts, Environment::default(), Unix(0), 7);
/// let mut injector = Injector::new(settings, std::iter::empty::<&[u8]>()).unwrap();
///
/// let message = b"From: joe@box\nTo: fred@box\n\nHello\n";
/// let Fed::Body { taken } = injector.feed(message).unwrap() else {
///     panic!("the header has an end");
/// };
/// assert_eq!(&message[taken..], b"Hello\n");
/// let injection = injector.finish().unwrap();
/// assert_eq!(injection.sender.as_bytes(), b"anonymous@defaulthost.example.org");
/// assert_eq!(injection.recipients[0].as_bytes(), b"fred@box.example.org");
/// assert_eq!(
///     String::from_utf8(injection.head).unwrap(),
///     "Date: 1 Jan 1970 00:00:00 -0000\nMessage-ID: <19700101000000.7.qmail@idhost>\n\
///      From: joe@box.example.org\nTo: fred@box.example.org\n\n"
/// );
/// ```
#[derive(Debug)]
pub struct Injector {
    settings: Settings,
    letters: Letters,
    rewriter: Rewriter,
    reader: HeaderReader,
    seen: BTreeSet<Known>,
    /// The fields that stay, in order, rewritten.
    fields: Vec<u8>,
    /// What stands before the rest of the input once the header has ended.
    before_body: Option<Vec<u8>>,
    sender: Option<Address>,
    arguments: Vec<Address>,
    plain: Collected,
    resent: Collected,
    /// The addresses of To and Cc.
    followed_up: Vec<Address>,
    addresses: usize,
}

/// What the recipient fields of one group came to.
#[derive(Debug, Default)]
struct Collected {
    recipients: Vec<Address>,
    /// Why a field among them could not be read.
    broken: Option<InjectError>,
}

/// How far [`Injector::feed`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "both must be handled")]
pub enum Fed {
    /// All of it was header; more is wanted.
    More,
    /// The header has ended; what follows the first `taken` bytes belongs to the body.
    Body {
        /// How many bytes of this input went into the head.
        taken: usize,
    },
}

/// A message's envelope and beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Injection {
    /// The new header, the empty line, and where a line that is no field ended the header, as much
    /// of that line as was taken. The rest of the input goes behind it as it is, and then
    /// [`LastLine::completion`].
    pub head: Vec<u8>,
    /// The envelope sender. (`-n` shows it as [`return_path`](crate::delivered::return_path).)
    pub sender: Address,
    /// The envelope recipients in qmail's order: arguments, then fields in order, each from right
    /// to left. There may be none.
    pub recipients: Vec<Address>,
}

impl Injector {
    /// Reads the host names, `-f` and the arguments.
    ///
    /// # Errors
    /// Fails where one of them is no host name or no address, or there are too many.
    pub fn new<'a>(
        settings: Settings,
        arguments: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, InjectError> {
        let mut settings = settings;
        settings.hosts = settings.hosts.overridden(&settings.environment);
        let rewriter = Rewriter::new(&settings.hosts)?;
        let given = settings.sender.as_deref();
        let mut injector = Self {
            letters: settings.environment.letters(),
            reader: HeaderReader::new(settings.limits),
            sender: given.map(|text| rewriter.address(text)).transpose()?,
            rewriter,
            settings,
            seen: BTreeSet::new(),
            fields: Vec::new(),
            before_body: None,
            arguments: Vec::new(),
            plain: Collected::default(),
            resent: Collected::default(),
            followed_up: Vec::new(),
            addresses: 0,
        };
        if injector.settings.recipients != RecipientsFrom::Header {
            for argument in arguments {
                injector.argument(argument)?;
            }
        }
        Ok(injector)
    }

    /// Takes input until the header has ended. How it is cut makes no difference.
    ///
    /// # Errors
    /// Fails where a field cannot be read, or a limit is passed.
    pub fn feed(&mut self, input: &[u8]) -> Result<Fed, InjectError> {
        let mut rest = input;
        while self.before_body.is_none() {
            match self.reader.next(&mut rest)? {
                Found::More => return Ok(Fed::More),
                Found::Field(line) => self.field(&line)?,
                Found::Body(before) => self.before_body = Some(before),
            }
        }
        let taken = input.len() - rest.len();
        Ok(Fed::Body { taken })
    }

    /// Ends the header, where it has not ended yet, and says what came of it.
    ///
    /// # Errors
    /// Fails where a field cannot be read, among them recipient fields that count.
    pub fn finish(mut self) -> Result<Injection, InjectError> {
        let before_body = loop {
            if let Some(before) = self.before_body.take() {
                break before;
            }
            match self.reader.finish() {
                Found::Field(line) => self.field(&line)?,
                Found::Body(before) => break before,
                Found::More => {}
            }
        };
        let resent = self.seen.iter().any(|known| known.is_resent());
        let sender = match self.sender.take() {
            Some(sender) => sender,
            None => generate::sender(&self.settings, &self.rewriter)?,
        };
        let mut head = generate::missing(&self.settings, &self.rewriter, &self.seen, resent)?;
        if !resent && self.is_followed_up() {
            head.extend(generate::mail_followup_to(&self.followed_up));
        }
        head.extend_from_slice(&self.fields);
        head.extend_from_slice(&before_body);
        let recipients = self.recipients(resent)?;
        Ok(Injection {
            head,
            sender,
            recipients,
        })
    }

    fn is_followed_up(&self) -> bool {
        let listed = |to: &Address| self.settings.lists.contains(to.as_bytes());
        !self.seen.contains(&Known::MailFollowupTo) && self.followed_up.iter().any(listed)
    }

    /// Unlike notqmail, which keeps the recipients that it read before an error and lets the field
    /// pass as it is, a recipient field that counts and cannot be read refuses the message, as in
    /// qmail 1.03: nobody gets mail while others in the same field do not. Unlike qmail 1.03, a
    /// field whose addresses do not count (the arguments do, or the Resent- fields) may be broken;
    /// it passes as it is.
    fn recipients(self, resent: bool) -> Result<Vec<Address>, InjectError> {
        let mut recipients = self.arguments;
        let from_header = match self.settings.recipients {
            RecipientsFrom::Arguments => false,
            RecipientsFrom::Header | RecipientsFrom::Both => true,
            RecipientsFrom::ArgumentsElseHeader => recipients.is_empty(),
        };
        if from_header {
            let mut group = if resent { self.resent } else { self.plain };
            if let Some(error) = group.broken {
                return Err(error);
            }
            recipients.append(&mut group.recipients);
        }
        Ok(recipients)
    }

    fn argument(&mut self, text: &[u8]) -> Result<(), InjectError> {
        self.count()?;
        let address = self.rewriter.address(text)?;
        // Unlike qmail, which would send to the host alone.
        if address.is_null() {
            return Err(InjectError::UnparsableAddress(text.to_vec()));
        }
        self.arguments.push(address);
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), InjectError> {
        let colon = line.iter().position(|&b| b == b':');
        let (name, body) = line.split_at(colon.unwrap_or(line.len()));
        let Some(known) = Known::of(name.trim_ascii_end()) else {
            self.fields.extend_from_slice(line);
            return Ok(());
        };
        match known {
            Known::From if self.letters.drop_from => return Ok(()),
            Known::MessageId if self.letters.drop_message_id => return Ok(()),
            Known::ReturnPath if self.letters.drop_return_path => return Ok(()),
            _ => self.seen.insert(known),
        };
        let role = known.role();
        if role == Role::Copy {
            if !known.is_dropped() {
                self.fields.extend_from_slice(line);
            }
            return Ok(());
        }
        let parsed = self.rewritten(line, body.get(1..).unwrap_or_default());
        match (parsed, role) {
            (Ok((tokens, addresses)), _) => {
                if !known.is_dropped() {
                    let text = layout::field(name.trim_ascii_end(), &tokens);
                    self.fields.extend_from_slice(&text);
                }
                self.collect(known, addresses);
            }
            (Err(error @ InjectError::TooManyAddresses { .. }), _) => return Err(error),
            (Err(error), Role::Recipients(group)) => {
                self.group(group).broken.get_or_insert(error);
                if !known.is_dropped() {
                    self.fields.extend_from_slice(line);
                }
            }
            (Err(error), _) => return Err(error),
        }
        Ok(())
    }

    /// Parses a field and completes its addresses, which it also returns, from right to left.
    fn rewritten(
        &mut self,
        line: &[u8],
        body: &[u8],
    ) -> Result<(Vec<Token>, Vec<Address>), InjectError> {
        if line.contains(&0) {
            return Err(InjectError::InvalidField(line.to_vec()));
        }
        let mut addresses = Vec::new();
        let mut limit = Ok(());
        let parsed = token::tokens(body).and_then(|tokens| {
            list::rewrite(tokens, &mut |address| {
                limit = self.count();
                limit.as_ref().map_err(|_| Unparsable)?;
                let was_empty = address.is_empty();
                self.rewriter.complete(address);
                if address.is_empty() && !was_empty {
                    return Err(Unparsable);
                }
                addresses.push(Address::new(unquoted(address)).map_err(|_| Unparsable)?);
                Ok(())
            })
        });
        limit?;
        match parsed {
            Ok(tokens) => Ok((tokens, addresses)),
            Err(Unparsable) => Err(InjectError::UnparsableLine(line.to_vec())),
        }
    }

    fn collect(&mut self, known: Known, mut addresses: Vec<Address>) {
        match known.role() {
            Role::Copy | Role::Rewrite => {}
            Role::Sender => {
                if let (None, Some(first)) = (&self.sender, addresses.into_iter().next()) {
                    self.sender = Some(self.returned_to(first));
                }
            }
            Role::Recipients(group) => {
                addresses.retain(|address| !address.is_null());
                if known.is_followed_up() {
                    self.followed_up.extend_from_slice(&addresses);
                }
                self.group(group).recipients.append(&mut addresses);
            }
        }
    }

    /// The sender that a Return-Path asks for.
    fn returned_to(&self, address: Address) -> Address {
        if !self.letters.verp || address.is_null() {
            return address;
        }
        let marked = [address.as_bytes(), b"-@[]"].concat();
        Address::new(marked).unwrap_or(address)
    }

    const fn group(&mut self, group: Group) -> &mut Collected {
        match group {
            Group::Plain => &mut self.plain,
            Group::Resent => &mut self.resent,
        }
    }

    const fn count(&mut self) -> Result<(), InjectError> {
        self.addresses += 1;
        let limit = self.settings.limits.addresses;
        if self.addresses > limit {
            return Err(InjectError::TooManyAddresses { limit });
        }
        Ok(())
    }
}

/// Watches a message pass and completes its last line where that has no LF.
///
/// ```
/// use mta_core::inject::LastLine;
/// let mut last = LastLine::default();
/// last.pass(b"Subject: x\n\nbo");
/// last.pass(b"dy");
/// assert_eq!(last.completion(), b"\n");
/// last.pass(b"\n");
/// assert_eq!(last.completion(), b"");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastLine {
    partial: bool,
}

impl LastLine {
    /// Notes a piece that is sent on, the head being the first.
    pub const fn pass(&mut self, piece: &[u8]) {
        if let Some(last) = piece.last() {
            self.partial = *last != b'\n';
        }
    }

    /// Returns what the message lacks at its end: LF or nothing.
    #[must_use]
    pub const fn completion(&self) -> &'static [u8] {
        if self.partial { b"\n" } else { b"" }
    }
}
