//! qmail-qmtpd's packages, environment and exit codes (spec §10).

use crate::kit::{Ended, Home, Run};
use crate::smtpd::host;

pub(crate) fn netstring(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let head = format!("{}:", text.len());
    [head.as_bytes(), text, b","].concat()
}

fn package(message: &str, sender: &str, recipients: &[&str]) -> Vec<u8> {
    let recipients: Vec<u8> = recipients.iter().flat_map(netstring).collect();
    [netstring(message), netstring(sender), netstring(recipients)].concat()
}

fn talk(run: Run, input: impl Into<Vec<u8>>) -> Ended {
    run.input(input).end()
}

#[test]
fn packages_reach_the_queue_and_each_recipient_is_answered() {
    let home = host();
    let run = home.run("qmail-qmtpd").env("TCPREMOTEIP", "192.0.2.1");
    let first = package(
        "\nx\n",
        "joe@far.example",
        &["ann@example.org", "bob@far.example"],
    );
    let second = package("\ra\r\nb\rc\r\n", "", &["ann@example.org"]);
    let got = talk(run, [first, second].concat());
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    let (taken, rest) = got.out.split_once(',').unwrap();
    assert!(taken.contains(":Kok ") && taken.contains(" qp "), "{taken}");
    let refused = "66:Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1),";
    let last = rest.strip_prefix(refused).unwrap();
    assert!(last.contains(":Kok "), "{last}");
    let mut queued = home.queued();
    queued.sort_by_key(|(envelope, _)| envelope.ends_with(b"F\0Tann@example.org\0"));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (envelope, message) = (text(&queued[0].0), text(&queued[0].1));
    assert!(
        envelope.ends_with("Fjoe@far.example\0Tann@example.org\0"),
        "{envelope}"
    );
    assert!(
        message.contains("\nReceived: from unknown (192.0.2.1)\n  by unknown with QMTP; "),
        "{message}"
    );
    assert!(message.ends_with("\nx\n"), "{message}");
    assert!(
        text(&queued[1].1).ends_with("\na\nb\rc\n"),
        "{}",
        text(&queued[1].1)
    );
}

#[test]
fn the_variables_are_those_of_smtp() {
    let home = host();
    let run = home
        .run("qmail-qmtpd")
        .env("RELAYCLIENT", "@relay")
        .env("DATABYTES", "2");
    let input = [
        package("\nxy", "", &["a@far.example"]),
        package("\nxyz", "", &["a@far.example"]),
    ];
    let got = talk(run, input.concat());
    assert_eq!(got.code, 0);
    let want = ",61:Dsorry, that message size exceeds my databytes limit (#5.3.4),";
    assert!(got.out.ends_with(want), "{}", got.out);
    let (envelope, _) = home.queued().remove(0);
    assert!(envelope.ends_with(b"F\0Ta@far.example@relay\0"));
}

#[test]
fn refusals_are_in_the_originals_words() {
    let long = "x".repeat(1000);
    let hops = format!("\n{}", "Received: x\n".repeat(100));
    let rows: [(&str, Vec<u8>, &str); 5] = [
        (
            "sender",
            package("\nx", &long, &["ann@example.org"]),
            "Dunacceptable sender (#5.1.7)",
        ),
        (
            "recipient",
            package("\nx", "", &[&long]),
            "Dsorry, I can't handle that recipient (#5.1.3)",
        ),
        (
            "NUL",
            package("\nx", "", &["a\0@example.org"]),
            "Dsorry, I can't handle that recipient (#5.1.3)",
        ),
        (
            "hops",
            package(&hops, "", &["a@example.org"]),
            "Dtoo many hops, this message is looping (#5.4.6)",
        ),
        (
            "route",
            package("\nx", "", &["a%b@example.org"]),
            "Dwe don't relay (#5.7.1)",
        ),
    ];
    for (name, input, want) in rows {
        let home = host();
        let got = talk(home.run("qmail-qmtpd"), input);
        assert_eq!(
            (got.code, got.out),
            (0, format!("{}:{want},", want.len())),
            "{name}"
        );
        assert_eq!((home.queued().len(), home.files()), (0, 0), "{name}");
    }
}

#[test]
fn the_queue_programs_code_is_the_answer() {
    let rows = [
        (
            "exit 31",
            "Dmail server permanently rejected message (#5.3.0)",
        ),
        ("exit 53", "Zqq write error or disk full (#4.3.0)"),
        (
            "cat >/dev/null; printf 'Dno virus' >&6; exit 82",
            "Dno virus",
        ),
    ];
    for (text, want) in rows {
        let home = host();
        home.script("bin/filter", text);
        let run = home.run("qmail-qmtpd").env("QMAILQUEUE", "bin/filter");
        let got = talk(run, package("\nx", "", &["ann@example.org"]));
        assert_eq!(got.out, format!("{}:{want},", want.len()), "{text}");
    }
}

#[test]
fn the_code_tells_how_the_conversation_ended() {
    let rows: [(&str, &[u8], i32); 9] = [
        ("nothing", b"", 0),
        ("half a package", b"5:\nxx", 0),
        ("no netstring", b"hello", 100),
        ("no digits", b":", 100),
        ("empty message", b"0:,", 100),
        ("no encoding", b"1:x,", 100),
        ("no comma", b"2:\nx;", 100),
        ("overrun", b"2:\nx,0:,3:9:a,", 100),
        ("too long", b"99999999999:", 111),
    ];
    for (name, input, code) in rows {
        let home = host();
        let got = talk(home.run("qmail-qmtpd"), input);
        assert_eq!((got.code, got.out.as_str()), (code, ""), "{name}");
        assert_eq!((home.queued().len(), home.files()), (0, 0), "{name}");
    }
    let home = Home::new();
    assert_eq!(home.run("qmail-qmtpd").end().code, 111, "no me");
    let run = home.run("qmail-qmtpd").env("MTA_HOME", "/no/such");
    assert_eq!(run.end().code, 111, "no home");
}

#[test]
fn recipients_without_end_are_told_to_come_later() {
    let home = host();
    let many = vec!["ann@example.org"; 100_000];
    let got = talk(home.run("qmail-qmtpd"), package("\nx", "", &many));
    assert_eq!(got.code, 0);
    assert_eq!(got.out.matches(":Kok ").count(), 1000);
    assert_eq!(got.out.matches(":Ztoo many recipients; ").count(), 99_000);
}
