//! Login names, domain names, mailbox names and the order of lines (vchkpw(8), vadddomain(8)).

use mta_auth::domain_order::{contains, count, key, with, without};
use mta_auth::login_name::LoginNameError;
use mta_auth::{DomainName, LoginName, MailboxName};

#[test]
fn login_names_split_at_the_first_separator() {
    let rows: &[(&str, &[u8], &str, Option<&str>)] = &[
        ("usual", b"Joe@Example.org", "joe", Some("example.org")),
        ("percent", b"joe%example.org", "joe", Some("example.org")),
        ("slash", b"joe/example.org", "joe", Some("example.org")),
        ("at before percent", b"a%b@c.de", "a%b", Some("c.de")),
        ("percent before slash", b"a/b%c.de", "a/b", Some("c.de")),
        ("no domain", b"joe", "joe", None),
        ("empty domain", b"joe@", "joe", None),
        (
            "odd letters",
            b"a!#$&'*+-=?^_`{|}~@x.y",
            "a!#$&'*+-=?^_`{|}~",
            Some("x.y"),
        ),
    ];
    for (name, text, local, domain) in rows {
        match LoginName::parse(text) {
            Ok(found) => assert_eq!((found.local(), found.domain()), (*local, *domain), "{name}"),
            Err(error) => assert_eq!((*name, error), ("at before percent", LoginNameError::User)),
        }
    }
}

#[test]
fn names_that_no_account_has_are_refused() {
    let rows: &[(&str, &[u8], LoginNameError)] = &[
        ("empty", b"", LoginNameError::EmptyUser),
        ("no user", b"@example.org", LoginNameError::EmptyUser),
        ("blank", b"jo e@example.org", LoginNameError::User),
        ("colon", b"jo:e@example.org", LoginNameError::User),
        ("NUL", b"joe\0@example.org", LoginNameError::User),
        (
            "eight-bit",
            "jö@example.org".as_bytes(),
            LoginNameError::User,
        ),
        ("two ats", b"joe@a@b", LoginNameError::Domain),
        ("path as domain", b"joe@../../etc", LoginNameError::Domain),
        ("long user", &[b'a'; 65], LoginNameError::TooLong),
    ];
    for (name, text, error) in rows {
        assert_eq!(LoginName::parse(text), Err(*error), "{name}");
    }
}

#[test]
fn domains_are_safe_as_directories() {
    for good in ["localhost", "a.b", "Example.ORG", "x-y.example", "1.2.3"] {
        assert_eq!(
            DomainName::parse(good.as_bytes()).unwrap().as_str(),
            good.to_lowercase()
        );
    }
    for bad in [
        "", "ab", "..", "...", "a..b", ".ab", "ab.", "-ab", "ab-", "a/b", "a b", "a:b", "a\nb",
        "ä.de",
    ] {
        assert!(DomainName::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(DomainName::parse(&[b'a'; 96]).is_ok());
    assert!(DomainName::parse(&[b'a'; 97]).is_err());
}

#[test]
fn mailbox_names_are_safe_as_directories() {
    for good in ["joe", "a.b", "JOE", "x+y", "o'neil"] {
        assert_eq!(
            MailboxName::parse(good.as_bytes()).unwrap().as_str(),
            good.to_lowercase()
        );
    }
    for bad in [
        "", "a", ".", "..", ".qmail", "a/b", "a@b", "a%b", "vpasswd", "a:b", "a\nb",
    ] {
        assert!(MailboxName::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

#[test]
fn lines_stand_in_the_order_of_their_last_two_labels() {
    let rows: &[(&str, &str, &str)] = &[
        ("one label", "localhost", "localhost"),
        ("two labels", "zed.test", "zed.test"),
        ("three", "mail.zed.test", "zed.test.mail"),
        ("four", "a.mail.zed.test", "zed.test.a.mail"),
        ("leading dot", ".zed.test", "zed.test"),
    ];
    for (name, domain, expected) in rows {
        assert_eq!(key(domain.as_bytes()), expected.as_bytes(), "{name}");
    }
    let mut file = Vec::new();
    for domain in ["mail.zed.test", "beta.test", "zed.test", "alpha.test"] {
        file = with(&file, domain.as_bytes());
    }
    let sorted = "alpha.test\nbeta.test\nzed.test\nmail.zed.test\n";
    assert_eq!(String::from_utf8(file.clone()).unwrap(), sorted);
    assert_eq!(with(&file, b"beta.test"), file, "a line is not added twice");
    assert_eq!(count(&file), 4);
    assert!(contains(b"BETA.test \n", b"beta.test"));
    assert_eq!(without(b"a.b\nA.B\nc.d\n", b"a.b"), b"c.d\n");
    assert_eq!(
        with(b"b.b\na.a", b"c.c"),
        b"a.a\nb.b\nc.c\n",
        "an unsorted file is sorted"
    );
    assert_eq!(with(b"# who\n\nb.b\n", b"a.a"), b"# who\n\na.a\nb.b\n");
    assert_eq!(with(b"b.b:b.b\n", b"a.b:a.b"), b"a.b:a.b\nb.b:b.b\n");
}
