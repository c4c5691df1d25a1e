//! sendmail and its other names, datemail, predate, mailsubj (sendmail(8), spec §6.8, §11.4).

use crate::kit::{BINARY, Ended, Home, Run};

const USAGE: &str =
    "sendmail: usage: sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]\n";

/// A home whose bin has every name.
fn home() -> Home {
    let home = Home::new();
    home.write("control/me", "mx.example.com\n");
    for name in ["qmail-inject", "qmail-qread", "sendmail"] {
        std::os::unix::fs::symlink(BINARY, home.at("bin").join(name)).unwrap();
    }
    home
}

/// A home whose qmail-inject tells arguments and environment.
fn telling() -> Home {
    let home = Home::new();
    home.script(
        "bin/qmail-inject",
        "for a; do printf '%s|' \"$a\"; done; echo; for n in QMAILUSER QMAILHOST QMAILNAME MAILNAME NAME MAILHOST; do eval \"printf '%s' \\\"\\${$n+$n=\\$$n }\\\"\"; done",
    );
    home
}

fn told(home: &Home, args: &[&str]) -> (String, String) {
    let names = [
        ("QMAILNAME", "q"),
        ("MAILNAME", "m"),
        ("NAME", "n"),
        ("MAILHOST", "h"),
    ];
    let mut run = home.run("sendmail").args(args);
    for (name, value) in names {
        run = run.env(name, value);
    }
    let got = run.end();
    assert_eq!((got.code, got.err.as_str()), (0, ""), "{args:?}");
    let (arguments, environment) = got.out.split_once('\n').unwrap();
    (arguments.to_owned(), environment.trim_end().to_owned())
}

fn usage(text: &str) -> Ended {
    Ended {
        code: 100,
        out: String::new(),
        err: format!("{text}{USAGE}"),
    }
}

#[test]
fn options_become_those_of_qmail_inject() {
    let rows: [(&str, &[&str], &str); 14] = [
        ("none", &["a", "b"], "-a|--|a|b|"),
        ("-t", &["-t"], "-H|--|"),
        ("-t with recipients", &["-t", "a"], "-H|--|a|"),
        ("-bm", &["-bm", "a"], "-a|--|a|"),
        ("-oi, -oem, -odb", &["-oi", "-oem", "-odb", "a"], "-a|--|a|"),
        ("-o with its own word", &["-o", "i", "a"], "-a|--|a|"),
        ("-i -m -v -x", &["-i", "-m", "-v", "-x", "a"], "-a|--|a|"),
        ("bundled", &["-imvxt", "a"], "-H|--|a|"),
        (
            "-e -p -B",
            &["-em", "-p", "smtp", "-B8BITMIME", "a"],
            "-a|--|a|",
        ),
        (
            "-E and -J with anything",
            &["-EUC", "-Jzz", "a"],
            "-a|--|a|",
        ),
        ("-f", &["-f", "s@h", "a"], "-a|-f|s@h|--|a|"),
        ("-f joined", &["-fs@h", "a"], "-a|-f|s@h|--|a|"),
        ("--", &["--", "-t"], "-a|--|-t|"),
        ("options end at a recipient", &["a", "-t"], "-a|--|a|-t|"),
    ];
    let home = telling();
    for (name, args, want) in rows {
        assert_eq!(told(&home, args).0, want, "{name}");
    }
}

#[test]
fn a_sender_that_is_given_is_the_author_too() {
    let kept = "QMAILNAME=q MAILNAME=m NAME=n MAILHOST=h";
    let rows: [(&str, &[&str], &str); 7] = [
        ("none", &["a"], kept),
        (
            "-F",
            &["-F", "Ann", "a"],
            "QMAILNAME=q MAILNAME=Ann NAME=n MAILHOST=h",
        ),
        ("-f", &["-f", "s@h.x"], "QMAILUSER=s QMAILHOST=h.x"),
        (
            "-f of two marks",
            &["-f", "s@t@h.x"],
            "QMAILUSER=s@t QMAILHOST=h.x",
        ),
        ("-f without host", &["-f", "s"], "QMAILUSER=s"),
        (
            "-f and -F",
            &["-F", "Ann", "-f", "s@h.x"],
            "QMAILUSER=s QMAILHOST=h.x MAILNAME=Ann",
        ),
        ("null sender", &["-f", "<>"], ""),
    ];
    let home = telling();
    for (name, args, want) in rows {
        assert_eq!(told(&home, args).1, want, "{name}");
    }
}

#[test]
fn what_it_does_not_know_is_refused_with_the_usage() {
    let home = home();
    let rows: [(&str, &[&str], Ended); 5] = [
        (
            "unknown letter",
            &["-q"],
            usage("sendmail: illegal option -- q\n"),
        ),
        (
            "no argument",
            &["-f"],
            usage("sendmail: option requires an argument -- f\n"),
        ),
        ("-bd", &["-bd"], usage("")),
        ("-bt", &["-bt"], usage("")),
        ("-b of nothing", &["-b", ""], usage("")),
    ];
    for (name, args, want) in rows {
        assert_eq!(home.run("sendmail").args(args).end(), want, "{name}");
    }
    assert_eq!(
        home.run("mailq").args(["-q"]).end(),
        usage("mailq: illegal option -- q\n")
    );
    assert_eq!(home.files(), 0);
}

#[test]
fn aliases_are_not_made_here() {
    let home = home();
    let want = Ended {
        code: 100,
        out: String::new(),
        err: "sendmail: fatal: please use fastforward/newaliases instead\n".to_owned(),
    };
    assert_eq!(home.run("newaliases").end(), want);
    assert_eq!(home.run("sendmail").args(["-bi"]).end(), want);
}

#[test]
fn a_message_sent_with_t_goes_to_its_header_without_bcc() {
    let home = home();
    let message = "From: me@x.y\nTo: ann@a.a\nBcc: bob@b.b\n\n.\nbody\n";
    let run = home
        .run("sendmail")
        .args(["-oi", "-t", "-f", "s@s.s", "arg@c.c"]);
    let got = run.input(message).end();
    assert_eq!((got.code, got.out.as_str(), got.err.as_str()), (0, "", ""));
    let (envelope, queued) = home.queued().remove(0);
    let envelope = String::from_utf8(envelope).unwrap();
    assert!(
        envelope.ends_with("\0Fs@s.s\0Targ@c.c\0Tann@a.a\0Tbob@b.b\0"),
        "{envelope:?}"
    );
    let queued = String::from_utf8(queued).unwrap();
    assert!(
        queued.ends_with("\nFrom: me@x.y\nTo: ann@a.a\n\n.\nbody\n"),
        "{queued}"
    );
}

#[test]
fn the_queue_is_listed_by_mailq_and_bp() {
    let home = home();
    for run in [home.run("mailq"), home.run("sendmail").args(["-bp"])] {
        let got = run.end();
        assert_eq!((got.code, got.out.as_str(), got.err.as_str()), (0, "", ""));
    }
    std::fs::remove_dir_all(home.at("queue/info")).unwrap();
    let got = home.run("mailq").end();
    assert_eq!(got.code, 111);
    assert!(got.out.starts_with("fatal: unable to chdir: "), "{got:?}");
}

fn session(home: &Home) -> Run {
    home.script(
        "bin/qmail-smtpd",
        "for n in RELAYCLIENT DATABYTES PROTO TCPLOCALIP TCPLOCALHOST TCPREMOTEIP TCPREMOTEHOST TCPREMOTEINFO; do eval \"echo \\\"\\${$n-unset}\\\"\"; done; cat",
    );
    home.run("sendmail").args(["-bs"]).input("QUIT\r\n")
}

#[test]
fn a_session_on_standard_input_is_told_where_it_comes_from() {
    let home = home();
    let got = session(&home).end();
    let want = "\n0\nTCP\n127.0.0.1\nlocalhost\n127.0.0.1\nlocalhost\nsendmail-bs\nQUIT\r\n";
    assert_eq!(
        (got.code, got.out.as_str(), got.err.as_str()),
        (0, want, "")
    );
    let got = session(&home)
        .env("PROTO", "TCP")
        .env("TCPREMOTEIP", "192.0.2.1")
        .end();
    let want = "unset\nunset\nTCP\nunset\nunset\n192.0.2.1\nunset\nunset\nQUIT\r\n";
    assert_eq!((got.code, got.out.as_str()), (0, want));
}

#[test]
fn a_message_is_taken_in_a_session_on_standard_input() {
    let home = home();
    std::os::unix::fs::symlink(BINARY, home.at("bin/qmail-smtpd")).unwrap();
    let dialogue = "HELO me\r\nMAIL FROM:<s@s.s>\r\nRCPT TO:<far@away.example>\r\nDATA\r\n\
        Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n";
    let got = home.run("sendmail").args(["-bs"]).input(dialogue).end();
    let codes: Vec<_> = got.out.lines().filter_map(|line| line.get(..4)).collect();
    let want = ["220 ", "250 ", "250 ", "250 ", "354 ", "250 ", "221 "];
    assert_eq!((got.code, codes), (0, want.to_vec()), "{got:?}");
    let (envelope, message) = home.queued().remove(0);
    let envelope = String::from_utf8(envelope).unwrap();
    assert!(
        envelope.ends_with("\0Fs@s.s\0Tfar@away.example\0"),
        "{envelope:?}"
    );
    assert!(message.ends_with(b"\nSubject: x\n\n.dot\n"));
}

#[test]
fn programs_that_are_missing_are_named() {
    let home = Home::new();
    let rows: [(&str, &[&str], &str); 4] = [
        ("inject", &["a"], "qmail-inject"),
        ("smtpd", &["-bs"], "qmail-smtpd"),
        ("qread", &["-bp"], "qmail-qread"),
        ("no home", &["a"], ""),
    ];
    for (name, args, program) in rows {
        let mut run = home.run("sendmail").args(args);
        let mut want = format!("sendmail: fatal: unable to run {program}\n");
        if program.is_empty() {
            run.command.env("MTA_HOME", "/nonexistent");
            want = "sendmail: fatal: unable to switch to qmail home directory\n".to_owned();
        }
        let got = run.end();
        assert_eq!((got.code, got.err), (111, want), "{name}");
    }
}

#[test]
fn predate_puts_the_local_date_before_the_message() {
    let home = home();
    let rows = [
        ("UTC", "UTC0", "+0000"),
        ("west", "XXX3:30", "-0330"),
        ("east", "XXX-5:45", "+0545"),
    ];
    for (name, zone, want) in rows {
        let run = home.run("predate").args(["sh", "-c", "cat; exit 7"]);
        let got = run.env("TZ", zone).input("Subject: x\n\nbody").end();
        assert_eq!((got.code, got.err.as_str()), (7, ""), "{name}");
        let (date, rest) = got.out.split_once('\n').unwrap();
        assert_eq!(rest, "Subject: x\n\nbody", "{name}");
        let words: Vec<_> = date.split(' ').collect();
        assert_eq!(
            (words.len(), words[0], words[5]),
            (6, "Date:", want),
            "{name}: {date}"
        );
    }
    let got = home.run("predate").end();
    assert_eq!(
        (got.code, got.err.as_str()),
        (100, "predate: usage: predate child\n")
    );
    let got = home.run("predate").args(["/no/such"]).end();
    let want = "predate: fatal: unable to run /no/such: file does not exist\n";
    assert_eq!((got.code, got.err.as_str()), (111, want));
    let got = home.run("predate").args(["sh", "-c", "kill -9 $$"]).end();
    assert_eq!(
        (got.code, got.err.as_str()),
        (111, "predate: fatal: child crashed\n")
    );
}

#[test]
fn datemail_is_sendmail_with_the_local_date() {
    let home = home();
    let run = home.run("datemail").args(["-fs@s.s", "ann@a.a"]);
    let got = run.env("TZ", "XXX-1").input("Subject: x\n\nbody\n").end();
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    let message = String::from_utf8(home.queued().remove(0).1).unwrap();
    assert_eq!(message.matches("\nDate: ").count(), 1, "{message}");
    let date = message
        .lines()
        .find(|line| line.starts_with("Date: "))
        .unwrap();
    assert!(date.ends_with(" +0100"), "{date}");
    let got = home.run("datemail").args(["-q"]).end();
    assert_eq!(got, usage("sendmail: illegal option -- q\n"));
}

#[test]
fn mailsubj_writes_subject_and_recipients() {
    let home = home();
    let run = home
        .run("mailsubj")
        .args(["Hi\nBcc: x", "ann@a.a", "Bob <bob@b.b>"]);
    let got = run.input("body\n").end();
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    let (envelope, message) = home.queued().remove(0);
    let envelope = String::from_utf8(envelope).unwrap();
    assert!(envelope.ends_with("\0Tbob@b.b\0Tann@a.a\0"), "{envelope:?}");
    let message = String::from_utf8(message).unwrap();
    let want = "\nSubject: Hi Bcc: x\nTo: ann@a.a, Bob <bob@b.b>\n\nbody\n";
    assert!(message.ends_with(want), "{message}");
    for args in [&[][..], &["only a subject"]] {
        let got = home.run("mailsubj").args(args).end();
        let want = "mailsubj: usage: mailsubj subject recipient ...\n";
        assert_eq!((got.code, got.err.as_str()), (100, want));
    }
}
