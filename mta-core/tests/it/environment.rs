//! The environment of programs in .qmail files (spec §6.5).

use mta_core::dotqmail::{Facts, Variable, cut_report, environment};
use mta_core::{Address, Unix};
use proptest::prelude::*;

fn facts<'a>(sender: &'a Address, recipient: &'a Address, ext: &'a [u8]) -> Facts<'a> {
    Facts {
        sender,
        new_sender: sender,
        recipient,
        user: b"joe",
        home: b"/home/joe",
        ext,
        default: None,
        now: Unix(951_827_696),
    }
}

fn value(all: &[Variable], name: &str) -> Option<String> {
    let found = all.iter().find(|(n, _)| *n == name).unwrap();
    found.1.as_ref().map(|v| v.escape_ascii().to_string())
}

#[test]
fn every_variable_has_its_meaning() {
    let sender = Address::new("ann lee@far.example").unwrap();
    let owner = Address::new("joe-a-b-c-d-owner@mx.sub.example.org").unwrap();
    let recipient = Address::new("joe-a-b-c-d@mx.sub.example.org").unwrap();
    let facts = Facts {
        new_sender: &owner,
        default: Some(b"c-d"),
        ..facts(&sender, &recipient, b"a-b-c-d")
    };
    let all = environment(&facts);
    #[rustfmt::skip]
    let rows = [
        ("SENDER", "ann lee@far.example"),
        ("NEWSENDER", "joe-a-b-c-d-owner@mx.sub.example.org"),
        ("RECIPIENT", "joe-a-b-c-d@mx.sub.example.org"),
        ("USER", "joe"), ("HOME", "/home/joe"),
        ("HOST", "mx.sub.example.org"), ("HOST2", "mx.sub.example"), ("HOST3", "mx.sub"), ("HOST4", "mx"),
        ("LOCAL", "joe-a-b-c-d"),
        ("EXT", "a-b-c-d"), ("EXT2", "b-c-d"), ("EXT3", "c-d"), ("EXT4", "d"),
        ("DEFAULT", "c-d"),
        ("DTLINE", r"Delivered-To: joe-a-b-c-d@mx.sub.example.org\n"),
        ("RPLINE", r#"Return-Path: <\"ann lee\"@far.example>\n"#),
        ("UFLINE", r"From ann-lee@far.example Tue Feb 29 12:34:56 2000\n"),
    ];
    assert_eq!(all.len(), rows.len());
    for (name, want) in rows {
        assert_eq!(value(&all, name).as_deref(), Some(want), "{name}");
    }
}

#[test]
fn short_hosts_and_extensions_run_out() {
    let (sender, to) = (Address::null(), Address::new("joe@a.b").unwrap());
    let all = environment(&facts(&sender, &to, b""));
    #[rustfmt::skip]
    let rows = [
        ("HOST", Some("a.b")), ("HOST2", Some("a")), ("HOST3", Some("a")), ("HOST4", Some("a")),
        ("EXT", Some("")), ("EXT2", Some("")), ("EXT4", Some("")), ("SENDER", Some("")),
        ("UFLINE", Some(r"From MAILER-DAEMON Tue Feb 29 12:34:56 2000\n")), ("DEFAULT", None),
    ];
    for (name, want) in rows {
        assert_eq!(value(&all, name).as_deref(), want, "{name}");
    }
}

#[test]
fn no_value_starts_a_shell_function() {
    let evil = "() { :;}; echo owned";
    let rows = [
        ("sender", evil, "joe", "a.b", ""),
        ("recipient", "a@b", evil, evil, ""),
        ("extension", "a@b", "x", "a.b", evil),
        ("later extension", "a@b", "x", "a.b", "x-() { :;}-()"),
        ("host", "a@b", "x", "() { :;}.b.c.d", ""),
    ];
    for (name, sender, local, host, ext) in rows {
        let sender = Address::new(sender).unwrap();
        let to = Address::new(format!("{local}@{host}")).unwrap();
        let all = environment(&Facts {
            user: evil.as_bytes(),
            home: evil.as_bytes(),
            default: Some(evil.as_bytes()),
            ..facts(&sender, &to, ext.as_bytes())
        });
        for (variable, value) in all {
            let value = value.unwrap_or_default();
            assert!(!value.starts_with(b"()"), "{name}: {variable}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_give_values_that_an_environment_can_carry(
        sender in proptest::collection::vec(1_u8.., 0..40),
        to in proptest::collection::vec(1_u8.., 0..40),
        ext in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let (sender, to) = (Address::new(sender).unwrap(), Address::new(to).unwrap());
        for (name, value) in environment(&facts(&sender, &to, &ext)) {
            let value = value.unwrap_or_default();
            prop_assert!(!value.contains(&0) && !value.starts_with(b"()"));
            let lines = value.iter().filter(|&&b| b == b'\n').count();
            prop_assert!(!name.ends_with("LINE") || lines == 1);
        }
    }

    #[test]
    fn reports_stay_short(text in proptest::collection::vec(any::<u8>(), 0..4000)) {
        let cut = cut_report(text.clone());
        prop_assert!(cut.len() <= 3000 && !cut.contains(&0));
    }
}

#[test]
fn reports_are_cut_as_lspawn_cuts_them() {
    #[rustfmt::skip]
    let rows = [
        ("just fits", vec![b'x'; 3000], 3000, false),
        ("one more", vec![b'x'; 3001], 2997, true),
        ("NUL within", [vec![b'x'; 5], vec![0], vec![b'y'; 4000]].concat(), 5, false),
    ];
    for (name, text, len, remark) in rows {
        let cut = cut_report(text);
        assert_eq!(cut.len(), len, "{name}");
        assert_eq!(
            cut.ends_with(b"x\nError report too long, sorry.\n"),
            remark,
            "{name}"
        );
    }
}
