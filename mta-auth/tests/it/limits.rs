//! Limits files, quotas and the one decision about permissions (vmoddomlimits(8)).

use mta_auth::permission::{Actor, Denied, Operation, Refused, Resource, decide};
use mta_auth::{Flags, Limits, MaildirSize, Quota, Usage};
use mta_core::Unix;
use proptest::prelude::*;

#[test]
fn every_key_is_read_and_written_back() {
    let file = "maxpopaccounts: 10\nmaxaliases: 9\nmaxforwards: 8\nmaxautoresponders: 7\n\
        maxmailinglists: 0\nquota: 100\nmaxmsgcount: 10000\ndefault_quota: 10485760\n\
        default_maxmsgcount: 1000\ndisable_pop\ndisable_imap\ndisable_dialup\n\
        disable_password_changing\ndisable_webmail\ndisable_external_relay\ndisable_smtp\n\
        disable_spamassassin\ndelete_spam\ndisable_maildrop\nperm_account: 1\nperm_alias: 2\n\
        perm_forward: 3\nperm_autoresponder: 4\nperm_maillist: 373\nperm_quota: 6\n\
        perm_defaultquota: 7\n";
    let limits = Limits::parse(file.as_bytes());
    assert_eq!(limits.to_string(), file);
    assert_eq!(limits.max_mailing_lists, Some(0));
    assert_eq!(limits.default_quota().to_string(), "10485760S,1000C");
    assert_eq!(limits.domain_quota().to_string(), "104857600S,10000C");
    let denied = |resource| limits.denied.of(resource).bits();
    // 373 = 5 + 6 * 8 + 5 * 64
    assert_eq!(denied(Resource::MailingList), 5);
    assert_eq!(denied(Resource::MailingListUsers), 6);
    assert_eq!(denied(Resource::MailingListModerators), 5);
    assert_eq!(
        denied(Resource::Quota),
        6,
        "as the original's readers see it"
    );
}

#[test]
fn the_file_is_read_as_the_original_reads_it() {
    let rows: [(&str, &[u8], Limits); 8] = [
        ("nothing", b"", Limits::default()),
        (
            "comments",
            b"# maxforwards 1\n#disable_pop\n",
            Limits::default(),
        ),
        ("unlimited", b"maxforwards\t-1\n", Limits::default()),
        (
            "rubbish",
            b"\xff\x00\nmaxforwards\n: 7\n=\n maxforwards 3\n",
            Limits::default(),
        ),
        (
            "separators",
            b"maxforwards : \t:5",
            with(|l| l.max_forwards = Some(5)),
        ),
        (
            "a switch's value",
            b"disable_pop 0\r\n",
            with(|l| l.flags = Flags::NO_POP),
        ),
        (
            "text after a number",
            b"quota 10MB\n",
            with(|l| l.domain_megabytes = 10),
        ),
        (
            "the later line wins",
            b"quota 1\nquota 2\n",
            with(|l| l.domain_megabytes = 2),
        ),
    ];
    for (name, file, expected) in rows {
        assert_eq!(Limits::parse(file), expected, "{name}");
    }
}

fn with(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

#[test]
fn a_domains_limits_bind_whoever_does_not_override_them() {
    let limits = Limits::parse(b"disable_pop\ndisable_external_relay\n");
    let bound = limits.effective(Flags::NO_SMTP);
    assert!(bound.contains(Flags::NO_SMTP | Flags::NO_POP | Flags::NO_RELAY));
    assert_eq!(limits.effective(Flags::V_OVERRIDE), Flags::V_OVERRIDE);
}

#[test]
fn permissions_bind_by_rank() {
    let limits = Limits::parse(b"maxpopaccounts 2\nperm_account 5\n");
    let admin = Actor::of("joe", Flags::QA_ADMIN | Flags::V_OVERRIDE);
    let (postmaster, user) = (
        Actor::of("postmaster", Flags(0)),
        Actor::of("joe", Flags(0)),
    );
    let system = Actor::of("joe", Flags::SA_ADMIN);
    use Operation::{Create, Delete, Modify};
    let rows = [
        ("admin creates", admin, Create, 0, Err(Refused::Denied)),
        ("admin modifies", admin, Modify, 2, Ok(())),
        ("admin deletes", admin, Delete, 2, Err(Refused::Denied)),
        ("postmaster creates", postmaster, Create, 1, Ok(())),
        (
            "postmaster fills up",
            postmaster,
            Create,
            2,
            Err(Refused::Full(2)),
        ),
        ("postmaster deletes", postmaster, Delete, 2, Ok(())),
        ("a user", user, Modify, 0, Err(Refused::NotAdmin)),
        ("the system's", system, Create, 9, Ok(())),
    ];
    for (name, actor, operation, existing, expected) in rows {
        let decided = decide(&limits, actor, (operation, Resource::Account), existing);
        assert_eq!(decided, expected, "{name}");
    }
    assert_eq!(Denied::ALL.bits(), 7);
}

#[test]
fn quotas_are_normalised_as_vsetuserquota_does() {
    let rows = [
        ("1mb,20c", Some("1048576S,20C")),
        ("20C,1M", Some("1048576S,20C")),
        ("1000000", Some("1000000S")),
        ("10M", Some("10485760S")),
        ("5KB", Some("5120S")),
        ("5kbs", Some("5120S")),
        ("7C", Some("7C")),
        ("NOQUOTA", Some("NOQUOTA")),
        ("noquota", Some("NOQUOTA")),
        ("0S", Some("NOQUOTA")),
        ("", Some("NOQUOTA")),
        ("-1", None),
        ("1T", None),
        ("1,,2C", None),
        ("18446744073709551615M", None),
        ("lots", None),
    ];
    for (text, expected) in rows {
        let quota = Quota::parse(text.as_bytes()).ok().map(|q| q.to_string());
        assert_eq!(quota.as_deref(), expected, "{text}");
    }
}

#[test]
fn exactly_as_much_as_the_quota_fits() {
    let quota = Quota::parse(b"100S,2C").unwrap();
    let usage = |bytes, messages| Usage { bytes, messages };
    let rows = [
        (usage(100, 2), false, 100),
        (usage(101, 1), true, 100),
        (usage(1, 3), true, 100),
        (usage(89, 1), false, 89),
        (usage(10, 1), false, 50),
        (usage(0, 0), false, 0),
    ];
    for (usage, over, percent) in rows {
        assert_eq!(quota.is_over(usage), over, "{usage:?}");
        assert_eq!(quota.percent(usage), percent, "{usage:?}");
    }
    assert!(!Quota::NONE.is_over(usage(u64::MAX, u64::MAX)));
}

#[test]
fn maildirsize_is_a_quota_and_a_sum() {
    type Says = Option<(&'static str, u64, u64)>;
    let rows: [(&str, &[u8], Says); 9] = [
        ("plain", b"1000S\n10 1\n20 2\n", Some(("1000S", 30, 3))),
        ("no last LF", b"1000S,5C\n10 1", Some(("1000S,5C", 10, 1))),
        ("negative", b"1000S\n10 1\n-30 -2\n", Some(("1000S", 0, 0))),
        ("only a quota", b"10C\n", Some(("10C", 0, 0))),
        (
            "padded",
            b"1000S\n      10        1\n",
            Some(("1000S", 10, 1)),
        ),
        ("empty", b"", None),
        ("torn line", b"1000S\n10\n", None),
        ("three numbers", b"1000S\n1 2 3\n", None),
        ("no quota", b"quota\n1 1\n", None),
    ];
    for (name, file, expected) in rows {
        let read = MaildirSize::parse(file).ok();
        let read = read.map(|m| (m.quota.to_string(), m.usage.bytes, m.usage.messages));
        let expected = expected.map(|(q, b, m)| (q.to_owned(), b, m));
        assert_eq!(read, expected, "{name}");
    }
    assert!(MaildirSize::is_stale(5120, Unix(10), Unix(10)));
    assert!(MaildirSize::is_stale(10, Unix(10), Unix(911)));
    assert!(!MaildirSize::is_stale(5119, Unix(10), Unix(910)));
}

proptest! {
    #[test]
    fn any_bytes_are_limits_that_survive_being_written(file: Vec<u8>) {
        let limits = Limits::parse(&file);
        prop_assert_eq!(Limits::parse(limits.to_string().as_bytes()), limits);
    }

    #[test]
    fn keys_with_any_value_survive_being_written(
        key in prop::sample::select(vec!["quota", "maxforwards", "perm_maillist", "disable_pop", "default_quota"]),
        value in "[-+]?[0-9]{0,25}[a-z]?",
    ) {
        let limits = Limits::parse(format!("{key}: {value}\n").as_bytes());
        prop_assert_eq!(Limits::parse(limits.to_string().as_bytes()), limits);
    }

    #[test]
    fn any_bytes_are_a_maildirsize_or_an_error(file: Vec<u8>) {
        let _ = MaildirSize::parse(&file);
    }

    #[test]
    fn quotas_are_read_as_they_are_written(bytes in 0_u64.., messages in 0_u64..) {
        let quota = Quota {
            bytes: Some(bytes).filter(|&n| n != 0),
            messages: Some(messages).filter(|&n| n != 0),
        };
        prop_assert_eq!(Quota::parse(quota.to_string().as_bytes()), Ok(quota));
    }
}
