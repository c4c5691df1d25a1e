//! Control files: reading rules, defaults and findings (spec §2.1 to §2.3).

use mta_core::control::{Controls, LoadError, Loaded, NAMES, RcptHosts, Weight};
use proptest::prelude::*;

fn load(files: &[(&str, &str)]) -> Result<Loaded, LoadError<&'static str>> {
    Controls::load(|name| {
        let file = files.iter().find(|(file, _)| *file == name);
        match file {
            Some((_, "UNREADABLE")) => Err("permission denied"),
            file => Ok(file.map(|(_, text)| text.as_bytes().to_vec())),
        }
    })
}

fn said(files: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec![("me", "mx.example\n"), ("rcpthosts", "mx.example\n")];
    all.retain(|(name, _)| files.iter().all(|(file, _)| file != name));
    all.extend_from_slice(files);
    load(&all)
        .unwrap()
        .findings
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn defaults_are_qmails() {
    let c = load(&[("me", "mx.example \t\nignored")]).unwrap().controls;
    for (name, value) in [
        ("bouncehost", &c.bouncehost),
        ("doublebouncehost", &c.doublebouncehost),
        ("envnoathost", &c.routing.envnoathost),
        ("helohost", &c.helohost),
        ("localiphost", &c.localiphost),
        ("smtpgreeting", &c.smtpgreeting),
        ("defaultdomain", &c.defaultdomain),
        ("defaulthost", &c.defaulthost),
        ("idhost", &c.idhost),
        ("plusdomain", &c.plusdomain),
    ] {
        assert_eq!(value, b"mx.example", "{name}");
    }
    assert_eq!(c.bouncefrom, b"MAILER-DAEMON");
    assert_eq!(c.doublebounceto, b"postmaster");
    assert_eq!((c.concurrencylocal, c.concurrencyremote), (10, 20));
    assert_eq!((c.databytes, c.queuelifetime), (0, 604_800));
    assert_eq!(
        (c.timeoutconnect.as_secs(), c.timeoutremote.as_secs()),
        (60, 1200)
    );
    assert_eq!(c.timeoutsmtpd.as_secs(), 1200);
    assert!(
        c.routing.locals.contains(b"MX.example"),
        "locals default to me"
    );
    assert!(!c.rcpthosts.exists());
}

#[test]
fn every_name_is_asked_for_once() {
    let mut asked = Vec::new();
    let read = |name: &str| {
        asked.push(name.to_owned());
        Ok::<_, ()>(Some(b"mx.example\n".to_vec()))
    };
    Controls::load(read).unwrap();
    asked.sort();
    let mut names = NAMES.map(str::to_owned).to_vec();
    names.sort();
    assert_eq!(asked, names);
}

#[test]
fn every_file_changes_something() {
    let known = ("me", "mx.example\n");
    #[rustfmt::skip]
    let rows = [
        ("me", "other.example"), ("badhelo", "x"), ("badmailfrom", "x"), ("badmailfromnorelay", "x"),
        ("badmailto", "x"), ("badmailtonorelay", "x"), ("bouncefrom", "x"), ("bouncehost", "x"),
        ("concurrencylocal", "3"), ("concurrencyremote", "3"), ("databytes", "3"), ("defaultdomain", "x"),
        ("defaulthost", "x"), ("doublebouncehost", "x"), ("doublebounceto", "x"), ("envnoathost", "x"),
        ("helohost", "x"), ("idhost", "x"), ("localiphost", "x"), ("locals", "x"), ("percenthack", "x"),
        ("plusdomain", "x"), ("qmqpservers", "192.0.2.1"), ("queuelifetime", "3"), ("rcpthosts", "x"),
        ("smtpgreeting", "x"), ("smtproutes", "x:y"), ("timeoutconnect", "3"), ("timeoutremote", "3"),
        ("timeoutsmtpd", "3"), ("virtualdomains", "x:y"),
    ];
    let shown = |files: &[(&str, &str)]| format!("{:?}", load(files).unwrap().controls);
    for (file, text) in rows {
        let changed = shown(&[(file, text), known]);
        assert_ne!(changed, shown(&[known]), "{file}");
    }
    let unchecked: Vec<_> = NAMES
        .into_iter()
        .filter(|name| rows.iter().all(|(file, _)| file != name))
        .collect();
    assert_eq!(
        unchecked,
        ["morercpthosts", "morercpthosts.cdb"],
        "the cdb has a test below, and its source is only compared with it"
    );
}

#[test]
fn lists_are_read_by_qmails_rules() {
    #[rustfmt::skip]
    let rows: [(&str, &str, &str, bool); 9] = [
        ("case does not matter", "A.Example\n", "a.eXAMPLE", true),
        ("blanks behind go", "a.example \t\n", "a.example", true),
        ("blanks in front stay", " a.example\n", "a.example", false),
        ("an empty line is passed over", "\n\na.example\n", "a.example", true),
        ("# in front is a comment", "#a.example\n", "#a.example", false),
        ("# behind a blank is none", " #a.example\n", " #a.example", true),
        ("# behind a name is none", "a.example#\n", "a.example", false),
        ("the last line may lack its end", "b.example\na.example", "a.example", true),
        ("no suffixes in locals", ".example\n", "a.example", false),
    ];
    for (name, text, host, want) in rows {
        let c = load(&[("me", "m"), ("locals", text)]).unwrap().controls;
        assert_eq!(c.routing.locals.contains(host.as_bytes()), want, "{name}");
    }
    #[rustfmt::skip]
    let rows = [
        ("the last of two lines wins", "v.example:one\nV.example:two\n", "two-a@v.example"),
        ("a line without a colon is no line", "v.example\n", "a@v.example"),
        ("only the first colon parts", "v.example:one:two\n", "one:two-a@v.example"),
        ("blanks behind go", "v.example:one \t\n", "one-a@v.example"),
        ("# in front is a comment", "#v.example:one\n", "a@v.example"),
        ("an empty prepend is an exception", ":all\nv.example:\n", "a@v.example"),
        ("an empty key is for all the rest", ":all\n", "all-a@v.example"),
    ];
    for (name, text, want) in rows {
        let files = [("me", "m"), ("virtualdomains", text)];
        let routing = load(&files).unwrap().controls.routing;
        let to = mta_core::Address::new(*b"a@v.example").unwrap();
        assert_eq!(
            routing.route(&to).address.as_bytes(),
            want.as_bytes(),
            "{name}"
        );
    }
}

#[test]
fn an_empty_file_is_not_a_missing_file() {
    let files = [
        ("me", "mx.example"),
        ("doublebounceto", ""),
        ("locals", ""),
        ("rcpthosts", ""),
    ];
    let c = load(&files).unwrap().controls;
    assert_eq!(c.doublebounceto, b"");
    assert!(!c.routing.locals.contains(b"mx.example"));
    assert!(c.rcpthosts.exists());
}

#[test]
fn numbers_are_the_digits_that_line_one_begins_with() {
    let rows = [
        ("10abc", 10),
        ("-1", 0),
        ("", 0),
        ("7\n8", 7),
        ("99999999999999999999999", u64::MAX),
    ];
    for (text, want) in rows {
        let c = load(&[("me", "m"), ("databytes", text)]).unwrap().controls;
        assert_eq!(c.databytes, want, "{text:?}");
    }
    let c = load(&[("me", "m"), ("timeoutsmtpd", "0")])
        .unwrap()
        .controls;
    assert_eq!(c.timeoutsmtpd.as_secs(), 1);
}

#[test]
fn trouble_names_the_file() {
    let unreadable = load(&[("me", "m"), ("smtproutes", "UNREADABLE")]).unwrap_err();
    let want = "control/smtproutes: expected a readable file or none: permission denied";
    assert_eq!(unreadable.to_string(), want);
    assert_eq!(load(&[]).unwrap_err(), LoadError::NoMe);
    assert_eq!(load(&[("me", "\n")]).unwrap_err(), LoadError::NoMe);
}

#[test]
fn findings_name_file_line_and_what_was_expected() {
    #[rustfmt::skip]
    let rows = [
        ("databytes", "10M", "control/databytes:1: warning: expected a decimal number"),
        ("locals", "#a\n.x.example\n", "control/locals:2: error: expected a whole domain"),
        ("locals", "a@b\n", "control/locals:1: error: expected a domain without @"),
        ("locals", "mx.example\r\n", "control/locals:1: error: expected no CR"),
        ("badmailfrom", "joe+x@evil.example\n", "control/badmailfrom:1: warning: expected a pattern"),
        ("badmailto", "#\n(\n", "control/badmailto:2: error: expected as many ) as (; the line refuses nobody"),
        ("badhelo", "a\n\nA\n", "control/badhelo:3: note: the same as line 1"),
        ("badmailfromnorelay", "x\r\n", "control/badmailfromnorelay:1: error: expected no CR"),
        ("badmailtonorelay", "\\1\n", "control/badmailtonorelay:1: error: expected no back-reference"),
        ("qmqpservers", "192.0.2.1\nhub.example\n", "control/qmqpservers:2: error: expected an IP address"),
        ("virtualdomains", "x.example\n", "control/virtualdomains:1: error: expected key:value"),
        ("virtualdomains", "x:a\nX:b\n", "control/virtualdomains:2: warning: expected each key once; this replaces line 1"),
        ("virtualdomains", "mx.example:x\n", "control/virtualdomains: error: expected mx.example here or in locals"),
        ("smtproutes", "a.example:relay:smtp\n", "control/smtproutes:1: error: expected domain:relay"),
        ("smtproutes", "a:r:70000\n", "control/smtproutes:1: error: expected domain:relay"),
        ("morercpthosts", "a.example\n", "control/morercpthosts: error: expected morercpthosts.cdb"),
        ("morercpthosts.cdb", "broken", "control/morercpthosts.cdb: error: not a valid cdb"),
        ("me", "a b", "control/me:1: error: expected one host name"),
        ("me", "a\nb", "control/me:2: warning: expected a single line"),
        ("concurrencylocal", "0", "control/concurrencylocal:1: note: 0 holds"),
    ];
    for (file, text, want) in rows {
        let said = said(&[(file, text)]);
        assert!(
            said.iter().any(|s| s.starts_with(want)),
            "{file} {text:?} said {said:#?}"
        );
    }
    assert!(
        said(&[]).is_empty(),
        "nothing is said about a sound configuration"
    );
}

#[test]
fn a_missing_rcpthosts_is_said() {
    let loaded = load(&[("me", "m")]).unwrap();
    let said = loaded
        .findings
        .iter()
        .find(|f| f.file == "rcpthosts")
        .unwrap();
    assert_eq!(said.weight, Weight::Warning);
}

#[test]
fn rcpthosts_matches_whole_and_by_suffix_in_file_and_cdb() {
    let keys = ["more.example", ".wild.example"];
    let more = crate::cdb::written(&keys.map(|key| (key.into(), Vec::new())));
    let hosts = RcptHosts::parse(Some(b"a.example\n.b.example\n"), Some(more.clone()));
    #[rustfmt::skip]
    let rows = [
        ("A.example", true), ("x.a.example", false), ("b.example", false), ("x.y.B.example", true),
        ("MORE.example", true), ("x.more.example", false), ("x.Wild.example", true),
        ("wild.example", false), ("", false), (".", false), ("example", false),
    ];
    for (domain, want) in rows {
        assert_eq!(hosts.allows_domain(domain.as_bytes()), Ok(want), "{domain}");
    }
    let alone = RcptHosts::parse(None, Some(more));
    assert_eq!(
        alone.allows_domain(b"more.example"),
        Ok(false),
        "no rcpthosts, no cdb"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_control_files_never_panic(
        texts in proptest::collection::vec(
            proptest::option::of("[a-z:@.#%\\[\\]0-9 \t\r\n\0\u{e9}-]{0,80}"), NAMES.len()),
        who in "[a-z@.%]{0,20}",
    ) {
        let loaded = Controls::load(|name| {
            let at = NAMES.iter().position(|n| *n == name).unwrap();
            Ok::<_, ()>(texts[at].clone().map(String::into_bytes))
        });
        if let Ok(Loaded { controls, findings, .. }) = loaded {
            let address = mta_core::Address::new(who).unwrap();
            let routed = controls.routing.route(&address);
            let _ = controls.routing.strip_prepend(&routed.address);
            let _ = controls.smtproutes.find(address.domain().unwrap_or_default());
            let _ = controls.rcpthosts.allows_domain(address.as_bytes());
            for finding in findings {
                prop_assert!(!finding.to_string().contains('\n'));
            }
        }
    }
}
