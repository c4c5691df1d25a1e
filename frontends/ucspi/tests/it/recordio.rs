//! recordio: the bytes pass unchanged, the record is Debian's, the process is the program's (recordio(1)).

use crate::kit::{Did, original, program};
use std::os::unix::process::CommandExt;
use std::process::Command;

fn ours() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ucspi"));
    command.arg0("recordio");
    command
}

/// Without process ids, and both directions apart: how they interleave is up to the scheduler.
fn normal(mut did: Did) -> Did {
    let without_pid = |line: &str| {
        line.split_once(' ')
            .map_or(line, |(_, rest)| rest)
            .to_owned()
    };
    let mut lines: Vec<_> = did.errors.lines().map(without_pid).collect();
    lines.sort_by_key(|line| line.starts_with('>'));
    did.errors = lines.join("\n");
    did
}

#[test]
fn the_record_is_the_originals() {
    let Some(theirs) = original("recordio", "the_record_is_the_originals") else {
        return;
    };
    let long = format!("short\n{}\nend", "x".repeat(700));
    let scenarios: [(&str, &[&str], &[u8]); 8] = [
        ("lines", &["cat"], b"one\ntwo\n"),
        ("half a line", &["cat"], b"one\ntwo"),
        ("nothing", &["cat"], b""),
        ("bytes", &["cat"], b"\x00\xff\r\n\t"),
        ("long", &["cat"], long.as_bytes()),
        ("exit code", &["sh", "-c", "cat >/dev/null; exit 3"], b"x\n"),
        (
            "output alone",
            &["sh", "-c", "cat; echo out; echo also >&2"],
            b"in\n",
        ),
        ("no program", &[], b""),
    ];
    for (name, arguments, input) in scenarios {
        let mine = program(ours().args(arguments), input);
        let peer = program(Command::new(&theirs).args(arguments), input);
        assert_eq!(normal(mine), normal(peer), "{name}");
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let did = program(ours().arg("/nonexistent"), b"");
    assert_eq!(did.code, 111);
    let said = "recordio: fatal: unable to run /nonexistent: file does not exist\n";
    // The end of the input may be recorded before it or not at all.
    assert!(did.errors.contains(said), "{}", did.errors);
}

#[test]
fn the_program_keeps_the_process_id_that_the_record_shows() {
    let did = program(ours().args(["sh", "-c", "echo $$"]), b"");
    let pid = did.output.trim();
    assert!(
        did.errors.contains(&format!("{pid} > {pid} \n")),
        "{}",
        did.errors
    );
    assert!(
        did.errors.ends_with(&format!("{pid} > [EOF]\n"))
            || did.errors.ends_with(&format!("{pid} < [EOF]\n")),
        "{}",
        did.errors
    );
}

#[test]
fn a_program_that_reads_nothing_ends_all_the_same() {
    // Nobody reads the record while the input is written, so it must go elsewhere.
    let line = "exec 2>/dev/null; exec \"$0\" recordio sh -c 'exec <&-; echo done'";
    let mut shell = Command::new("sh");
    shell.args(["-c", line, env!("CARGO_BIN_EXE_ucspi")]);
    let did = program(&mut shell, &vec![b'x'; 1 << 20]);
    assert_eq!((did.code, &did.output[..]), (0, "done\n"));
}

#[test]
fn other_descriptors_pass_through() {
    let mut shell = Command::new("sh");
    let recordio = env!("CARGO_BIN_EXE_ucspi");
    shell.args([
        "-c",
        &format!("exec 2>/dev/null; exec 4>&1; exec {recordio} recordio sh -c 'echo four >&4'"),
    ]);
    assert_eq!(program(&mut shell, b"").output, "four\n");
}
