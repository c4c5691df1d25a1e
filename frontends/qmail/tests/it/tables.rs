//! Programs that read or write tables: qmail-newu, qmail-newmrh, qmail-qread, qmail-qstat, maildirmake.

use crate::kit::{Ended, Home};
use mta_core::Unix;
use mta_core::assign::lookup;
use mta_core::cdb::Cdb;
use mta_core::rewrite::{Channel, Routed};
use std::os::unix::fs::PermissionsExt;

fn fatal(text: &str) -> Ended {
    Ended {
        code: 111,
        out: String::new(),
        err: format!("{text}\n"),
    }
}

#[test]
fn newu_writes_a_cdb_that_finds_what_assign_says() {
    let home = Home::new();
    home.write(
        "users/assign",
        "=joe:joe:12:13:/home/joe:::\n+joe-:joe:12:13:/home/joe:-::\n.\n",
    );
    let got = home.run("qmail-newu").end();
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    let bytes = std::fs::read(home.at("users/cdb")).unwrap();
    let cdb = Cdb::new(&bytes).unwrap();
    assert_eq!(
        cdb.find(b"!joe\0").unwrap(),
        Some(&b"joe\x0012\x0013\0/home/joe\0\0"[..])
    );
    assert_eq!(cdb.find(b"").unwrap(), Some(&b"-"[..]));
    assert_eq!(lookup(&cdb, b"JOE-List").unwrap().unwrap().ext, b"List");
    let mode = home
        .at("users/cdb")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn newu_refuses_a_bad_file_and_keeps_the_old_cdb() {
    let bad = "qmail-newu: fatal: bad format in users/assign";
    let rows: [(&str, &[u8], &str); 7] = [
        ("no final dot", b"=joe:joe:1:1:/h:::\n", bad),
        ("empty", b"", bad),
        ("empty line", b"\n.\n", bad),
        ("a NUL", b"=j\0e:joe:1:1:/h:::\n.\n", bad),
        ("no colon", b"=joe\n.\n", bad),
        ("too few fields", b"=joe:joe:1:1:/h:\n.\n", bad),
        ("no mark", b":joe:joe:1:1:/h:::\n.\n", bad),
    ];
    for (name, text, want) in rows {
        let home = Home::new();
        home.write("users/cdb", "old");
        home.write("users/assign", text);
        assert_eq!(home.run("qmail-newu").end(), fatal(want), "{name}");
        assert_eq!(
            std::fs::read(home.at("users/cdb")).unwrap(),
            b"old",
            "{name}"
        );
    }
}

#[test]
fn newu_and_newmrh_say_what_is_missing() {
    let home = Home::new();
    let newu = |text: &str| fatal(&format!("qmail-newu: fatal: {text}"));
    assert_eq!(
        home.run("qmail-newu").end(),
        newu("unable to open users/assign")
    );
    std::fs::create_dir(home.at("users/assign")).unwrap();
    assert_eq!(
        home.run("qmail-newu").end(),
        newu("unable to read users/assign")
    );
    let lost = home.run("qmail-newu").env("MTA_HOME", "/no/such").end();
    assert_eq!(lost, newu("unable to chdir"));
    let missing = "qmail-newmrh: fatal: unable to read control/morercpthosts: file does not exist";
    assert_eq!(home.run("qmail-newmrh").end(), fatal(missing));
    let lost = home.run("qmail-newmrh").env("MTA_HOME", "/no/such").end();
    assert_eq!(
        lost,
        fatal("qmail-newmrh: fatal: unable to chdir to /no/such: file does not exist")
    );
}

#[test]
fn newmrh_keeps_lower_case_hosts_without_comments() {
    let home = Home::new();
    home.write(
        "control/morercpthosts",
        "# ours\nExample.ORG \t\n\n.wild.example\nlast",
    );
    let got = home.run("qmail-newmrh").end();
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    let bytes = std::fs::read(home.at("control/morercpthosts.cdb")).unwrap();
    let cdb = Cdb::new(&bytes).unwrap();
    for (key, there) in [
        ("example.org", true),
        (".wild.example", true),
        ("last", true),
        ("# ours", false),
        ("", false),
    ] {
        assert_eq!(cdb.find(key.as_bytes()).unwrap().is_some(), there, "{key}");
    }
}

#[test]
fn qread_shows_preprocessed_messages_and_qstat_counts_all() {
    let home = Home::new();
    let queue_one = |envelope: &[u8]| {
        assert_eq!(
            home.run("qmail-queue").input("x\n").inject(envelope).code,
            0
        );
    };
    queue_one(b"Fme \x07@a\0Tjoe@here\0Tann@there\0Tbob@there\0\0");
    let queue = home.queue();
    let id = queue.todo().unwrap()[0];
    let sort = &mut |to: &mta_core::Address| Routed {
        channel: if to.domain() == Some(b"here") {
            Channel::Local
        } else {
            Channel::Remote
        },
        address: to.clone(),
    };
    queue.preprocess(id, Unix(86_400), sort).unwrap();
    let first = queue.pending(id, Channel::Remote).unwrap()[0].offset;
    queue.mark_done(id, Channel::Remote, &[first]).unwrap();
    queue_one(b"F\0Tx@y\0\0");

    let size = queue.open_message(id).unwrap().len();
    let head = format!("2 Jan 1970 00:00:00 GMT  #{id}  {size}  <me _@a> ");
    let tail = "\tlocal\tjoe@here\n  done\tremote\tann@there\n\tremote\tbob@there\n";
    let got = home.run("qmail-qread").end();
    assert_eq!((got.code, got.out), (0, format!("{head}\n{tail}")));
    queue.append_bounce(id, b"<ann@there>:\nno\n\n").unwrap();
    assert_eq!(
        home.run("qmail-qread").end().out,
        format!("{head} bouncing\n{tail}")
    );
    let got = home.run("qmail-qstat").end();
    assert_eq!(
        got.out,
        "messages in queue: 2\nmessages in queue but not yet preprocessed: 1\n"
    );
}

#[test]
fn qread_tells_of_trouble_and_goes_on() {
    let home = Home::new();
    home.write("queue/info/0/23", b"Fgone\0");
    home.write("queue/info/1/24", b"garbage");
    home.write("queue/mess/1/24", b"x\n");
    let got = home.run("qmail-qread").end();
    assert_eq!(got.code, 0);
    let lines: Vec<_> = got.out.lines().collect();
    assert_eq!(lines[0], "warning: trouble with #23: file does not exist");
    assert!(
        lines[1].starts_with("warning: trouble with #24: "),
        "{lines:?}"
    );
    let lost = home.run("qmail-qread").env("MTA_HOME", "/no/such").end();
    assert_eq!(
        (lost.code, lost.out.as_str()),
        (111, "fatal: unable to chdir: file does not exist\n")
    );
    assert_eq!(
        home.run("qmail-qstat")
            .env("MTA_HOME", "/no/such")
            .end()
            .code,
        111
    );
}

#[test]
fn qread_and_qstat_say_that_they_do_not_show_the_log_of_mtad() {
    let home = Home::new();
    let log = home.log_with_a_message();
    let dir = home.at("queue/log").display().to_string();
    for (program, out) in [
        ("qmail-qread", ""),
        (
            "qmail-qstat",
            "messages in queue: 0\nmessages in queue but not yet preprocessed: 0\n",
        ),
    ] {
        let got = home.run(program).end();
        assert_eq!((got.code, got.out.as_str()), (0, out), "{program}");
        let want = format!(
            "{program}: warning: not shown: 1 in {dir}, where mtad keeps messages; mtad queue list shows them\n"
        );
        assert_eq!(got.err, want);
    }
    log.remove(mta_core::ports::spool::MessageId(1)).unwrap();
    drop(log);
    for program in ["qmail-qread", "qmail-qstat"] {
        assert_eq!(
            home.run(program).end().err,
            "",
            "{program}: nothing is left"
        );
    }
}

#[test]
fn reading_a_queue_makes_nothing_in_it() {
    let home = Home::new();
    std::fs::remove_dir(home.at("queue/params")).unwrap();
    std::fs::remove_dir(home.at("queue/quarantine")).unwrap();
    assert_eq!(home.run("qmail-qread").end().code, 0);
    assert_eq!(
        home.run("qmail-queue").input("x").inject(b"F\0Ta\0\0").code,
        0
    );
    assert!(!home.at("queue/params").exists() && !home.at("queue/quarantine").exists());
}

#[test]
fn maildirmake_makes_a_new_maildir_only() {
    let home = Home::new();
    assert_eq!(home.run("maildirmake").args(["Maildir"]).end().code, 0);
    for part in ["", "/tmp", "/new", "/cur"] {
        let mode = home
            .at(&format!("Maildir{part}"))
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o700, "Maildir{part}");
    }
    let rows = [
        (
            "there already",
            "Maildir",
            "unable to mkdir Maildir: file already exists",
        ),
        (
            "nowhere",
            "no/such",
            "unable to mkdir no/such: file does not exist",
        ),
    ];
    for (name, dir, text) in rows {
        let got = home.run("maildirmake").args([dir]).end();
        assert_eq!(got, fatal(&format!("maildirmake: fatal: {text}")), "{name}");
    }
    let usage = home.run("maildirmake").end();
    assert_eq!(
        (usage.code, usage.err.as_str()),
        (100, "maildirmake: usage: maildirmake name\n")
    );
}
