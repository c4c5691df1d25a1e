//! users/assign and users/cdb (spec §2.5).

use mta_core::assign::{Account, Assign, Entry, Key, cdb_key, lookup};
use mta_core::cdb::Cdb;
use proptest::prelude::*;

const FILE: &[u8] = b"+:alias:7:7:/alias:-::\n\
    =joe:joe:12345:12345:/home/joe:::\n\
    +joe-:joe:12345:12345:/home/joe:-::\n\
    +joe-x-:xavier:9:9:/home/x:-:pre-:ignored: text\n\
    =Joe:other:1:1:/other:::\n.\nnot read\n";

fn cdb_of(assign: &Assign) -> Vec<u8> {
    crate::cdb::written(&assign.to_cdb_records())
}

#[test]
fn cdb_records_are_qmail_newus() {
    let assign = Assign::parse(FILE).unwrap();
    let records = assign.to_cdb_records();
    assert_eq!(
        records[0],
        (b"!".to_vec(), b"alias\x007\x007\0/alias\0-\0".to_vec())
    );
    let joe = b"joe\x0012345\x0012345\0/home/joe\0\0".to_vec();
    assert_eq!(records[1], (b"!joe\0".to_vec(), joe));
    assert_eq!(records.last().unwrap(), &(Vec::new(), b"-".to_vec()));
    assert_eq!(assign.duplicates(), [&Key::Exact(b"Joe".to_vec())]);
}

#[test]
fn look_up_prefers_exact_then_the_longest_prefix() {
    let bytes = cdb_of(&Assign::parse(FILE).unwrap());
    let cdb = Cdb::new(&bytes).unwrap();
    let rows = [
        ("exact, first line wins", "JOE", "joe", ""),
        ("wildcard keeps the case", "Joe-Lists-A", "joe", "Lists-A"),
        (
            "longest prefix, with its own ext",
            "joe-x-Y",
            "xavier",
            "pre-Y",
        ),
        ("prefix must end in a wildchar", "joex", "alias", "joex"),
        ("empty prefix", "Nobody", "alias", "Nobody"),
        ("empty local part", "", "alias", ""),
    ];
    for (name, local, user, ext) in rows {
        let account = lookup(&cdb, local.as_bytes()).unwrap().unwrap();
        assert_eq!(account.user, user.as_bytes(), "{name}");
        assert_eq!(account.ext, ext.as_bytes(), "{name}");
    }
    assert_eq!(
        Account {
            uid: b"5".into(),
            gid: b"6".into(),
            ..Account::default()
        }
        .ids(),
        Some((5, 6))
    );
}

#[test]
fn bad_lines_are_named() {
    let rows: [(&str, &[u8], usize); 6] = [
        ("no final dot", b"=joe:joe:1:1:/:::\n", 2),
        ("empty file", b"", 1),
        ("empty line", b"=joe:joe:1:1:/:::\n\n.\n", 2),
        ("too few fields", b"=joe:joe:1:1:/::\n.\n", 1),
        ("nul", b"=j\0e:joe:1:1:/:::\n.\n", 1),
        ("no key at all", b":joe:1:1:/:::\n.\n", 1),
    ];
    for (name, text, line) in rows {
        let error = Assign::parse(text).unwrap_err();
        assert_eq!(error.line, line, "{name}: {error}");
    }
}

#[test]
fn edits_keep_other_lines_and_the_final_dot() {
    let mut assign = Assign::parse(FILE).unwrap();
    let key = Key::Wildcard(b"D.example-".to_vec());
    let account = Account {
        user: b"D.example".to_vec(),
        ..Account::default()
    };
    assign
        .insert(Entry {
            key: key.clone(),
            account: account.clone(),
        })
        .unwrap();
    let text = String::from_utf8(assign.to_bytes()).unwrap();
    assert!(
        text.starts_with("+:alias:7:7:/alias:-::\n+D.example-:D.example:"),
        "{text}"
    );
    assert!(text.contains(":ignored: text\n") && text.ends_with("=Joe:other:1:1:/other:::\n.\n"));
    // The same key in another case replaces the line.
    let lower = Key::Wildcard(b"d.example-".to_vec());
    assign
        .insert(Entry {
            key: lower.clone(),
            account,
        })
        .unwrap();
    assert_eq!(
        assign
            .entries()
            .filter(|e| cdb_key(&e.key) == cdb_key(&key))
            .count(),
        1
    );
    assert!(assign.remove(&key) && !assign.remove(&lower));
    assert_eq!(Assign::parse(&assign.to_bytes()).unwrap(), assign);
}

#[test]
fn fields_that_would_break_the_file_are_handed_back() {
    let mut assign = Assign::default();
    for bad in ["a:b", "a\nb", "a\0b"] {
        let account = Account {
            home: bad.into(),
            ..Account::default()
        };
        let entry = Entry {
            key: Key::Exact(b"x".to_vec()),
            account,
        };
        assert_eq!(*assign.insert(entry.clone()).unwrap_err(), entry);
    }
    assert_eq!(assign.to_bytes(), b".\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn arbitrary_files_never_panic_and_survive_a_round_trip(text in "[=+:a-z0-9\\-\n\0]{0,120}(\n\\.)?") {
        if let Ok(assign) = Assign::parse(text.as_bytes()) {
            prop_assert_eq!(Assign::parse(&assign.to_bytes()).unwrap(), assign);
        }
    }

    #[test]
    fn inserted_lines_are_found(
        locals in proptest::collection::btree_set("[a-z]{1,4}", 1..12),
    ) {
        let mut assign = Assign::default();
        for local in &locals {
            let account = Account { user: local.clone().into(), ..Account::default() };
            assign.insert(Entry { key: Key::Exact(local.clone().into()), account }).unwrap();
        }
        let keys: Vec<_> = assign.entries().map(|e| e.account.user.clone()).collect();
        prop_assert!(keys.is_sorted());
        let bytes = cdb_of(&Assign::parse(&assign.to_bytes()).unwrap());
        let cdb = Cdb::new(&bytes).unwrap();
        for local in &locals {
            prop_assert_eq!(lookup(&cdb, local.as_bytes()).unwrap().unwrap().user, local.as_bytes());
        }
        prop_assert_eq!(lookup(&cdb, b"longer").unwrap(), None);
    }
}

#[test]
fn the_line_that_answers_is_the_first_of_its_key() {
    let file = b"=joe:one:1:1:/one:::\n+joe-:two:2:2:/two:-::\n=JOE:three:3:3:/3:::\n+:alias:4:4:/4:-::\n.\n";
    let assign = Assign::parse(file).unwrap();
    let table: &[(&str, Key, Option<usize>)] = &[
        ("exact", Key::Exact(b"Joe".to_vec()), Some(1)),
        ("wildcard", Key::Wildcard(b"joe-".to_vec()), Some(2)),
        ("all", Key::Wildcard(Vec::new()), Some(4)),
        ("not there", Key::Exact(b"jim".to_vec()), None),
    ];
    for (name, key, wanted) in table {
        assert_eq!(assign.line_of(key), *wanted, "{name}");
    }
}
