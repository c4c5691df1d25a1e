//! qmail-smtpd under Debian's tcpserver, and qmail-remote against smtp-sink (qmail-smtpd(8), qmail-remote(8)).

use crate::need;
use mta_tests::{Home, Mtad, TempDir, qmail_binary, run, until};
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A home whose bin/ has qmail's programs.
fn home() -> Home {
    let home = Home::new();
    let bin = home.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for name in ["qmail-queue", "qmail-smtpd"] {
        std::os::unix::fs::symlink(qmail_binary(), bin.join(name)).unwrap();
    }
    home
}

/// Debian's tcpserver with qmail-smtpd behind it, and where it listens.
fn serve(tcpserver: &Path, home: &Home) -> (Ended, SocketAddr) {
    let mut child = Command::new(tcpserver)
        .args(["-1", "-R", "-H", "-l", "mx.example.org", "127.0.0.1", "0"])
        .arg(home.path().join("bin/qmail-smtpd"))
        .env("MTA_HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    let mut out = child.stdout.take().unwrap();
    let server = Ended(child);
    out.read_to_string(&mut port).unwrap();
    let address = format!("127.0.0.1:{}", port.trim()).parse().unwrap();
    (server, address)
}

/// The messages in the Maildir, once there are so many: mtad delivers what qmail-queue took.
fn delivered(home: &Home, count: usize) -> Vec<String> {
    let _mtad = Mtad::start(home);
    until("the Maildir to fill", || {
        (home.mail().len() >= count).then_some(())
    });
    let read = |path| std::fs::read_to_string(path).unwrap();
    home.mail().into_iter().map(read).collect()
}

#[test]
fn curl_sends_through_tcpserver_and_qmail_smtpd() {
    let tcpserver = need!("curl_sends_through_tcpserver_and_qmail_smtpd", "tcpserver");
    let curl = need!("curl_sends_through_tcpserver_and_qmail_smtpd", "curl");
    let home = home();
    let (_server, address) = serve(&tcpserver, &home);
    let url = format!("smtp://{address}/client.example");
    let args = [
        "-sS",
        "--mail-from",
        "a@client.example",
        "--mail-rcpt",
        "joe@example.org",
        "-T",
        "-",
    ];
    let message = "Subject: hello\r\n\r\n.dotted\r\n..twice\r\n";
    let _ = run(Command::new(curl).arg(url).args(args), message.as_bytes()).ok();
    let mail = delivered(&home, 1).remove(0);
    let want = "\nReceived: from unknown (HELO client.example) (127.0.0.1)\n  by mx.example.org with ESMTP; ";
    assert!(mail.contains(want), "{mail}");
    assert!(
        mail.ends_with("Subject: hello\n\n.dotted\n..twice\n"),
        "{mail}"
    );
}

#[test]
fn swaks_pipelines_to_qmail_smtpd_and_hears_who_is_refused() {
    let tcpserver = need!(
        "swaks_pipelines_to_qmail_smtpd_and_hears_who_is_refused",
        "tcpserver"
    );
    let swaks = need!(
        "swaks_pipelines_to_qmail_smtpd_and_hears_who_is_refused",
        "swaks"
    );
    let home = home();
    let (_server, address) = serve(&tcpserver, &home);
    let port = address.port().to_string();
    let mut command = Command::new(swaks);
    command.args([
        "--server",
        "127.0.0.1",
        "--port",
        &port,
        "--pipeline",
        "--ehlo",
        "client.example",
    ]);
    command.args([
        "--from",
        "a@client.example",
        "--to",
        "joe@example.org,x@elsewhere.example",
    ]);
    let transcript = run(&mut command, b"").stdout;
    assert!(transcript.contains("250-PIPELINING"), "{transcript}");
    assert!(
        transcript.contains("553 5.7.1 sorry, that domain isn't in my list"),
        "{transcript}"
    );
    assert!(
        delivered(&home, 1)
            .remove(0)
            .contains("This is a test mailing")
    );
}

#[test]
fn parallel_sessions_of_smtp_source_are_all_queued() {
    let tcpserver = need!(
        "parallel_sessions_of_smtp_source_are_all_queued",
        "tcpserver"
    );
    let source = need!(
        "parallel_sessions_of_smtp_source_are_all_queued",
        "smtp-source"
    );
    let home = home();
    let (_server, address) = serve(&tcpserver, &home);
    let mut command = Command::new(source);
    command.args([
        "-s",
        "5",
        "-m",
        "60",
        "-l",
        "4096",
        "-f",
        "a@client.example",
        "-t",
        "joe@example.org",
    ]);
    let _ = run(command.arg(address.to_string()), b"").ok();
    assert_eq!(delivered(&home, 60).len(), 60);
}

#[test]
fn qmail_remote_hands_a_message_to_smtp_sink() {
    let sink = need!("qmail_remote_hands_a_message_to_smtp_sink", "smtp-sink");
    // smtp-sink cannot choose its port: take a free one, then give it up.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let dumps = TempDir::new();
    let mut command = Command::new(sink);
    command.args(["-u", "root", "-d", "mail.", &port.to_string(), "10"]);
    command
        .current_dir(dumps.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _sink = Ended(command.spawn().unwrap());
    until("smtp-sink to listen", || TcpStream::connect(port).ok());
    let home = home();
    home.control("smtproutes", &format!(":127.0.0.1:{}\n", port.port()));
    let mut command = Command::new(qmail_binary());
    command.arg0("qmail-remote").env("MTA_HOME", home.path());
    command.args([
        "far.example",
        "joe@example.org",
        "you@far.example",
        "too@far.example",
    ]);
    let said = run(&mut command, b"Subject: x\n\n.dot\nlast").ok();
    assert!(
        said.starts_with("r\0r\0K127.0.0.1 accepted message.\nRemote host said: 250 "),
        "{said:?}"
    );
    let mut files = std::fs::read_dir(dumps.path()).unwrap();
    let dump = std::fs::read_to_string(files.next().unwrap().unwrap().path()).unwrap();
    assert!(
        dump.contains("<you@far.example>") && dump.contains("<too@far.example>"),
        "{dump}"
    );
    assert!(dump.contains("\n.dot\nlast\n"), "{dump}");
}
