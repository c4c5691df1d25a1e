//! A server that says what a test wrote down, one reply to each line, and keeps what it heard.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

/// Serves one connection.
pub(crate) struct Server {
    address: SocketAddr,
    heard: JoinHandle<String>,
}

impl Server {
    /// Says the first reply as greeting and each of the others to a line, or to a body where 354
    /// was said before. Behind the last one it hangs up.
    pub(crate) fn says(replies: &[&str]) -> Self {
        let replies: Vec<String> = replies.iter().map(|&reply| reply.to_owned()).collect();
        Self::does(move |stream| {
            let mut heard = Vec::new();
            let mut stream = BufReader::new(stream);
            let mut body = false;
            for (n, reply) in replies.iter().enumerate() {
                if n > 0 && !hear(&mut stream, &mut heard, body) {
                    break;
                }
                body = reply.starts_with("354");
                let reply = reply.replace('\n', "\r\n");
                if stream.get_mut().write_all(reply.as_bytes()).is_err() {
                    break;
                }
            }
            heard
        })
    }

    /// Leaves the connection to a function.
    pub(crate) fn does(talk: impl FnOnce(TcpStream) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            String::from_utf8_lossy(&talk(stream)).into_owned()
        });
        Self { address, heard }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// All that it heard, when the conversation is over.
    pub(crate) fn heard(self) -> String {
        self.heard.join().unwrap()
    }
}

/// Reads a line, or a body with its dot; tells whether there was one.
fn hear(stream: &mut BufReader<TcpStream>, heard: &mut Vec<u8>, body: bool) -> bool {
    let start = heard.len();
    loop {
        let line = heard.len();
        if stream.read_until(b'\n', heard).unwrap_or(0) == 0 {
            return false;
        }
        if !body || heard.get(line..) == Some(b".\r\n".as_slice()) {
            return heard.len() > start;
        }
    }
}

/// Reads to the end, for a server that never listens to a word.
pub(crate) fn drain(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    all
}
