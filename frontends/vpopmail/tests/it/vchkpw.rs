//! Logins through vchkpw as a process, and the window in which their addresses may send (vchkpw(8), clearopensmtp(8)).

use crate::kit::{Home, said};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_vpopmail");

fn with_joe() -> Home {
    let home = Home::with_domain();
    home.quiet("vadduser", &["joe@example.org", "secret"]);
    home.write("etc/vpopmail.conf", "roaming-users=y\n");
    home.write("etc/tcp.smtp", ":allow\n");
    home
}

fn spawn(home: &Home, credentials: &[u8], variables: &[(&str, &str)]) -> Child {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut command = Command::new(BINARY);
    command
        .arg0("vchkpw")
        .args([
            "/bin/sh",
            "-c",
            "echo $USER,$HOME,$SHELL,$VPOPUSER; pwd; exec 3<&3 || echo closed",
        ])
        .env_clear()
        .env("MTA_HOME", home.path())
        .env("TCPLOCALPORT", "110")
        .env("TCPREMOTEIP", "192.0.2.7")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    sys::pass(&mut command, reader.into(), 3).unwrap();
    let child = command.spawn().unwrap();
    drop(command);
    writer.write_all(credentials).unwrap();
    child
}

fn login(home: &Home, credentials: &[u8], variables: &[(&str, &str)]) -> Output {
    spawn(home, credentials, variables)
        .wait_with_output()
        .unwrap()
}

#[test]
fn a_good_login_becomes_the_program_in_the_mailboxs_home() {
    let home = with_joe();
    let output = login(&home, b"Joe%Example.org\0secret\0<1@mx>\0", &[]);
    let dir = home.at("domains/example.org/joe");
    let dir = dir.canonicalize().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let shown = dir.display();
    assert_eq!(
        text,
        format!("joe,{shown},NOLOGIN,joe%example.org\n{shown}\n")
    );
    assert_eq!(home.text("domains/example.org/joe/lastauth"), "192.0.2.7");
    let open = home.text("etc/open-smtp");
    assert!(
        open.starts_with("192.0.2.7:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t"),
        "{open}"
    );
    assert!(home.at("etc/tcp.smtp.cdb").exists());
}

#[test]
fn exit_codes_tell_why_somebody_is_refused() {
    let home = with_joe();
    home.quiet("vadduser", &["-n", "nop@example.org"]);
    home.quiet("vadduser", &["ann@example.org", "secret"]);
    home.quiet("vmoduser", &["-p", "-r", "ann@example.org"]);
    let smtp = [("TCPLOCALPORT", "587"), ("TCPREMOTEIP", "192.0.2.8")];
    type Case<'a> = (&'a str, &'a [u8], &'a [(&'a str, &'a str)], i32);
    let rows: [Case<'_>; 10] = [
        ("wrong password", b"joe@example.org\0wrong\0", &[], 3),
        ("nobody", b"eve@example.org\0secret\0", &[], 3),
        ("no such domain", b"joe@else.test\0secret\0", &[], 3),
        ("no name", b"\0secret\0", &[], 12),
        ("no password", b"joe@example.org\0\0", &[], 13),
        ("has none", b"nop@example.org\0secret\0", &[], 15),
        ("odd name", b"jo;e@example.org\0secret\0", &[], 20),
        ("may not fetch", b"ann@example.org\0secret\0", &[], 1),
        ("may send", b"ann@example.org\0secret\0", &smtp, 0),
        ("too much", &[b'a'; 600], &[], 11),
    ];
    for (name, credentials, variables, code) in rows {
        let output = login(&home, credentials, variables);
        assert_eq!(output.status.code(), Some(code), "{name}: {output:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(
            !said.contains("secret") && !said.contains("wrong"),
            "{name}: {said}"
        );
    }
    assert!(
        !home.at("etc/open-smtp").exists(),
        "nobody of these opened anything"
    );
    let by_hand = Command::new(BINARY)
        .arg0("vchkpw")
        .arg("true")
        .output()
        .unwrap();
    assert_eq!(by_hand.status.code(), Some(11));
}

#[test]
fn a_bare_name_is_in_the_domain_that_was_connected_to() {
    let home = with_joe();
    home.write("etc/vpopmail.conf", "ip-alias-domains=y\n");
    home.quiet("vipmap", &["-a", "192.0.2.1", "example.org"]);
    assert_eq!(
        home.run("vipmap", &["-p"]),
        said(0, "192.0.2.1 example.org\n")
    );
    let code = |variables| login(&home, b"joe\0secret\0", variables).status.code();
    assert_eq!(code(&[("TCPLOCALIP", "192.0.2.1")]), Some(0));
    assert_eq!(code(&[("TCPLOCALIP", "192.0.2.2")]), Some(3));
    assert_eq!(code(&[("VPOPMAIL_DOMAIN", "example.org")]), Some(0));
    home.quiet("vipmap", &["-d", "192.0.2.1", "example.org"]);
    assert_eq!(code(&[("TCPLOCALIP", "192.0.2.1")]), Some(3));
    assert_eq!(home.run("vipmap", &["-a", "here", "example.org"]).code, 217);
}

#[test]
fn apop_works_where_clear_passwords_are_kept() {
    let home = with_joe();
    let digest = mta_auth::sasl::apop_digest(b"secret", b"<1@mx>");
    let credentials = [b"joe@example.org\0", digest.as_bytes(), b"\0<1@mx>\0"].concat();
    assert_eq!(login(&home, &credentials, &[]).status.code(), Some(3));
    home.write("etc/vpopmail.conf", "clear-passwd=y\n");
    home.quiet("vpasswd", &["joe@example.org", "secret"]);
    assert!(
        home.text("domains/example.org/vpasswd")
            .contains(":NOQUOTA:secret\n")
    );
    assert_eq!(login(&home, &credentials, &[]).status.code(), Some(0));
    assert!(
        !home
            .run("vuserinfo", &["joe@example.org"])
            .output
            .contains("secret")
    );
}

#[test]
fn fifty_logins_beside_clearopensmtp_lose_nothing() {
    let home = with_joe();
    let addresses: Vec<String> = (1..=50).map(|n| format!("192.0.2.{n}")).collect();
    let mut children: Vec<Child> = Vec::new();
    for (at, address) in addresses.iter().enumerate() {
        children.push(spawn(
            &home,
            b"joe@example.org\0secret\0\0",
            &[("TCPREMOTEIP", address)],
        ));
        if at % 5 == 0 {
            let mut clear = Command::new(BINARY);
            let clear = clear
                .arg0("clearopensmtp")
                .env_clear()
                .env("MTA_HOME", home.path());
            children.push(clear.spawn().unwrap());
        }
    }
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    let open = home.text("etc/open-smtp");
    for address in &addresses {
        let line = format!("{address}:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t");
        assert_eq!(
            open.lines().filter(|l| l.starts_with(&line)).count(),
            1,
            "{address}"
        );
    }
    assert_eq!(open.lines().count(), 50);
}

#[test]
fn clearopensmtp_says_what_is_missing() {
    let home = Home::with_domain();
    let did = home.run("clearopensmtp", &[]);
    assert_eq!(did.code, 0);
    assert!(did.output.contains("roaming-users=y"), "{}", did.output);
    home.write("etc/vpopmail.conf", "roaming-user=y\n");
    let did = home.run("clearopensmtp", &[]);
    assert_eq!(did.code, 239);
    assert!(
        did.output.contains("vpopmail.conf: expected line 1"),
        "{}",
        did.output
    );
}
