//! One session over a stream in memory.

use driver::Closed;
use mta_core::Address;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

#[tokio::test]
async fn one_message_is_accepted_and_kept() -> Result<(), Box<dyn std::error::Error>> {
    let (mut client, server) = duplex(1024);
    let session = tokio::spawn(hello_smtp::receive(server));
    client
        .write_all(
            b"EHLO me\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n\
              Subject: hi\r\n\r\nHello.\r\n..\r\n.\r\nQUIT\r\n",
        )
        .await?;
    let mut replies = String::new();
    client.read_to_string(&mut replies).await?;
    drop(client);
    assert!(replies.starts_with("220 hello.example"), "{replies}");
    assert!(replies.contains("\r\n354 "), "{replies}");
    let message = session.await??;
    assert_eq!(message.from, Address::parse(b"a@example.org")?);
    assert_eq!(message.to, [Address::parse(b"b@example.org")?]);
    assert_eq!(message.content, b"Subject: hi\n\nHello.\n.\n");
    Ok(())
}

#[tokio::test]
async fn half_a_message_is_no_message() -> io::Result<()> {
    let (mut client, server) = duplex(1024);
    let session = tokio::spawn(hello_smtp::receive(server));
    client
        .write_all(b"HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nSubject: hi\r\n")
        .await?;
    client.shutdown().await?;
    assert!(matches!(session.await?, Err(Closed::Ended)));
    Ok(())
}
