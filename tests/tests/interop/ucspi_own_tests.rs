//! The tests that came with ucspi-tcp, run on our programs and on Debian's: they say the same (tcpserver(1), tcprules(1)).

use crate::need;
use mta_tests::{TempDir, skip, ucspi_binary};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const TEST: &str = "the_tests_of_ucspi_tcp_say_the_same_of_both";

/// Sections that say something else, each for a reason.
const DIFFERENT: [&str; 5] = [
    // We ask the system, which asks the hosts file as well.
    "tcpclient prints error message with unknown host name",
    "tcpserver prints error message with unknown host name",
    // Without UID ours does not stay root.
    "tcpserver -U reads $GID",
    // There is an option more.
    "tcprules prints usage message without enough arguments",
    // How the lines of several connections stand is up to the scheduler.
    "tcpserver -1v prints proper messages",
];

/// The script, where whoever runs the tests has unpacked the source package.
fn script() -> Option<PathBuf> {
    let source = PathBuf::from(std::env::var_os("MTA_UCSPI_TCP_SOURCE")?);
    Some(source.join("rts.tests")).filter(|script| script.is_file())
}

/// Runs it where its ports are nobody else's, as an ordinary user, and returns what each of its
/// sections says.
fn sections(script: &Path, place: &Path, programs: Option<&Path>) -> BTreeMap<String, String> {
    fs::create_dir(place).unwrap();
    open_to_all(place, 0o777);
    fs::copy(script, place.join("rts.tests")).unwrap();
    let path = match programs {
        Some(first) => format!("{}:/usr/bin:/bin", first.display()),
        None => "/usr/bin:/bin".to_owned(),
    };
    let line = "ip link set lo up && cd \"$0\" && exec setpriv --reuid 1000 --regid 1000 \
        --clear-groups env - PATH=\"$1\" sh rts.tests 2>&1";
    let ran = Command::new("unshare")
        .args(["--net", "sh", "-c", line])
        .arg(place)
        .arg(path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let mut sections = BTreeMap::new();
    for section in said.split("--- ").skip(1) {
        let (name, text) = section.split_once('\n').unwrap_or((section, ""));
        sections.insert(name.to_owned(), text.to_owned());
    }
    sections
}

fn open_to_all(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_tests_of_ucspi_tcp_say_the_same_of_both() {
    need!("the_tests_of_ucspi_tcp_say_the_same_of_both", "tcpserver");
    need!("the_tests_of_ucspi_tcp_say_the_same_of_both", "supervise");
    need!("the_tests_of_ucspi_tcp_say_the_same_of_both", "setpriv");
    need!("the_tests_of_ucspi_tcp_say_the_same_of_both", "ip");
    let Some(script) = script() else {
        return skip(TEST, "no source of ucspi-tcp in MTA_UCSPI_TCP_SOURCE");
    };
    let apart = Command::new("unshare").args(["--net", "true"]).output();
    if !apart.is_ok_and(|ran| ran.status.success()) {
        return skip(TEST, "no network of its own to be had (unshare --net)");
    }
    let dir = TempDir::new();
    open_to_all(dir.path(), 0o755);
    let programs = dir.path().join("bin");
    fs::create_dir(&programs).unwrap();
    let binary = dir.path().join("ucspi");
    fs::copy(ucspi_binary(), &binary).unwrap();
    let installed = Command::new(&binary)
        .arg("--install")
        .arg(&programs)
        .status();
    assert!(installed.unwrap().success());
    let ours = sections(&script, &dir.path().join("ours"), Some(&programs));
    let theirs = sections(&script, &dir.path().join("theirs"), None);
    assert!(theirs.len() > 60, "{theirs:?}");
    assert!(ours.keys().eq(theirs.keys()), "{:?}", ours.keys());
    for (name, said) in &theirs {
        if !DIFFERENT.contains(&&name[..]) {
            assert_eq!(&ours[name], said, "{name}");
        }
    }
}
