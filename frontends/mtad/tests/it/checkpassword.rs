//! A checkpassword program as the authenticator: what it is told, what it answers, and programs that mean ill (vchkpw(8)).

use crate::kit::{Home, Line, Running, until};
use base64ct::{Base64, Encoding as _};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A home whose logins a shell script checks.
fn checked_by(script: &str, more: &str) -> Home {
    let home = Home::new();
    let path = home.path().join("checker");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    home.config(&format!(
        "[auth]\nprogram = [\"checker\", \"one\", \"two words\"]\n{more}"
    ));
    home
}

fn plain(client: &mut Line, name: &str, password: &str) -> String {
    let message = format!("\0{name}\0{password}");
    client.say(&format!(
        "AUTH PLAIN {}",
        Base64::encode_string(message.as_bytes())
    ))
}

fn greeted(mtad: &mut Running) -> Line {
    let (mut client, _) = Line::greeted(mtad.smtp());
    client.say("EHLO client.example");
    client
}

/// Reads the record, keeps it, and lets in who says `right`.
const JUDGE: &str = r#"tr '\0' '\n' <&3 >record; env >environment; ls -l /proc/$$/fd >descriptors
pwd >place; printf '%s\n' "$@" >arguments
case "$(sed -n 2p record)" in right) exit 0;; wrong) exit 1;; vchkpw) exit 3;; misuse) exit 2;; *) exit 111;; esac"#;

fn kept(home: &Home, name: &str) -> String {
    fs::read_to_string(home.path().join(name)).unwrap()
}

#[test]
fn its_exit_code_is_the_answer() {
    let home = checked_by(JUDGE, "");
    let mut mtad = Running::start(&home);
    for (password, reply) in [
        ("wrong", "535 5.7.8 "),
        ("vchkpw", "535 5.7.8 "),
        ("misuse", "454 4.7.0 "),
        ("later", "454 4.7.0 "),
        ("right", "235 2.7.0 "),
    ] {
        let said = plain(&mut greeted(&mut mtad), "joe@example.org", password);
        assert!(said.starts_with(reply), "{password}: {said}");
    }
    mtad.logged("the program ended with exit status: 111");
    mtad.logged("login joe@example.org by PLAIN");
    let log = mtad.log().join("\n");
    assert!(!log.contains("vchkpw\n"), "{log}");
}

#[test]
fn it_is_told_the_login_and_the_connection_and_nothing_else_is_open() {
    let home = checked_by(JUDGE, "");
    let mut mtad = Running::start(&home);
    let said = plain(&mut greeted(&mut mtad), "Joe@Example.org", "right");
    assert!(said.starts_with("235 "), "{said}");
    assert_eq!(kept(&home, "record"), "Joe@Example.org\nright\n\n");
    assert_eq!(kept(&home, "arguments"), "one\ntwo words\n");
    let place = fs::canonicalize(home.path()).unwrap();
    assert_eq!(kept(&home, "place").trim_end(), place.to_str().unwrap());
    let environment = kept(&home, "environment");
    for line in [
        "TCPREMOTEIP=127.0.0.1\n",
        "TCPLOCALPORT=25\n",
        "PROTO=TCP\n",
    ] {
        assert!(environment.contains(line), "{environment}");
    }
    // What the tests inherited themselves does not count; the server's own are these.
    let descriptors = kept(&home, "descriptors");
    for kind in ["socket:", "eventpoll", "eventfd", "/queue/", "vpasswd"] {
        assert!(!descriptors.contains(kind), "{descriptors}");
    }
    assert!(descriptors.contains(" 3 -> pipe:"), "{descriptors}");
}

#[test]
fn mailboxes_of_virtual_domains_are_fetched_from_where_they_are() {
    let home = checked_by(JUDGE, "");
    let mut mtad = Running::start(&home);
    Line::pop3(mtad.pop3(), "joe@example.org", "right");
    assert!(kept(&home, "environment").contains("TCPLOCALPORT=110\n"));
    let (mut client, _) = Line::greeted(mtad.pop3());
    client.say("USER joe@example.org");
    assert_eq!(client.say("PASS wrong"), "-ERR [AUTH] authorization failed");
    client.say("USER joe@example.org");
    assert!(client.say("PASS later").starts_with("-ERR [SYS/TEMP] "));
}

#[test]
fn others_are_fetched_from_where_the_program_says() {
    let home = checked_by("exec 3<&-; HOME=$PWD/ann; export HOME; exec env -0", "");
    let mut mtad = Running::start(&home);
    let (mut client, _) = Line::greeted(mtad.pop3());
    client.say("USER ann");
    assert!(client.say("PASS x").starts_with("-ERR [SYS/TEMP] "));
    for folder in ["new", "cur", "tmp"] {
        fs::create_dir_all(home.path().join("ann/Maildir").join(folder)).unwrap();
    }
    fs::write(home.path().join("ann/Maildir/new/1.x"), "Subject: x\n\nx\n").unwrap();
    client.say("USER ann");
    assert!(client.say("PASS x").starts_with("+OK 1 message"));
    mtad.logged("login ann@mx.example.org by USER");
}

#[test]
fn without_a_place_nobody_fetches_mail() {
    let home = checked_by("exit 0", "");
    let mut mtad = Running::start(&home);
    let (mut client, _) = Line::greeted(mtad.pop3());
    client.say("USER ann");
    assert!(client.say("PASS x").starts_with("-ERR [SYS/TEMP] "));
    mtad.logged("the program did not tell HOME");
}

#[test]
fn a_digest_stands_in_the_passwords_place() {
    let home = checked_by(JUDGE, "clear_passwords = true\n");
    let mut mtad = Running::start(&home);
    let (mut client, greeting) = Line::greeted(mtad.pop3());
    let stamp = greeting.trim_end().rsplit_once(' ').unwrap().1.to_owned();
    let digest = "0123456789abcdef0123456789abcdef";
    client.say(&format!("APOP joe@example.org {digest}"));
    let record = format!("joe@example.org\n{digest}\n{stamp}\n");
    assert_eq!(kept(&home, "record"), record);
}

#[test]
fn what_would_move_the_fields_or_is_too_long_is_refused_unasked() {
    let home = checked_by("touch asked; exit 0", "");
    let mut mtad = Running::start(&home);
    let said = plain(&mut greeted(&mut mtad), "joe@example.org", &"x".repeat(600));
    assert!(said.starts_with("535 "), "{said}");
    let mut client = greeted(&mut mtad);
    client.say("AUTH LOGIN");
    client.say(&Base64::encode_string(b"joe@example.org"));
    let said = client.say(&Base64::encode_string(b"guess\0right"));
    assert!(said.starts_with("535 "), "{said}");
    assert!(!home.path().join("asked").exists());
}

#[test]
fn programs_that_mean_ill_hold_nobody() {
    let rows = [
        ("hangs", "sleep 600"),
        ("hangs with a child", "sleep 600 & echo $! >child; wait"),
        ("crashes", "kill -SEGV $$"),
        ("is not there", ""),
        ("talks without end", "exec yes"),
    ];
    for (name, script) in rows {
        let home = checked_by(script, "programs = 1\n[timeouts]\ncheck_program = 1\n");
        if script.is_empty() {
            fs::remove_file(home.path().join("checker")).unwrap();
        }
        let mut mtad = Running::start(&home);
        let (mut one, mut other) = (greeted(&mut mtad), greeted(&mut mtad));
        for client in [&mut one, &mut other] {
            let said = plain(client, "joe@example.org", "right");
            assert!(said.starts_with("454 4.7.0 "), "{name}: {said}");
        }
        if let Ok(child) = fs::read_to_string(home.path().join("child")) {
            until("the child's end", || gone(child.trim()).then_some(()));
        }
    }
}

/// A killed process may stay as a zombie where nobody waits for orphans.
fn gone(pid: &str) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(_) => true,
        Ok(stat) => stat.rsplit_once(") ").unwrap().1.starts_with('Z'),
    }
}

#[test]
fn one_that_does_not_read_is_believed_all_the_same() {
    let home = checked_by("exec 3<&-; exit 0", "");
    let mut mtad = Running::start(&home);
    let said = plain(&mut greeted(&mut mtad), "joe@example.org", "right");
    assert!(said.starts_with("235 "), "{said}");
}
