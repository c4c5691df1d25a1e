//! Descriptors, exec and privileges. What changes a whole process runs in a child: this test binary
//! again, with one of the `child_` tests, which do nothing otherwise.
#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use nix::unistd::{Uid, getgid, getgroups, getuid};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::process::{Command, Output};
use sys::privileges::PrivilegeError;

/// Set in the environment of a child.
const CHILD: &str = "SYS_TEST_CHILD";
/// A user that owns nothing.
const NOBODY: u32 = 65_534;

fn child(test: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap()
}

#[test]
fn an_adopted_descriptor_is_a_copy() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let copy = sys::adopt(writer.as_raw_fd()).unwrap();
    assert!(copy.as_raw_fd() >= 10);
    let mut writer_again = std::fs::File::from(copy);
    drop(writer);
    writer_again.write_all(b"still open").unwrap();
    drop(writer_again);
    let mut heard = String::new();
    reader.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "still open");
}

#[test]
fn a_taken_descriptor_is_nobody_elses() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let number = writer.into_raw_fd();
    let mut taken = std::fs::File::from(sys::take(number).unwrap());
    taken.write_all(b"the last words").unwrap();
    drop(taken);
    let mut heard = String::new();
    reader.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "the last words");
    // What stands there now swallows everything.
    let mut null = std::fs::File::from(sys::adopt(number).unwrap());
    null.write_all(b"unheard").unwrap();
}

#[test]
fn a_number_that_is_not_open_is_refused() {
    for number in [-1, 4711, i32::MAX] {
        assert!(sys::take(number).is_err(), "{number}");
        assert!(sys::adopt(number).is_err(), "{number}");
    }
}

#[test]
fn exec_becomes_the_other_program() {
    let output = child("child_becomes_echo");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("one two\n"), "{said:?}");
    assert!(output.status.success());
}

#[test]
fn child_becomes_echo() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let error = sys::exec("echo".as_ref(), &["one".into(), "two".into()]);
    assert_eq!(error.to_string(), "");
}

#[test]
fn exec_of_nothing_returns_the_error() {
    let error = sys::exec("/no/such/program".as_ref(), &[]);
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn nobody_is_made_root() {
    let result = sys::drop_privileges(0, 0, &[]);
    assert!(matches!(result, Err(PrivilegeError::Root)));
}

#[test]
fn root_is_given_up_for_good() {
    let output = child("child_drops_privileges");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{output:?}");
}

#[test]
fn child_drops_privileges() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    if !getuid().is_root() {
        sys::drop_privileges(getuid().as_raw(), getgid().as_raw(), &[]).unwrap();
        return;
    }
    sys::drop_privileges(NOBODY, NOBODY, &[12_345]).unwrap();
    assert_eq!(getuid(), Uid::from_raw(NOBODY));
    let mut groups: Vec<_> = getgroups().unwrap().iter().map(|g| g.as_raw()).collect();
    groups.sort_unstable();
    assert_eq!(groups, [12_345, NOBODY]);
    assert!(nix::unistd::setuid(Uid::from_raw(0)).is_err());
    sys::drop_privileges(NOBODY, NOBODY, &[]).unwrap();
}

#[test]
fn a_child_gets_a_descriptor_under_the_number_asked_for() {
    for number in [3, 6, 9] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("echo told >&{number}")]);
        sys::pass(&mut shell, writer.into(), number).unwrap();
        assert!(shell.status().unwrap().success());
        drop(shell);
        let mut heard = String::new();
        reader.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "told\n", "{number}");
    }
}

#[test]
fn a_program_that_does_not_start_is_noticed_although_a_descriptor_is_passed() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let mut nothing = Command::new("/no/such/program");
    sys::pass(&mut nothing, writer.into(), 3).unwrap();
    assert_eq!(nothing.spawn().unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn the_first_three_descriptors_are_not_passed_this_way() {
    for number in [-1, 0, 2, 10] {
        let (_reader, writer) = std::io::pipe().unwrap();
        assert!(sys::pass(&mut Command::new("true"), writer.into(), number).is_err());
    }
}
