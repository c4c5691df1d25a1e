//! Two sessions over streams in memory.

use super::{example, serve};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Says everything at once and returns what the server said.
async fn session(mailbox: &mut super::Mailbox, said: &str) -> io::Result<String> {
    let (mut client, server) = duplex(4096);
    client.write_all(said.as_bytes()).await?;
    client.shutdown().await?;
    serve(server, mailbox).await;
    let mut heard = String::new();
    client.read_to_string(&mut heard).await?;
    Ok(heard)
}

#[tokio::test]
async fn a_message_is_fetched_and_removed() -> io::Result<()> {
    let mut mailbox = example();
    let said = "USER joe\r\nPASS sesame\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n";
    let heard = session(&mut mailbox, said).await?;
    assert!(
        heard.contains("Subject: hi\r\n\r\nHello.\r\n..\r\n.\r\n+OK"),
        "{heard}"
    );
    let heard = session(&mut mailbox, "USER joe\r\nPASS sesame\r\nUIDL\r\nQUIT\r\n").await?;
    assert!(heard.contains("\r\n1 second\r\n.\r\n"), "{heard}");
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_sees_nothing() -> io::Result<()> {
    let heard = session(&mut example(), "USER joe\r\nPASS wrong\r\nLIST\r\nQUIT\r\n").await?;
    assert!(heard.contains("\r\n-ERR [AUTH] "), "{heard}");
    assert!(!heard.contains("octets"), "{heard}");
    Ok(())
}
