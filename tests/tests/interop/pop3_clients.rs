//! Mail fetched by curl, mpop, fetchmail and Python is what was sent (RFC 1939).

use crate::need;
use mta_tests::{Home, LineClient, Mtad, TempDir, run, until};
use std::process::Command;

const BODY: &str = "Subject: hello\r\n\r\n..\r\n.dot\r\nlast line";

/// A server whose mailbox holds `n` messages.
fn with_mail(home: &Home, n: usize) -> Mtad {
    let mut mtad = Mtad::start(home);
    for _ in 0..n {
        let body = BODY.replace("\r\n.", "\r\n..");
        let reply =
            LineClient::send_message(mtad.smtp(), "a@client.example", "joe@example.org", &body);
        assert!(reply.starts_with("250 "), "{reply}");
    }
    until("delivery", || (home.mail().len() == n).then_some(()));
    mtad
}

#[test]
fn curl_fetches_what_was_sent() {
    let curl = need!("curl_fetches_what_was_sent", "curl");
    let home = Home::new();
    let mut mtad = with_mail(&home, 1);
    let login = format!("joe@example.org:{}", Home::PASSWORD);
    let url = format!("pop3://{}/1", mtad.pop3());
    let got = run(Command::new(curl).args(["-sS", "-u", &login, &url]), b"").ok();
    assert!(got.ends_with(&format!("{BODY}\r\n")), "{got:?}");
}

#[test]
fn a_wrong_password_is_refused() {
    let curl = need!("a_wrong_password_is_refused", "curl");
    let home = Home::new();
    let mut mtad = with_mail(&home, 0);
    let url = format!("pop3://{}/", mtad.pop3());
    let ran = run(
        Command::new(curl).args(["-sS", "-u", "joe@example.org:guess", &url]),
        b"",
    );
    assert_eq!(ran.status.code(), Some(67), "{}", ran.stderr);
}

#[test]
fn python_poplib_lists_tops_and_deletes() {
    let python = need!("python_poplib_lists_tops_and_deletes", "python3");
    let home = Home::new();
    let mut mtad = with_mail(&home, 3);
    let script = "
import poplib, sys
def login():
    p = poplib.POP3(sys.argv[1], int(sys.argv[2])); p.user('joe@example.org'); p.pass_(sys.argv[3]); return p
p = login()
count, octets = p.stat()
sizes = [int(l.split()[1]) for l in p.list()[1]]
assert count == 3 and sum(sizes) == octets, (count, octets, sizes)
r = p.retr(2)
assert len(b'\\r\\n'.join(r[1])) + 2 == sizes[1], (r, sizes)
assert r[1][-3:] == [b'..', b'.dot', b'last line'], r[1][-3:]
t = p.top(2, 1)
assert t[1][-1] == b'..', t[1]
uids = [l.split()[1] for l in p.uidl()[1]]
assert len(set(uids)) == 3
p.dele(2); p.quit()
p = login()
assert [l.split()[1] for l in p.uidl()[1]] == [uids[0], uids[2]]
print(p.capa())
p.quit()
";
    let server = mtad.pop3();
    let mut command = Command::new(python);
    command.args([
        "-c",
        script,
        &server.ip().to_string(),
        &server.port().to_string(),
        Home::PASSWORD,
    ]);
    let capa = run(&mut command, b"").ok();
    for wanted in ["UIDL", "TOP", "PIPELINING", "RESP-CODES"] {
        assert!(capa.contains(wanted), "{capa}");
    }
    assert_eq!(home.mail().len(), 2);
}

#[test]
fn mpop_moves_all_mail_into_a_maildir() {
    let mpop = need!("mpop_moves_all_mail_into_a_maildir", "mpop");
    let home = Home::new();
    let mut mtad = with_mail(&home, 5);
    let here = TempDir::new();
    let inbox = here.path().join("inbox");
    for sub in ["tmp", "new", "cur"] {
        std::fs::create_dir_all(inbox.join(sub)).unwrap();
    }
    let server = mtad.pop3();
    let mut command = Command::new(mpop);
    command.env("HOME", here.path());
    command.args([
        format!("--host={}", server.ip()),
        format!("--port={}", server.port()),
    ]);
    command.args([
        "--user=joe@example.org",
        "--auth=user",
        "--tls=off",
        "--keep=off",
        "--received-header=off",
    ]);
    command.args([
        format!("--passwordeval=echo '{}'", Home::PASSWORD),
        format!("--delivery=maildir,{}", inbox.display()),
    ]);
    let _ = run(&mut command, b"").ok();
    assert_eq!(std::fs::read_dir(inbox.join("new")).unwrap().count(), 5);
    assert!(home.mail().is_empty());
}

#[test]
fn fetchmail_fetches_and_leaves_the_mailbox_empty() {
    let fetchmail = need!(
        "fetchmail_fetches_and_leaves_the_mailbox_empty",
        "fetchmail"
    );
    let home = Home::new();
    let mut mtad = with_mail(&home, 3);
    let here = TempDir::new();
    let (rc, out) = (here.path().join("fetchmailrc"), here.path().join("out"));
    let server = mtad.pop3();
    let text = format!(
        "poll 127.0.0.1 service {} protocol pop3 uidl user \"joe@example.org\" password \"{}\" sslproto \"\" mda \"cat >>{}\" fetchall\n",
        server.port(),
        Home::PASSWORD,
        out.display()
    );
    std::fs::write(&rc, text).unwrap();
    std::fs::set_permissions(&rc, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = Command::new(fetchmail);
    command
        .env("HOME", here.path())
        .env("FETCHMAILHOME", here.path());
    command.args(["--nosyslog", "--nodetach", "-f"]).arg(&rc);
    let ran = run(&mut command, b"");
    assert!(ran.status.success(), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(
        std::fs::read_to_string(out)
            .unwrap()
            .matches("Subject: hello")
            .count(),
        3
    );
    assert!(home.mail().is_empty());
}
