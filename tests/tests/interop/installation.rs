//! What `qmail --install HOME --as-root` makes, `mtad check` finds in order (instcheck, spec qmail §3.1).

use crate::need;
use mta_tests::{TempDir, mtad_binary, qmail_binary, run, skip};

/// In a mount namespace of its own, with users of its own; nothing of the host is touched.
const SCRIPT: &str = r#"
set -u
mount -t tmpfs -o mode=755 none /var || exit 77
cp /etc/passwd "$3/passwd"; cp /etc/group "$3/group"; chmod 644 "$3/passwd" "$3/group"
sed -i '/^\(alias\|qmail[dlpqrs]\):/d' "$3/passwd"; sed -i '/^\(qmail\|nofiles\):/d' "$3/group"
echo qmail:x:60100: >>"$3/group"; echo nofiles:x:60101: >>"$3/group"; n=60000
for u in alias qmaild qmaill qmailp qmailq qmailr qmails; do
  echo "$u:x:$n:60100::/var/qmail:/bin/false" >>"$3/passwd"; n=$((n+1))
done
mount --bind "$3/passwd" /etc/passwd; mount --bind "$3/group" /etc/group
"$1" --install /var/qmail --as-root || exit 1
echo mx.example.org >/var/qmail/control/me
check() { echo "$1:"; "$mtad" --home /var/qmail check | grep -e ' wrong ' -e 'not exist$' | sort; }
mtad=$2
check installed
cd /var/qmail
chmod 755 bin/qmail-queue; chown alias queue/pid; chgrp 0 queue/todo; rm queue/lock/trigger
mv queue/lock/tcpto queue/lock/sendmutex; rm bin/qmail-inject; cp "$1" bin/qmail-inject
chmod 4755 bin/qmail-inject; chmod 700 bin/qmail
check spoilt
"#;

const SPOILT: &str = "\
bin/qmail-inject: has wrong group, expected qmail
bin/qmail-inject: has wrong permissions, expected 0755 and found 4755
bin/qmail-queue: has wrong permissions, expected 4711 and found 0755
queue/lock/sendmutex: has wrong owner, expected qmails
queue/lock/sendmutex: has wrong permissions, expected 0600 and found 0644
queue/lock/tcpto: does not exist
queue/lock/trigger: does not exist
queue/pid: has wrong owner, expected qmailq
queue/todo: has wrong group, expected qmail
";

#[test]
fn what_the_installer_makes_the_checker_finds_in_order() {
    let test = "what_the_installer_makes_the_checker_finds_in_order";
    let unshare = need!(
        "what_the_installer_makes_the_checker_finds_in_order",
        "unshare"
    );
    let dir = TempDir::new();
    let programs = [qmail_binary(), mtad_binary()];
    let mut command = std::process::Command::new(unshare);
    command.args(["-m", "sh", "-c", SCRIPT, "sh"]);
    command.args(programs).arg(dir.path());
    let ran = run(&mut command, b"");
    if ran.status.code() == Some(77) || ran.stderr.starts_with("unshare") {
        return skip(test, "expected a mount namespace of its own");
    }
    let (installed, spoilt) = ran.stdout.split_once("spoilt:\n").unwrap();
    // A program that this binary is not says so, and nothing else is wrong.
    let wrong: Vec<_> = installed
        .lines()
        .filter(|line| line.contains("wrong"))
        .collect();
    assert_eq!(wrong, Vec::<&str>::new(), "{}", ran.stderr);
    let absent = |line: &&str| line.starts_with("bin/") && line.ends_with("exist");
    let lines = spoilt.lines().filter(|line| !absent(line));
    let links = |line: &&str| !line.contains("found 0700");
    let told: String = lines
        .filter(links)
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(told, SPOILT, "{}", ran.stderr);
    // Every link leads to a binary that is not everybody's any more.
    let unusable = "bin/sendmail: has wrong permissions, expected 0755 and found 0700";
    assert!(spoilt.contains(unusable), "{spoilt}");
}
