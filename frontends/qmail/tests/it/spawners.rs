//! qmail-lspawn, qmail-rspawn and qmail-clean at their descriptors, with good, bad and hostile words (spec §3.4, §5.3, §6.1, §7.1).

use crate::running::{Installed, until};
use mta_core::spawn::ReportReader;
use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

/// Says something to a program and returns all that it answers, and its exit code.
fn talk(installed: &Installed, program: &str, arguments: &[&str], words: &[u8]) -> (i32, Vec<u8>) {
    installed.give();
    let mut command = installed.program(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // A program that has ended reads nothing.
    let _ = input.write_all(words);
    drop(input);
    let mut answer = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut answer)
        .unwrap();
    (child.wait().unwrap().code().unwrap_or(-1), answer)
}

/// The reports by their slots, behind the byte that says the limit.
fn reports(answer: &[u8]) -> Vec<(u8, String)> {
    let (limit, rest) = answer.split_first().unwrap();
    assert_eq!(*limit, 120);
    let mut all = Vec::new();
    ReportReader::default().push(rest, &mut |one| {
        let report = one.report.unwrap();
        let letter = char::from(report.outcome.letter());
        let text = String::from_utf8(report.text).unwrap();
        all.push((one.slot, format!("{letter}{text}")));
    });
    all.sort();
    all
}

/// A queued message's path below mess/.
fn message(installed: &Installed) -> String {
    assert_eq!(installed.inject("", &["x@y"], "Subject: x\n\nbody\n"), 0);
    let [id] = installed.home.queue().todo().unwrap().try_into().unwrap();
    format!("{}/{id}", id.0 % 23)
}

#[test]
fn a_spawner_refuses_what_makes_no_sense_and_goes_on() {
    let installed = Installed::new();
    let path = message(&installed);
    fs::create_dir(installed.home.at("queue/mess/0/23")).unwrap();
    let mut words = Vec::new();
    let mut say = |slot: u8, message: &str, recipient: &str| {
        words.push(slot);
        words.extend(format!("{message}\0me@a\0{recipient}\0").bytes());
    };
    say(0, &path, "box@mx.example.org");
    say(1, &path, "box");
    say(2, "0/99999", "box@mx.example.org");
    say(3, "0/23", "box@mx.example.org");
    say(4, "../../control/me", "box@mx.example.org");
    say(5, &"1".repeat(101), "box@mx.example.org");
    say(6, "", "box@mx.example.org");
    say(7, &path, "@mx.example.org");
    say(120, &path, "box@mx.example.org");
    say(9, &path, &format!("{}@mx.example.org", "x".repeat(20_000)));
    words.extend(b"\x0acut off");
    let (code, answer) = talk(&installed, "qmail-lspawn", &["./Mailbox"], &words);
    assert_eq!(code, 0);
    let want: [(u8, &str); 10] = [
        (0, "Kdid 1+0+0\n"),
        (1, "DSorry, address must include host name. (#5.1.3)\n"),
        (2, "Zqmail-spawn unable to open message. (#4.3.0)\n"),
        (3, "ZSorry, message has wrong type. (#4.3.5)\n"),
        (4, "DInternal error: messid has nonnumerics. (#5.3.5)\n"),
        (5, "DInternal error: messid too long. (#5.3.5)\n"),
        (6, "DInternal error: messid too short. (#5.3.5)\n"),
        (7, "K"),
        (9, "Zqmail-spawn out of memory. (#4.3.0)\n"),
        (120, "ZInternal error: delnum too big. (#4.3.5)\n"),
    ];
    let want: Vec<(u8, String)> = want.map(|(slot, text)| (slot, text.to_owned())).to_vec();
    assert_eq!(reports(&answer), want);
}

#[test]
fn a_slot_in_use_is_refused_and_many_run_at_once() {
    let installed = Installed::new();
    let path = message(&installed);
    // It ends when the test has seen that it runs, at the latest with the others.
    installed.alias("wait", "|until test -e go; do sleep 0.01; done\n");
    let mut words = Vec::new();
    for slot in (0..120).chain([5]) {
        words.push(slot);
        words.extend(format!("{path}\0\0wait@mx.example.org\0").bytes());
    }
    installed.give();
    let mut command = installed.program("qmail-lspawn");
    command
        .arg("./Mailbox")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&words).unwrap();
    drop(input);
    let mut output = child.stdout.take().unwrap();
    let refused = b"\x78\x05ZInternal error: delnum in use. (#4.3.5)\n\0";
    let mut first = vec![0; refused.len()];
    output.read_exact(&mut first).unwrap();
    assert_eq!(first, refused);
    fs::write(installed.home.at("alias/go"), "").unwrap();
    let mut rest = vec![120];
    output.read_to_end(&mut rest).unwrap();
    let reports = reports(&rest);
    assert_eq!(reports.len(), 120);
    assert!(
        reports.iter().all(|(_, text)| text == "Kdid 0+0+1\n"),
        "{reports:?}"
    );
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_a_delivery_says_is_bounded_and_cut_at_a_nul() {
    let installed = Installed::new();
    let path = message(&installed);
    installed.alias("flood", "|head -c 3000000 /dev/zero | tr '\\0' x\n");
    installed.alias("nul", "|printf 'a\\0Dforged'\n");
    installed.alias("left", "|sleep 100 & echo $! > pid; echo done\n");
    let mut words = Vec::new();
    for (slot, to) in [(0, "flood"), (1, "nul"), (2, "left")] {
        words.push(slot);
        words.extend(format!("{path}\0\0{to}@mx.example.org\0").bytes());
    }
    let (_, answer) = talk(&installed, "qmail-lspawn", &["./Mailbox"], &words);
    let [flood, nul, left] = reports(&answer).try_into().unwrap();
    assert_eq!(
        flood.1.len(),
        1 + 2966 + "\nError report too long, sorry.\n".len()
    );
    assert_eq!(nul.1, "Ka");
    assert_eq!(left.1, "Kdone\ndid 0+0+1\n");
    let pid: i32 = installed.read("alias/pid").trim().parse().unwrap();
    let _ = nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGTERM,
    );
}

#[test]
fn users_that_cannot_be_served_defer() {
    let installed = Installed::new();
    let path = message(&installed);
    let us = match nix::unistd::geteuid().is_root() {
        true => crate::running::NOBODY,
        false => nix::unistd::geteuid().as_raw(),
    };
    let home = installed.home.at("alias");
    let home = home.display();
    installed.home.write(
        "users/assign",
        format!(
            "=ours:me:{us}:{us}:{home}:-:box:\n=other:x:54321:{us}:{home}:::\n\
             =root:root:0:0:{home}:::\n=odd:x:many:1:{home}:::\n.\n"
        ),
    );
    assert_eq!(talk(&installed, "qmail-newu", &[], b"").0, 0);
    let mut words = Vec::new();
    for (slot, to) in [(0, "ours"), (1, "other"), (2, "root"), (3, "odd")] {
        words.push(slot);
        words.extend(format!("{path}\0\0{to}@mx.example.org\0").bytes());
    }
    let (_, answer) = talk(&installed, "qmail-lspawn", &["./Mailbox"], &words);
    let texts: Vec<String> = reports(&answer).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        texts,
        [
            "Kdid 1+0+0\n",
            "ZInternal qmail-lspawn bug.\n",
            "ZNot allowed to perform deliveries as root.\n",
            "ZInternal qmail-lspawn bug.\n",
        ]
    );
    installed.home.write("users/cdb", "garbage");
    let one = format!("\0{path}\0\0ours@mx.example.org\0");
    let (_, answer) = talk(&installed, "qmail-lspawn", &["./Mailbox"], one.as_bytes());
    assert_eq!(
        reports(&answer)[0].1,
        "ZTrouble reading users/cdb in qmail-lspawn.\n"
    );
    fs::remove_file(installed.home.at("users/cdb")).unwrap();
    fs::remove_file(installed.home.at("bin/qmail-local")).unwrap();
    let (_, answer) = talk(&installed, "qmail-lspawn", &["./Mailbox"], one.as_bytes());
    assert_eq!(reports(&answer)[0].1, "ZUnable to run qmail-local.\n");
    assert_eq!(talk(&installed, "qmail-lspawn", &[], b"").0, 100);
}

#[test]
fn rspawn_runs_what_qmailremote_names_and_forgets_timeouts() {
    let installed = Installed::new();
    let path = message(&installed);
    installed.home.write("queue/lock/tcpto", [7; 1024]);
    let one = format!("\x07{path}\0me@a\0\"a@b\"@far.example\0");
    installed.replace("qmail-remote", "printf 'r\\0K%s %s %s\\n\\0' \"$@\"");
    let (code, answer) = talk(&installed, "qmail-rspawn", &[], one.as_bytes());
    assert_eq!(code, 0);
    assert_eq!(
        reports(&answer),
        [(7, "Kfar.example me@a \"a@b\"@far.example\n".to_owned())]
    );
    assert_eq!(
        fs::read(installed.home.at("queue/lock/tcpto")).unwrap(),
        [0; 1024]
    );
    installed.replace("qmail-remote", "kill -9 $$");
    let (_, answer) = talk(&installed, "qmail-rspawn", &[], one.as_bytes());
    assert_eq!(reports(&answer)[0].1, "Zqmail-remote crashed.\n");
    installed.replace("qmail-remote", "head -c 1000000 /dev/zero | tr '\\0' K");
    let (_, answer) = talk(&installed, "qmail-rspawn", &[], one.as_bytes());
    assert_eq!(reports(&answer)[0].1, "Zqmail-remote said too much.\n");
    fs::remove_file(installed.home.at("bin/qmail-remote")).unwrap();
    let (_, answer) = talk(&installed, "qmail-rspawn", &[], one.as_bytes());
    assert_eq!(reports(&answer)[0].1, "ZUnable to run qmail-remote.\n");
}

#[test]
fn clean_removes_what_it_is_asked_for_and_nothing_else() {
    let installed = Installed::new();
    message(&installed);
    let queue = installed.home.queue();
    let id = queue.todo().unwrap()[0];
    fs::write(installed.home.at("queue/pid/1.2.3"), "").unwrap();
    let long = [b"foop/".as_slice(), &[b'1'; 200], b"\0"].concat();
    let asked = [
        b"todo/../../control/me\0foop/\0x\0\0".as_slice(),
        &long,
        format!("foop/{}\0todo/{id}\0", id.0 + 1).as_bytes(),
    ]
    .concat();
    let (code, answer) = talk(&installed, "qmail-clean", &[], &asked);
    assert_eq!(
        (code, String::from_utf8(answer).unwrap().as_str()),
        (0, "xxxxx++")
    );
    assert!(queue.todo().unwrap().is_empty());
    assert!(queue.layout().mess(id).exists());
    assert!(installed.home.at("control/me").exists());
    let (_, answer) = talk(
        &installed,
        "qmail-clean",
        &[],
        format!("foop/{id}\0").as_bytes(),
    );
    assert_eq!(answer, b"+");
    assert!(!queue.layout().mess(id).exists());
    // What a writer that lives may still want stays; what is older than 36 hours goes.
    assert!(installed.home.at("queue/pid/1.2.3").exists());
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(130_000);
    let file = fs::File::options()
        .write(true)
        .open(installed.home.at("queue/pid/1.2.3"));
    file.unwrap().set_modified(old).unwrap();
    assert_eq!(talk(&installed, "qmail-clean", &[], b"").0, 0);
    assert!(!installed.home.at("queue/pid/1.2.3").exists());
    // A directory in a message's place cannot be removed.
    fs::create_dir(installed.home.at("queue/todo/7")).unwrap();
    assert_eq!(talk(&installed, "qmail-clean", &[], b"todo/7\0").1, b"!");
}

#[test]
fn missing_queues_and_closed_descriptors_end_them() {
    let installed = Installed::new();
    installed.replace(
        "closed",
        "exec \"$1\" ./Mailbox 0<&- 1>&- 2>&- 3>&- 4>&- 5>&- 6>&-",
    );
    installed.give();
    for program in ["qmail-lspawn", "qmail-rspawn", "qmail-clean", "qmail-send"] {
        let mut child = installed.program("closed").arg(program).spawn().unwrap();
        let status = until(program, || child.try_wait().unwrap());
        // Nobody speaks to the children, which therefore have nothing to do.
        let want = if program == "qmail-send" { 111 } else { 0 };
        assert_eq!(status.code(), Some(want), "{program}");
    }
    fs::remove_dir_all(installed.home.at("queue")).unwrap();
    for program in ["qmail-lspawn", "qmail-rspawn", "qmail-clean"] {
        assert_eq!(
            talk(&installed, program, &["./Mailbox"], b""),
            (111, Vec::new()),
            "{program}"
        );
    }
}
