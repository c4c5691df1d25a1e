//! Adding, changing and removing mailboxes as the originals do (vadduser(8), vpasswd(8), vdeluser(8)).

use crate::kit::{Home, Row, said};
use mta_auth::password::verify;

#[test]
fn vadduser_writes_the_line_of_the_original() {
    let home = Home::with_domain();
    home.quiet("vadduser", &["Joe@Example.org", "secret"]);
    home.quiet(
        "vadduser",
        &[
            "-q",
            "1mb,20c",
            "-c",
            "Ann: of",
            "ann@example.org",
            "secret",
        ],
    );
    home.quiet("vadduser", &["-n", "nop@example.org"]);
    let stored = "$1$zBH9xrzu$avSvfiVfbp3E5/TrgB.4m.";
    home.quiet("vadduser", &["-e", stored, "old@example.org"]);
    let dir = home.path().display();
    let file = home.text("domains/example.org/vpasswd");
    let lines: Vec<&str> = file.lines().collect();
    let rest = |line: &str| line.splitn(3, ':').nth(2).unwrap().to_owned();
    let joe = format!("1:0:joe:{dir}/domains/example.org/joe:NOQUOTA");
    let ann = format!("1:0:Ann of:{dir}/domains/example.org/ann:1048576S,20C");
    assert_eq!(rest(lines[0]), ann);
    assert_eq!(rest(lines[1]), joe);
    assert!(lines[2].starts_with("nop::1:0:nop:"));
    assert!(lines[3].starts_with(&format!("old:{stored}:1:0:old:")));
    assert_eq!(home.text("domains/example.org/joe/lastauth"), "0.0.0.0");
    assert_eq!(
        home.text("domains/example.org/.dir-control").lines().next(),
        Some("5")
    );
}

/// What is wrong, the arguments, the exit code and how the answer begins.
const WRONG_USERS: &[Row] = &[
    (
        "no domain",
        &["joe", "x"],
        255,
        "You did not use a full email address for the user name\n",
    ),
    (
        "unknown domain",
        &["joe@else.test", "x"],
        255,
        "Error: Domain does not exist\n",
    ),
    (
        "there already",
        &["postmaster@example.org", "x"],
        255,
        "Error: User already exists\n",
    ),
    (
        "one letter",
        &["j@example.org", "x"],
        255,
        "Error: Illegal username\n",
    ),
    ("climbing", &["../joe@example.org", "x"], 255, "Error: "),
    (
        "dots",
        &["jo..e@example.org", "x"],
        255,
        "Error: Illegal username\n",
    ),
    (
        "hyphen",
        &["--", "-joe@example.org", "x"],
        255,
        "Error: Illegal username\n",
    ),
    (
        "colon",
        &["jo:e@example.org", "x"],
        255,
        "Error: Illegal username\n",
    ),
    ("slash", &["jo/e@example.org", "x"], 255, "Error: "),
    (
        "UTF-8",
        &["jöe@example.org", "x"],
        255,
        "Error: Illegal username\n",
    ),
    (
        "account file",
        &["vpasswd@example.org", "x"],
        255,
        "Error: Illegal username\n",
    ),
    (
        "not crypt",
        &["-e", "clear", "joe@example.org"],
        238,
        "Error: Crypt failed\n",
    ),
    (
        "empty password",
        &["joe@example.org", ""],
        255,
        "Error: No password entered\n",
    ),
];

#[test]
fn vadduser_answers_errors_as_the_original_does() {
    let home = Home::with_domain();
    let before = home.text("domains/example.org/vpasswd");
    for &(name, arguments, code, first) in WRONG_USERS {
        let did = home.run("vadduser", arguments);
        assert_eq!(did.code, code, "{name}: {}", did.output);
        assert!(did.output.starts_with(first), "{name}: {}", did.output);
    }
    let long = format!("{}@example.org", "a".repeat(256));
    assert_eq!(home.run("vadduser", &[&long, "x"]).code, 231);
    let did = home.run_bytes("vadduser", &[b"j\xffe@example.org", b"x"]);
    assert_eq!(did.code, 255);
    assert_eq!(home.text("domains/example.org/vpasswd"), before);
}

#[test]
fn a_password_may_be_changed_unless_a_flag_forbids_it() {
    let home = Home::with_domain();
    home.quiet("vpasswd", &["postmaster@example.org", "changed"]);
    assert_eq!(
        verify(b"changed", home.stored("postmaster").as_bytes()),
        Ok(true)
    );
    let did = home.run("vpasswd", &["-r", "postmaster@example.org"]);
    let shown = did
        .output
        .strip_prefix("Random password: ")
        .unwrap()
        .trim_end();
    assert_eq!(
        verify(shown.as_bytes(), home.stored("postmaster").as_bytes()),
        Ok(true)
    );
    let illegal = said(255, "Error: Illegal username\n");
    assert_eq!(home.run("vpasswd", &["nobody@example.org", "x"]), illegal);
    home.write(
        "domains/example.org/.qmailadmin-limits",
        "disable_password_changing\n",
    );
    assert_eq!(
        home.run("vpasswd", &["postmaster@example.org", "x"]),
        illegal
    );
}

#[test]
fn vdeluser_removes_the_mail_and_keeps_what_the_domain_needs() {
    let home = Home::with_domain();
    home.quiet("vadduser", &["joe@example.org", "x"]);
    home.quiet("vdeluser", &["joe@example.org"]);
    assert!(!home.at("domains/example.org/joe").exists());
    assert_eq!(
        home.run("vdeluser", &["joe@example.org"]),
        said(246, "Error: User does not exist\n")
    );
    assert_eq!(
        home.run("vdeluser", &["joe@else.test"]),
        said(245, "Error: Domain does not exist\n")
    );
    assert_eq!(home.run("vdeluser", &["postmaster@example.org"]).code, 255);
    home.quiet("vadduser", &["ann@example.org", "x"]);
    let dir = home.path().display();
    let line = format!("| {dir}/bin/vdelivermail '' {dir}/domains/example.org/ann\n");
    home.write("domains/example.org/.qmail-default", &line);
    assert_eq!(
        home.run("vdeluser", &["ann@example.org"]),
        said(201, "Error: can't delete catchall account\n")
    );
}

#[test]
fn a_name_without_domain_is_in_the_default_domain() {
    let home = Home::with_domain();
    home.write("etc/defaultdomain", "example.org\n");
    home.quiet("vadduser", &["joe", "x"]);
    assert!(home.at("domains/example.org/joe/Maildir/new").is_dir());
}
