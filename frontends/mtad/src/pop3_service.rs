//! One POP3 session: logins checked, a Maildir listed, messages streamed from their files (RFC 1939, qmail-pop3d(8)).

use crate::door::{Door, Stage, Why};
use crate::listen::{Entry, Pass};
use crate::maildrops::{self, Reader, View, Want};
use crate::server::Server as Shared;
use crate::stop::{Phase, Stop};
use bytes::Bytes;
use driver::{Closed, Link};
use mta_auth::Usage;
use mta_auth::maildir_quota::{MaildirQuota, usage_of};
use mta_core::log::Session as Named;
use mta_core::ports::authenticator::{Account, Login, Proof, Service};
use mta_proto::Chunk;
use mta_proto::pop3::{Admission, AuthAnswer, Code, Event, Refusal, Server};
use mta_store::files::RealFiles;
use mta_store::maildir;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;

/// The Maildirs that a session has open: RFC 1939 §3 wants them locked.
#[derive(Debug, Default)]
pub struct InUse(Mutex<HashSet<PathBuf>>);

/// One session's right to a Maildir; dropping it gives it back.
#[derive(Debug)]
struct Claim {
    all: Arc<InUse>,
    path: PathBuf,
}

impl InUse {
    fn claim(self: &Arc<Self>, path: PathBuf) -> Option<Claim> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = open.insert(path.clone());
        fresh.then(|| Claim {
            all: Arc::clone(self),
            path,
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut open = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&self.path);
    }
}

/// Serves one client until it leaves, is sent away, or the server stops.
pub async fn serve(
    shared: Arc<Shared>,
    in_use: Arc<InUse>,
    stream: TcpStream,
    peer: SocketAddr,
    pass: Pass,
) {
    let number = pass.number();
    tracing::info!("pop3 {number}: connect from {peer}");
    let snapshot = shared.snapshot();
    let config = Arc::clone(&snapshot.pop3);
    let mut stop = shared.stop();
    let named = Named {
        protocol: "pop3",
        number,
    };
    let door = Door::new(Arc::clone(&shared), named, peer.ip(), Service::Pop);
    let timestamp = door.timestamp();
    let machine = match &timestamp {
        Some(timestamp) => Server::with_apop(config, shared.clock().now(), timestamp),
        None => Server::new(config, shared.clock().now()),
    };
    let mut session = Session {
        link: Link::new(machine, stream, shared.clock()).with_tls(snapshot.tls.server.handshake()),
        shared,
        door,
        timestamp: timestamp.unwrap_or_default(),
        in_use,
        number,
        drop: None,
        reader: Reader::default(),
        end: "quit".to_owned(),
    };
    drop(snapshot);
    let offer = session.door.offer();
    session.link.machine().offer_auth(offer);
    let mut cut = stop.clone();
    tokio::select! {
        () = session.run(&mut stop, pass.entry()) => {}
        () = cut.reached(Phase::Cut) => session.end = "server stops".to_owned(),
    }
    tracing::info!("pop3 {number}: end: {}", session.end);
}

struct Session {
    shared: Arc<Shared>,
    in_use: Arc<InUse>,
    link: Link<Server, TcpStream>,
    door: Door,
    /// What APOP's digest is made of; empty where it is not offered.
    timestamp: String,
    number: u64,
    drop: Option<Maildrop>,
    reader: Reader,
    end: String,
}

/// The Maildir of whoever logged in.
struct Maildrop {
    listing: Arc<maildir::Listing<RealFiles>>,
    path: PathBuf,
    _claim: Claim,
}

impl Session {
    async fn run(&mut self, stop: &mut Stop, entry: Entry) {
        if entry == Entry::Tls {
            if let Err(closed) = self.link.start_tls().await {
                self.end = closed.to_string();
                return;
            }
            self.tell_tls();
        }
        let mut stopping = false;
        loop {
            let event = tokio::select! {
                event = self.link.next() => event,
                () = stop.reached(Phase::Finish), if !stopping => {
                    stopping = true;
                    self.link.machine().shutdown();
                    continue;
                }
            };
            let handled = match event {
                Ok(event) => Box::pin(self.handle(event)).await,
                Err(closed) => Err(closed),
            };
            match handled {
                Ok(()) => {}
                Err(Closed::Ended) => return,
                Err(other) => {
                    self.end = other.to_string();
                    return;
                }
            }
        }
    }

    fn tell_tls(&mut self) {
        if let Some(facts) = self.link.tls() {
            self.door.encrypted(facts);
            tracing::info!("pop3 {}: {facts}", self.number);
        }
        let offer = self.door.offer();
        self.link.machine().offer_auth(offer);
    }

    async fn handle(&mut self, event: Event) -> Result<(), Closed> {
        if !matches!(event, Event::Need(_)) {
            self.reader.close();
        }
        match event {
            event @ (Event::Login { .. }
            | Event::Apop { .. }
            | Event::Auth { .. }
            | Event::AuthResponse { .. }
            | Event::AuthCancelled) => self.authorize(event).await?,
            Event::Open { index, ticket, .. } => {
                let opened = self.open(index).await?;
                self.link.machine().opened(ticket, opened);
            }
            Event::Need(ticket) => {
                let piece = self.piece().await?;
                self.link.machine().chunk(ticket, piece);
            }
            Event::Quit { deleted, ticket } => {
                let updated = self.update(deleted).await?;
                self.link.machine().updated(ticket, updated);
            }
            Event::TlsStarted => self.tell_tls(),
            Event::Abort(reason) => self.end = reason.to_string(),
            _ => {}
        }
        Ok(())
    }

    /// Takes what a client says before its login.
    async fn authorize(&mut self, event: Event) -> Result<(), Closed> {
        match event {
            Event::Login {
                name,
                password,
                ticket,
            } => {
                let proof = Proof::Password(password.expose());
                let admission = self.login(&name, proof, "USER").await?;
                self.link.machine().admit(ticket, admission);
            }
            Event::Auth {
                mechanism,
                initial,
                ticket,
            } => {
                let begun = self.door.begin(mechanism, initial.as_ref());
                let stage = self.link.while_waiting(begun).await?;
                let answer = self.stage(stage).await?;
                self.link.machine().answer_auth(ticket, answer);
            }
            Event::AuthResponse { message, ticket } => {
                let stage = self.link.while_waiting(self.door.respond(&message));
                let stage = stage.await?;
                let answer = self.stage(stage).await?;
                self.link.machine().answer_auth(ticket, answer);
            }
            Event::AuthCancelled => self.door.cancelled(),
            Event::Apop {
                name,
                digest,
                ticket,
            } => {
                let timestamp = std::mem::take(&mut self.timestamp);
                let proof = Proof::Apop {
                    timestamp: timestamp.as_bytes(),
                    digest: digest.expose(),
                };
                let admission = self.login(&name, proof, "APOP").await?;
                self.timestamp = timestamp;
                self.link.machine().admit(ticket, admission);
            }
            _ => {}
        }
        Ok(())
    }

    async fn login(
        &mut self,
        name: &[u8],
        proof: Proof<'_>,
        how: &str,
    ) -> Result<Admission, Closed> {
        let checking = self.door.check(name, proof, how);
        match self.link.while_waiting(checking).await? {
            Login::Accepted(account) => self.admit(account).await,
            Login::Refused => Ok(Admission::Refuse(Refusal::AUTHORIZATION)),
            _ => Ok(Admission::Refuse(Refusal::UNSURE)),
        }
    }

    async fn stage(&mut self, stage: Stage) -> Result<AuthAnswer, Closed> {
        Ok(AuthAnswer::Done(match stage {
            Stage::Challenge(challenge) => return Ok(AuthAnswer::Challenge(challenge)),
            Stage::In(account) => self.admit(account).await?,
            Stage::Out(Why::Wrong) => Admission::Refuse(Refusal::AUTHORIZATION),
            Stage::Out(Why::Malformed) => {
                let text = "a message of the mechanism was expected";
                Admission::Refuse(Refusal::new(Some(Code::Auth), text))
            }
            Stage::Out(Why::NotNow) => Admission::Refuse(Refusal::UNSURE),
        }))
    }

    async fn admit(&mut self, account: Account) -> Result<Admission, Closed> {
        let Some(claim) = self.in_use.claim(account.maildir.clone()) else {
            let text = "the mailbox is open in another session";
            return Ok(Admission::Refuse(Refusal::new(Some(Code::InUse), text)));
        };
        self.list(account, claim).await
    }

    async fn list(&mut self, account: Account, claim: Claim) -> Result<Admission, Closed> {
        let pool = self.shared.pools.sessions.clone();
        let (path, listings) = (account.maildir.clone(), Arc::clone(&self.shared.listings));
        let listed = self
            .link
            .while_waiting(pool.run(move || listings.list(path)))
            .await?;
        match listed.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(View { maildir, listing }) => {
                self.drop = Some(Maildrop {
                    listing: maildir,
                    path: account.maildir,
                    _claim: claim,
                });
                Ok(Admission::Accept(listing))
            }
            Err(error) => {
                let (number, path) = (self.number, account.maildir.display());
                tracing::warn!("pop3 {number}: unable to read {path}: {error}");
                Ok(Admission::Refuse(Refusal::NO_MAILBOX))
            }
        }
    }

    async fn open(&mut self, index: u32) -> Result<Result<(), Refusal>, Closed> {
        let Some(maildrop) = &self.drop else {
            return Ok(Err(Refusal::NO_MESSAGE));
        };
        let want = self.reader.turn(index as usize);
        if want == Want::Nothing {
            return Ok(Ok(()));
        }
        let listing = Arc::clone(&maildrop.listing);
        let pool = self.shared.pools.sessions.clone();
        let work = pool.run(move || maildrops::open(&listing, index as usize, want));
        let opened = self.link.while_waiting(work).await?;
        match opened.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(read) => {
                self.reader.take(read);
                Ok(Ok(()))
            }
            Err(error) => {
                let number = self.number;
                tracing::warn!(
                    "pop3 {number}: unable to open message {}: {error}",
                    u64::from(index) + 1
                );
                Ok(Err(Refusal::NO_MESSAGE))
            }
        }
    }

    async fn piece(&mut self) -> Result<Chunk, Closed> {
        if !self.reader.is_open() {
            return Ok(Chunk::Failed);
        }
        let (file, at) = match self.reader.piece() {
            Ok(piece) => return Ok(chunk(piece)),
            Err(Some(place)) => place,
            Err(None) => return Ok(Chunk::Failed),
        };
        let pool = self.shared.pools.sessions.clone();
        let work = pool.run(move || maildrops::piece(&file, at));
        let read = self.link.while_waiting(work).await?;
        Ok(
            match read.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
                Ok(piece) => {
                    self.reader.advance(piece.len());
                    chunk(piece)
                }
                Err(error) => {
                    let number = self.number;
                    tracing::warn!("pop3 {number}: unable to read a message: {error}");
                    Chunk::Failed
                }
            },
        )
    }

    /// Removes what was deleted and marks the rest as seen, as the original does.
    async fn update(&mut self, deleted: Vec<u32>) -> Result<Result<(), Refusal>, Closed> {
        let Some(maildrop) = self.drop.take() else {
            return Ok(Ok(()));
        };
        let pool = self.shared.pools.sessions.clone();
        let work = pool.run(move || {
            let done = tidy(&maildrop, &deleted);
            drop(maildrop);
            done
        });
        let done = self.link.while_waiting(work).await?;
        match done.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(()) => Ok(Ok(())),
            Err(error) => {
                let number = self.number;
                tracing::warn!("pop3 {number}: unable to remove all deleted messages: {error}");
                Ok(Err(Refusal::NOT_REMOVED))
            }
        }
    }
}

/// Nothing more is the end.
fn chunk(piece: Vec<u8>) -> Chunk {
    if piece.is_empty() {
        Chunk::End
    } else {
        Chunk::Bytes(Bytes::from(piece))
    }
}

/// Removes messages, and takes them out of the Maildir's running sum.
fn tidy(maildrop: &Maildrop, deleted: &[u32]) -> std::io::Result<()> {
    let deleted: Vec<usize> = deleted.iter().map(|&index| index as usize).collect();
    let removed = maildrop.listing.update(&deleted);
    if deleted.is_empty() {
        return removed;
    }
    let counted = MaildirQuota::of(&RealFiles::new(), &maildrop.path).and_then(|accounts| {
        if removed.is_err() {
            // Nobody knows how many are gone; the next who asks counts.
            return accounts.forget();
        }
        let messages = maildrop.listing.messages();
        let gone = deleted.iter().filter_map(|&index| messages.get(index));
        let gone = gone.filter_map(|message| usage_of(&message.name, message.size));
        accounts.subtract(gone.fold(Usage::default(), Usage::plus))
    });
    if let Err(error) = counted {
        let path = maildrop.path.display();
        tracing::warn!("unable to account for what was removed from {path}: {error}");
    }
    removed
}
