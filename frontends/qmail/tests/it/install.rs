//! `qmail --install HOME --as-root` and the setuid qmail-queue (INSTALL, spec §3.1).

use crate::kit::{BINARY, Home};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

const QUEUE: &str = env!("CARGO_BIN_EXE_qmail-queue");

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a copy that every user may run.
fn install_as(uid: u32, home: &str) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).unwrap();
    let program = dir.path().join("qmail");
    std::fs::copy(BINARY, &program).unwrap();
    let mut command = Command::new(program);
    command.args(["--install", home, "--as-root"]);
    command.uid(uid).output().unwrap()
}

#[test]
fn only_root_makes_an_installation() {
    let mine = nix::unistd::getuid().as_raw();
    let uid = if mine == 0 { 65_534 } else { mine };
    let got = install_as(uid, "/var/qmail");
    let want = "qmail: --as-root: expected to be run by root\n";
    assert_eq!(
        (got.status.code(), text(&got.stderr).as_str()),
        (Some(100), want)
    );
}

#[test]
fn the_setuid_program_takes_no_other_home() {
    let home = Home::new();
    let mut command = Command::new(QUEUE);
    command.arg0("qmail").args(["--home"]).arg(home.path());
    command
        .env("MTA_HOME", home.path())
        .env("HOME", home.path());
    // Wherever it looks, such an envelope is refused.
    let envelope = home.at("envelope");
    std::fs::write(&envelope, "X").unwrap();
    let got = command
        .stdin(std::fs::File::open("/dev/null").unwrap())
        .stdout(std::fs::File::open(envelope).unwrap())
        .output()
        .unwrap();
    assert_ne!(got.status.code(), Some(0));
    assert_eq!((text(&got.stderr).as_str(), home.files()), ("", 0));
}

/// Makes users, installs, queues as nobody and mends, all in a mount namespace of its own, so that
/// nothing of the host is touched.
const SCRIPT: &str = r#"
set -eu
mount -t tmpfs -o mode=755 none /var || exit 77
"$1" --install /var/qmail --as-root 2>"$3/before" && exit 1
"$1" --install /srv/other --as-root 2>"$3/other" && exit 2
n=60000; cp /etc/passwd "$3/passwd"; cp /etc/group "$3/group"
sed -i '/^\(alias\|qmail[dlpqrs]\):/d' "$3/passwd"; sed -i '/^\(qmail\|nofiles\):/d' "$3/group"
echo qmail:x:60100: >>"$3/group"; echo nofiles:x:60101: >>"$3/group"
for u in alias qmaild qmaill qmailp qmailq qmailr qmails; do
  echo "$u:x:$n:60100::/var/qmail:/bin/false" >>"$3/passwd"; n=$((n+1))
done
mount --bind "$3/passwd" /etc/passwd; mount --bind "$3/group" /etc/group
"$1" --install /var/qmail --as-root
cp "$2" "$3/multi"; chmod 755 "$3/multi"
printf 'Fme@here\0Tyou@there\0\0' >"$3/envelope"
chmod 755 "$3"; chmod 644 "$3/envelope"
echo 'Subject: x' | setpriv --reuid 65534 --regid 65534 --clear-groups \
  env MTA_HOME=/nowhere /var/qmail/bin/qmail-queue 1<"$3/envelope"
cd /var/qmail
stat -c '%U %G %a' bin/qmail-queue queue/lock/trigger queue/todo/*
cat queue/todo/* | tr '\0' '\n' | grep -v ^p
setpriv --reuid 65534 --regid 65534 --clear-groups ls queue 2>&1 | wc -l
chmod 777 queue/pid bin/qmail-queue; /var/qmail/bin/qmail --install /var/qmail --as-root
stat -c '%U %a' queue/pid bin/qmail-queue bin/qmail
"#;

#[test]
fn a_message_of_anybody_is_queued_by_qmailq() {
    let test = "a_message_of_anybody_is_queued_by_qmailq";
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", SCRIPT, "sh", BINARY, QUEUE]);
    let got = command.arg(dir.path()).output();
    let got = match got {
        Ok(got) if got.status.code() != Some(77) && !text(&got.stderr).starts_with("unshare") => {
            got
        }
        _ => return mta_tests::skip(test, "expected a mount namespace of its own"),
    };
    assert!(got.status.success(), "{}", text(&got.stderr));
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let before = read("before");
    assert!(
        before.starts_with("qmail: expected the users alias, qmaild, "),
        "{before}"
    );
    assert!(
        before.contains("\n  groupadd --system nofiles\n"),
        "{before}"
    );
    let other = read("other");
    assert!(other.contains("MTA_BUILD_HOME=/srv/other"), "{other}");
    let want = "qmailq qmail 4711\nqmails qmail 622\nqmailq nogroup 644\n\
        u65534\nFme@here\nTyou@there\n1\nqmailq 700\nqmailq 4711\nroot 755\n";
    assert_eq!(text(&got.stdout), want);
}
