//! What the system does to the server: a full disk, and the owner it becomes when root starts it.
//!
//! Both need root (a mount, another uid); without it they say so and end.

use crate::kit::{Home, Line, Running, files_below, until};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An account that owns nothing else.
const SOMEBODY: u32 = 64_999;

fn root_is_here(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        let _ = writeln!(std::io::stderr(), "skipped: {test} needs root");
    }
    root
}

/// A small file system of its own; unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        let options = format!("size={size}");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at);
        mount
            .status()
            .is_ok_and(|status| status.success())
            .then(|| Self(at.to_path_buf()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_a_452_and_the_daemon_lives() {
    if !root_is_here("a_full_disk_is_a_452_and_the_daemon_lives") {
        return;
    }
    let home = Home::nowhere();
    let Some(disk) = Disk::mount(home.path(), "2m") else {
        let _ = writeln!(std::io::stderr(), "skipped: nothing can be mounted here");
        return;
    };
    home.fill();
    let mut mtad = Running::start(&home);
    let large = "Subject: large\r\n\r\n".to_owned()
        + &"0123456789012345678901234567890123456789\r\n".repeat(100_000);
    let mut client = Line::smtp(mtad.smtp());
    let reply = client.message("a@client.example", &["joe@example.org"], &large);
    assert!(reply.starts_with("452 4.3.1"), "{reply}");
    mtad.logged("no space left for the spool");
    assert_eq!(home.queued(), 0);
    // The same connection goes on, now that the space is free again.
    let reply = client.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: small\r\n\r\nx",
    );
    assert!(reply.starts_with("250"), "{reply}");
    until("the small message", || home.mail("joe").pop());
    assert!(mtad.stop().success());
    drop(disk);
}

#[test]
fn started_by_root_it_becomes_the_owner_of_the_home() {
    if !root_is_here("started_by_root_it_becomes_the_owner_of_the_home") {
        return;
    }
    let home = Home::nowhere();
    fs::create_dir(home.path()).unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    chown(home.path(), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    home.fill();
    let mut mtad = Running::start(&home);
    mtad.logged(&format!("running as uid {SOMEBODY} gid {SOMEBODY}"));
    let status = fs::read_to_string(format!("/proc/{}/status", mtad.pid())).unwrap();
    for line in status
        .lines()
        .filter(|line| line.starts_with("Uid:") || line.starts_with("Gid:"))
    {
        let all = line.split_whitespace().skip(1);
        assert!(
            all.into_iter().all(|id| id == SOMEBODY.to_string()),
            "{line}"
        );
    }
    let reply = mtad.message(
        "a@client.example",
        &["joe@example.org"],
        "Subject: x\r\n\r\nx",
    );
    assert!(reply.starts_with("250"), "{reply}");
    until("the message", || home.mail("joe").pop());
    Line::pop3(mtad.pop3(), "joe@example.org", "joe secret");
    // What root adds beside the running server belongs to the owner as well.
    home.run(
        &["user", "add", "ann@example.org", "--password-stdin"],
        "x\n",
    )
    .ok();
    assert!(
        mtad.message("", &["ann@example.org"], "x")
            .starts_with("250")
    );
    until("ann's message", || home.mail("ann").pop());
    for path in files_below(home.path()) {
        // Files of the queue may be gone by now.
        if let Ok(stat) = fs::symlink_metadata(&path) {
            assert_eq!(stat.uid(), SOMEBODY, "{}", path.display());
        }
    }
}
