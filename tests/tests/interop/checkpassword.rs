//! mtad asks checkpassword programs that are known: vchkpw and checkpassword (vchkpw(8), checkpassword's interface).

use mta_tests::{Home, LineClient, Mtad, TempDir, qmail_binary, run, vpopmail_binary};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

const JOE: &str = "joe@example.org";

/// The account that a home is given to where the tests run as root; it need not exist.
const OWNER: &str = "12345:12345";

/// A home whose logins this program checks, under its own name in a multi-call binary.
fn checked_by(dir: &TempDir, binary: &Path, name: &str) -> Home {
    let path = dir.path().join("home");
    std::fs::create_dir(&path).unwrap();
    let root = std::fs::metadata(dir.path()).unwrap().uid() == 0;
    let give = || {
        let mut chown = Command::new("chown");
        let _ = run(chown.args(["-R", OWNER]).arg(&path), b"").ok();
    };
    if root {
        give();
    }
    let home = Home::at(&path);
    let bin = path.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    // A copy: other accounts may be kept out of the directory where it was built.
    std::fs::copy(binary, bin.join(name)).unwrap();
    let settings = format!("[auth]\nprogram = [\"bin/{name}\", \"/bin/true\"]\n");
    std::fs::write(path.join("mtad.toml"), settings).unwrap();
    if root {
        give();
    }
    home
}

fn fetch(mtad: &mut Mtad, name: &str, password: &str) -> String {
    let mut client = LineClient::connect(mtad.pop3());
    let _ = client.line();
    client.command(&format!("USER {name}"));
    client.command(&format!("PASS {password}"))
}

#[test]
fn vchkpw_lets_in_and_notes_the_login() {
    let dir = TempDir::new();
    let home = checked_by(&dir, &vpopmail_binary(), "vchkpw");
    let mut mtad = Mtad::start(&home);
    assert!(fetch(&mut mtad, JOE, "guess").starts_with("-ERR [AUTH] "));
    assert!(fetch(&mut mtad, "nobody@example.org", "guess").starts_with("-ERR [AUTH] "));
    let said = fetch(&mut mtad, JOE, Home::PASSWORD);
    assert!(said.starts_with("+OK 0 messages"), "{said}");
    let last = home.path().join("domains/example.org/joe/lastauth");
    assert_eq!(std::fs::read_to_string(last).unwrap(), "127.0.0.1");
}

#[test]
fn checkpassword_keeps_out_whoever_is_no_account_of_the_system() {
    let dir = TempDir::new();
    let home = checked_by(&dir, &qmail_binary(), "checkpassword");
    let mut mtad = Mtad::start(&home);
    for name in ["nobody-of-that-name", "root", JOE] {
        let said = fetch(&mut mtad, name, "guess");
        assert!(said.starts_with("-ERR [AUTH] "), "{name}: {said}");
    }
}
