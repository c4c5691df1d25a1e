//! Serves a mailbox in memory by POP3 (RFC 1939).
//!
//! Run it with `cargo run -p pop3`, then look into it from another terminal:
//! `curl -u joe:sesame pop3://127.0.0.1:2110/1`

use bytes::Bytes;
use driver::{Clock, Closed, Link};
use mta_proto::Chunk;
use mta_proto::pop3::{Admission, Config, Event, Listing, ListingFull, Refusal, Server};
use std::io::{self, Write};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

/// One person's messages, lines ended by LF, each with an id of its own.
struct Mailbox {
    name: &'static str,
    password: &'static str,
    messages: Vec<(String, Bytes)>,
}

impl Mailbox {
    /// What a client sees: ids, and sizes with CRLF line ends.
    fn listing(&self) -> Result<Listing, ListingFull> {
        let mut listing = Listing::new(self.messages.len());
        for (id, message) in &self.messages {
            let line_ends = message.iter().filter(|&&byte| byte == b'\n').count();
            listing.push((message.len() + line_ends) as u64, id.as_bytes())?;
        }
        Ok(listing)
    }

    fn admit(&self, name: &[u8], password: &[u8]) -> Admission {
        // A real server compares hashes, in constant time.
        if name != self.name.as_bytes() || password != self.password.as_bytes() {
            return Admission::Refuse(Refusal::AUTHORIZATION);
        }
        match self.listing() {
            Ok(listing) => Admission::Accept(listing),
            Err(_) => Admission::Refuse(Refusal::NO_MAILBOX),
        }
    }
}

/// Serves one client to its end.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, mailbox: &mut Mailbox) -> Closed {
    let clock = Clock::start();
    let server = Server::new(Arc::new(Config::default()), clock.now());
    let mut link = Link::new(server, stream, clock);
    let mut open = None;
    loop {
        let event = match link.next().await {
            Ok(event) => event,
            Err(closed) => return closed,
        };
        let server = link.machine();
        match event {
            Event::Login {
                name,
                password,
                ticket,
            } => server.admit(ticket, mailbox.admit(&name, password.expose())),
            Event::Open { index, ticket, .. } => {
                open = mailbox.messages.get(index as usize).map(|(_, m)| m.clone());
                server.opened(ticket, open.as_ref().map(|_| ()).ok_or(Refusal::NO_MESSAGE));
            }
            // A real server reads the next 16 KiB of a file.
            Event::Need(ticket) => {
                server.chunk(ticket, open.take().map_or(Chunk::End, Chunk::Bytes));
            }
            Event::Quit { deleted, ticket } => {
                let mut index = 0..;
                let kept = |_: &(String, Bytes)| index.next().is_none_or(|i| !deleted.contains(&i));
                mailbox.messages.retain(kept);
                server.updated(ticket, Ok(()));
            }
            _ => {}
        }
    }
}

fn example() -> Mailbox {
    let message =
        |id: &str, text: &'static str| (id.to_owned(), Bytes::from_static(text.as_bytes()));
    Mailbox {
        name: "joe",
        password: "sesame",
        messages: vec![
            message("first", "Subject: hi\n\nHello.\n.\n"),
            message("second", "Subject: again\n\nStill here?\n"),
        ],
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:2110").await?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    let mut mailbox = example();
    loop {
        let (stream, peer) = listener.accept().await?;
        let closed = serve(stream, &mut mailbox).await;
        writeln!(io::stdout(), "{peer}: {closed}")?;
    }
}

#[cfg(test)]
mod tests;
