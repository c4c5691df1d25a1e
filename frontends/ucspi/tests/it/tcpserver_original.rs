//! tcpserver beside that of Debian's ucspi-tcp: the same log, environment and bytes to the client (spec §9.1).

use crate::kit::original;
use crate::tcpserver::{QUIET, Server, ours, rules};
use std::process::Command;
use tempfile::TempDir;

const SHOW: &str = "env | grep -E '^(TCP|PROTO|RELAY)' | sort";

/// Name, options beside the usual ones, program.
type Scenario = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// Puts words in the place of numbers that differ from run to run.
fn normal(text: &str, server: u16, client: u16) -> String {
    let ports = text
        .replace(&format!(":{server}"), ":SERVER")
        .replace(&format!(":{client}"), ":CLIENT");
    let ports = ports
        .replace(&format!("={server}\n"), "=SERVER\n")
        .replace(&format!("={client}\n"), "=CLIENT\n");
    let lines = ports.lines().map(|line| {
        let mut words: Vec<_> = line.split(' ').collect();
        if let ["tcpserver:", "pid" | "ok" | "deny" | "end", pid, ..] = &mut words[..] {
            *pid = "PID";
        }
        words.join(" ") + "\n"
    });
    lines.collect()
}

fn transcript(command: Command, options: &[&str], program: &[&str]) -> String {
    let mut server = Server::start(command, options, "127.0.0.1", program);
    let (heard, client) = server.hear("127.0.0.1");
    if options.contains(&"-v") {
        server.until("tcpserver: end ");
        server.until("tcpserver: status: 0/");
    } else if heard.is_empty() && !options.contains(&"-q") {
        server.until("tcpserver: warning");
    }
    let code = server.terminate();
    normal(
        &format!("{heard}---\n{}--- {code:?}\n", server.said),
        server.port,
        client,
    )
}

/// Names in capitals stand for what a run makes: rules that allow or deny, a file that is no cdb.
const SCENARIOS: [Scenario; 18] = [
    ("environment", &[], &["sh", "-c", SHOW]),
    ("exit code", &[], &["sh", "-c", "exit 3"]),
    ("killed", &[], &["sh", "-c", "kill -9 $$"]),
    ("no such program", &[], &["/nonexistent"]),
    ("no such program, errors", &["-Q"], &["/nonexistent"]),
    ("no such program, silent", &["-q"], &["/nonexistent"]),
    (
        "allowed with variables",
        &["-x", "ALLOW"],
        &["sh", "-c", SHOW],
    ),
    (
        "denied behind a banner",
        &["-x", "DENY", "-B", "hello\r\n"],
        &["echo", "in"],
    ),
    ("banner", &["-Bhello\n"], &["echo", "in"]),
    (
        "rules are missing",
        &["-x", "/nonexistent"],
        &["echo", "in"],
    ),
    (
        "rules may be missing",
        &["-X", "-x", "/nonexistent"],
        &["echo", "in"],
    ),
    ("rules are no cdb", &["-x", "JUNK"], &["echo", "in"]),
    ("strange name", &["-l", "LONG"], &["sh", "-c", SHOW]),
    ("empty name", &["-l", ""], &["sh", "-c", SHOW]),
    ("limit and clusters", &["-DoXc7"], &["echo", "in"]),
    (
        "words after options",
        &["-b5", "--"],
        &["sh", "-c", "echo $0 $*", "-v", "x"],
    ),
    ("nobody at ident", &["-r", "-t2"], &["sh", "-c", SHOW]),
    ("descriptors", &[], &["ls", "/proc/self/fd"]),
];

#[test]
fn log_environment_and_output_are_the_originals() {
    let Some(theirs) = original("tcpserver", "log_environment_and_output_are_the_originals") else {
        return;
    };
    let dir = TempDir::new().unwrap();
    let (allowed, denied, junk) = (
        dir.path().join("a"),
        dir.path().join("d"),
        dir.path().join("junk"),
    );
    for dir in [&allowed, &denied] {
        std::fs::create_dir(dir).unwrap();
    }
    let allow = rules(
        &allowed,
        "127.:allow,RELAYCLIENT=\"@x\",TCPREMOTEHOST=\"set\"\n",
    );
    let deny = rules(&denied, ":deny,RELAYCLIENT=\"\"\n");
    std::fs::write(&junk, "junk").unwrap();
    let junk = junk.to_str().unwrap();
    let long = format!("a:b%c d{}", "x".repeat(120));
    let made = [
        ("ALLOW", &allow[..]),
        ("DENY", &deny),
        ("JUNK", junk),
        ("LONG", &long),
    ];
    for (name, options, program) in SCENARIOS {
        let options = QUIET.iter().chain(options).map(|&word| {
            let known = made.iter().find(|(name, _)| *name == word);
            known.map_or(word, |(_, value)| value)
        });
        let options: Vec<_> = options.collect();
        let options: Vec<_> = if options.iter().any(|o| matches!(*o, "-q" | "-Q")) {
            options.into_iter().filter(|o| *o != "-v").collect()
        } else {
            options
        };
        let prepare = |mut command: Command| {
            command
                .env("TCPREMOTEINFO", "inherited")
                .env("TCPREMOTEHOST", "inherited");
            command
        };
        let mine = transcript(prepare(ours()), &options, program);
        let peer = transcript(prepare(Command::new(&theirs)), &options, program);
        assert_eq!(mine, peer, "{name}");
    }
}
