//! qmail-popup and qmail-pop3d, alone and as the chain that tcpserver starts.

use crate::kit::{BINARY, Home};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A user who owns nothing; qmail-pop3d refuses root.
const NOBODY: u32 = 65_534;

/// Runs a command as an ordinary user with the client's lines on descriptor 0.
fn talk(mut command: Command, lines: &str) -> (Option<i32>, String, String) {
    use std::io::Write;
    if nix::unistd::getuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A Maildir and a copy of the binary that everybody may run.
struct Mailbox {
    home: Home,
    binary: PathBuf,
}

impl Mailbox {
    fn new() -> Self {
        let home = Home::new();
        let binary = home.at("bin/qmail");
        std::fs::copy(BINARY, &binary).unwrap();
        for path in ["", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"] {
            let path = home.at(path);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        }
        home.write("Maildir/new/1.a", "Subject: one\n\n.dot\n");
        home.write("Maildir/cur/2.b:2,S", "Subject: two\n\nlast line");
        for message in ["Maildir/new/1.a", "Maildir/cur/2.b:2,S"] {
            if nix::unistd::getuid().is_root() {
                std::os::unix::fs::chown(home.at(message), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        Self { home, binary }
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .arg0(program)
            .args(args)
            .current_dir(self.home.path());
        command
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.home.at(folder)).unwrap();
        entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

#[test]
fn pop3d_hands_out_a_maildir_and_removes_at_quit() {
    let mailbox = Mailbox::new();
    let lines = "STAT\r\nUIDL\r\nRETR 1\r\nDELE 1\r\nLIST\r\nQUIT\r\n";
    let (code, out, err) = talk(mailbox.command("qmail-pop3d", &["Maildir"]), lines);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let want = "+OK \r\n+OK 2 49\r\n+OK list follows\r\n1 1.a\r\n2 2.b\r\n.\r\n\
                +OK message follows\r\nSubject: one\r\n\r\n..dot\r\n.\r\n+OK ";
    assert!(out.starts_with(want), "{out}");
    assert!(out.contains("+OK list follows\r\n2 27\r\n.\r\n"), "{out}");
    assert_eq!(mailbox.names("Maildir/new"), Vec::<String>::new());
    assert_eq!(mailbox.names("Maildir/cur"), ["2.b:2,S"]);
}

#[test]
fn pop3d_removes_nothing_without_quit() {
    let mailbox = Mailbox::new();
    let (code, _, _) = talk(
        mailbox.command("qmail-pop3d", &["Maildir"]),
        "DELE 1\r\nDELE 2\r\n",
    );
    assert_eq!(code, Some(0));
    assert_eq!(mailbox.names("Maildir/new"), ["1.a"]);
    assert_eq!(mailbox.names("Maildir/cur"), ["2.b:2,S"]);
}

#[test]
fn pop3d_says_where_there_is_no_maildir_and_refuses_root() {
    let mailbox = Mailbox::new();
    for args in [["no/such"].as_slice(), &[]] {
        let got = talk(mailbox.command("qmail-pop3d", args), "QUIT\r\n");
        let want = "-ERR this user has no $HOME/Maildir\r\n".to_owned();
        assert_eq!(got, (Some(0), want, String::new()), "{args:?}");
    }
    if nix::unistd::getuid().is_root() {
        let got = mailbox.home.run("qmail-pop3d").args(["Maildir"]).end();
        assert_eq!((got.code, got.out.as_str()), (1, ""));
    }
}

#[test]
fn popup_hands_name_password_and_timestamp_to_the_checker() {
    let rows = [
        ("USER", "USER joe\r\nPASS two words\r\n", "joe|two words|"),
        ("lower case", "user joe\r\npass x\r\n", "joe|x|"),
        (
            "APOP",
            "APOP joe 0123456789abcdef0123456789abcdef\r\n",
            "joe|0123456789abcdef0123456789abcdef|",
        ),
    ];
    for (name, lines, want) in rows {
        let mailbox = Mailbox::new();
        let command = mailbox.command(
            "qmail-popup",
            &["pop.example", "sh", "-c", "tr '\\0' '|' <&3"],
        );
        let (code, out, err) = talk(command, lines);
        assert_eq!((code, err.as_str()), (Some(1), ""), "{name}");
        let greeting = out.lines().next().unwrap();
        let stamp = greeting.strip_prefix("+OK ").unwrap();
        assert!(
            stamp.starts_with('<') && stamp.ends_with("@pop.example>"),
            "{name}: {stamp}"
        );
        assert!(out.ends_with(&format!("{want}{stamp}|")), "{name}: {out}");
    }
}

#[test]
fn popup_tells_how_the_checker_ended_and_always_ends_with_one() {
    let login = "USER joe\r\nPASS x\r\n";
    let rows: [(&str, &[&str], &str, &str); 7] = [
        ("let in", &["h", "true"], login, ""),
        (
            "refused",
            &["h", "false"],
            login,
            "-ERR authorization failed\r\n",
        ),
        (
            "crashed",
            &["h", "sh", "-c", "kill -9 $$"],
            login,
            "-ERR aack, child crashed\r\n",
        ),
        (
            "no checker",
            &["h", "/no/such"],
            login,
            "-ERR authorization failed\r\n",
        ),
        (
            "PASS first",
            &["h", "true"],
            "PASS x\r\n",
            "-ERR USER first\r\n",
        ),
        (
            "other command",
            &["h", "true"],
            "STAT\r\n",
            "-ERR authorization first\r\n",
        ),
        (
            "usage",
            &["h"],
            "",
            "-ERR usage: popup hostname subprogram\r\n",
        ),
    ];
    for (name, args, lines, want) in rows {
        let mailbox = Mailbox::new();
        let (code, out, _) = talk(mailbox.command("qmail-popup", args), lines);
        assert_eq!(code, Some(1), "{name}");
        assert!(out.ends_with(want), "{name}: {out}");
        assert_eq!(
            out.matches("-ERR").count(),
            usize::from(!want.is_empty()),
            "{name}: {out}"
        );
    }
}

#[test]
fn what_a_client_sends_behind_its_password_reaches_pop3d() {
    let mailbox = Mailbox::new();
    let server = mailbox.home.at("bin/qmail-pop3d");
    std::os::unix::fs::symlink(&mailbox.binary, &server).unwrap();
    let server = server.display().to_string();
    let command = mailbox.command("qmail-popup", &["h", &server, "Maildir"]);
    let (_, out, _) = talk(command, "USER joe\r\nPASS x\r\nSTAT\r\nQUIT\r\n");
    assert!(
        out.ends_with("\r\n+OK \r\n+OK 2 49\r\n+OK bye\r\n"),
        "{out}"
    );
}
