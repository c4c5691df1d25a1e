//! qmail-inject by descriptors, environment and exit code (qmail-inject(8), spec §11.1 to §11.3).

use crate::kit::{Ended, Home, Run};
use std::io::{Read, Write};
use std::process::Stdio;

const DATED: &str = "Date: x\nMessage-ID: <1@x>\n";

/// A home with host names of its own.
fn home() -> Home {
    let home = Home::new();
    home.write("control/me", "mx.example.com\n");
    home.write("control/defaulthost", "dh\n");
    home.write("control/defaultdomain", "example.com\n");
    home.write("control/plusdomain", "plus.example.net\n");
    home
}

fn inject(home: &Home, args: &[&str], input: &str) -> Run {
    home.run("qmail-inject")
        .args(args)
        .env("USER", "joe")
        .input(input)
}

/// What was queued: sender and recipients, and the message without its Received line.
fn queued(home: &Home) -> (Vec<String>, String) {
    let mut all = home.queued();
    assert_eq!(all.len(), 1);
    let (envelope, message) = all.remove(0);
    let envelope = String::from_utf8(envelope).unwrap();
    let records = envelope.split_terminator('\0').skip(2);
    let message = String::from_utf8(message).unwrap();
    let (received, message) = message.split_once('\n').unwrap();
    assert!(received.starts_with("Received: (qmail "), "{received}");
    (records.map(str::to_owned).collect(), message.to_owned())
}

fn fails(got: &Ended, code: i32, text: &str) {
    let want = format!("qmail-inject: fatal: {text}\n");
    assert_eq!((got.code, got.err.as_str()), (code, want.as_str()));
}

#[test]
fn recipients_come_from_where_the_options_say() {
    let header = "To: h1, h2\nBcc: h3\n\nbody\n";
    let (args, header_only) = (["Ta@dh", "Tb@dh"], ["Th2@dh", "Th1@dh", "Th3@dh"]);
    let all = [&args[..], &header_only[..]].concat();
    let rows: [(&str, &[&str], &[&str]); 9] = [
        ("arguments by default", &["a", "b"], &args),
        ("else the header", &[], &header_only),
        ("-A", &["-A", "a", "b"], &args),
        ("-A without arguments", &["-A"], &header_only),
        ("-a", &["-a", "a", "b"], &args),
        ("-a without arguments", &["-a"], &[]),
        ("-h", &["-h", "a", "b"], &header_only),
        ("-H", &["-H", "--", "a", "b"], &all),
        ("the last letter counts", &["-hH", "a", "b"], &all),
    ];
    for (name, args, want) in rows {
        let home = home();
        let got = inject(&home, args, header).end();
        assert_eq!((got.code, got.err.as_str()), (0, ""), "{name}");
        let (envelope, message) = queued(&home);
        let want: Vec<String> = want.iter().map(|to| format!("{to}.example.com")).collect();
        assert_eq!(envelope[0], "Fjoe@dh.example.com", "{name}");
        assert_eq!(envelope[1..], want, "{name}");
        assert!(
            message.ends_with("To: h1@dh.example.com, h2@dh.example.com\n\nbody\n"),
            "{name}: {message}"
        );
    }
}

#[test]
fn the_message_is_printed_under_its_return_path() {
    let home = home();
    let message = format!("{DATED}To: eric@m.cs+\n\nbody without end");
    let got = inject(&home, &["-n", "-f", "me@here", "ignored"], &message).end();
    let want = format!(
        "Return-Path: <me@here.example.com>\nFrom: joe@dh.example.com\n{DATED}To: eric@m.cs.plus.example.net\n\nbody without end\n"
    );
    assert_eq!((got.code, got.out, got.err), (0, want, String::new()));
    assert_eq!(home.files(), 0);
    let back = inject(&home, &["-nN", "x"], "\n").end();
    assert_eq!((back.code, back.out.as_str()), (0, ""));
    assert_eq!(home.queued().len(), 1, "-N queues again");
}

#[test]
fn senders_are_completed_and_null_ones_kept() {
    let rows: [(&str, &[&str], &str); 7] = [
        ("own", &[], "joe@dh.example.com"),
        ("given", &["-fann"], "ann@dh.example.com"),
        ("host", &["-f", "ann@box"], "ann@box.example.com"),
        ("null", &["-f", ""], ""),
        ("bounce", &["-f", "#@[]"], "#@[]"),
        ("route", &["-f", "@a,@b:ann@box"], "ann@box.example.com"),
        ("last", &["-f", "a", "-f", "b@c.d"], "b@c.d"),
    ];
    for (name, args, want) in rows {
        let home = home();
        let got = inject(&home, args, "Return-Path: <rp@r.p>\n\n");
        let with_return_path = got.end();
        assert_eq!(with_return_path.code, 0, "{name}");
        let from_field = if args.is_empty() { "rp@r.p" } else { want };
        assert_eq!(queued(&home).0[0], format!("F{from_field}"), "{name}");
        let got = inject(&home, &[args, &["-n"]].concat(), "\n").end();
        let want = format!("Return-Path: <{want}>");
        assert_eq!(got.out.lines().next(), Some(want.as_str()), "{name}");
    }
}

/// Each row: variables, the message, what is in the output.
fn obeys(rows: &[(&str, &str, &str)]) {
    for (set, message, want) in rows {
        let home = home();
        let mut run = inject(&home, &["-n"], message);
        for assignment in set.split(';') {
            let (name, value) = assignment.split_once('=').unwrap();
            run = run.env(name, value);
        }
        let got = run.end();
        assert_eq!(got.code, 0, "{set}: {got:?}");
        assert!(got.out.contains(want), "{set}: {}", got.out);
    }
}

#[test]
fn the_author_is_found_in_the_environment() {
    obeys(&[
        ("LOGNAME=l", "\n", "From: joe@dh.example.com\n"),
        ("MAILUSER=m", "\n", "From: m@dh.example.com\n"),
        ("MAILUSER=m;QMAILUSER=q", "\n", "From: q@dh.example.com\n"),
        ("MAILHOST=mh", "\n", "From: joe@mh.example.com\n"),
        ("MAILHOST=mh;QMAILHOST=q.h", "\n", "From: joe@q.h\n"),
        ("NAME=J. D", "\n", "From: \"J. D\" <joe@dh.example.com>\n"),
        ("NAME=n;MAILNAME=m;QMAILNAME=q", "\n", "From: \"q\" <joe@dh"),
        (
            "QMAILSUSER=s;QMAILSHOST=s.h",
            "\n",
            "Return-Path: <s@s.h>\n",
        ),
    ]);
}

#[test]
fn letters_and_host_names_of_the_environment_are_obeyed() {
    obeys(&[
        (
            "NAME=J;QMAILINJECT=c",
            "\n",
            "From: joe@dh.example.com (J)\n",
        ),
        ("QMAILINJECT=f", "From: x\n\n", "From: joe@dh.example.com\n"),
        ("QMAILINJECT=r", "\n", "<\"joe-@dh.example.com-\"@[]>\n"),
        (
            "QMAILINJECT=s",
            "Return-Path: <x@y.z>\n\n",
            "Return-Path: <joe@dh",
        ),
        ("QMAILDEFAULTHOST=q", "To: a\n\n", "To: a@q.example.com\n"),
        ("QMAILDEFAULTDOMAIN=q.q", "To: a\n\n", "To: a@dh.q.q\n"),
        ("QMAILPLUSDOMAIN=p.p", "To: a@b+\n\n", "To: a@b.p.p\n"),
        ("QMAILIDHOST=my.id", "\n", ".qmail@my.id>\n"),
    ]);
}

#[test]
fn the_letters_m_and_i_make_values_of_this_moment() {
    let home = home();
    let run = inject(&home, &["-n"], "Message-ID: <old@x>\n\n").env("QMAILINJECT", "mi");
    let got = run.end();
    assert!(!got.out.contains("old@x"), "{}", got.out);
    let sender = got.out.strip_prefix("Return-Path: <joe-").unwrap();
    let (stamp, _) = sender.split_once("@dh.example.com>\n").unwrap();
    let (time, pid) = stamp.split_once('.').unwrap();
    assert!(time.parse::<u64>().unwrap() > 1_600_000_000);
    let id = format!(".{pid}.qmail@mx.example.com>\n");
    assert!(got.out.contains(&id), "{}", got.out);
}

#[test]
fn mailing_lists_of_qmailmftfile_are_followed_up_to() {
    let home = home();
    std::fs::create_dir(home.at("caller")).unwrap();
    home.write("caller/lists", "#comment\nLIST@l.org \n");
    let listed = |message: &str, file: &str| {
        let mut run = inject(&home, &["-n"], message).env("QMAILMFTFILE", file);
        run.command.current_dir(home.at("caller"));
        let got = run.end();
        assert_eq!(got.code, 0, "{got:?}");
        got.out
    };
    let to = "To: list@l.org\nCc: b@b.b, c@c.c\n\n";
    let want = "Mail-Followup-To: b@b.b,\n  c@c.c,\n  list@l.org\n";
    assert!(listed(to, "lists").contains(want));
    assert!(!listed(to, "no-such-file").contains("Mail-Followup-To"));
    assert!(!listed("To: other@l.org\n\n", "lists").contains("Mail-Followup-To"));
    let own = format!("Mail-Followup-To: me\n{to}");
    assert_eq!(listed(&own, "lists").matches("Mail-Followup-To").count(), 1);
}

#[test]
fn unfit_messages_are_refused_for_good_and_leave_nothing() {
    let rows: [(&str, &[&str], &str, &str); 6] = [
        (
            "unknown option",
            &["-x"],
            "\n",
            "qmail-inject: illegal option -- x\n",
        ),
        (
            "no sender",
            &["-f"],
            "\n",
            "qmail-inject: option requires an argument -- f\n",
        ),
        (
            "unparsable sender field",
            &[],
            "From: a@(b\n\nbody\n",
            "qmail-inject: fatal: unable to parse this line:\nFrom: a@(b\n",
        ),
        (
            "unparsable recipients",
            &[],
            "To: ok, <broken\n\n",
            "qmail-inject: fatal: unable to parse this line:\nTo: ok, <broken\n",
        ),
        (
            "unparsable argument",
            &["a@(b"],
            "\n",
            "qmail-inject: fatal: unable to parse address: a@(b\n",
        ),
        (
            "NUL in an address",
            &[],
            "To: a\0b\n\n",
            "qmail-inject: fatal: invalid header field: To: a?b\n",
        ),
    ];
    for (name, args, message, text) in rows {
        let home = home();
        let got = inject(&home, args, message).end();
        assert_eq!((got.code, got.err.as_str()), (100, text), "{name}");
        assert_eq!(home.files(), 0, "{name}");
    }
}

#[test]
fn refusals_of_the_queue_program_are_told() {
    let rows = [
        (
            "for good",
            "exit 31",
            100,
            "mail server permanently rejected message (#5.3.0)",
        ),
        (
            "for now",
            "exit 71",
            111,
            "mail server temporarily rejected message (#4.3.0)",
        ),
        ("own words", "printf Dspam >&6; exit 82", 100, "spam"),
    ];
    for (name, script, code, text) in rows {
        let home = home();
        let program = home.script("filter", script);
        let got = inject(&home, &["a"], "\nbody\n").env("QMAILQUEUE", program);
        let got = got.end();
        assert_eq!(got.code, code, "{name}");
        fails(&got, code, text);
    }
    let home = home();
    let got = inject(&home, &["a"], "\n")
        .env("QMAILQUEUE", "/no/such")
        .end();
    fails(&got, 111, "unable to exec qq (#4.3.0)");
}

#[test]
fn what_cannot_be_read_is_a_temporary_failure() {
    let home = home();
    let mut run = inject(&home, &["a"], "");
    run.command.env("MTA_HOME", home.at("nowhere"));
    fails(&run.end(), 111, "unable to switch to qmail home directory");

    std::fs::create_dir(home.at("control/idhost")).unwrap();
    fails(&inject(&home, &["a"], "\n").end(), 111, "read error");
    std::fs::remove_dir(home.at("control/idhost")).unwrap();

    let run = inject(&home, &["a"], "\n").env("QMAILMFTFILE", home.path());
    fails(&run.end(), 111, "read error");

    let mut run = inject(&home, &["a"], "");
    run.command.stdin(std::fs::File::open(home.path()).unwrap());
    let output = run.command.output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(111),
        "a directory as the message"
    );
    assert_eq!(output.stderr, b"qmail-inject: fatal: read error\n");
    assert_eq!(home.files(), 0);
}

#[test]
fn a_closed_descriptor_is_no_empty_message() {
    let home = home();
    let line = "exec -a qmail-inject \"$0\" joe 0<&-";
    let run = std::process::Command::new("bash")
        .args(["-c", line, crate::kit::BINARY])
        .env("MTA_HOME", home.path())
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(111));
    assert_eq!(run.stderr, b"qmail-inject: fatal: read error\n");
    assert_eq!(home.files(), 0);
    let mut run = inject(&home, &["joe"], "");
    let got = run.command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(got.status.code(), Some(0), "an empty file is a message");
}

#[test]
fn more_addresses_than_the_limit_are_refused() {
    let home = home();
    let many = format!("To: {}\n\n", vec!["a"; 1_000_000].join(","));
    let got = inject(&home, &[], &many).end();
    assert_eq!(got.code, 100, "{}", got.err);
    assert!(
        got.err.starts_with("qmail-inject: fatal: "),
        "{}",
        got.err.get(..200).unwrap_or(&got.err)
    );
    assert_eq!(home.files(), 0);
    let lines = "Bcc: a, b, c, d, e, f, g, h\n".repeat(12_000);
    let got = inject(&home, &[], &format!("{lines}\n")).end();
    assert_eq!(got.code, 0, "{}", got.err);
    assert_eq!(queued(&home).0.len(), 96_001);
}

/// Feeds `megabytes` of a body and returns the most memory that qmail-inject had, in KiB.
fn memory_for_a_body_of(megabytes: usize) -> u64 {
    let home = home();
    let sink = home.script("sink", "cat >/dev/null; cat <&1 >/dev/null");
    let mut run = inject(&home, &["joe"], "").env("QMAILQUEUE", sink);
    let mut child = run.command.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"Subject: big\n\n").unwrap();
    let piece = vec![0; 1 << 20];
    for _ in 0..megabytes {
        input.write_all(&piece).unwrap();
    }
    let mut status = String::new();
    let path = format!("/proc/{}/status", child.id());
    std::fs::File::open(path)
        .and_then(|mut file| file.read_to_string(&mut status))
        .unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    peak.parse().unwrap()
}

#[test]
fn a_body_is_streamed_and_not_held() {
    let peak = memory_for_a_body_of(64);
    assert!(peak < 24 * 1024, "{peak} KiB");
}

#[test]
#[ignore = "streams a gigabyte"]
fn a_body_of_a_gigabyte_is_streamed_and_not_held() {
    let peak = memory_for_a_body_of(1024);
    assert!(peak < 24 * 1024, "{peak} KiB");
}

#[test]
fn a_date_is_local_where_localdates_is_set() {
    let home = home();
    let run = inject(&home, &["-n", "ann@a.example"], "\nx\n");
    let got = run.env("TZ", "XXX-5:45").env("LOCALDATES", "").end();
    let date = got.out.lines().find(|line| line.starts_with("Date: "));
    assert!(date.unwrap().ends_with(" +0545"), "{}", got.out);
}
