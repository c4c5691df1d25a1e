//! Accepts one message by SMTP and prints it.
//!
//! Run it with `cargo run -p hello-smtp`, then send it something from another terminal:
//! `printf 'Subject: hi\n\nHello.\n' | cargo run -p send-one 127.0.0.1:2525 me@example.org you@example.org`

use std::io::{self, Write};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:2525").await?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    let (stream, _) = listener.accept().await?;
    let message = hello_smtp::receive(stream)
        .await
        .map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    writeln!(out, "from {:?} to {:?}", message.from, message.to)?;
    out.write_all(&message.content)
}
