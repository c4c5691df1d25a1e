//! A client that speaks lines, for SMTP and POP3 dialogues written out in a test (RFC 5321 §4.2).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One connection.
#[derive(Debug)]
pub struct LineClient {
    stream: BufReader<TcpStream>,
}

impl LineClient {
    /// Connects; a read that takes longer than a minute fails the test.
    ///
    /// # Panics
    /// Panics where nobody listens.
    #[must_use]
    pub fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sends bytes as they are; tells whether the peer still took them.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.get_mut().write_all(bytes).is_ok()
    }

    /// Reads one line without its line end; `None` at the end of the stream.
    ///
    /// # Panics
    /// Panics where nothing comes within a minute.
    pub fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(String::from_utf8_lossy(&line).trim_end().to_owned()),
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(e) => panic!("no line: {e}"),
        }
    }

    /// Reads one SMTP reply whole, its lines joined by LF; `None` at the end of the stream.
    pub fn reply(&mut self) -> Option<String> {
        let mut all = Vec::new();
        loop {
            let line = self.line()?;
            let more = line.as_bytes().get(3) == Some(&b'-');
            all.push(line);
            if !more {
                return Some(all.join("\n"));
            }
        }
    }

    /// Sends one command line and returns the reply.
    ///
    /// # Panics
    /// Panics where the connection ends instead.
    pub fn command(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.reply()
            .unwrap_or_else(|| panic!("the connection ended after {line:?}"))
    }

    /// Sends one whole message from greeting to QUIT and returns the reply after the final dot.
    ///
    /// # Panics
    /// Panics where an earlier command is refused.
    #[must_use]
    pub fn send_message(to: SocketAddr, from: &str, rcpt: &str, message: &str) -> String {
        let mut client = Self::connect(to);
        assert!(client.reply().unwrap().starts_with("220"));
        assert!(client.command("EHLO client.example").starts_with("250"));
        for line in [format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{rcpt}>")] {
            let reply = client.command(&line);
            assert!(reply.starts_with("250"), "{line}: {reply}");
        }
        assert!(client.command("DATA").starts_with("354"));
        client.send(message.as_bytes());
        let reply = client.command("\r\n.");
        let _ = client.command("QUIT");
        reply
    }

    /// Reads whatever still comes until the peer closes.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.stream.read_to_end(&mut bytes);
        bytes
    }
}
