//! tcpserver as a process on a port of the system's choice: rules, limit, environment, names (spec §9.1).

use crate::kit::applet;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Nothing looked up, everything told.
pub(crate) const QUIET: [&str; 5] = ["-R", "-H", "-l", "me", "-v"];

/// A running tcpserver; ended when dropped.
pub(crate) struct Server {
    child: Child,
    errors: BufReader<ChildStderr>,
    pub(crate) port: u16,
    /// What it said so far.
    pub(crate) said: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ours, under its own name.
pub(crate) fn ours() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ucspi"));
    command.arg0("tcpserver");
    command
}

impl Server {
    /// Starts one that prints its port.
    pub(crate) fn start(
        mut command: Command,
        options: &[&str],
        host: &str,
        program: &[&str],
    ) -> Self {
        let mut child = command
            .arg("-1")
            .args(options)
            .args([host, "0"])
            .args(program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        // To its end: tcpserver must let go of its standard output.
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut port)
            .unwrap();
        Self {
            errors: BufReader::new(child.stderr.take().unwrap()),
            child,
            port: port.trim().parse().unwrap(),
            said: String::new(),
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    pub(crate) fn connect(&self, host: &str) -> TcpStream {
        let stream = TcpStream::connect((host, self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Connects, sends nothing, and returns all it hears with the port it came from.
    pub(crate) fn hear(&self, host: &str) -> (String, u16) {
        let mut stream = self.connect(host);
        stream.shutdown(Shutdown::Write).unwrap();
        let mut heard = Vec::new();
        // A reset ends what there is to hear as well.
        let _ = stream.read_to_end(&mut heard);
        (
            String::from_utf8(heard).unwrap(),
            stream.local_addr().unwrap().port(),
        )
    }

    /// Reads the log up to a line that begins so.
    pub(crate) fn until(&mut self, beginning: &str) {
        loop {
            let from = self.said.len();
            assert!(
                self.errors.read_line(&mut self.said).unwrap() > 0,
                "{}",
                self.said
            );
            if self.said[from..].starts_with(beginning) {
                return;
            }
        }
    }

    /// Ends it as supervise would, and returns its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        kill(
            Pid::from_raw(self.child.id().try_into().unwrap()),
            Signal::SIGTERM,
        )
        .unwrap();
        self.errors.read_to_string(&mut self.said).unwrap();
        self.child.wait().unwrap().code()
    }
}

pub(crate) fn rules(dir: &Path, source: &str) -> String {
    let [cdb, tmp] =
        ["rules.cdb", "rules.tmp"].map(|name| dir.join(name).to_str().unwrap().to_owned());
    assert_eq!(
        applet("tcprules", &[&cdb, &tmp], &[], source.as_bytes()).code,
        0
    );
    cdb
}

#[test]
fn a_new_database_rules_the_next_connection() {
    let dir = TempDir::new().unwrap();
    let cdb = rules(
        dir.path(),
        "127.:allow,RELAYCLIENT=\"\",TCPLOCALHOST=\"told\"\n",
    );
    let options = [&QUIET[..], &["-x", &cdb]].concat();
    let server = Server::start(
        ours(),
        &options,
        "127.0.0.1",
        &["sh", "-c", "echo ${RELAYCLIENT-unset} $TCPLOCALHOST"],
    );
    assert_eq!(server.hear("127.0.0.1").0, "told\n");
    rules(dir.path(), "127.:deny\n");
    assert_eq!(server.hear("127.0.0.1").0, "");
    rules(dir.path(), ":allow,RELAYCLIENT=\"x\"\n");
    assert_eq!(server.hear("127.0.0.1").0, "x me\n");
}

#[test]
fn no_more_than_the_limit_run_at_once() {
    let options = [&QUIET[..], &["-c", "1"]].concat();
    let mut server = Server::start(
        ours(),
        &options,
        "127.0.0.1",
        &["sh", "-c", "echo in; read x; echo $x"],
    );
    let first = server.connect("127.0.0.1");
    let mut line = String::new();
    BufReader::new(&first).read_line(&mut line).unwrap();
    assert_eq!(line, "in\n");
    // The kernel takes the second; the server does not before the first has gone.
    let second = server.connect("127.0.0.1");
    (&second).write_all(b"two\n").unwrap();
    (&first).write_all(b"one\n").unwrap();
    let mut heard = String::new();
    (&second).read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "in\ntwo\n");
    server.until("tcpserver: end ");
    server.until("tcpserver: end ");
    server.until("tcpserver: status: 0/1");
    assert!(!server.said.contains("status: 2/1"), "{}", server.said);
}

#[test]
fn children_outlive_the_server() {
    let mut server = Server::start(
        ours(),
        &QUIET[..4],
        "127.0.0.1",
        &["sh", "-c", "echo in; read x; echo $x"],
    );
    let stream = server.connect("127.0.0.1");
    let mut reader = BufReader::new(&stream);
    let mut heard = String::new();
    reader.read_line(&mut heard).unwrap();
    kill(
        Pid::from_raw(server.child.id().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    (&stream).write_all(b"still here\n").unwrap();
    reader.read_line(&mut heard).unwrap();
    assert_eq!(heard, "in\nstill here\n");
}

#[test]
fn ipv6_has_rules_environment_and_a_log_of_its_own_form() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return crate::kit::skip(
            "ipv6_has_rules_environment_and_a_log_of_its_own_form: no IPv6 loopback",
        );
    }
    let dir = TempDir::new().unwrap();
    let cdb = rules(dir.path(), "[::1]:allow,A=\"six\"\n:deny\n");
    let options = [&QUIET[..], &["-x", &cdb]].concat();
    let mut server = Server::start(
        ours(),
        &options,
        "::1",
        &["sh", "-c", "echo $PROTO $TCPLOCALIP $TCPREMOTEIP $A"],
    );
    let (heard, from) = server.hear("::1");
    assert_eq!(heard, "TCP ::1 ::1 six\n");
    server.until("tcpserver: ok ");
    let port = server.port;
    assert!(
        server
            .said
            .ends_with(&format!(" me:[::1]:{port} :[::1]::{from}\n")),
        "{}",
        server.said
    );
}

/// Answers PTR questions with `h.example` and A questions with 127.0.0.1, until the test ends.
pub(crate) fn name_server() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((n, from)) = socket.recv_from(&mut question) {
            let name_end = 12 + question[12..n].iter().position(|&byte| byte == 0).unwrap() + 1;
            let kind = question[name_end + 1];
            let mut answer = question[..name_end + 4].to_vec();
            answer[2..12].copy_from_slice(&[0x84, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            let data: &[u8] = if kind == 12 {
                b"\x01h\x07example\x00"
            } else {
                &[127, 0, 0, 1]
            };
            answer.extend([
                0xc0,
                12,
                0,
                kind,
                0,
                1,
                0,
                0,
                0,
                60,
                0,
                u8::try_from(data.len()).unwrap(),
            ]);
            answer.extend(data);
            socket.send_to(&answer, from).unwrap();
        }
    });
    port
}

#[test]
fn a_name_that_leads_back_is_known_to_rules_and_program() {
    let dir = TempDir::new().unwrap();
    let cdb = rules(dir.path(), "=.example:allow,A=\"named\"\n:deny\n");
    let servers = format!("127.0.0.1:{}", name_server());
    let mut command = ours();
    command.env("DNSCACHEIP", &servers);
    let options = ["-R", "-p", "-v", "-x", &cdb];
    let mut server = Server::start(
        command,
        &options,
        "127.0.0.1",
        &["sh", "-c", "echo $TCPREMOTEHOST $TCPLOCALHOST $A"],
    );
    assert_eq!(server.hear("127.0.0.1").0, "h.example h.example named\n");
    server.until("tcpserver: ok ");
    assert!(
        server.said.contains(" h.example:127.0.0.1:"),
        "{}",
        server.said
    );
    // The name leads to 127.0.0.1 only: from elsewhere it counts for nothing.
    let mut command = ours();
    command.env("DNSCACHEIP", &servers);
    let mut server = Server::start(command, &options, "127.0.0.2", &["echo", "in"]);
    let stream = connect_from("127.0.0.3", server.port);
    let mut heard = String::new();
    let _ = (&stream).read_to_string(&mut heard);
    assert_eq!(heard, "");
    server.until("tcpserver: deny ");
    assert!(server.said.contains(" :127.0.0.3::"), "{}", server.said);
}

fn connect_from(source: &str, port: u16) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
        let stream = socket
            .connect(format!("127.0.0.2:{port}").parse().unwrap())
            .await
            .unwrap();
        let stream = stream.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    })
}

#[test]
fn root_is_given_up_before_the_first_connection() {
    if !nix::unistd::getuid().is_root() {
        return crate::kit::skip("root_is_given_up_before_the_first_connection: needs root");
    }
    let options = [&QUIET[..4], &["-u", "12345", "-g", "23456"]].concat();
    let server = Server::start(ours(), &options, "127.0.0.1", &["sh", "-c", "id -u; id -G"]);
    assert_eq!(server.hear("127.0.0.1").0, "12345\n23456\n");
}

#[test]
fn what_cannot_be_served_is_said_with_the_familys_codes() {
    let table: [(&str, &[&str], u8, &str); 7] = [
        (
            "no program",
            &["127.0.0.1", "0"],
            100,
            "tcpserver: usage: tcpserver [ -1UX",
        ),
        (
            "unknown option",
            &["-z", "0", "0", "x"],
            100,
            "tcpserver: illegal option -- z\ntcpserver: usage: ",
        ),
        (
            "no number",
            &["-u", "joe", "0", "0", "x"],
            100,
            "tcpserver: usage: ",
        ),
        (
            "nobody in the environment",
            &["-U", "0", "0", "x"],
            100,
            "tcpserver: fatal: expected a number in $UID\n",
        ),
        (
            "no service",
            &["0", "nosuchport", "x"],
            111,
            "tcpserver: fatal: unable to figure out port number for nosuchport\n",
        ),
        (
            "no port",
            &["0", "65536", "x"],
            111,
            "tcpserver: fatal: unable to figure out port number for 65536\n",
        ),
        (
            "no address",
            &["192.0.2.1", "0", "x"],
            111,
            "tcpserver: fatal: unable to bind: address not available\n",
        ),
    ];
    for (name, arguments, code, said) in table {
        let did = applet("tcpserver", arguments, &[], b"");
        assert_eq!(did.code, code, "{name}");
        assert!(did.errors.starts_with(said), "{name}: {}", did.errors);
    }
}
