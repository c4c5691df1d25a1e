//! A client that speaks lines, for SMTP and POP3.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) struct Line {
    reader: BufReader<TcpStream>,
}

impl Line {
    /// Connects and takes the greeting in.
    pub(crate) fn greeted(to: SocketAddr) -> (Self, String) {
        let mut line = Self::connect(to);
        let greeting = line.reply();
        (line, greeting)
    }

    pub(crate) fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self {
            reader: BufReader::new(stream),
        }
    }

    /// A client that has said EHLO.
    pub(crate) fn smtp(to: SocketAddr) -> Self {
        let (mut line, greeting) = Self::greeted(to);
        assert!(greeting.starts_with("220 "), "{greeting}");
        let reply = line.say("EHLO client.example");
        assert!(reply.starts_with("250"), "{reply}");
        line
    }

    /// A client that has logged in.
    pub(crate) fn pop3(to: SocketAddr, user: &str, password: &str) -> Self {
        let (mut line, greeting) = Self::greeted(to);
        assert!(greeting.starts_with("+OK"), "{greeting}");
        assert!(line.say(&format!("USER {user}")).starts_with("+OK"));
        let reply = line.say(&format!("PASS {password}"));
        assert!(reply.starts_with("+OK"), "{reply}");
        line
    }

    /// What is below, once every reply was read.
    pub(crate) fn into_stream(self) -> TcpStream {
        assert!(self.reader.buffer().is_empty());
        self.reader.into_inner()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    /// Sends, or tells that the connection is gone.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.reader.get_mut().write_all(bytes).is_ok()
    }

    /// Sends a command and returns the last line of its reply.
    pub(crate) fn say(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes());
        self.reply()
    }

    /// The last line of a reply; empty at the end of the connection.
    pub(crate) fn reply(&mut self) -> String {
        loop {
            let line = self.line();
            if line.as_bytes().get(3) != Some(&b'-')
                || !line.starts_with(|c: char| c.is_ascii_digit())
            {
                return line;
            }
        }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.reader.read_line(&mut line);
        line.trim_end().to_owned()
    }

    /// The lines of a POP3 reply up to the dot.
    pub(crate) fn body(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.line() {
                dot if dot == "." => return lines,
                line => lines.push(line),
            }
        }
    }

    /// Everything until the server closes.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = self.reader.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }

    pub(crate) fn end(&mut self) {
        let _ = self.reader.get_mut().shutdown(Shutdown::Write);
    }

    /// Hands one message over; returns the reply that decided.
    pub(crate) fn message(&mut self, from: &str, to: &[&str], text: &str) -> String {
        let mut reply = self.say(&format!("MAIL FROM:<{from}>"));
        let mut taken = 0;
        for to in to {
            reply = self.say(&format!("RCPT TO:<{to}>"));
            taken += usize::from(reply.starts_with("250"));
        }
        if taken == 0 {
            self.say("RSET");
            return reply;
        }
        let reply = self.say("DATA");
        assert!(reply.starts_with("354"), "{reply}");
        self.say(&format!("{text}\r\n."))
    }
}
