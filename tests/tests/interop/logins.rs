//! Foreign clients log in by AUTH and submit mail (RFC 4954, RFC 5034, RFC 6409).

use crate::need;
use mta_tests::{Home, Mtad, Ran, TempDir, run, until};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

const JOE: &str = "joe@example.org";
const TEXT: &str = "Subject: submitted\r\n\r\nbody\r\n";
const DIGESTS: &str = "[auth]\nclear_passwords = true\n";

/// A home whose vpasswd keeps joe's clear password too, as an installation with clear-passwd does.
fn with_clear_password() -> Home {
    let home = Home::new();
    std::fs::write(home.path().join("mtad.toml"), DIGESTS).unwrap();
    let dir = home.path().join("domains/example.org");
    let path = dir.join("vpasswd");
    let file = std::fs::read_to_string(&path).unwrap();
    let with_clear = |line: &str| {
        let clear = if line.starts_with("joe:") {
            Home::PASSWORD
        } else {
            ""
        };
        format!("{line}:{clear}\n")
    };
    let file: String = file.lines().map(with_clear).collect();
    std::fs::write(&path, file).unwrap();
    std::fs::remove_file(dir.join("vpasswd.cdb")).unwrap();
    home
}

fn serve(home: &Home) -> (Mtad, SocketAddr) {
    let mut mtad = Mtad::start_with(home, &["--submission", "127.0.0.1:0"]);
    let submission = mtad.listening("submission");
    (mtad, submission)
}

fn arrived(home: &Home) {
    let file = until("the submitted message", || home.mail().pop());
    let mail = std::fs::read_to_string(&file).unwrap();
    assert!(mail.contains(" with ESMTPA; "), "{mail}");
    assert!(
        mail.contains("\nMessage-ID: <") && mail.contains("\nDate: "),
        "{mail}"
    );
    std::fs::remove_file(file).unwrap();
}

#[test]
fn swaks_logs_in_by_every_mechanism_that_it_knows() {
    let name = "swaks_logs_in_by_every_mechanism_that_it_knows";
    let swaks = need!("swaks_logs_in_by_every_mechanism_that_it_knows", "swaks");
    let home = with_clear_password();
    let (_mtad, server) = serve(&home);
    let send = |mechanism: &str, password: &str| -> Ran {
        let mut command = Command::new(&swaks);
        command.args(["--server", &server.ip().to_string()]);
        command.args(["--port", &server.port().to_string(), "--auth", mechanism]);
        command.args(["--auth-user", JOE, "--auth-password", password]);
        command.args(["--from", JOE, "--to", JOE, "--data", "-"]);
        run(&mut command, TEXT.as_bytes())
    };
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        let ran = send(mechanism, Home::PASSWORD);
        let missing = ran.stdout.contains("Digest::HMAC_MD5") || ran.stderr.contains("Digest");
        if mechanism == "CRAM-MD5" && missing && !ran.status.success() {
            mta_tests::skip(name, "CRAM-MD5 needs Perl's Digest::HMAC_MD5");
            continue;
        }
        let _ = ran.ok();
        arrived(&home);
    }
    // swaks(1): 28 is "no authentication".
    assert_eq!(send("PLAIN", "guess").status.code(), Some(28));
}

#[test]
fn curl_submits_and_fetches_after_a_login() {
    let curl = need!("curl_submits_and_fetches_after_a_login", "curl");
    let home = with_clear_password();
    let (mut mtad, server) = serve(&home);
    let user = format!("{JOE}:{}", Home::PASSWORD);
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        let option = format!("AUTH={mechanism}");
        let url = format!("smtp://{server}/client.example");
        let mut command = Command::new(&curl);
        command.args(["-sS", "-u", &user, "--login-options", &option]);
        command.args(["--mail-from", JOE, "--mail-rcpt", JOE, "-T", "-", &url]);
        let _ = run(&mut command, TEXT.as_bytes()).ok();
        until("delivery", || (home.mail().len() == 1).then_some(()));
        let url = format!("pop3://{}/1", mtad.pop3());
        let mut command = Command::new(&curl);
        command.args(["-sS", "-u", &user, "--login-options", &option, &url]);
        let got = run(&mut command, b"").ok();
        assert!(got.contains("Subject: submitted"), "{mechanism}: {got}");
        let _ = mtad.logged(&format!("login {JOE} by {mechanism}"));
        arrived(&home);
    }
    let url = format!("pop3://{}/", mtad.pop3());
    let mut command = Command::new(&curl);
    command.args(["-sS", "-u", &user, "--login-options", "AUTH=+APOP", &url]);
    let _ = run(&mut command, b"").ok();
    let _ = mtad.logged(&format!("login {JOE} by APOP"));
}

#[test]
fn python_smtplib_logs_in_and_poplib_uses_apop() {
    let python = need!("python_smtplib_logs_in_and_poplib_uses_apop", "python3");
    let home = with_clear_password();
    let (mut mtad, server) = serve(&home);
    let script = "
import poplib, smtplib, sys
host, port, pop, user, password = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
for mechanism in ('CRAM-MD5', 'PLAIN', 'LOGIN'):
    s = smtplib.SMTP(host, port); s.ehlo()
    s.user, s.password = user, password
    s.auth(mechanism, getattr(s, 'auth_' + mechanism.lower().replace('-', '_')))
    s.sendmail(user, [user], 'Subject: x\\r\\n\\r\\nx')
    s.quit()
s = smtplib.SMTP(host, port)
try:
    s.login(user, 'guess'); sys.exit('a guess was taken')
except smtplib.SMTPAuthenticationError as e:
    assert e.smtp_code == 535, e
s.close()
s = smtplib.SMTP(host, port)
try:
    s.sendmail(user, [user], 'x'); sys.exit('no login was needed')
except smtplib.SMTPSenderRefused as e:
    assert e.smtp_code == 530, e
p = poplib.POP3(host, pop); p.apop(user, password); p.quit()
print('ok')
";
    let mut command = Command::new(python);
    command.args(["-c", script, &server.ip().to_string()]);
    command.args([&server.port().to_string(), &mtad.pop3().port().to_string()]);
    command.args([JOE, Home::PASSWORD]);
    assert_eq!(run(&mut command, b"").ok(), "ok\n");
    until("three messages", || (home.mail().len() == 3).then_some(()));
}

#[test]
fn msmtp_submits_by_every_mechanism_that_it_knows() {
    let msmtp = need!("msmtp_submits_by_every_mechanism_that_it_knows", "msmtp");
    let home = with_clear_password();
    let (_mtad, server) = serve(&home);
    let here = TempDir::new();
    for mechanism in ["plain", "login", "cram-md5"] {
        let mut command = Command::new(&msmtp);
        command.env("HOME", here.path()).args([
            format!("--host={}", server.ip()),
            format!("--port={}", server.port()),
            format!("--auth={mechanism}"),
            format!("--user={JOE}"),
            format!("--passwordeval=echo '{}'", Home::PASSWORD),
            format!("--from={JOE}"),
        ]);
        command.args(["--tls=off", "--", JOE]);
        let _ = run(&mut command, b"Subject: x\n\nx\n").ok();
        arrived(&home);
    }
}

#[test]
fn mpop_and_fetchmail_log_in_by_sasl() {
    let mpop = need!("mpop_and_fetchmail_log_in_by_sasl", "mpop");
    let fetchmail = need!("mpop_and_fetchmail_log_in_by_sasl", "fetchmail");
    let home = with_clear_password();
    let (mut mtad, _) = serve(&home);
    let server = mtad.pop3();
    let here = TempDir::new();
    let ran = fetch(&fetchmail, here.path(), server);
    // fetchmail(1): 1 is "no mail".
    assert_eq!(ran.status.code(), Some(1), "{}{}", ran.stdout, ran.stderr);
    let _ = mtad.logged(&format!("login {JOE} by CRAM-MD5"));
    for mechanism in ["plain", "login", "cram-md5", "apop"] {
        let mut command = Command::new(&mpop);
        command.env("HOME", here.path()).args([
            format!("--host={}", server.ip()),
            format!("--port={}", server.port()),
            format!("--auth={mechanism}"),
            format!("--user={JOE}"),
            format!("--passwordeval=echo '{}'", Home::PASSWORD),
            format!("--delivery=mbox,{}", here.path().join("mbox").display()),
        ]);
        command.arg("--tls=off");
        let _ = run(&mut command, b"").ok();
        let _ = mtad.logged(&format!(
            "login {JOE} by {}",
            mechanism.to_ascii_uppercase()
        ));
    }
}

fn fetch(fetchmail: &Path, here: &Path, server: SocketAddr) -> Ran {
    let rc = here.join("fetchmailrc");
    let text = format!(
        "poll 127.0.0.1 service {} protocol pop3 auth cram-md5 user \"{JOE}\" password \"{}\" sslproto \"\" mda \"cat\"\n",
        server.port(),
        Home::PASSWORD
    );
    std::fs::write(&rc, text).unwrap();
    std::fs::set_permissions(&rc, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = Command::new(fetchmail);
    command.env("HOME", here).env("FETCHMAILHOME", here);
    command.args(["--nosyslog", "--nodetach", "-f"]).arg(&rc);
    run(&mut command, b"")
}
