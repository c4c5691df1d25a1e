//! `send-one` and `hello-smtp` talk to each other.

use super::{address, send};
use bytes::Bytes;
use mta_core::report::Outcome;
use mta_proto::smtp::client::Transaction;
use std::error::Error;
use tokio::net::{TcpListener, TcpStream};

const CONTENT: &str = "Subject: hi\n\n.\nHello, without a last line end.";

#[tokio::test]
async fn what_is_sent_arrives() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let peer = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.map_err(driver::Closed::Lost)?;
        hello_smtp::receive(stream).await
    });
    let to = [address("b@example.org")?, address("c@example.org")?];
    let transaction = Transaction::new(address("a@example.org")?, to.clone());
    let content = Bytes::from_static(CONTENT.as_bytes());
    let stream = TcpStream::connect(peer).await?;
    let reports = send(stream, "127.0.0.1", transaction, content).await?;
    let outcomes: Vec<_> = reports.iter().map(|report| report.outcome).collect();
    assert_eq!(outcomes, [Outcome::Success; 2]);
    let message = server.await??;
    assert_eq!(message.from, address("a@example.org")?);
    assert_eq!(message.to, to);
    assert_eq!(message.content, format!("{CONTENT}\n").as_bytes());
    Ok(())
}

#[tokio::test]
async fn a_server_that_hangs_up_is_a_deferral() -> Result<(), Box<dyn Error>> {
    let (ours, theirs) = tokio::io::duplex(1024);
    drop(theirs);
    let transaction = Transaction::new(address("a@b.example")?, [address("c@d.example")?]);
    let reports = send(ours, "192.0.2.1", transaction, Bytes::new()).await?;
    let outcomes: Vec<_> = reports.iter().map(|report| report.outcome).collect();
    assert_eq!(outcomes, [Outcome::Deferral]);
    Ok(())
}
