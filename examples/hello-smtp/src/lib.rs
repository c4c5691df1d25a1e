//! The session of `hello-smtp`: everybody may send, one message is kept in memory (RFC 5321).

use driver::{Clock, Closed, Link};
use mta_core::Address;
use mta_proto::smtp::Reply;
use mta_proto::smtp::server::{Config, Event, Server, Verdict};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// The largest message that is kept.
pub const SIZE: u64 = 1024 * 1024;

/// What a session left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The reverse-path.
    pub from: Address,
    /// The forward-paths.
    pub to: Vec<Address>,
    /// Header and body, lines ended by LF.
    pub content: Vec<u8>,
}

/// Accepts one message from a client.
///
/// # Errors
/// Fails where the client goes away without having sent one.
pub async fn receive(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Message, Closed> {
    let mut config = Config::new("hello.example");
    config.limits.message_size = SIZE;
    let clock = Clock::start();
    let server = Server::new(Arc::new(config), clock.now());
    let mut link = Link::new(server, stream, clock);
    let mut coming = Message::default();
    let mut complete = None;
    loop {
        let event = match link.next().await {
            Ok(event) => event,
            Err(closed) => return complete.ok_or(closed),
        };
        let server = link.machine();
        match event {
            Event::Connected(ticket) => server.answer(ticket, Verdict::Accept),
            Event::Hello { ticket, .. } => server.answer(ticket, Verdict::Accept),
            Event::Mail { ticket, .. } if complete.is_some() => {
                server.answer(ticket, Verdict::Close(Reply::fixed(421, "one is enough")));
            }
            Event::Mail { from, ticket, .. } => {
                coming.from = from;
                server.answer(ticket, Verdict::Accept);
            }
            Event::Rcpt { to, ticket, .. } => {
                coming.to.push(to);
                server.answer(ticket, Verdict::Accept);
            }
            Event::Data(ticket) => server.answer(ticket, Verdict::Accept),
            Event::Body(piece) => coming.content.extend_from_slice(&piece),
            Event::End { ticket, .. } => {
                // A real server answers when the message is on stable storage.
                complete = Some(std::mem::take(&mut coming));
                server.answer(ticket, Verdict::Accept);
            }
            Event::Abort(_) => coming = Message::default(),
            _ => {}
        }
    }
}
