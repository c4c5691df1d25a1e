//! Changing and showing accounts, aliases, quotas and limits (vmoduser(8), vuserinfo(8), valias(8), vmoddomlimits(8)).

use crate::kit::{Did, Home, Row, said};
use mta_auth::password::verify;

fn with_joe() -> Home {
    let home = Home::with_domain();
    home.quiet("vadduser", &["joe@example.org", "secret"]);
    home
}

fn line(home: &Home, name: &str) -> String {
    let file = home.text("domains/example.org/vpasswd");
    let line = file
        .lines()
        .find(|line| line.starts_with(&format!("{name}:")));
    line.unwrap().splitn(3, ':').nth(2).unwrap().to_owned()
}

#[test]
fn vmoduser_sets_flags_and_fields() {
    let home = with_joe();
    let dir = home.path().display();
    let rest = format!("{dir}/domains/example.org/joe");
    home.quiet("vmoduser", &["-pdb", "-c", "Joe", "joe@example.org"]);
    assert_eq!(line(&home, "joe"), format!("1:19:Joe:{rest}:NOQUOTA"));
    home.quiet("vmoduser", &["-s", "joe@example.org"]);
    assert_eq!(line(&home, "joe"), format!("1:2067:Joe:{rest}:NOQUOTA"));
    home.quiet(
        "vmoduser",
        &["-x", "-o", "-q", "1mb,20c", "joe@example.org"],
    );
    assert_eq!(
        line(&home, "joe"),
        format!("1:8192:Joe:{rest}:1048576S,20C")
    );
    assert_eq!(
        home.text("domains/example.org/joe/Maildir/maildirsize"),
        "1048576S,20C\n0 0\n"
    );
    home.quiet("vmoduser", &["-C", "changed", "joe@example.org"]);
    assert_eq!(verify(b"changed", home.stored("joe").as_bytes()), Ok(true));
    home.quiet("vmoduser", &["-x", "-a", "example.org"]);
    assert!(line(&home, "joe").starts_with("1:4096:"));
    assert!(line(&home, "postmaster").starts_with("1:4096:"));
}

const WRONG: &[Row] = &[
    (
        "unknown",
        &["-p", "ann@example.org"],
        255,
        "no such user ann@example.org\n",
    ),
    (
        "unknown domain",
        &["-p", "else.test"],
        245,
        "Error: Domain does not exist\n",
    ),
    (
        "relative home",
        &["-D", "joe", "joe@example.org"],
        236,
        "Error: bad character\n",
    ),
    (
        "climbing home",
        &["-D", "/a/../b", "joe@example.org"],
        236,
        "Error: bad character\n",
    ),
    (
        "no quota",
        &["-q", "lots", "joe@example.org"],
        255,
        "Error: a quota was expected",
    ),
    (
        "no crypt",
        &["-e", "clear", "joe@example.org"],
        238,
        "Error: Crypt failed\n",
    ),
    (
        "nobody",
        &["-p"],
        255,
        "vmoduser: usage: [options] email_addr or domain",
    ),
];

#[test]
fn vmoduser_refuses_what_does_not_fit() {
    let home = with_joe();
    let before = line(&home, "joe");
    for &(name, arguments, code, first) in WRONG {
        let did = home.run("vmoduser", arguments);
        assert_eq!(did.code, code, "{name}: {}", did.output);
        assert!(did.output.starts_with(first), "{name}: {}", did.output);
    }
    assert_eq!(line(&home, "joe"), before);
}

#[test]
fn quotas_are_set_for_one_and_for_all() {
    let home = with_joe();
    home.quiet("vsetuserquota", &["joe@example.org", "5k"]);
    assert!(line(&home, "joe").ends_with(":5120S"));
    home.quiet("vsetuserquota", &["example.org", "7C"]);
    assert!(line(&home, "joe").ends_with(":7C"));
    assert!(line(&home, "postmaster").ends_with(":7C"));
    home.quiet("vsetuserquota", &["joe@example.org", "NOQUOTA"]);
    assert!(
        !home
            .at("domains/example.org/joe/Maildir/maildirsize")
            .exists()
    );
    let unknown = said(245, "Error: Domain does not exist\n");
    assert_eq!(home.run("vsetuserquota", &["joe@else.test", "5k"]), unknown);
    let unknown = said(246, "Error: User does not exist\n");
    assert_eq!(
        home.run("vsetuserquota", &["ann@example.org", "5k"]),
        unknown
    );
}

#[test]
fn vuserinfo_shows_the_block_of_the_original() {
    let home = with_joe();
    home.write("domains/example.org/.qmailadmin-limits", "disable_imap\n");
    home.quiet("vmoduser", &["-p", "-q", "1000S", "joe@example.org"]);
    let dir = format!("{}/domains/example.org/joe", home.path().display());
    home.write("domains/example.org/joe/Maildir/new/1.x,S=250", "x");
    home.write(
        "domains/example.org/joe/Maildir/maildirsize",
        "1000S\n250 1\n",
    );
    let did = home.run("vuserinfo", &["joe@example.org"]);
    let stored = home.stored("joe");
    let expected = format!(
        "name:   joe\npasswd: {stored}\nclear passwd: \ncomment/gecos: joe\nuid:    1\n\
         gid:    2\nflags:  10\ngecos: joe\nlimits:\n        pop access closed\n        \
         imap access closed (*)\n        * = set by domain-wide limits\ndir:       {dir}\n\
         quota:     1000S\nusage:     25%\naccount created: "
    );
    assert!(did.output.starts_with(&expected), "{}", did.output);
    assert!(
        did.output.ends_with("last auth: Never logged in\n"),
        "{}",
        did.output
    );
    let fields = home.run("vuserinfo", &["-nugqQd", "joe@example.org"]);
    assert_eq!(fields, said(0, &format!("joe\n1\n2\n{dir}\n1000S\n25%\n")));
    home.write("domains/example.org/joe/lastauth", "192.0.2.7");
    let login = home.run("vuserinfo", &["-l", "joe@example.org"]);
    assert!(
        login.output.ends_with("\nlast auth ip: 192.0.2.7\n"),
        "{}",
        login.output
    );
    let all = home.run("vuserinfo", &["-D", "example.org", "-n"]);
    let rule = "-".repeat(42);
    assert_eq!(all, said(0, &format!("{rule}\njoe\n{rule}\npostmaster\n")));
    assert_eq!(
        home.run("vuserinfo", &["ann@example.org"]),
        said(255, "no such user ann@example.org\n")
    );
}

#[test]
fn vdominfo_shows_a_domain_and_its_aliases() {
    use std::os::unix::fs::MetadataExt;
    let home = with_joe();
    home.quiet("vaddaliasdomain", &["example.org", "alias.test"]);
    let stat = home.path().metadata().unwrap();
    let dir = format!("{}/domains/example.org", home.path().display());
    let (uid, gid) = (stat.uid(), stat.gid());
    let block = format!("uid:    {uid}\ngid:    {gid}\ndir:    {dir}\nusers:  2\n");
    let one = format!("domain: example.org\n{block}alias: alias.test\n");
    assert_eq!(home.run("vdominfo", &["example.org"]), said(0, &one));
    assert_eq!(home.run("vdominfo", &["alias.test"]), said(0, &one));
    let all = format!(
        "domain: alias.test (alias of example.org)\n{block}\ndomain: example.org\n{block}\n"
    );
    assert_eq!(home.run("vdominfo", &[]), said(0, &all));
    assert_eq!(
        home.run("vdominfo", &["-nt", "alias.test"]),
        said(0, "example.org\n2\nalias: alias.test\n")
    );
    assert_eq!(
        home.run("vdominfo", &["else.test"]),
        said(245, "Invalid domain name\n")
    );
}

#[test]
fn valias_inserts_shows_and_deletes() {
    let home = with_joe();
    home.quiet("valias", &["-i", "&joe@example.org", "info@example.org"]);
    home.quiet("valias", &["-i", "ann@far.test", "info@example.org"]);
    home.quiet("valias", &["-i", "|true", "first.last@example.org"]);
    assert_eq!(
        home.text("domains/example.org/.qmail-info"),
        "&joe@example.org\nann@far.test\n"
    );
    let info = "info@example.org -> &joe@example.org\ninfo@example.org -> ann@far.test\n";
    let both = format!("first.last@example.org -> |true\n{info}");
    assert_eq!(
        home.run("valias", &["-s", "info@example.org"]),
        said(0, info)
    );
    assert_eq!(home.run("valias", &["-s", "example.org"]), said(0, &both));
    assert_eq!(
        home.run("valias", &["-n", "example.org"]),
        said(0, "first.last\ninfo\n")
    );
    let again = home.run("valias", &["-i", "ann@far.test", "info@example.org"]);
    let exists = Did {
        code: 255,
        output: String::new(),
        errors: "Error: alias info@example.org -> ann@far.test already exists.\n".to_owned(),
    };
    assert_eq!(again, exists);
    home.quiet("valias", &["-d", "info@example.org"]);
    home.quiet("valias", &["-d", "info@example.org"]);
    assert_eq!(
        home.run("valias", &["-s", "info@example.org"]),
        said(255, "No aliases info@example.org found\n")
    );
    for wrong in [
        "default@example.org",
        "a/b@example.org",
        "-@..",
        "jö@example.org",
    ] {
        assert_ne!(
            home.run("valias", &["-i", "x@y.z", "--", wrong]).code,
            0,
            "{wrong}"
        );
    }
    assert!(
        home.text("domains/example.org/.qmail-default")
            .starts_with("| ")
    );
    let shadow = home.run("valias", &["-i", "x@y.z", "joe@example.org"]);
    assert_eq!(shadow.code, 0);
    assert!(
        shadow.errors.contains("no more to the mailbox"),
        "{}",
        shadow.errors
    );
}

#[test]
fn vmkpasswd_makes_the_database_of_the_lines() {
    let home = with_joe();
    std::fs::remove_file(home.at("domains/example.org/vpasswd.cdb")).unwrap();
    home.quiet("vmkpasswd", &["example.org"]);
    assert!(home.at("domains/example.org/vpasswd.cdb").exists());
    assert_eq!(home.run("vmkpasswd", &["else.test"]).code, 245);
}

#[test]
fn vmoddomlimits_changes_what_it_names_and_shows_all() {
    let home = with_joe();
    home.write("etc/vlimits.default", "maxforwards 9\n");
    let change = [
        "-P", "5", "-A", "-1", "-Q", "100", "-q", "10M", "-M", "7", "-m", "3",
    ];
    home.quiet(
        "vmoddomlimits",
        &[
            &change[..],
            &["-g", "pi", "-p", "cd", "-u", "a", "example.org"],
        ]
        .concat(),
    );
    let file = home.text("domains/example.org/.qmailadmin-limits");
    let expected = "maxpopaccounts: 5\nmaxaliases: -1\nmaxforwards: 9\nmaxautoresponders: -1\n\
        maxmailinglists: -1\nquota: 100\nmaxmsgcount: 7\ndefault_quota: 10485760\n\
        default_maxmsgcount: 3\ndisable_pop\ndisable_imap\nperm_account: 5\nperm_alias: 0\n\
        perm_forward: 0\nperm_autoresponder: 0\nperm_maillist: 56\nperm_quota: 0\n\
        perm_defaultquota: 0\n";
    assert_eq!(file, expected);
    let shown = home.run("vmoddomlimits", &["-S", "example.org"]).output;
    let first = "Domain: example.org\n--\nMax Pop Accounts: 5\nMax Aliases: -1\nMax Forwards: 9\n\
        Max Autoresponders: -1\nMax Mailinglists: -1\nGID Flags:\n  NO_IMAP\n  NO_POP\n\
        Flags (for commandline): ip\nFlags for non postmaster accounts:\n  \
        pop account:            DENY_CREATE  ALLOW_MODIFY DENY_DELETE  \n  \
        alias:                  ALLOW_CREATE ALLOW_MODIFY ALLOW_DELETE \n";
    assert!(shown.starts_with(first), "{shown}");
    let last = "Domain Quota: 100 MB\nDefault User Quota: 10485760 bytes\n\
        Max Domain Messages: 7\nDefault Max Messages per User: 3\n";
    assert!(shown.ends_with(last), "{shown}");
    assert_eq!(
        home.run("vmoddomlimits", &["-D", "example.org"]),
        said(0, "Limits deleted\n")
    );
    assert!(!home.at("domains/example.org/.qmailadmin-limits").exists());
    home.quiet("vmoddomlimits", &["-d", "-F", "2"]);
    assert!(
        home.text("etc/vlimits.default")
            .contains("maxforwards: 2\n")
    );
    assert_eq!(
        home.run("vmoddomlimits", &["-g", "pz", "example.org"]).code,
        255
    );
    assert_eq!(home.run("vmoddomlimits", &["-d", "-D"]).code, 255);
}
