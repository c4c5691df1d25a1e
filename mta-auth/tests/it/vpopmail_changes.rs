//! Every change of a domain or an account leaves the old state or the new one, at a crash or a failing call (vmoduser(8), valias(8), vmoddomlimits(8)).

use crate::vpopmail::{Accounts, crypt, domain, fresh, mailbox, put};
use mta_auth::sasl::ScramKeys;
use mta_auth::vpopmail::{AccountError, AliasName, CatchAll, Domain, Layout, NewUser, Vpopmail};
use mta_auth::{Flags, Limits, Quota};
use mta_core::Unix;
use mta_store::files::sim::Fault;
use mta_store::files::{Files, SimFiles};
use mta_store::maildir::UniqueName;
use std::path::Path;
use std::sync::{Arc, OnceLock};

const STATES: usize = 24;

type Act = fn(&Accounts) -> Result<(), AccountError>;
type See = fn(&SimFiles, &Accounts) -> String;

fn found(accounts: &Accounts) -> Result<Domain, AccountError> {
    Ok(accounts.domain("old.test")?.unwrap())
}

fn old(accounts: &Accounts) -> Domain {
    found(accounts).unwrap()
}

fn alias(name: &str) -> AliasName {
    AliasName::parse(name.as_bytes()).unwrap()
}

fn unique() -> UniqueName<'static> {
    UniqueName {
        time: Unix(7),
        pid: 9,
        counter: 0,
        host: "mx",
    }
}

fn prepared() -> (Arc<SimFiles>, Accounts) {
    let (files, accounts) = fresh();
    accounts
        .add_domain(&domain("old.test"), &crypt("x"))
        .unwrap();
    let joe = NewUser::new(mailbox("joe"), crypt("x")).quota(Quota::parse(b"500S").unwrap());
    accounts.add_user(&domain("old.test"), &joe).unwrap();
    put(
        &files,
        "/h/domains/old.test/joe/Maildir/maildirsize",
        b"500S\n0 0\n",
    );
    let domain = old(&accounts);
    accounts
        .add_alias_line(&domain, &alias("first.last"), b"&joe@old.test")
        .unwrap();
    accounts
        .set_limits(&domain, &Limits::parse(b"maxforwards 3"))
        .unwrap();
    accounts
        .add_ip_map("192.0.2.9".parse().unwrap(), &self::domain("old.test"))
        .unwrap();
    files.settle();
    (files, accounts)
}

fn reopen(files: SimFiles) -> (Arc<SimFiles>, Accounts) {
    let files = Arc::new(files);
    let accounts = Vpopmail::new(Arc::clone(&files), Layout::in_one("/h", (89, 90)));
    (files, accounts)
}

fn joe(accounts: &Accounts) -> String {
    let joe = accounts.find("joe", "old.test").unwrap().unwrap();
    let listed = accounts.users(&domain("old.test")).unwrap();
    assert_eq!(listed.len(), 2, "nobody is lost");
    format!("{:?} {:?} {}", joe.flags, joe.gecos, joe.quota())
}

type Change = (&'static str, Act, See);

fn changes() -> Vec<Change> {
    [
        changes_of_accounts(),
        changes_of_maps(),
        changes_of_domains(),
    ]
    .concat()
}

/// The changes of a mailbox and of aliases, and what of them can be seen.
fn changes_of_accounts() -> Vec<Change> {
    vec![
        (
            "flags and description",
            |a| {
                a.edit_user(&domain("old.test"), &mailbox("joe"), |entry| {
                    entry.flags = Flags::NO_POP;
                    entry.gecos = b"Joe".to_vec();
                })
            },
            |_, a| joe(a),
        ),
        (
            "quota",
            |a| {
                let quota = Quota::parse(b"900S").unwrap();
                a.set_quota(&domain("old.test"), &mailbox("joe"), (quota, unique()))
            },
            |_, a| {
                let joe = a.find("joe", "old.test").unwrap().unwrap();
                let state = a.quota_state(&joe, unique()).unwrap().unwrap();
                assert_eq!(joe.quota(), state.quota, "account and maildirsize agree");
                joe.quota().to_string()
            },
        ),
        (
            "a weaker string hashed anew",
            |a| {
                let joe = a.find("joe", "old.test")?.unwrap();
                if joe.hash == crypt("anew").into_bytes() {
                    return Ok(());
                }
                a.rehash(&joe, &crypt("anew")).map(|_| ())
            },
            |_, a| {
                let joe = a.find("joe", "old.test").unwrap().unwrap();
                String::from_utf8(joe.hash).unwrap()
            },
        ),
        (
            "a line more in an alias",
            |a| a.add_alias_line(&found(a)?, &alias("first.last"), b"&b@old.test"),
            |_, a| format!("{:?}", a.aliases(&old(a)).unwrap()),
        ),
        (
            "a new alias",
            |a| a.add_alias_line(&found(a)?, &alias("info"), b"&joe@old.test"),
            |_, a| format!("{:?}", a.aliases(&old(a)).unwrap()),
        ),
        (
            "an alias less",
            |a| a.set_alias(&found(a)?, &alias("first.last"), &[]),
            |_, a| format!("{:?}", a.aliases(&old(a)).unwrap()),
        ),
    ]
}

/// The changes of maps and further ones of aliases, and what of them can be seen.
fn changes_of_maps() -> Vec<Change> {
    vec![
        (
            "a line less in an alias",
            |a| {
                a.remove_alias_line(&found(a)?, &alias("first.last"), b"&joe@old.test")
                    .map(|_| ())
            },
            |_, a| format!("{:?}", a.aliases(&old(a)).unwrap()),
        ),
        (
            "an address that leads to a domain",
            |a| a.add_ip_map("192.0.2.1".parse().unwrap(), &domain("old.test")),
            |_, a| format!("{:?}", a.ip_maps().unwrap()),
        ),
        (
            "an address that leads elsewhere",
            |a| a.add_ip_map("192.0.2.9".parse().unwrap(), &domain("else.test")),
            |_, a| format!("{:?}", a.ip_maps().unwrap()),
        ),
        (
            "an address that leads nowhere any more",
            |a| {
                a.remove_ip_map("192.0.2.9".parse().unwrap(), &domain("old.test"))
                    .map(|_| ())
            },
            |_, a| format!("{:?}", a.ip_maps().unwrap()),
        ),
        (
            "keys of SCRAM",
            |a| {
                let joe = a.find("joe", "old.test")?.unwrap();
                a.keep_scram_keys(&joe, &keys())
            },
            |_, a| {
                let joe = a.find("joe", "old.test").unwrap().unwrap();
                let found = a.scram_keys(&joe).unwrap();
                found.map_or_else(String::new, |keys| keys.to_string())
            },
        ),
    ]
}

fn keys() -> ScramKeys {
    static KEYS: OnceLock<ScramKeys> = OnceLock::new();
    let make = || ScramKeys::derive(b"x", b"salt", 4096).unwrap();
    KEYS.get_or_init(make).clone()
}

/// The changes of a domain, and what of them can be seen.
fn changes_of_domains() -> Vec<Change> {
    vec![
        (
            "limits",
            |a| a.set_limits(&found(a)?, &Limits::parse(b"disable_pop")),
            |_, a| a.limits(&old(a)).unwrap().to_string(),
        ),
        (
            "no limits",
            |a| a.remove_limits(&found(a)?).map(|_| ()),
            |_, a| a.limits(&old(a)).unwrap().to_string(),
        ),
        (
            "the default limits",
            |a| a.set_default_limits(&Limits::parse(b"disable_imap")),
            |_, a| a.default_limits().unwrap().to_string(),
        ),
        (
            "catch-all",
            |a| a.set_catch_all(&found(a)?, &CatchAll::Delete),
            |f, _| {
                let file = f.read(Path::new("/h/domains/old.test/.qmail-default"), 1000);
                String::from_utf8(file.unwrap()).unwrap()
            },
        ),
    ]
}

#[test]
fn a_crash_in_any_change_leaves_the_old_state_or_the_new_one() {
    for (name, act, see) in changes() {
        let (files, accounts) = prepared();
        let before = see(&files, &accounts);
        files.settle();
        files.record();
        act(&accounts).unwrap_or_else(|e| panic!("{name}: {e}"));
        let photos = files.photos();
        let after = see(&files, &accounts);
        assert_ne!(before, after, "{name}");
        let mut states = 0;
        for photo in photos {
            for crashed in photo.crash.some(STATES, photo.before) {
                let (files, accounts) = reopen(crashed);
                let seen = see(&files, &accounts);
                assert!(seen == before || seen == after, "{name}: {seen}");
                act(&accounts)
                    .or_else(already)
                    .unwrap_or_else(|e| panic!("{name} again: {e}"));
                assert_eq!(see(&files, &accounts), after, "{name} again");
                states += 1;
            }
        }
        assert!(states > 3, "{name}: {states} states");
        for crashed in files.crash().some(STATES, 3) {
            let (files, accounts) = reopen(crashed);
            assert_eq!(see(&files, &accounts), after, "{name} was reported");
        }
    }
}

fn already(error: AccountError) -> Result<(), AccountError> {
    match error {
        AccountError::AliasExists(_) => Ok(()),
        other => Err(other),
    }
}

#[test]
fn a_failing_call_in_any_change_leaves_the_old_state_or_the_new_one() {
    for (name, act, see) in changes() {
        let (files, accounts) = prepared();
        let before = see(&files, &accounts);
        let start = files.calls();
        act(&accounts).unwrap();
        let calls = files.calls() - start;
        let after = see(&files, &accounts);
        for fault in [Fault::Io, Fault::NoSpace] {
            for at in 1..=calls {
                let (files, accounts) = prepared();
                files.inject(files.calls() + at, fault);
                let done = act(&accounts);
                files.heal();
                let seen = see(&files, &accounts);
                assert!(
                    seen == before || seen == after,
                    "{name}: {fault:?} at {at}: {seen}"
                );
                assert!(seen == after || done.is_err(), "{name}: {fault:?} at {at}");
                act(&accounts).or_else(already).unwrap();
                assert_eq!(see(&files, &accounts), after, "{name} again");
            }
        }
    }
}

#[test]
fn an_alias_domain_is_there_whole_or_not_at_all() {
    let (files, accounts) = prepared();
    files.record();
    let (real, other) = (domain("old.test"), domain("alias.test"));
    accounts.add_alias_domain(&real, &other).unwrap();
    for photo in files.photos() {
        for crashed in photo.crash.some(STATES, photo.before) {
            let (_, accounts) = reopen(crashed);
            let found = accounts.find("joe", "alias.test").unwrap();
            let listed = accounts.domains().unwrap();
            if listed.iter().any(|d| d.name == "alias.test") {
                assert_eq!(found.unwrap().domain, "old.test");
            }
            match accounts.add_alias_domain(&real, &other) {
                Ok(()) | Err(AccountError::DomainExists(_)) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(accounts.find("joe", "alias.test").unwrap().is_some());
        }
    }
}

#[test]
fn a_failing_call_while_an_alias_domain_comes_or_goes_can_be_made_good() {
    let (real, other) = (domain("old.test"), domain("alias.test"));
    let add = |accounts: &Accounts| accounts.add_alias_domain(&real, &other);
    let remove = |accounts: &Accounts| accounts.remove_domain(&other);
    let taken = |files: &SimFiles| {
        let hosts = files.read(Path::new("/h/control/rcpthosts"), 9999).unwrap();
        hosts
            .split(|&b| b == b'\n')
            .any(|line| line == b"alias.test")
    };
    let calls_of = |act: &dyn Fn(&Accounts) -> Result<(), AccountError>, first: bool| {
        let (files, accounts) = prepared();
        if first {
            add(&accounts).unwrap();
        }
        let start = files.calls();
        act(&accounts).unwrap();
        files.calls() - start
    };
    for fault in [Fault::Io, Fault::NoSpace] {
        for at in 1..=calls_of(&add, false) {
            let (files, accounts) = prepared();
            files.inject(files.calls() + at, fault);
            let done = add(&accounts);
            files.heal();
            let whole = taken(&files);
            assert!(whole || done.is_err(), "{fault:?} at {at}");
            let joe = accounts.find("joe", "alias.test").unwrap();
            assert!(!whole || joe.is_some(), "{fault:?} at {at}");
            match add(&accounts) {
                Ok(()) | Err(AccountError::DomainExists(_)) => {}
                Err(error) => panic!("{fault:?} at {at}: {error}"),
            }
            assert!(taken(&files), "{fault:?} at {at}");
            assert!(accounts.find("joe", "alias.test").unwrap().is_some());
        }
        for at in 1..=calls_of(&remove, true) {
            let (files, accounts) = prepared();
            add(&accounts).unwrap();
            files.inject(files.calls() + at, fault);
            let done = remove(&accounts);
            files.heal();
            match remove(&accounts) {
                Ok(()) => {}
                Err(AccountError::NoSuchDomain(_)) if !taken(&files) => {}
                Err(error) => panic!("{fault:?} at {at} after {done:?}: {error}"),
            }
            assert!(!taken(&files), "{fault:?} at {at}");
            assert!(accounts.find("joe", "alias.test").unwrap().is_none());
            assert!(accounts.find("joe", "old.test").unwrap().is_some());
        }
    }
}

#[test]
fn a_domain_may_be_somebody_elses_and_go_again() {
    use mta_auth::vpopmail::NewDomain;
    let (files, accounts) = fresh();
    files.mkdir(Path::new("/home"), 0o755).unwrap();
    files.mkdir(Path::new("/home/ann"), 0o755).unwrap();
    let new = NewDomain::new(domain("ann.test"), crypt("x"))
        .owner((1001, 1002))
        .base("/home/ann".into())
        .catch_all_mailbox(mailbox("postmaster"));
    accounts.create_domain(&new).unwrap();
    let found = accounts.domain("ann.test").unwrap().unwrap();
    assert_eq!(found.dir, Path::new("/home/ann/domains/ann.test"));
    assert_eq!(found.owner, Some((1001, 1002)));
    assert_eq!(
        accounts.catch_all(&found).unwrap(),
        Some(CatchAll::Directory(
            "/home/ann/domains/ann.test/postmaster".into()
        ))
    );
    accounts.remove_domain(&domain("ann.test")).unwrap();
    assert!(
        !files
            .exists(Path::new("/home/ann/domains/ann.test"))
            .unwrap()
    );
    let root = NewDomain::new(domain("root.test"), crypt("x")).owner((0, 0));
    assert!(matches!(
        accounts.create_domain(&root),
        Err(AccountError::OwnerRoot)
    ));
}

#[test]
fn a_directory_that_is_no_placed_domain_is_never_removed() {
    let (files, accounts) = fresh();
    for (name, dir) in [
        ("etc.test", "/etc"),
        ("deep.test", "/h/domains/a/b/c/d/deep.test"),
    ] {
        let line = format!("+{name}-:{name}:89:90:{dir}:-::\n.\n");
        put(&files, "/h/users/assign", line.as_bytes());
        let _ = files.mkdir(Path::new("/h/domains"), 0o755);
        let removed = accounts.remove_domain(&domain(name));
        assert!(matches!(removed, Err(AccountError::Outside(_))), "{name}");
    }
}

#[test]
fn limits_bind_logins_and_passwords_unless_overridden() {
    use mta_auth::vpopmail::{Login, Refusal, Service};
    let (_, accounts) = prepared();
    let d = old(&accounts);
    accounts
        .set_limits(
            &d,
            &Limits::parse(b"disable_pop\ndisable_password_changing"),
        )
        .unwrap();
    let name = mta_auth::LoginName::parse(b"joe@old.test").unwrap();
    let verify = |service| accounts.verify(&name, b"x", service).unwrap();
    assert_eq!(verify(Service::Pop), Login::Refused(Refusal::Denied));
    assert!(matches!(verify(Service::Smtp), Login::Accepted(_)));
    let set = || accounts.set_password(&domain("old.test"), &mailbox("joe"), &crypt("x"));
    assert!(matches!(set(), Err(AccountError::PasswordFixed(_))));
    accounts
        .set_flags(&domain("old.test"), &mailbox("joe"), Flags::V_OVERRIDE)
        .unwrap();
    assert!(matches!(verify(Service::Pop), Login::Accepted(_)));
    set().unwrap();
}

#[test]
fn the_guides_file_name_is_read_and_a_domains_file_replaces_the_default() {
    let (files, accounts) = prepared();
    put(
        &files,
        "/h/etc/vlimits.default",
        b"maxforwards 9\ndefault_quota 77\n",
    );
    put(
        &files,
        "/h/domains/old.test/.qmailadmin-vlimits",
        b"maxaliases 4\n",
    );
    let d = old(&accounts);
    assert_eq!(
        accounts.limits(&d).unwrap().max_forwards,
        Some(3),
        "the right name wins"
    );
    accounts.remove_limits(&d).unwrap();
    assert_eq!(accounts.limits(&d).unwrap().max_forwards, Some(9));
    put(
        &files,
        "/h/domains/old.test/.qmailadmin-vlimits",
        b"maxaliases 4\n",
    );
    let limits = accounts.limits(&d).unwrap();
    assert_eq!((limits.max_aliases, limits.max_forwards), (Some(4), None));
    accounts.remove_limits(&d).unwrap();
    let ann = NewUser::new(mailbox("ann"), crypt("x"));
    accounts.add_user(&domain("old.test"), &ann).unwrap();
    let ann = accounts.find("ann", "old.test").unwrap().unwrap();
    assert_eq!(ann.quota, b"77S", "new mailboxes get the default");
}

#[test]
fn aliases_are_one_line_each_and_never_the_catch_all() {
    let (files, accounts) = prepared();
    let d = old(&accounts);
    let long = vec![b'a'; 160];
    for wrong in [&b""[..], b"  ", b"a\n|b", b"a\0b", &long] {
        let added = accounts.add_alias_line(&d, &alias("joe"), wrong);
        assert!(
            matches!(added, Err(AccountError::AliasLine)),
            "{}",
            wrong.escape_ascii()
        );
    }
    for wrong in [
        &b"default"[..],
        b"a/b",
        b"",
        b"a b",
        b"..%",
        "ä".as_bytes(),
        b"a:b",
        &long,
    ] {
        assert!(AliasName::parse(wrong).is_err(), "{}", wrong.escape_ascii());
    }
    let again = accounts.add_alias_line(&d, &alias("first.last"), b"&joe@old.test");
    assert!(matches!(again, Err(AccountError::AliasExists(_))));
    put(
        &files,
        "/h/domains/old.test/.qmail-list-default",
        b"|list\n",
    );
    let names: Vec<String> = accounts
        .aliases(&d)
        .unwrap()
        .iter()
        .map(|a| a.name.as_str().to_owned())
        .collect();
    assert_eq!(names, ["first.last", "list-default"]);
    assert!(
        files
            .exists(Path::new("/h/domains/old.test/.qmail-first:last"))
            .unwrap()
    );
    assert!(
        accounts
            .remove_alias_line(&d, &alias("first.last"), b"&joe@old.test")
            .unwrap()
    );
    assert!(
        !accounts
            .remove_alias_line(&d, &alias("first.last"), b"&joe@old.test")
            .unwrap()
    );
    assert!(
        !files
            .exists(Path::new("/h/domains/old.test/.qmail-first:last"))
            .unwrap()
    );
}
