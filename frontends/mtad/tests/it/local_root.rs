//! Run by root in a home of root's: deliveries to other accounts are done as those (qmail-lspawn(8), qmail-getpw(8)).

use crate::kit::{Home, Line, Running, until};
use crate::local::{NOBODY, assign, assign_as, python_reads};
use mta_core::assign::Key;
use nix::unistd::{Gid, Uid, chown, geteuid};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A home of root's with the user ann, who is nobody; `None` where the tests run as somebody else.
fn roots() -> Option<(Home, PathBuf)> {
    if !geteuid().is_root() {
        return None;
    }
    let mut home = Home::new();
    home.with_own_program();
    let dir = home.path().join("ann");
    fs::create_dir(&dir).unwrap();
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    chown(&dir, Some(uid), Some(gid)).unwrap();
    assign(&home, "ann", &dir, &dir);
    Some((home, dir))
}

fn send(mtad: &mut Running, to: &str) {
    let to = format!("{to}@mx.example.org");
    let reply = mtad.message("a@client.example", &[&to], "Subject: x\r\n\r\nx");
    assert!(reply.starts_with("250"), "{reply}");
}

#[test]
fn another_users_lines_are_done_as_that_user() {
    let Some((home, dir)) = roots() else { return };
    let lines = "|id -u; id -g; id -G; pwd\n./box\n&joe@example.org\n";
    fs::write(dir.join(".qmail"), lines).unwrap();
    let mut mtad = Running::start(&home);
    send(&mut mtad, "ann");
    let shown = dir.to_str().unwrap();
    mtad.logged(&format!(
        "success: {NOBODY}/{NOBODY}/{NOBODY}/{shown}/did_1+1+1/qp_"
    ));
    assert_eq!(fs::metadata(dir.join("box")).unwrap().uid(), NOBODY);
    assert_eq!(python_reads(&dir.join("box")).len(), 1);
    let mail = until("the forwarded message", || home.mail("joe").pop());
    assert!(
        mail.contains("Delivered-To: ann@mx.example.org\n"),
        "{mail}"
    );
}

#[test]
fn another_users_failures_come_back() {
    let Some((home, dir)) = roots() else { return };
    fs::write(dir.join(".qmail"), "&joe@example.org\n|echo no; exit 100\n").unwrap();
    let mut mtad = Running::start(&home);
    send(&mut mtad, "ann");
    mtad.logged("failure: no/");
    // What only root may read is not read for ann.
    let secret = home.path().join("secret");
    fs::write(&secret, "./box\n").unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::remove_file(dir.join(".qmail")).unwrap();
    std::os::unix::fs::symlink(&secret, dir.join(".qmail")).unwrap();
    send(&mut mtad, "ann");
    mtad.logged("deferral: Unable_to_open_.qmail:_");
}

#[test]
fn root_itself_runs_no_program() {
    let Some((home, dir)) = roots() else { return };
    fs::write(home.path().join("alias/.qmail-prog"), "|id >ran\n").unwrap();
    let mut mtad = Running::start(&home);
    send(&mut mtad, "prog");
    mtad.logged("deferral: Not_allowed_to_perform_deliveries_as_root./");
    assert!(!home.path().join("alias/ran").exists() && !dir.join("ran").exists());
}

#[test]
fn recipients_of_another_account_are_judged_by_its_own_files() {
    let Some((home, dir)) = roots() else { return };
    let key = Key::Wildcard(b"ann-".to_vec());
    assign_as(&home, "ann", key, &dir, &dir, b"-");
    let own = dir.join(".qmail-own");
    fs::write(&own, "./box\n").unwrap();
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    chown(&own, Some(uid), Some(gid)).unwrap();
    for (name, target) in [("there", "/etc/passwd"), ("nowhere", "/nonexistent")] {
        std::os::unix::fs::symlink(target, dir.join(format!(".qmail-{name}"))).unwrap();
    }
    let mut mtad = Running::start(&home);
    let mut client = Line::smtp(mtad.smtp());
    client.say("MAIL FROM:<a@client.example>");
    for (ext, code) in [
        ("own", "250"),
        ("none", "550"),
        ("there", "250"),
        ("nowhere", "250"),
    ] {
        let reply = client.say(&format!("RCPT TO:<ann-{ext}@mx.example.org>"));
        assert!(reply.starts_with(code), "{ext}: {reply}");
    }
}
