//! tcprules and tcprulescheck as programs: files, messages, exit codes (spec §9.3).

use crate::kit::{Did, applet};
use mta_core::cdb::Cdb;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn compile(dir: &Path, options: &[&str], source: &[u8]) -> Did {
    let (cdb, tmp) = (dir.join("r.cdb"), dir.join("r.tmp"));
    let mut arguments = options.to_vec();
    arguments.extend([cdb.to_str().unwrap(), tmp.to_str().unwrap()]);
    applet("tcprules", &arguments, &[], source)
}

fn did(code: u8, output: &str, errors: &str) -> Did {
    Did {
        code,
        output: output.to_owned(),
        errors: errors.to_owned(),
    }
}

#[test]
fn rules_become_a_whole_cdb_under_its_final_name_only() {
    let dir = TempDir::new().unwrap();
    let compiled = compile(dir.path(), &[], b"10.0.0.1-2:deny\n:allow,A=\"1\"");
    assert_eq!(compiled, did(0, "", ""));
    let bytes = fs::read(dir.path().join("r.cdb")).unwrap();
    let cdb = Cdb::new(&bytes).unwrap();
    cdb.check().unwrap();
    assert_eq!(cdb.iter().count(), 3);
    assert_eq!(cdb.find(b"10.0.0.2"), Ok(Some(&b"D\0"[..])));
    assert!(!dir.path().join("r.tmp").exists());
}

#[test]
fn wrong_rules_leave_the_old_database_alone() {
    let dir = TempDir::new().unwrap();
    compile(dir.path(), &[], b"a:deny\n");
    let before = fs::read(dir.path().join("r.cdb")).unwrap();
    let refused = compile(dir.path(), &[], b"a:allow\n\nb:alow \n");
    let errors = "tcprules: fatal: unable to parse this line: b:alow\n\
                  tcprules: line 3: expected allow or deny after the colon\n";
    assert_eq!(refused, did(100, "", errors));
    assert_eq!(fs::read(dir.path().join("r.cdb")).unwrap(), before);
}

#[test]
fn a_network_warns_or_is_expanded() {
    let dir = TempDir::new().unwrap();
    let source = b"a:allow\n10.0.0.0/23:deny\n";
    let warning =
        "tcprules: warning: line 2: a network is taken literally and fits nobody without --cidr\n";
    assert_eq!(compile(dir.path(), &[], source), did(0, "", warning));
    assert_eq!(compile(dir.path(), &["--cidr"], source), did(0, "", ""));
    let bytes = fs::read(dir.path().join("r.cdb")).unwrap();
    let found = Cdb::new(&bytes).unwrap().find(b"10.0.1.");
    assert_eq!(found, Ok(Some(&b"D\0"[..])));
}

#[test]
fn failures_say_what_and_whose_they_are() {
    let usage = "tcprules: usage: tcprules [--cidr] rules.cdb rules.tmp\n";
    let check = "tcprulescheck: usage: tcprulescheck rules.cdb\n";
    let table = [
        ("no names", "tcprules", &[][..], did(100, "", usage)),
        ("one name", "tcprules", &["a"][..], did(100, "", usage)),
        (
            "one name behind the option",
            "tcprules",
            &["--cidr", "a"][..],
            did(100, "", usage),
        ),
        (
            "no such directory",
            "tcprules",
            &["/nonexistent/a", "/nonexistent/b"][..],
            did(
                111,
                "",
                "tcprules: fatal: unable to create /nonexistent/b: file does not exist\n",
            ),
        ),
        (
            "no database named",
            "tcprulescheck",
            &[][..],
            did(100, "", check),
        ),
        (
            "no database",
            "tcprulescheck",
            &["/nonexistent"][..],
            did(
                111,
                "",
                "tcprulescheck: fatal: unable to read /nonexistent: file does not exist\n",
            ),
        ),
        (
            "no cdb",
            "tcprulescheck",
            &["/proc/self/comm"][..],
            did(
                111,
                "",
                "tcprulescheck: fatal: unable to read /proc/self/comm: protocol error\n",
            ),
        ),
    ];
    for (name, program, arguments, expected) in table {
        assert_eq!(applet(program, arguments, &[], b""), expected, "{name}");
    }
}

/// Name, environment, what is told.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

#[test]
fn tcprulescheck_tells_the_rule_and_what_it_does() {
    let dir = TempDir::new().unwrap();
    let source =
        b"192.0.2.1:allow,A=\"1\",B=\"\"\n192.0.2.2:deny,A=\"1\"\n=:deny\njoe@192.0.2.1:deny\n";
    compile(dir.path(), &[], source);
    let cdb = dir.path().join("r.cdb");
    let table: [Row; 5] = [
        ("nothing known", &[], "default:\nallow connection\n"),
        (
            "variables",
            &[("TCPREMOTEIP", "192.0.2.1")],
            "rule 192.0.2.1:\nset environment variable A=1\nset environment variable B=\nallow connection\n",
        ),
        (
            "deny",
            &[("TCPREMOTEIP", "192.0.2.2")],
            "rule 192.0.2.2:\ndeny connection\n",
        ),
        (
            "name",
            &[("TCPREMOTEHOST", "x")],
            "rule =:\ndeny connection\n",
        ),
        (
            "user",
            &[("TCPREMOTEIP", "192.0.2.1"), ("TCPREMOTEINFO", "joe")],
            "rule joe@192.0.2.1:\ndeny connection\n",
        ),
    ];
    for (name, environment, expected) in table {
        let told = applet("tcprulescheck", &[cdb.to_str().unwrap()], environment, b"");
        assert_eq!(told, did(0, expected, ""), "{name}");
    }
}
