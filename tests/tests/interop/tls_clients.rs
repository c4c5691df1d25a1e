//! Clients of the real world under TLS, and what openssl says of injected commands (RFC 3207, RFC 2595, RFC 8314).

use crate::need;
use mta_tests::{Home, LineClient, Mtad, TempDir, run, until};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

const MESSAGE: &str =
    "From: a@client.example\r\nTo: joe@example.org\r\nSubject: hello\r\n\r\nsecret\r\n";

fn start(home: &Home) -> Mtad {
    Mtad::start_with(home, &["--smtps", "127.0.0.1:0", "--pop3s", "127.0.0.1:0"])
}

fn certificate(home: &Home) -> PathBuf {
    home.path().join("control/servercert.pem")
}

/// One message for joe, sent in the clear.
fn with_mail(home: &Home) -> Mtad {
    let mut mtad = start(home);
    let text = "Subject: hello\r\n\r\nsecret";
    let _ = LineClient::send_message(mtad.smtp(), "a@client.example", "joe@example.org", text);
    until("delivery", || (home.mail().len() == 1).then_some(()));
    mtad
}

fn only_mail(home: &Home) -> String {
    let file = until("one message in the Maildir", || home.mail().pop());
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn curl_sends_and_fetches_where_tls_is_required() {
    let curl = need!("curl_sends_and_fetches_where_tls_is_required", "curl");
    let home = Home::new();
    let mut mtad = start(&home);
    let ca = certificate(&home);
    let call = |scheme: &str, to: SocketAddr, path: &str| {
        let mut command = Command::new(&curl);
        let resolve = format!("mx.example.org:{}:127.0.0.1", to.port());
        command.args(["-sS", "--ssl-reqd", "--resolve", &resolve, "--cacert"]);
        command.arg(&ca);
        command.arg(format!("{scheme}://mx.example.org:{}/{path}", to.port()));
        command
    };
    for (n, (scheme, service)) in [("smtp", "smtp"), ("smtps", "smtps")]
        .into_iter()
        .enumerate()
    {
        let mut command = call(scheme, mtad.listening(service), "client.example");
        command.args([
            "--mail-from",
            "a@client.example",
            "--mail-rcpt",
            "joe@example.org",
            "-T",
            "-",
        ]);
        let _ = run(&mut command, MESSAGE.as_bytes()).ok();
        until("delivery", || (home.mail().len() == n + 1).then_some(()));
    }
    assert!(only_mail(&home).contains(" with ESMTPS (TLSv1.3 "));
    let login = format!("joe@example.org:{}", Home::PASSWORD);
    for (scheme, service) in [("pop3", "pop3"), ("pop3s", "pop3s")] {
        let mut command = call(scheme, mtad.listening(service), "1");
        let got = run(command.args(["-u", &login]), b"").ok();
        assert!(got.ends_with("secret\r\n"), "{scheme}: {got:?}");
    }
}

#[test]
fn swaks_sends_under_starttls_and_under_tls() {
    let swaks = need!("swaks_sends_under_starttls_and_under_tls", "swaks");
    let perl = need!("swaks_sends_under_starttls_and_under_tls", "perl");
    if !run(Command::new(perl).args(["-MNet::SSLeay", "-e", "1"]), b"")
        .status
        .success()
    {
        let why = "libnet-ssleay-perl is not installed";
        return mta_tests::skip("swaks_sends_under_starttls_and_under_tls", why);
    }
    let home = Home::new();
    let mut mtad = start(&home);
    for (n, (option, service)) in [("--tls", "smtp"), ("--tlsc", "smtps")]
        .into_iter()
        .enumerate()
    {
        let to = mtad.listening(service);
        let mut command = Command::new(&swaks);
        command.args([
            "--server",
            "127.0.0.1",
            "--port",
            &to.port().to_string(),
            option,
        ]);
        command.args([
            "--from",
            "a@client.example",
            "--to",
            "joe@example.org",
            "--ehlo",
            "client.example",
        ]);
        let transcript = run(&mut command, b"").ok();
        assert!(
            transcript.contains("TLS started with cipher TLSv1.3"),
            "{transcript}"
        );
        until("delivery", || (home.mail().len() == n + 1).then_some(()));
    }
}

#[test]
fn python_speaks_both_protocols_in_both_ways() {
    let python = need!("python_speaks_both_protocols_in_both_ways", "python3");
    let home = Home::new();
    let mut mtad = start(&home);
    let script = "
import poplib, smtplib, ssl, sys
smtp, smtps, pop3, pop3s = map(int, sys.argv[1:5])
context = ssl.create_default_context(cafile=sys.argv[5])
context.check_hostname = False
old = ssl.create_default_context(cafile=sys.argv[5])
old.check_hostname = False
old.maximum_version = ssl.TLSVersion.TLSv1_2
text = 'Subject: hi\\n\\nbody\\n'
for c in (context, old):
    s = smtplib.SMTP('127.0.0.1', smtp); s.starttls(context=c)
    assert not s.has_extn('starttls') or s.ehlo()[0] == 250
    s.ehlo(); assert not s.has_extn('starttls')
    s.sendmail('a@client.example', 'joe@example.org', text); print(s.sock.version()); s.quit()
    s = smtplib.SMTP_SSL('127.0.0.1', smtps, context=c)
    s.sendmail('a@client.example', 'joe@example.org', text); s.quit()
    p = poplib.POP3('127.0.0.1', pop3); assert 'STLS' in p.capa()
    p.stls(c); assert 'STLS' not in p.capa()
    p.user('joe@example.org'); p.pass_(sys.argv[6]); p.quit()
    p = poplib.POP3_SSL('127.0.0.1', pop3s, context=c)
    p.user('joe@example.org'); p.pass_(sys.argv[6]); p.quit()
";
    let mut command = Command::new(python);
    command.args(["-c", script]);
    for service in ["smtp", "smtps", "pop3", "pop3s"] {
        command.arg(mtad.listening(service).port().to_string());
    }
    let versions = run(command.arg(certificate(&home)).arg(Home::PASSWORD), b"").ok();
    assert_eq!(versions, "TLSv1.3\nTLSv1.2\n");
    until("delivery", || (home.mail().len() == 4).then_some(()));
}

#[test]
fn openssl_sees_a_certificate_and_a_session_in_each_way() {
    let openssl = need!(
        "openssl_sees_a_certificate_and_a_session_in_each_way",
        "openssl"
    );
    let home = Home::new();
    let mut mtad = start(&home);
    for (service, starttls, commands, said) in [
        ("smtp", Some("smtp"), "EHLO c\r\nQUIT\r\n", "221 2.0.0 "),
        ("smtps", None, "EHLO c\r\nQUIT\r\n", "221 2.0.0 "),
        ("pop3", Some("pop3"), "CAPA\r\nQUIT\r\n", "+OK bye"),
        ("pop3s", None, "CAPA\r\nQUIT\r\n", "+OK bye"),
    ] {
        for version in ["-tls1_2", "-tls1_3"] {
            let mut command = Command::new(&openssl);
            let to = mtad.listening(service).to_string();
            command.args([
                "s_client",
                "-connect",
                &to,
                "-quiet",
                "-verify_return_error",
                version,
            ]);
            command
                .args(["-verify_hostname", "mx.example.org", "-CAfile"])
                .arg(certificate(&home));
            command.args(starttls.iter().flat_map(|name| ["-starttls", *name]));
            let ran = run(&mut command, commands.as_bytes());
            assert!(ran.stdout.contains(said), "{service} {version}: {ran:?}");
        }
        let mut command = Command::new(&openssl);
        let to = mtad.listening(service).to_string();
        command.args([
            "s_client",
            "-connect",
            &to,
            "-tls1_1",
            "-cipher",
            "DEFAULT@SECLEVEL=0",
        ]);
        command.args(starttls.iter().flat_map(|name| ["-starttls", *name]));
        let old = run(&mut command, b"");
        assert!(!old.status.success(), "{service}: TLS 1.1 is not spoken");
    }
}

#[test]
fn mpop_takes_mail_under_tls() {
    let mpop = need!("mpop_takes_mail_under_tls", "mpop");
    let (home, here) = (Home::new(), TempDir::new());
    let mut mtad = with_mail(&home);
    for (service, way) in [("pop3", "on"), ("pop3s", "off")] {
        let to = mtad.listening(service);
        let inbox = here.path().join(service);
        for sub in ["tmp", "new", "cur"] {
            std::fs::create_dir_all(inbox.join(sub)).unwrap();
        }
        let mut command = Command::new(&mpop);
        command.env("HOME", here.path());
        command.args([
            "--host=127.0.0.1".to_owned(),
            format!("--port={}", to.port()),
            "--user=joe@example.org".to_owned(),
            "--auth=user".to_owned(),
            "--tls=on".to_owned(),
            format!("--tls-starttls={way}"),
            "--tls-certcheck=off".to_owned(),
            "--keep=on".to_owned(),
            format!(
                "--uidls-file={}",
                here.path().join(format!("{service}.uidls")).display()
            ),
            format!("--passwordeval=echo '{}'", Home::PASSWORD),
            format!("--delivery=maildir,{}", inbox.display()),
        ]);
        let _ = run(&mut command, b"");
        assert_eq!(
            std::fs::read_dir(inbox.join("new")).unwrap().count(),
            1,
            "{service}"
        );
    }
    let _ = mtad.logged(": TLSv1.3 ");
}

#[test]
fn fetchmail_takes_mail_under_tls() {
    let fetchmail = need!("fetchmail_takes_mail_under_tls", "fetchmail");
    let (home, here) = (Home::new(), TempDir::new());
    let mut mtad = with_mail(&home);
    for (service, option) in [("pop3", "sslproto \"TLS1.2+\""), ("pop3s", "ssl")] {
        let to = mtad.listening(service);
        let (rc, out) = (
            here.path().join("rc"),
            here.path().join(format!("{service}.out")),
        );
        let text = format!(
            "poll 127.0.0.1 service {} protocol pop3 user \"joe@example.org\" password \"{}\" {option} \
             no sslcertck mda \"cat >>{}\" keep fetchall\n",
            to.port(),
            Home::PASSWORD,
            out.display()
        );
        std::fs::write(&rc, text).unwrap();
        std::fs::set_permissions(&rc, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut command = Command::new(&fetchmail);
        command
            .env("HOME", here.path())
            .env("FETCHMAILHOME", here.path());
        let ran = run(command.arg("-f").arg(&rc).arg("-v"), b"");
        let got = std::fs::read_to_string(&out).unwrap_or_default();
        assert!(
            got.contains("secret"),
            "{service}: {}{}",
            ran.stdout,
            ran.stderr
        );
    }
    let _ = mtad.logged(": TLSv1.3 ");
}
