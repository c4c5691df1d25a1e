//! How lists are read and single addresses completed (spec §11.3).

use super::{hosts, rewritten, run, settings};
use mta_core::inject::{InjectError, Rewriter};

/// Name, body of To, body afterwards, recipients.
const COMPLETED: &[(&str, &str, &str, &str)] = &[
    (
        "default domain",
        "fred@box",
        "fred@box.example.com",
        "fred@box.example.com",
    ),
    (
        "default host",
        "fred",
        "fred@mail.example.com",
        "fred@mail.example.com",
    ),
    (
        "plus domain",
        "eric@m.cs+",
        "eric@m.cs.plus.example.net",
        "eric@m.cs.plus.example.net",
    ),
    (
        "plus without a dot",
        "e@m+",
        "e@m.plus.example.net",
        "e@m.plus.example.net",
    ),
    (
        "a plus in the local part",
        "e+x",
        "e+x@mail.example.com",
        "e+x@mail.example.com",
    ),
    ("complete", "a@b.example", "a@b.example", "a@b.example"),
    (
        "a route",
        "<@r1,@r2:z@w>",
        "<z@w.example.com>",
        "z@w.example.com",
    ),
    (
        "a trailing dot",
        "a@b.example.",
        "a@b.example",
        "a@b.example",
    ),
    (
        "a trailing dot decides about the domain",
        "a@b.",
        "a@b.example.com",
        "a@b.example.com",
    ),
    (
        "a trailing dot without a host",
        "a.",
        "a@mail.example.com",
        "a@mail.example.com",
    ),
    (
        "a trailing at sign",
        "a@",
        "a@mail.example.com",
        "a@mail.example.com",
    ),
    (
        "trailing dots and at signs",
        "a@.@",
        "a@mail.example.com",
        "a@mail.example.com",
    ),
    (
        "a literal",
        "quux@[1.2.3.4]",
        "quux@[1.2.3.4]",
        "quux@[1.2.3.4]",
    ),
    ("an empty literal", "foo@[]", "foo@[]", "foo@[]"),
    (
        "a phrase",
        "\"A. B\" <x@y>",
        "\"A. B\" <x@y.example.com>",
        "x@y.example.com",
    ),
    (
        "a phrase keeps its blanks",
        "John Q. Public <x@y>",
        "John Q. Public <x@y.example.com>",
        "x@y.example.com",
    ),
    (
        "a phrase with an at sign",
        "a@b <x@y.z>",
        "a@b <x@y.z>",
        "x@y.z",
    ),
    (
        "no blank before a bracket",
        "A<x@y.z>",
        "A <x@y.z>",
        "x@y.z",
    ),
    (
        "quotes where the local part needs them",
        "\"a b\"@c.d",
        "\"a b\"@c.d",
        "a b@c.d",
    ),
    (
        "quotes that hold an at sign",
        "\"a@b\"",
        "\"a@b\"@mail.example.com",
        "a@b@mail.example.com",
    ),
    (
        "an escaped blank becomes quoted",
        "a\\ b@c.d",
        "\"a b\"@c.d",
        "a b@c.d",
    ),
    (
        "escapes in quotes",
        "\"a\\\"\\\\\\b\"@c.d",
        "\"a\\\"\\\\b\"@c.d",
        "a\"\\b@c.d",
    ),
    (
        "UTF-8 without quotes",
        "jürgen@exämple.org",
        "jürgen@exämple.org",
        "jürgen@exämple.org",
    ),
    ("the null address", "<>", "<>", ""),
    (
        "the null address beside another",
        "<>, a",
        "<>, a@mail.example.com",
        "a@mail.example.com",
    ),
    ("nothing", "", "", ""),
];

#[test]
fn addresses_in_a_field_are_completed() {
    check(COMPLETED);
}

/// Name, body of To, body afterwards, recipients.
const LISTS: &[(&str, &str, &str, &str)] = &[
    ("two", "a@b.c, d@e.f", "a@b.c, d@e.f", "d@e.f a@b.c"),
    (
        "blanks do not count",
        "a @ b . c ,d@e.f",
        "a@b.c, d@e.f",
        "d@e.f a@b.c",
    ),
    (
        "a missing comma",
        "c d",
        "c@mail.example.com, d@mail.example.com",
        "d@mail.example.com c@mail.example.com",
    ),
    (
        "a missing comma after a bracket",
        "<a@b.c> d@e.f",
        "<a@b.c>, d@e.f",
        "d@e.f a@b.c",
    ),
    (
        "a missing comma between brackets",
        "<a@b.c> <d@e.f>",
        "<a@b.c>, <d@e.f>",
        "d@e.f a@b.c",
    ),
    (
        "a missing comma after a literal",
        "[x] <d@e.f>",
        "[x]@mail.example.com, <d@e.f>",
        "d@e.f [x]@mail.example.com",
    ),
    ("empty elements", ",a@b.c,,", ", a@b.c, ,", "a@b.c"),
    (
        "a group",
        "g: a@b.c, d@e.f;",
        "g: a@b.c, d@e.f;",
        "d@e.f a@b.c",
    ),
    (
        "an empty group",
        "recipient list not shown: ;",
        "recipient list not shown: ;",
        "",
    ),
    (
        "a group with a bracketed address",
        "g: X <a@b.c>;",
        "g: X <a@b.c>;",
        "a@b.c",
    ),
    (
        "a group name with words",
        "\"a, b\" J. R.: x@y.z;",
        "\"a, b\" J. R.: x@y.z;",
        "x@y.z",
    ),
    (
        "a group among others",
        "a@b.c, g: d@e.f;, h@i.j",
        "a@b.c, g: d@e.f;, h@i.j",
        "h@i.j d@e.f a@b.c",
    ),
    (
        "groups without a comma swallow nobody",
        "g: a@b.c; h: d@e.f;",
        "g: a@b.c;, h: d@e.f;",
        "d@e.f a@b.c",
    ),
    (
        "a bracket before a group is not swallowed",
        "<a@b.c> g: d@e.f;",
        "<a@b.c>, g: d@e.f;",
        "d@e.f a@b.c",
    ),
    (
        "semicolon as a comma",
        "a@b.c; d@e.f",
        "a@b.c;, d@e.f",
        "d@e.f a@b.c",
    ),
    ("a comment", "a@b.c (x)", "a@b.c (x)", "a@b.c"),
    ("a comment before", "(x) a@b.c", "a@b.c (x)", "a@b.c"),
    (
        "comments within",
        "a (x) @ (y) b.c",
        "a@b.c (x) (y)",
        "a@b.c",
    ),
    (
        "nested comments",
        "a@b.c (x (y\\)) z)",
        "a@b.c (x (y\\)) z)",
        "a@b.c",
    ),
    (
        "a comment that looks like an address",
        "(d@e.f,) a@b.c",
        "a@b.c (d@e.f,)",
        "a@b.c",
    ),
    (
        "a comment in a phrase",
        "A (x) B <a@b.c>",
        "A (x) B <a@b.c>",
        "a@b.c",
    ),
    (
        "a comment in brackets hides no rule",
        "<a@b+ (x)>",
        "<a@b.plus.example.net (x)>",
        "a@b.plus.example.net",
    ),
    ("only a comment in brackets", "<(x)>", "<(x)>", ""),
    ("folded", "a@b.c,\n\td@e.f", "a@b.c, d@e.f", "d@e.f a@b.c"),
    (
        "folded inside quotes",
        "\"x\n y\" <a@b.c>",
        "\"x y\" <a@b.c>",
        "a@b.c",
    ),
    (
        "folded inside a comment",
        "a@b.c (x\r\n y)",
        "a@b.c (x y)",
        "a@b.c",
    ),
];

#[test]
fn lists_are_read_from_right_to_left() {
    check(LISTS);
}

fn check(rows: &[(&str, &str, &str, &str)]) {
    for (name, before, after, recipients) in rows {
        let (field, envelope) = rewritten(&format!("To: {before}"));
        let want = format!("To: {after}\n");
        let want = if after.is_empty() { "To:\n" } else { &*want };
        assert_eq!(field, want, "{name}");
        assert_eq!(&envelope, recipients, "{name}");
        let again = rewritten(field.trim_end());
        assert_eq!(again, (field, envelope), "{name}, once more");
    }
}

#[test]
fn a_field_without_need_stays_on_one_line_and_others_break_behind_commas() {
    let address = |n: usize| "a".repeat(n - 4) + "@b.c";
    // "To: " + 36 + ", " + 36 is 78 columns with the comma that could follow.
    let fits = format!("To: {}, {}", address(36), address(36));
    assert_eq!(rewritten(&fits).0, fits.clone() + "\n");
    let long = format!("To: {}, {}", address(36), address(37));
    let broken = format!("To: {},\n  {}\n", address(36), address(37));
    assert_eq!(rewritten(&long).0, broken);
    assert_eq!(rewritten(broken.trim_end()).0, broken);
    let alone = format!("To: {}", address(200));
    assert_eq!(rewritten(&alone).0, alone + "\n");
}

#[test]
fn what_is_no_list_of_addresses_refuses_the_message() {
    let rows = [
        ("open quotes", "\"a"),
        ("open comment", "a (b (c)"),
        ("open literal", "a@[1"),
        ("a closing parenthesis", "a )"),
        ("a closing bracket", "] a"),
        ("a group without an end", "g: a"),
        ("a group in a group", "g: h: a;"),
        ("two ends of one group", "g: a;;"),
        ("> alone", "a>"),
        ("< alone", "a <b@c"),
        ("> twice", "<a@b.c>>"),
        ("an address that vanishes", "@a"),
        ("a route to nobody", "<@a:>"),
        ("an escape at the end of quotes", "\"a\\"),
    ];
    for (name, body) in rows {
        let line = format!("To: {body}\n");
        let error = run(settings(&[]), &[], &[line.as_bytes()]).unwrap_err();
        let want = InjectError::UnparsableLine(line.clone().into_bytes());
        assert_eq!(error, want, "{name}");
        assert_eq!(error.exit_code(), 100);
        let said = format!("qmail-inject: fatal: unable to parse this line:\n{line}");
        assert_eq!(error.stderr(), said, "{name}");
    }
}

#[test]
fn arguments_are_taken_as_they_are() {
    // name, argument, recipient
    let rows = [
        ("a blank", "a b@c", "a b@c.example.com"),
        ("a host is completed", "a@b+", "a@b.plus.example.net"),
        ("no host", "joe", "joe@mail.example.com"),
        ("a comma", "a, b@c.d", "a, b@c.d"),
        ("two at signs", "a@b@c.d", "a@b@c.d"),
        ("quotes stay", "\"a\"@b.c", "\"a\"@b.c"),
        ("a dot at the end of the local part", "a.@b.c", "a.@b.c"),
        ("a dot at the end of the host", "a@b.c.", "a@b.c"),
        ("a literal", "a@[1.2.3.4]", "a@[1.2.3.4]"),
        ("double-bounce sender", "#@[]", "#@[]"),
        ("no local part", "@b.c", "@b.c"),
        ("in brackets", "<a@b>", "a@b.example.com"),
        ("a route", "@r1,@[IPv6:::1]:a@b.c", "a@b.c"),
        ("UTF-8", "jürgen@exämple.org", "jürgen@exämple.org"),
    ];
    let rewriter = Rewriter::new(&hosts()).unwrap();
    for (name, argument, want) in rows {
        let address = rewriter.address(argument.as_bytes()).unwrap();
        assert_eq!(address.as_bytes(), want.as_bytes(), "{name}");
    }
    assert!(rewriter.address(b"").unwrap().is_null());
    assert!(rewriter.address(b"<>").unwrap().is_null());
}

#[test]
fn an_argument_that_is_no_address_refuses_the_message() {
    let rows = [
        ("a blank in the host", "a@b c"),
        ("a bracket in the host", "a@b>"),
        ("a comma in the host", "a@b,c"),
        ("nothing", ""),
        ("the null address", "<>"),
        ("a NUL", "a\0b@c"),
        ("a NUL in the host", "a@b\0c"),
        ("a control byte in the host", "a@b\u{1b}c"),
    ];
    for (name, argument) in rows {
        let error = run(settings(&[]), &[argument], &[]).unwrap_err();
        let want = InjectError::UnparsableAddress(argument.as_bytes().to_vec());
        assert_eq!(error, want, "{name}");
        assert_eq!(error.exit_code(), 100);
    }
    let error = run(settings(&[]), &["a@b\u{1b}c"], &[]).unwrap_err();
    assert_eq!(
        error.stderr(),
        "qmail-inject: fatal: unable to parse address: a@b?c\n"
    );
}

#[test]
fn host_names_of_the_settings_are_read_as_hosts() {
    let rows = [
        ("an open comment", "a(b"),
        ("two words", "a b"),
        ("a list", "a,b"),
    ];
    for (name, host) in rows {
        let mut bad = hosts();
        bad.defaulthost = host.into();
        let error = Rewriter::new(&bad).unwrap_err();
        let want = InjectError::UnparsableLine(format!("@{host}").into_bytes());
        assert_eq!(error, want, "{name}");
    }
    let mut plus = hosts();
    plus.defaulthost = b"lab+".to_vec();
    let rewriter = Rewriter::new(&plus).unwrap();
    let address = rewriter.address(b"joe").unwrap();
    assert_eq!(address.as_bytes(), b"joe@lab.plus.example.net");
}
