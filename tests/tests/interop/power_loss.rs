//! The image of an ext4 taken at the moment of the 250 holds the message: power loss for real (RFC 5321 §4.2.5).

use crate::need;
use mta_tests::{Home, LineClient, Mtad, TempDir, run, skip, until};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A loop-mounted ext4 in a file, unmounted when dropped.
struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    fn mount(image: &Path, at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        // A long commit interval: nothing reaches the disk that was not asked for.
        let mut command = Command::new("mount");
        let ran = run(
            command.args(["-o", "loop,commit=600"]).args([image, at]),
            b"",
        );
        ran.status.success().then(|| Self {
            image: image.to_path_buf(),
            at: at.to_path_buf(),
        })
    }

    fn copy(&self, to: &Path) {
        std::fs::copy(&self.image, to).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg(&self.at), b"");
    }
}

fn new_image(mkfs: &Path, at: &Path) {
    let file = std::fs::File::create(at).unwrap();
    file.set_len(96 << 20).unwrap();
    let _ = run(Command::new(mkfs).args(["-q", "-F"]).arg(at), b"").ok();
}

/// Why there can be no loop mount here, if so.
fn obstacle() -> Option<&'static str> {
    let id = run(Command::new("id").arg("-u"), b"").ok();
    if id.trim() != "0" {
        return Some("needs root");
    }
    let test = TempDir::new();
    let mkfs = mta_tests::tool("mkfs.ext4")?;
    new_image(&mkfs, &test.path().join("probe"));
    match Disk::mount(&test.path().join("probe"), &test.path().join("mnt")) {
        Some(_) => None,
        None => Some("loop mounts are not available"),
    }
}

#[test]
fn an_acknowledged_message_survives_the_loss_of_power() {
    const TEST: &str = "an_acknowledged_message_survives_the_loss_of_power";
    let mkfs = need!(
        "an_acknowledged_message_survives_the_loss_of_power",
        "mkfs.ext4"
    );
    if let Some(why) = obstacle() {
        return skip(TEST, why);
    }
    for layout in ["log", "qmail"] {
        survive_power_loss(&mkfs, layout);
    }
}

fn survive_power_loss(mkfs: &Path, layout: &str) {
    let here = TempDir::new();
    let path = |name: &str| here.path().join(name);
    new_image(mkfs, &path("disk"));
    let disk = Disk::mount(&path("disk"), &path("mnt")).unwrap();
    // The lost disk is looked at under the same path, since a home names itself in its files.
    let home = Home::at(&path("mnt").join("home"));
    home.control("concurrencylocal", "0\n");
    let _ = home.mtad(&["queue", "convert", layout], b"").ok();
    let _ = run(Command::new("sync").arg("-f").arg(path("mnt")), b"").ok();
    let mut mtad = Mtad::start(&home);
    for n in 0..10 {
        let text = format!("Subject: number-{n}\r\n\r\nbody");
        let reply =
            LineClient::send_message(mtad.smtp(), "a@client.example", "joe@example.org", &text);
        assert!(reply.starts_with("250"), "{reply}");
        // A copy takes its time; power goes at one moment. So nothing may be written meanwhile.
        mtad.frozen(|| disk.copy(&path(&format!("lost-{n}"))));
    }
    mtad.kill9();
    drop(disk);
    for n in 0..10 {
        let _disk = Disk::mount(&path(&format!("lost-{n}")), &path("mnt")).unwrap();
        let home = Home::existing(&path("mnt").join("home"));
        home.control("concurrencylocal", "10\n");
        let mut mtad = Mtad::start(&home);
        until("all messages acknowledged so far", || {
            (home.mail().len() == n + 1).then_some(())
        });
        let wanted = format!("Subject: number-{n}");
        assert!(
            home.mail()
                .iter()
                .any(|f| std::fs::read_to_string(f).unwrap().contains(&wanted))
        );
        mtad.kill9();
    }
}

#[test]
fn the_method_catches_a_writer_that_does_not_sync_the_directory() {
    const TEST: &str = "the_method_catches_a_writer_that_does_not_sync_the_directory";
    let mkfs = need!(
        "the_method_catches_a_writer_that_does_not_sync_the_directory",
        "mkfs.ext4"
    );
    if let Some(why) = obstacle() {
        return skip(TEST, why);
    }
    let here = TempDir::new();
    let path = |name: &str| here.path().join(name);
    new_image(&mkfs, &path("disk"));
    let disk = Disk::mount(&path("disk"), &path("mnt")).unwrap();
    std::fs::create_dir(path("mnt/new")).unwrap();
    std::fs::create_dir(path("mnt/tmp")).unwrap();
    let _ = run(Command::new("sync").arg("-f").arg(path("mnt")), b"").ok();
    for (name, sync_directory) in [("synced", true), ("not-synced", false)] {
        std::fs::write(path("mnt/tmp/file"), b"a message").unwrap();
        std::fs::File::open(path("mnt/tmp/file"))
            .unwrap()
            .sync_all()
            .unwrap();
        std::fs::rename(path("mnt/tmp/file"), path("mnt/new").join(name)).unwrap();
        if sync_directory {
            std::fs::File::open(path("mnt/new"))
                .unwrap()
                .sync_all()
                .unwrap();
        }
        disk.copy(&path(name));
    }
    drop(disk);
    for (name, kept) in [("synced", true), ("not-synced", false)] {
        let _disk = Disk::mount(&path(name), &path("mnt")).unwrap();
        assert_eq!(path("mnt/new").join(name).exists(), kept, "{name}");
    }
}
