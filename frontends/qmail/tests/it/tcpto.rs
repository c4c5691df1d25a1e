//! qmail-tcpto and qmail-tcpok on lock/tcpto.

use crate::kit::Home;
use mta_core::Unix;
use mta_core::tcpto::Table;

#[test]
fn tcpto_shows_what_tcpok_forgets() {
    let home = Home::new();
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs();
    let mut table = Table::parse(&[0; 1024]).unwrap();
    table.timed_out("192.0.2.7".parse().unwrap(), Unix(now - 5000));
    table.timed_out("192.0.2.7".parse().unwrap(), Unix(now - 1000));
    home.write("queue/lock/tcpto", table.as_bytes());
    let shown = home.run("qmail-tcpto").end();
    assert!(
        shown.out.starts_with("192.0.2.7 timed out 100"),
        "{shown:?}"
    );
    assert!(
        shown.out.ends_with(" seconds ago; # recent timeouts: 2\n"),
        "{shown:?}"
    );
    assert_eq!(home.run("qmail-tcpok").end().code, 0);
    let after = home.run("qmail-tcpto").end();
    assert_eq!((after.code, after.out.as_str()), (0, ""));
    assert_eq!(
        std::fs::read(home.at("queue/lock/tcpto")).unwrap(),
        [0; 1024]
    );
}

#[test]
fn missing_and_short_files_are_told_apart() {
    let home = Home::new();
    home.write("queue/lock/tcpto", "short");
    assert_eq!(home.run("qmail-tcpto").end().code, 0);
    std::fs::remove_file(home.at("queue/lock/tcpto")).unwrap();
    let got = home.run("qmail-tcpto").end();
    assert_eq!(
        (got.code, got.out.as_str()),
        (111, "fatal: unable to open tcpto: file does not exist\n")
    );
    let got = home.run("qmail-tcpok").end();
    let path = home.path().display();
    let want = format!(
        "qmail-tcpok: fatal: unable to write {path}/queue/lock/tcpto: file does not exist\n"
    );
    assert_eq!((got.code, got.err), (111, want));
    let got = home.run("qmail-tcpto").env("MTA_HOME", "/no/such").end();
    assert_eq!(
        (got.code, got.out.as_str()),
        (111, "fatal: unable to chdir: file does not exist\n")
    );
    let got = home.run("qmail-tcpok").env("MTA_HOME", "/no/such").end();
    assert_eq!(
        got.err,
        "qmail-tcpok: fatal: unable to chdir to /no/such: file does not exist\n"
    );
}
