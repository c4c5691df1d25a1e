//! Sends one message, read from standard input, to an SMTP server.
//!
//! Run it with `printf 'Subject: hi\n\nHello.\n' | cargo run -p send-one HOST:PORT FROM TO...`
//! (`cargo run -p hello-smtp` is a server to try it on).

use bytes::Bytes;
use driver::{Clock, Closed, Link};
use mta_core::Address;
use mta_core::report::{Outcome, Report};
use mta_proto::Chunk;
use mta_proto::smtp::client::{Client, Config, Event, Transaction};
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Gives `content` to the server behind `stream`, for all recipients of `transaction` in one go.
async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: &str,
    transaction: Transaction,
    content: Bytes,
) -> Result<Vec<Report>, Closed> {
    let clock = Clock::start();
    let recipients = transaction.recipients.len();
    let client = Client::new(Arc::new(Config::default()), peer, clock.now());
    let mut link = Link::new(client, stream, clock);
    let mut waiting = Some(transaction);
    let mut pieces = Some(content);
    let reports = loop {
        match link.next().await? {
            Event::Ready { .. } => {
                if let Some(transaction) = waiting.take() {
                    // A connection that breaks in this moment says so at the next event.
                    let _ = link.machine().begin(transaction);
                }
            }
            Event::Need(ticket) => {
                let piece = pieces.take().map_or(Chunk::End, Chunk::Bytes);
                link.machine().chunk(ticket, piece);
            }
            Event::Finished(reports) => break reports,
            Event::Unusable { report, .. } => break vec![report; recipients],
            _ => {}
        }
    };
    if link.machine().quit() {
        // The message is delivered or not; a server that hangs up rudely changes nothing.
        let _ = link.next().await;
    }
    Ok(reports)
}

fn usage() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "usage: send-one HOST:PORT FROM TO...",
    )
}

fn address(text: &str) -> io::Result<Address> {
    Address::parse(text.as_bytes()).map_err(io::Error::other)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let peer = arguments.next().ok_or_else(usage)?;
    let from = address(&arguments.next().ok_or_else(usage)?)?;
    let to: Vec<String> = arguments.collect();
    let recipients: Vec<Address> = to.iter().map(|to| address(to)).collect::<Result<_, _>>()?;
    if recipients.is_empty() {
        return Err(usage());
    }
    let mut content = Vec::new();
    io::stdin().read_to_end(&mut content)?;
    let stream = TcpStream::connect(&peer).await?;
    let transaction = Transaction::new(from, recipients);
    let reports = send(stream, &peer, transaction, content.into())
        .await
        .map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    for (to, report) in to.iter().zip(&reports) {
        let letter = char::from(report.outcome.letter());
        let text = String::from_utf8_lossy(&report.text);
        writeln!(out, "{letter} {to}: {}", text.trim_end())?;
    }
    let all = reports.iter().all(|r| r.outcome == Outcome::Success);
    Ok(if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests;
