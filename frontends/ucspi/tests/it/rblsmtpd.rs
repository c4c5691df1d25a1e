//! rblsmtpd: what variables and lists come to, the conversation, and the same words as Debian's (spec §9.4).

use crate::kit::{Did, original, program};
use crate::name_server::{Says, serve};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

fn ours() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ucspi"));
    command.arg0("rblsmtpd");
    command
}

/// The number of the process is not the same twice.
fn normal(mut did: Did) -> Did {
    let words = did.errors.split(' ').map(str::to_owned);
    let mut words: Vec<_> = words.collect();
    if let Some(at) = words.iter().position(|word| word == "pid") {
        words[at + 1] = "PID:".to_owned();
    }
    did.errors = words.join(" ");
    did
}

/// Name, environment, options, input.
type Scenario<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str], &'a [u8]);

const EVERY_VERB: &[u8] =
    b"HELO x\r\nehlo y\r\nmail from:<a>\r\nRCPT TO:<b>\r\nrset\r\nnoop\nfoo\r\n\
    mailx\r\nDATA\r\n\r\nVRFY x\r\nhelp\r\n quit\r\nQuit now\r\nnoop\r\n";

/// Longer than what clients are told.
const LONG: &[(&str, &str)] = &[(
    "RBLSMTPD",
    "0123456789012345678901234567890123456789012345678901\
    0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123\
    0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123",
)];

const SCENARIOS: [Scenario<'static>; 17] = [
    ("nothing set", &[], &["echo", "in"], b""),
    (
        "set and empty",
        &[("RBLSMTPD", "")],
        &["-t0", "echo", "in"],
        b"",
    ),
    (
        "every verb",
        &[("RBLSMTPD", "no"), ("TCPREMOTEIP", "192.0.2.1")],
        &["echo", "in"],
        EVERY_VERB,
    ),
    (
        "for good",
        &[("RBLSMTPD", "-no")],
        &["echo", "in"],
        EVERY_VERB,
    ),
    (
        "-b is not for variables",
        &[("RBLSMTPD", "no")],
        &["-b", "echo", "in"],
        b"rcpt\nquit\n",
    ),
    (
        "strange bytes",
        &[("RBLSMTPD", "a\tb%\x01é\n")],
        &["echo", "in"],
        b"rcpt\r\n",
    ),
    (
        "only a hyphen",
        &[("RBLSMTPD", "-")],
        &["echo", "in"],
        b"rcpt\r\n",
    ),
    ("long", LONG, &["echo", "in"], b"rcpt\r\n"),
    (
        "no conversation",
        &[("RBLSMTPD", "no")],
        &["-t", "0", "echo", "in"],
        b"quit\r\n",
    ),
    (
        "half a line",
        &[("RBLSMTPD", "no")],
        &["echo", "in"],
        b"rcpt\r\nquit",
    ),
    (
        "junk for an address",
        &[("TCPREMOTEIP", "junk")],
        &["-r", "bl.example", "echo", "in"],
        b"",
    ),
    (
        "no such program",
        &[("RBLSMTPD", "")],
        &["/nonexistent"],
        b"",
    ),
    ("the program's code", &[], &["sh", "-c", "exit 7"], b""),
    (
        "clusters",
        &[("RBLSMTPD", "-no")],
        &["-bcCBt5", "--", "echo", "in"],
        b"data\r\n",
    ),
    (
        "a line that is long",
        &[("RBLSMTPD", "no")],
        &["echo", "in"],
        &[b'q'; 5000],
    ),
    (
        "a time of one second",
        &[("RBLSMTPD", "no")],
        &["-t1", "echo", "in"],
        b"noop\r\n",
    ),
    ("program reads", &[], &["cat"], b"hello\n"),
];

#[test]
fn words_and_codes_are_the_originals() {
    let Some(theirs) = original("rblsmtpd", "words_and_codes_are_the_originals") else {
        return;
    };
    for (name, environment, arguments, input) in SCENARIOS {
        let run = |mut command: Command| {
            command
                .env_remove("TCPREMOTEIP")
                .envs(environment.iter().copied());
            normal(program(command.args(arguments), input))
        };
        assert_eq!(run(ours()), run(Command::new(&theirs)), "{name}");
    }
}

#[test]
fn wrong_usage_has_the_familys_code() {
    for (name, arguments) in [
        ("no program", &[][..]),
        ("unknown option", &["-z", "echo"]),
        ("no value", &["-t"]),
        ("no number", &["-t", "soon", "echo"]),
    ] {
        let did = program(ours().args(arguments), b"");
        assert_eq!(did.code, 100, "{name}");
        assert!(
            did.errors.contains("rblsmtpd: usage: rblsmtpd [ -bBcC ]"),
            "{name}: {}",
            did.errors
        );
    }
}

const ZONE: &[(&str, Says)] = &[
    ("2.0.0.127.bl.example", Says::Txt("listed here")),
    ("2.0.0.127.also.example", Says::Txt("and here")),
    ("2.0.0.127.white.example", Says::A([127, 0, 0, 1])),
    ("2.0.0.127.a.example", Says::A([127, 0, 0, 4])),
    ("2.0.0.127.parked.example", Says::A([203, 0, 113, 9])),
    ("2.0.0.127.broken.example", Says::Trouble),
    ("3.0.0.127.broken.example", Says::Trouble),
    (
        "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example",
        Says::Txt("six"),
    ),
];

#[test]
fn lists_are_asked_in_their_order_until_one_decides() {
    let servers = serve(ZONE);
    #[rustfmt::skip]
    let rows: [(&str, &str, &[&str], &str); 15] = [
        ("not listed", "127.0.0.1", &["-r", "bl.example"], "in"),
        ("listed", "127.0.0.2", &["-r", "bl.example"], "451 listed here"),
        ("for good", "127.0.0.2", &["-b", "-r", "bl.example"], "553 listed here"),
        ("-b behind it is too late", "127.0.0.2", &["-r", "bl.example", "-b"], "451 listed here"),
        ("first of two", "127.0.0.2", &["-r", "also.example", "-r", "bl.example"], "451 and here"),
        ("allowed before", "127.0.0.2", &["-a", "white.example", "-r", "bl.example"], "in"),
        ("allowed behind", "127.0.0.2", &["-r", "bl.example", "-a", "white.example"], "451 listed here"),
        ("trouble, open", "127.0.0.3", &["-r", "broken.example"], "in"),
        ("trouble, closed", "127.0.0.3", &["-c", "-b", "-r", "broken.example"], "451 temporary RBL lookup error"),
        ("trouble makes the next temporary", "127.0.0.2", &["-b", "-r", "broken.example", "-r", "bl.example"], "451 listed here"),
        ("trouble allows, open", "127.0.0.2", &["-a", "broken.example", "-r", "bl.example"], "in"),
        ("trouble allows, closed", "127.0.0.2", &["-cb", "-a", "broken.example", "-r", "bl.example"], "451 listed here"),
        ("an own text", "127.0.0.2", &["-r", "a.example:see %IP%"], "451 see 127.0.0.2"),
        ("an own text, a list that is gone", "127.0.0.2", &["-r", "parked.example:see %IP%"], "in"),
        ("IPv6", "2001:db8::2", &["-r", "bl.example"], "451 six"),
    ];
    for (name, client, options, expected) in rows {
        let mut command = ours();
        command
            .env("DNSCACHEIP", &servers)
            .env("TCPREMOTEIP", client);
        let did = program(command.args(options).args(["-t0", "echo", "in"]), b"");
        assert_eq!(did.output.trim_end(), expected, "{name}: {}", did.errors);
        let logged = did.errors.starts_with(&format!("rblsmtpd: {client} pid "));
        assert_eq!(logged, expected != "in", "{name}: {}", did.errors);
    }
}

#[test]
fn a_client_that_stays_is_left_when_the_time_is_over() {
    let mut child = ours()
        .args(["-t", "1", "echo", "in"])
        .env("RBLSMTPD", "no")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _open = child.stdin.take().unwrap();
    let mut heard = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut heard)
        .unwrap();
    assert_eq!(heard, "220 rblsmtpd.local\r\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
