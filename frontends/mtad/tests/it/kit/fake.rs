//! A fake SMTP host: takes messages, or says what a test wants it to say.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One message that it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
    /// MAIL and RCPT as they were said.
    pub(crate) lines: Vec<String>,
}

impl Received {
    fn begin(&mut self, line: &str) {
        self.from = path(line);
        self.lines.push(line.to_owned());
    }

    fn add(&mut self, line: &str) {
        self.to.push(path(line));
        self.lines.push(line.to_owned());
    }
}

/// How it behaves.
#[derive(Clone, Default)]
struct Manner {
    /// Instead of 220; the connection ends then.
    greeting: Option<&'static str>,
    /// Recipients that contain this are answered with the reply.
    rcpt: Option<(&'static str, &'static str)>,
    /// It offers DSN.
    dsn: bool,
    /// It offers STARTTLS, and breaks the handshake.
    broken_tls: bool,
}

pub(crate) struct FakeServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    manner: Manner,
    connections: usize,
    received: Vec<Received>,
}

impl FakeServer {
    pub(crate) fn start() -> Self {
        Self::at(Ipv4Addr::LOCALHOST, 0).unwrap()
    }

    /// Several hosts on addresses 127.0.0.2, 127.0.0.3 … that share one port.
    pub(crate) fn several<const N: usize>() -> [Self; N] {
        'port: loop {
            let mut all = Vec::new();
            let mut port = 0;
            for last in 2..u8::try_from(N).unwrap() + 2 {
                let Some(one) = Self::at(Ipv4Addr::new(127, 0, 0, last), port) else {
                    continue 'port;
                };
                port = one.address.port();
                all.push(one);
            }
            return all.try_into().ok().unwrap();
        }
    }

    fn at(ip: Ipv4Addr, port: u16) -> Option<Self> {
        let listener = TcpListener::bind((ip, port)).ok()?;
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || talk(stream, &state));
            }
        });
        Some(Self { address, state })
    }

    pub(crate) fn ip(&self) -> Ipv4Addr {
        match self.address.ip() {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => unreachable!("it is bound to IPv4"),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Greets with this and hangs up.
    pub(crate) fn greets_with(&self, greeting: &'static str) {
        self.state.lock().unwrap().manner.greeting = Some(greeting);
    }

    /// Answers recipients that contain a text with a reply of its own.
    pub(crate) fn refuses(&self, text: &'static str, reply: &'static str) {
        self.state.lock().unwrap().manner.rcpt = Some((text, reply));
    }

    /// Offers DSN from the next connection on.
    pub(crate) fn speaks_dsn(&self) {
        self.state.lock().unwrap().manner.dsn = true;
    }

    /// Offers STARTTLS and cannot do it.
    pub(crate) fn breaks_tls(&self) {
        self.state.lock().unwrap().manner.broken_tls = true;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

fn say(stream: &mut BufReader<TcpStream>, text: &str) -> Option<()> {
    let line = format!("{text}\r\n");
    stream.get_mut().write_all(line.as_bytes()).ok()
}

/// Answers a client hello with what is none of TLS.
fn break_tls(stream: &mut BufReader<TcpStream>) -> Option<()> {
    say(stream, "220 go ahead")?;
    stream.fill_buf().ok()?;
    say(stream, "this is no handshake")
}

fn talk(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let manner = {
        let mut state = state.lock().unwrap();
        state.connections += 1;
        state.manner.clone()
    };
    let mut stream = BufReader::new(stream);
    if let Some(greeting) = manner.greeting {
        say(&mut stream, greeting)?;
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        return Some(());
    }
    say(&mut stream, "220 fake ESMTP")?;
    let mut message = Received::default();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return Some(());
        }
        let line = line.trim_end();
        let reply = match line.get(..4).unwrap_or(line).to_ascii_uppercase().as_str() {
            "EHLO" if manner.broken_tls => "250-fake\r\n250 STARTTLS",
            "STAR" if manner.broken_tls => return break_tls(&mut stream),
            "EHLO" if manner.dsn => "250-fake\r\n250-PIPELINING\r\n250 DSN",
            "EHLO" => "250-fake\r\n250-PIPELINING\r\n250-SIZE\r\n250 8BITMIME",
            "MAIL" => {
                message.begin(line);
                "250 ok"
            }
            "RCPT" => match state.lock().unwrap().manner.rcpt {
                Some((text, reply)) if line.contains(text) => reply,
                _ => {
                    message.add(line);
                    "250 ok"
                }
            },
            "DATA" if message.to.is_empty() => "503 no recipients",
            "DATA" => {
                say(&mut stream, "354 go ahead")?;
                message.text = body(&mut stream)?;
                let message = std::mem::take(&mut message);
                state.lock().unwrap().received.push(message);
                "250 taken"
            }
            "RSET" => {
                message = Received::default();
                "250 ok"
            }
            "QUIT" => {
                say(&mut stream, "221 bye")?;
                return Some(());
            }
            _ => "500 what?",
        };
        say(&mut stream, reply)?;
    }
}

fn path(line: &str) -> String {
    let inside = line
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or_else(String::new, |(path, _)| path.to_owned())
}

fn body(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if line == b".\r\n" {
            return Some(String::from_utf8_lossy(&text).into_owned());
        }
        text.extend_from_slice(&line);
    }
}
