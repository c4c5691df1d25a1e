//! Hands bounces, and what else senders asked to hear, to qmail-queue (qmail-send(8), spec §5.8, RFC 3461).

use super::steps::params;
use crate::injection::{Injection, NotBegun};
use crate::io::Io;
use mta_core::bounce::{Bounce, Notice, Original, Scan, Settings, compose_notice};
use mta_core::control::Controls;
use mta_core::envelope::Recipient;
use mta_core::ports::spool::MessageId;
use mta_core::{Address, Unix};
use mta_store::files::RealFiles;
use mta_store::queue::{Message, Queue};
use std::fs::File;
use std::io::{self, Read, Write};

/// Bytes of the message that are in memory at a time.
const PIECE: usize = 32 * 1024;

/// What is needed to write to a sender.
pub(super) struct Writer<'a> {
    pub(super) io: &'a Io<'a>,
    pub(super) queue: &'a Queue<RealFiles>,
    pub(super) controls: &'a Controls,
    pub(super) now: Unix,
}

/// The message that is written about.
pub(super) struct About {
    pub(super) id: MessageId,
    pub(super) birth: Unix,
    pub(super) sender: Address,
}

impl Writer<'_> {
    fn settings(&self) -> Settings {
        Settings {
            zone: self.io.dates().stamp(self.now).zone,
            ..Settings::from(self.controls)
        }
    }

    /// Queues the bounce and returns the number of the process that did.
    pub(super) fn bounce(&self, about: &About) -> Result<u32, String> {
        let failures = self.queue.bounce(about.id).map_err(said)?;
        let failures = failures.unwrap_or_default();
        let settings = self.settings();
        self.send(about, |original, unique| {
            let original = Original {
                failures: &failures,
                ..*original
            };
            Bounce::compose(&settings, &original, self.now, unique)
        })
    }

    /// Queues what is no bounce; recipients of delays are tried until `until`.
    pub(super) fn notify(
        &self,
        about: &About,
        notices: &[Notice],
        until: Unix,
    ) -> Result<u32, String> {
        let settings = self.settings();
        let routing = &self.controls.routing;
        self.send(about, |original, unique| {
            let when = (self.now, unique);
            compose_notice(&settings, original, notices, (routing, until), when)
        })
    }

    /// Composes and queues; where nobody is to be told, nothing is queued and the number is 0.
    fn send(
        &self,
        about: &About,
        compose: impl FnOnce(&Original<'_>, &[u8]) -> Option<Bounce>,
    ) -> Result<u32, String> {
        let params = params(self.queue, about.id).map_err(said)?;
        let known = params.recipients.into_iter().map(|to| Recipient {
            address: self.controls.routing.shown(&to.address),
            ..to
        });
        let known: Vec<Recipient> = known.collect();
        let message = self.queue.open_message(about.id).map_err(said)?;
        let mut scan = Scan::default();
        each_piece(&message, u64::MAX, |piece| scan.feed(piece)).map_err(said)?;
        let original = Original {
            sender: &about.sender,
            params: &params.mail,
            recipients: &known,
            birth: about.birth,
            scan: &scan,
            failures: b"",
        };
        match compose(&original, &unique().map_err(said)?) {
            Some(bounce) => self.inject(&message, &bounce),
            None => Ok(0),
        }
    }

    fn inject(&self, message: &Message<RealFiles>, bounce: &Bounce) -> Result<u32, String> {
        let mut injection = Injection::begin(self.io).map_err(|error| match error {
            NotBegun::Fork(error) => error.to_string(),
            NotBegun::Refused(refusal) => refused(&refusal),
        })?;
        // These never fail: the exit code says whether all was taken.
        let _ = injection.write_all(&bounce.head);
        let copied = each_piece(message, bounce.copy, |piece| {
            let _ = injection.write_all(piece);
        });
        if let Err(error) = copied {
            injection.abandon();
            return Err(said(error));
        }
        let _ = injection.write_all(&bounce.tail);
        let envelope = &bounce.envelope;
        let mut recipients = envelope.recipients.iter().map(|to| to.address.as_bytes());
        let sent = injection.finish(envelope.reverse_path.as_bytes(), &mut recipients);
        sent.map_err(|refusal| refused(&refusal))
    }
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn refused(refusal: &mta_core::qq::Refusal) -> String {
    String::from_utf8_lossy(&refusal.text).into_owned()
}

fn unique() -> io::Result<[u8; 12]> {
    let mut bytes = [0; 12];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Shows the first `most` bytes of a message in pieces.
fn each_piece(
    message: &Message<RealFiles>,
    most: u64,
    mut show: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut at = 0_u64;
    while at < most {
        let room = usize::try_from(most - at).unwrap_or(PIECE).min(PIECE);
        let n = message.read_at(piece.get_mut(..room).unwrap_or_default(), at)?;
        if n == 0 {
            break;
        }
        at += n as u64;
        show(piece.get(..n).unwrap_or_default());
    }
    Ok(())
}
