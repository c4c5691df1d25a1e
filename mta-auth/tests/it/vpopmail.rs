//! An installation as the original tools would find it, byte for byte (vadddomain(8), vadduser(8), vchkpw(8)).

use mta_auth::password::{Salt, hash_with_rounds};
use mta_auth::vpopmail::{
    AccountError, Layout, Login, MAX_RCPTHOSTS, NewUser, Refusal, Service, Vpopmail,
};
use mta_auth::{DomainName, Flags, LoginName, MailboxName};
use mta_core::cdb::Cdb;
use mta_store::atomic::{Attributes, publish};
use mta_store::files::{Files, OpenFile, SimFiles};
use std::path::Path;
use std::sync::Arc;

pub(crate) type Accounts = Vpopmail<SimFiles>;

pub(crate) fn domain(name: &str) -> DomainName {
    DomainName::parse(name.as_bytes()).unwrap()
}

pub(crate) fn mailbox(name: &str) -> MailboxName {
    MailboxName::parse(name.as_bytes()).unwrap()
}

/// Cheap, because no test waits for hashing.
pub(crate) fn crypt(password: &str) -> String {
    hash_with_rounds(password.as_bytes(), Salt::from_random([3; 16]), 1000).unwrap()
}

pub(crate) fn fresh() -> (Arc<SimFiles>, Accounts) {
    let files = Arc::new(SimFiles::new());
    for dir in ["/h", "/h/control", "/h/users"] {
        files.mkdir(Path::new(dir), 0o755).unwrap();
    }
    files.settle();
    let accounts = Vpopmail::new(Arc::clone(&files), Layout::in_one("/h", (89, 90)));
    (files, accounts)
}

pub(crate) fn put(files: &SimFiles, path: &str, bytes: &[u8]) {
    publish(files, Path::new(path), bytes, Attributes::mode(0o644)).unwrap();
}

fn text(files: &SimFiles, path: &str) -> String {
    let bytes = files
        .read(Path::new(path), 1 << 20)
        .unwrap_or_else(|e| panic!("{path}: {e}"));
    String::from_utf8(bytes).unwrap()
}

fn names(files: &SimFiles, path: &str) -> Vec<String> {
    let names = files.names(Path::new(path)).unwrap();
    let names = names.iter().map(|n| n.to_string_lossy().into_owned());
    names.filter(|n| !n.ends_with(".lock")).collect()
}

#[test]
fn a_new_domain_writes_what_the_original_writes() {
    let (files, accounts) = fresh();
    put(
        &files,
        "/h/control/locals",
        b"mx.example.org\nexample.org\n",
    );
    put(
        &files,
        "/h/users/assign",
        b"=joe:joe:1000:1000:/home/joe:::\n.\n",
    );
    let stored = crypt("secret");
    accounts
        .add_domain(&domain("example.org"), &stored)
        .unwrap();
    let expected = [
        (
            "/h/users/assign",
            "=joe:joe:1000:1000:/home/joe:::\n+example.org-:example.org:89:90:/h/domains/example.org:-::\n.\n",
        ),
        ("/h/control/virtualdomains", "example.org:example.org\n"),
        ("/h/control/rcpthosts", "example.org\n"),
        ("/h/control/locals", "mx.example.org\n"),
        (
            "/h/domains/.dir-control",
            "1\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n\n",
        ),
        (
            "/h/domains/example.org/.dir-control",
            "1\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n\n",
        ),
        (
            "/h/domains/example.org/.qmail-default",
            "| /h/bin/vdelivermail '' bounce-no-mailbox\n",
        ),
        ("/h/domains/example.org/postmaster/lastauth", "0.0.0.0"),
    ];
    for (path, contents) in expected {
        assert_eq!(text(&files, path), contents, "{path}");
    }
}

#[test]
fn the_directory_of_a_new_domain_holds_its_postmaster() {
    let (files, accounts) = fresh();
    let stored = crypt("secret");
    accounts
        .add_domain(&domain("example.org"), &stored)
        .unwrap();
    let line =
        format!("postmaster:{stored}:1:0:Postmaster:/h/domains/example.org/postmaster:NOQUOTA\n");
    assert_eq!(text(&files, "/h/domains/example.org/vpasswd"), line);
    assert_eq!(
        names(&files, "/h/domains/example.org"),
        [
            ".dir-control",
            ".qmail-default",
            "postmaster",
            "vpasswd",
            "vpasswd.cdb"
        ]
    );
    let home = "/h/domains/example.org/postmaster";
    assert_eq!(names(&files, home), ["Maildir", "lastauth"]);
    assert_eq!(
        names(&files, &format!("{home}/Maildir")),
        ["cur", "new", "tmp"]
    );
    for (path, mode) in [
        ("/h/users/assign", 0o644),
        ("/h/control/rcpthosts", 0o644),
        ("/h/domains/example.org", 0o700),
        ("/h/domains/example.org/vpasswd", 0o600),
        ("/h/domains/example.org/postmaster/Maildir/new", 0o700),
    ] {
        assert_eq!(files.stat(Path::new(path)).unwrap().mode, mode, "{path}");
    }
}

#[test]
fn users_cdb_holds_the_keys_that_qmail_newu_writes() {
    let (files, accounts) = fresh();
    put(
        &files,
        "/h/users/assign",
        b"=joe:joe:1000:1000:/home/joe:::\n.\n",
    );
    accounts
        .add_domain(&domain("Example.ORG"), &crypt("x"))
        .unwrap();
    let bytes = files.read(Path::new("/h/users/cdb"), 1 << 20).unwrap();
    let records: Vec<_> = Cdb::new(&bytes)
        .unwrap()
        .iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        records,
        [
            (&b"!joe\0"[..], &b"joe\x001000\x001000\0/home/joe\0\0"[..]),
            (
                b"!example.org-",
                b"example.org\x0089\x0090\0/h/domains/example.org\0-\0"
            ),
            (b"", b"-"),
        ]
    );
    let bytes = files
        .read(Path::new("/h/domains/example.org/vpasswd.cdb"), 1 << 20)
        .unwrap();
    let data = Cdb::new(&bytes)
        .unwrap()
        .find(b"postmaster")
        .unwrap()
        .unwrap();
    let line = text(&files, "/h/domains/example.org/vpasswd");
    assert_eq!(
        format!("postmaster:{}\n", String::from_utf8_lossy(data)),
        line
    );
}

#[test]
fn owners_are_set_where_asked_for() {
    let (files, _) = fresh();
    let mut layout = Layout::in_one("/h", (89, 90));
    layout.chown = Some((89, 90));
    let accounts = Vpopmail::new(Arc::clone(&files), layout);
    accounts
        .add_domain(&domain("a.example"), &crypt("x"))
        .unwrap();
    for (path, uid) in [
        ("/h/domains/a.example", 89),
        ("/h/domains/a.example/vpasswd.cdb", 89),
        ("/h/domains/a.example/postmaster/Maildir/new", 89),
        ("/h/control/rcpthosts", 0),
        ("/h/users/cdb", 0),
    ] {
        assert_eq!(files.stat(Path::new(path)).unwrap().uid, uid, "{path}");
    }
}

#[test]
fn domains_stand_in_the_originals_order_and_move_to_morercpthosts() {
    let (files, accounts) = fresh();
    for name in ["mail.zed.test", "beta.test", "zed.test", "alpha.test"] {
        accounts.add_domain(&domain(name), &crypt("x")).unwrap();
    }
    let order = "alpha.test\nbeta.test\nzed.test\nmail.zed.test\n";
    assert_eq!(text(&files, "/h/control/rcpthosts"), order);
    let listed: Vec<_> = accounts
        .domains()
        .unwrap()
        .into_iter()
        .map(|d| d.name)
        .collect();
    assert_eq!(
        listed,
        ["alpha.test", "beta.test", "zed.test", "mail.zed.test"]
    );

    let many: String = (0..MAX_RCPTHOSTS)
        .map(|n| format!("d{n:02}.example\n"))
        .collect();
    put(&files, "/h/control/rcpthosts", many.as_bytes());
    accounts
        .add_domain(&domain("late.test"), &crypt("x"))
        .unwrap();
    assert_eq!(text(&files, "/h/control/rcpthosts"), many);
    assert_eq!(text(&files, "/h/control/morercpthosts"), "late.test\n");
    let bytes = files
        .read(Path::new("/h/control/morercpthosts.cdb"), 1 << 20)
        .unwrap();
    assert_eq!(
        Cdb::new(&bytes).unwrap().find(b"late.test").unwrap(),
        Some(&b""[..])
    );
    let again = accounts.add_domain(&domain("late.test"), &crypt("x"));
    assert!(matches!(again, Err(AccountError::DomainExists(_))));

    accounts.remove_domain(&domain("late.test")).unwrap();
    assert!(!files.exists(Path::new("/h/control/morercpthosts")).unwrap());
    assert!(
        !files
            .exists(Path::new("/h/control/morercpthosts.cdb"))
            .unwrap()
    );
}

#[test]
fn removal_takes_domain_aliases_and_files_away() {
    let (files, accounts) = fresh();
    let (real, alias) = (domain("real.test"), domain("alias.test"));
    accounts
        .add_domain(&domain("other.test"), &crypt("x"))
        .unwrap();
    accounts.add_domain(&real, &crypt("x")).unwrap();
    accounts.add_alias_domain(&real, &alias).unwrap();
    let found = accounts.find("postmaster", "alias.test").unwrap().unwrap();
    assert_eq!(found.address(), "postmaster@real.test");
    assert!(matches!(
        accounts.add_domain(&alias, &crypt("x")),
        Err(AccountError::DomainExists(_))
    ));
    let listed = accounts.domains().unwrap();
    assert_eq!(listed[0].name, "alias.test");
    assert_eq!(listed[0].alias_of.as_deref(), Some("real.test"));

    accounts.remove_domain(&real).unwrap();
    assert!(accounts.domain("real.test").unwrap().is_none());
    assert!(accounts.domain("alias.test").unwrap().is_none());
    assert!(!files.exists(Path::new("/h/domains/real.test")).unwrap());
    for (path, contents) in [
        (
            "/h/users/assign",
            "+other.test-:other.test:89:90:/h/domains/other.test:-::\n.\n",
        ),
        ("/h/control/virtualdomains", "other.test:other.test\n"),
        ("/h/control/rcpthosts", "other.test\n"),
    ] {
        assert_eq!(text(&files, path), contents, "{path}");
    }
    assert!(text(&files, "/h/domains/.dir-control").starts_with("1\n"));
    assert!(matches!(
        accounts.remove_domain(&real),
        Err(AccountError::NoSuchDomain(_))
    ));
    accounts.find("postmaster", "other.test").unwrap().unwrap();
}

#[test]
fn a_domain_outside_the_installation_is_never_removed() {
    let (files, accounts) = fresh();
    files.mkdir(Path::new("/precious"), 0o755).unwrap();
    for dir in ["/precious", "/h/domains/..", "/h/domains/../../precious"] {
        let line = format!("+x.test-:x.test:1:1:{dir}:-::\n.\n");
        put(&files, "/h/users/assign", line.as_bytes());
        files.mkdir(Path::new("/h/domains"), 0o755).ok();
        let removed = accounts.remove_domain(&domain("x.test"));
        assert!(matches!(removed, Err(AccountError::Outside(_))), "{dir}");
    }
    assert!(files.exists(Path::new("/precious")).unwrap());
}

#[test]
fn users_are_added_changed_and_removed() {
    let (files, accounts) = fresh();
    let d = domain("a.test");
    accounts.add_domain(&d, &crypt("x")).unwrap();
    let joe = NewUser::new(mailbox("joe"), crypt("one"))
        .gecos("Joe: Doe")
        .quota(mta_auth::Quota::parse(b"1000S").unwrap());
    accounts.add_user(&d, &joe).unwrap();
    assert!(matches!(
        accounts.add_user(&d, &joe),
        Err(AccountError::UserExists(_))
    ));
    let users: Vec<_> = accounts.users(&d).unwrap();
    assert_eq!(users[0].name, b"joe");
    assert_eq!(
        (&*users[0].gecos, &*users[0].quota),
        (&b"Joe Doe"[..], &b"1000S"[..])
    );
    let found = accounts.find("JOE", "A.test").unwrap().unwrap();
    assert_eq!(found.address(), "joe@a.test");
    assert_eq!(found.home, Path::new("/h/domains/a.test/joe"));
    assert_eq!(found.owner, Some((89, 90)));

    accounts
        .set_password(&d, &mailbox("joe"), &crypt("two"))
        .unwrap();
    assert_eq!(
        accounts.find("joe", "a.test").unwrap().unwrap().hash,
        crypt("two").into_bytes()
    );
    accounts
        .set_flags(&d, &mailbox("joe"), Flags::NO_PASSWD_CHNG)
        .unwrap();
    let fixed = accounts.set_password(&d, &mailbox("joe"), &crypt("three"));
    assert!(matches!(fixed, Err(AccountError::PasswordFixed(_))));

    accounts.remove_user(&d, &mailbox("joe")).unwrap();
    assert_eq!(accounts.find("joe", "a.test").unwrap(), None);
    assert!(!files.exists(Path::new("/h/domains/a.test/joe")).unwrap());
    assert!(text(&files, "/h/domains/a.test/.dir-control").starts_with("1\n"));
    let gone = accounts.remove_user(&d, &mailbox("joe"));
    assert!(matches!(gone, Err(AccountError::NoSuchUser(_))));
    assert_eq!(accounts.find("joe", "nowhere.test").unwrap(), None);
}

#[test]
fn the_hundredth_user_goes_into_a_hashed_directory_and_its_place_is_reused() {
    let (files, accounts) = fresh();
    let d = domain("a.test");
    accounts.add_domain(&d, &crypt("x")).unwrap();
    let add = |name: &str| {
        let user = NewUser::new(mailbox(name), crypt("x"));
        accounts.add_user(&d, &user).unwrap();
        accounts.find(name, "a.test").unwrap().unwrap().home
    };
    for n in 1..99 {
        assert_eq!(
            add(&format!("u{n:03}")),
            Path::new(&format!("/h/domains/a.test/u{n:03}"))
        );
    }
    assert_eq!(add("u099"), Path::new("/h/domains/a.test/0/u099"));
    assert_eq!(add("u100"), Path::new("/h/domains/a.test/0/u100"));
    accounts.remove_user(&d, &mailbox("u099")).unwrap();
    assert_eq!(text(&files, "/h/domains/a.test/.dir_control_free"), "0\n");
    assert_eq!(add("back"), Path::new("/h/domains/a.test/0/back"));
    assert_eq!(text(&files, "/h/domains/a.test/.dir_control_free"), "");
}

#[test]
fn what_belongs_to_somebody_is_left_alone() {
    let (files, accounts) = fresh();
    let d = domain("a.test");
    accounts.add_domain(&d, &crypt("x")).unwrap();
    files
        .mkdir(Path::new("/h/domains/a.test/list"), 0o700)
        .unwrap();
    put(&files, "/h/domains/a.test/list/editor", b"x");
    let list = NewUser::new(mailbox("list"), crypt("x"));
    assert!(matches!(
        accounts.add_user(&d, &list),
        Err(AccountError::HomeOccupied(_))
    ));

    put(
        &files,
        "/h/domains/a.test/.qmail-default",
        b"| /h/bin/vdelivermail '' /h/domains/a.test/postmaster\n",
    );
    let caught = accounts.remove_user(&d, &mailbox("postmaster"));
    assert!(matches!(caught, Err(AccountError::CatchAll(_))));

    let clear = NewUser::new(mailbox("clear"), "secret password".to_owned());
    assert!(matches!(
        accounts.add_user(&d, &clear),
        Err(AccountError::NotCrypt)
    ));
    let relative = Vpopmail::new(files, Layout::in_one("h", (1, 1)));
    let refused = relative.add_domain(&domain("b.test"), &crypt("x"));
    assert!(matches!(refused, Err(AccountError::RelativeHome(_))));
}

#[test]
fn logins_are_checked_and_noted() {
    let (_, accounts) = fresh();
    let d = domain("a.test");
    accounts.add_domain(&d, &crypt("x")).unwrap();
    accounts
        .add_user(&d, &NewUser::new(mailbox("joe"), crypt("right")))
        .unwrap();
    accounts
        .add_user(&d, &NewUser::new(mailbox("nopw"), String::new()))
        .unwrap();
    let login = |name: &str, password: &str, service| {
        let name = LoginName::parse(name.as_bytes()).unwrap();
        accounts
            .verify(&name, password.as_bytes(), service)
            .unwrap()
    };
    let Login::Accepted(joe) = login("Joe@A.test", "right", Service::Pop) else {
        panic!("the right password was refused");
    };
    assert_eq!(joe.address(), "joe@a.test");
    let refused = |login| match login {
        Login::Refused(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(login("joe@a.test", "wrong", Service::Pop)),
        Refusal::Password
    );
    assert_eq!(
        refused(login("joe@a.test", "", Service::Pop)),
        Refusal::Password
    );
    assert_eq!(
        refused(login("jim@a.test", "right", Service::Pop)),
        Refusal::NotFound
    );
    assert_eq!(
        refused(login("joe@b.test", "right", Service::Pop)),
        Refusal::NotFound
    );
    assert_eq!(
        refused(login("joe", "right", Service::Pop)),
        Refusal::NotFound
    );
    assert!(matches!(
        refused(login("nopw@a.test", "", Service::Pop)),
        Refusal::Stored(_)
    ));
}

#[test]
fn logins_without_domain_and_with_flags_are_judged_and_noted() {
    let (files, accounts) = fresh();
    let d = domain("a.test");
    accounts.add_domain(&d, &crypt("x")).unwrap();
    let user = NewUser::new(mailbox("joe"), crypt("right"));
    accounts.add_user(&d, &user).unwrap();
    let joe = accounts.find("joe", "a.test").unwrap().unwrap();
    let login = |name: &str, password: &str, service| {
        let name = LoginName::parse(name.as_bytes()).unwrap();
        accounts
            .verify(&name, password.as_bytes(), service)
            .unwrap()
    };
    files.mkdir(Path::new("/h/etc"), 0o755).unwrap();
    put(&files, "/h/etc/defaultdomain", b"a.test\n");
    assert!(matches!(
        login("joe", "right", Service::Pop),
        Login::Accepted(_)
    ));
    accounts
        .set_flags(&d, &mailbox("joe"), Flags::NO_POP)
        .unwrap();
    assert_eq!(
        login("joe@a.test", "right", Service::Pop),
        Login::Refused(Refusal::Denied)
    );
    assert!(matches!(
        login("joe@a.test", "right", Service::Smtp),
        Login::Accepted(_)
    ));

    accounts.note_login(&joe, "::ffff:192.0.2.1").unwrap();
    assert_eq!(text(&files, "/h/domains/a.test/joe/lastauth"), "192.0.2.1");
    accounts.note_login(&joe, "::1\n").unwrap();
    assert_eq!(text(&files, "/h/domains/a.test/joe/lastauth"), "::1_");
}

#[test]
fn trouble_with_files_is_never_an_unknown_user() {
    let (files, accounts) = fresh();
    let d = domain("a.test");
    accounts.add_domain(&d, &crypt("x")).unwrap();
    files
        .unlink(Path::new("/h/domains/a.test/vpasswd.cdb"))
        .unwrap();
    assert!(
        accounts.find("postmaster", "a.test").unwrap().is_some(),
        "it is made anew"
    );
    put(&files, "/h/domains/a.test/vpasswd.cdb", b"damaged");
    assert!(
        accounts
            .find("postmaster", "a.test")
            .unwrap_err()
            .is_temporary()
    );
    put(&files, "/h/users/cdb", b"damaged");
    assert!(accounts.find("postmaster", "a.test").is_err());
    put(&files, "/h/users/assign", b"no final dot\n");
    let damaged = accounts
        .add_domain(&domain("b.test"), &crypt("x"))
        .unwrap_err();
    assert!(matches!(damaged, AccountError::Damaged { .. }), "{damaged}");
    assert_eq!(text(&files, "/h/users/assign"), "no final dot\n");
}

#[test]
fn concurrent_edits_lose_nothing() {
    let (_, accounts) = fresh();
    let d = domain("a.test");
    accounts.add_domain(&d, &crypt("x")).unwrap();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (accounts, d) = (&accounts, &d);
            scope.spawn(move || {
                let user = NewUser::new(mailbox(&format!("user{n}")), crypt("x"));
                accounts.add_user(d, &user).unwrap();
                accounts
                    .add_domain(&domain(&format!("d{n}.test")), &crypt("x"))
                    .unwrap();
            });
        }
    });
    assert_eq!(accounts.users(&d).unwrap().len(), 9);
    assert_eq!(accounts.domains().unwrap().len(), 9);
    for n in 0..8 {
        assert!(
            accounts
                .find(&format!("user{n}"), "a.test")
                .unwrap()
                .is_some()
        );
    }
}

#[test]
fn the_lastauth_file_of_a_lost_home_is_no_reason_to_fail_twice() {
    let (files, accounts) = fresh();
    accounts.add_domain(&domain("a.test"), &crypt("x")).unwrap();
    let found = accounts.find("postmaster", "a.test").unwrap().unwrap();
    files.unlink(&found.home.join("lastauth")).unwrap();
    accounts.note_login(&found, "192.0.2.7").unwrap();
    let file = files
        .open(&found.home.join("lastauth"), mta_store::files::Access::Read)
        .unwrap();
    assert_eq!(file.read_all(100).unwrap(), b"192.0.2.7");
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn tinycdb_reads_what_we_write_on_the_real_disk() {
    use mta_store::files::RealFiles;
    let name = format!("vpopmail-{}", std::process::id());
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    for dir in ["control", "users"] {
        std::fs::create_dir_all(home.join(dir)).unwrap();
    }
    let layout = Layout::in_one(&home, (89, 90));
    let accounts = Vpopmail::new(Arc::new(RealFiles::new()), layout);
    let d = domain("a.test");
    let stored = crypt("x");
    accounts.add_domain(&d, &stored).unwrap();
    accounts
        .add_user(&d, &NewUser::new(mailbox("joe"), stored.clone()))
        .unwrap();
    let query = |path: &str, key: &str| {
        let cdb = std::process::Command::new("cdb")
            .arg("-q")
            .arg(home.join(path))
            .arg(key)
            .output();
        cdb.ok().map(|out| String::from_utf8(out.stdout).unwrap())
    };
    let shown = home.display();
    match query("domains/a.test/vpasswd.cdb", "joe") {
        Some(data) => {
            assert_eq!(
                data,
                format!("{stored}:1:0:joe:{shown}/domains/a.test/joe:NOQUOTA")
            );
            let data = query("users/cdb", "!a.test-").unwrap();
            assert_eq!(
                data,
                format!("a.test\x0089\x0090\0{shown}/domains/a.test\0-\0")
            );
        }
        None => eprintln!(
            "skipped tinycdb_reads_what_we_write_on_the_real_disk: tinycdb is not installed"
        ),
    }
    accounts.remove_domain(&d).unwrap();
    assert!(!home.join("domains/a.test").exists());
    std::fs::remove_dir_all(&home).unwrap();
}
