//! Adding, naming and removing domains as the originals do (vadddomain(8), vaddaliasdomain(8), vdeldomain(8)).

use crate::kit::{Home, Row, said};
use mta_auth::password::verify;
use std::os::unix::process::CommandExt;
use std::process::Command;

#[test]
fn vadddomain_leaves_the_files_of_the_original() {
    let home = Home::new();
    home.write("control/locals", "example.org\nmx.example.org\n");
    home.quiet("vadddomain", &["Example.ORG", "secret"]);
    let dir = home.path().display();
    let (owner, group) = {
        use std::os::unix::fs::MetadataExt;
        let stat = home.path().metadata().unwrap();
        (stat.uid(), stat.gid())
    };
    let rows = [
        (
            "users/assign",
            format!("+example.org-:example.org:{owner}:{group}:{dir}/domains/example.org:-::\n.\n"),
        ),
        (
            "control/virtualdomains",
            "example.org:example.org\n".to_owned(),
        ),
        ("control/rcpthosts", "example.org\n".to_owned()),
        ("control/locals", "mx.example.org\n".to_owned()),
        (
            "domains/example.org/.qmail-default",
            format!("| {dir}/bin/vdelivermail '' bounce-no-mailbox\n"),
        ),
    ];
    for (path, contents) in rows {
        assert_eq!(home.text(path), contents, "{path}");
    }
    let stored = home.stored("postmaster");
    assert_eq!(verify(b"secret", stored.as_bytes()), Ok(true));
    use std::os::unix::fs::MetadataExt;
    for path in [
        "domains",
        "domains/example.org/vpasswd",
        "domains/example.org/postmaster/Maildir/new",
    ] {
        assert_eq!(home.at(path).metadata().unwrap().uid(), owner, "{path}");
    }
}

#[test]
fn a_password_that_is_not_given_is_asked_for_twice() {
    let mut home = Home::new();
    home.answers = vec!["one", "other", "secret", "secret"];
    let did = home.run("vadddomain", &["example.org"]);
    assert_eq!(did, said(0, "Passwords do not match, try again\n"));
    assert_eq!(
        verify(b"secret", home.stored("postmaster").as_bytes()),
        Ok(true)
    );
    home.answers = vec!["one", "other"];
    let did = home.run("vadduser", &["joe@example.org"]);
    assert_eq!(did.code, 255);
    assert!(!home.at("domains/example.org/joe").exists());
}

#[test]
fn a_made_up_password_is_shown_once() {
    let home = Home::new();
    for (option, length) in [("-r", 12), ("-r20", 20)] {
        let did = home.run("vadddomain", &[option, &format!("d{length}.test")]);
        let shown = did
            .output
            .strip_prefix("Random password: ")
            .unwrap()
            .trim_end();
        assert_eq!((did.code, shown.len()), (0, length), "{option}");
        let file = home.text(&format!("domains/d{length}.test/vpasswd"));
        let stored = file.split(':').nth(1).unwrap();
        assert_eq!(
            verify(shown.as_bytes(), stored.as_bytes()),
            Ok(true),
            "{option}"
        );
    }
    let did = home.run("vadddomain", &["-r", "x.test", "given"]);
    assert_eq!(
        did,
        said(
            255,
            "Error: don't use -r option when giving password on command line\n"
        )
    );
    assert_eq!(home.run("vadddomain", &["-r129", "x.test"]).code, 229);
    assert_eq!(home.run("vadddomain", &["-r0", "x.test"]).code, 255);
}

/// What is wrong, the arguments, the exit code and how the answer begins.
const WRONG_DOMAINS: &[Row] = &[
    (
        "there already",
        &["example.org", "x"],
        243,
        "Error: Domain already exists\n",
    ),
    ("short", &["ab", "x"], 244, "Error: Invalid domain name\n"),
    ("dots", &["a..b", "x"], 244, "Error: Invalid domain name\n"),
    (
        "climbing",
        &["../../etc", "x"],
        244,
        "Error: Invalid domain name\n",
    ),
    (
        "hyphen",
        &["--", "-a.test", "x"],
        244,
        "Error: Invalid domain name\n",
    ),
    (
        "UTF-8",
        &["exämple.org", "x"],
        244,
        "Error: Invalid domain name\n",
    ),
    (
        "colon",
        &["a:b.org", "x"],
        244,
        "Error: Invalid domain name\n",
    ),
    (
        "no such account",
        &["-u", "nobody-here", "b.test", "x"],
        255,
        "Error: user nobody-here not found in /etc/passwd\n",
    ),
    (
        "no number",
        &["-i", "x", "-g", "1", "b.test", "x"],
        255,
        "Error: -i: expected a number, found x\n",
    ),
];

#[test]
fn vadddomain_answers_errors_as_the_original_does() {
    let home = Home::with_domain();
    for &(name, arguments, code, first) in WRONG_DOMAINS {
        let did = home.run("vadddomain", arguments);
        assert_eq!(did.code, code, "{name}: {}", did.output);
        assert!(did.output.starts_with(first), "{name}: {}", did.output);
    }
    let long = "a".repeat(256);
    assert_eq!(home.run("vadddomain", &[&long, "x"]).code, 230);
    assert_eq!(
        home.run_bytes("vadddomain", &[b"a\xff.org", b"x"]).code,
        244
    );
    assert_eq!(home.run("vadddomain", &["b.test", ""]).code, 255);
    let usage = home.run("vadddomain", &[]);
    assert_eq!(usage.code, 0);
    assert!(
        usage
            .output
            .starts_with("vadddomain: usage: vadddomain [options]")
    );
    assert_eq!(home.text("control/rcpthosts"), "example.org\n");
}

#[test]
fn catch_alls_of_vadddomain_are_addresses_and_mailboxes() {
    let home = Home::new();
    home.quiet("vadddomain", &["-e", "ann@far.test", "one.test", "x"]);
    home.quiet("vadddomain", &["-e", "postmaster", "two.test", "x"]);
    home.quiet("vadddomain", &["-b", "-q", "10M,5C", "three.test", "x"]);
    let dir = home.path().display();
    let line = |action: &str| format!("| {dir}/bin/vdelivermail '' {action}\n");
    let file = |name: &str| home.text(&format!("domains/{name}/.qmail-default"));
    assert_eq!(file("one.test"), line("ann@far.test"));
    assert_eq!(
        file("two.test"),
        line(&format!("{dir}/domains/two.test/postmaster"))
    );
    assert_eq!(file("three.test"), line("bounce-no-mailbox"));
    assert!(
        home.text("domains/three.test/vpasswd")
            .ends_with(":10485760S,5C\n")
    );
    for wrong in ["a';rm@x.y", "a b@x.y", "../x", "$(id)@x.y", "x/y"] {
        let did = home.run("vadddomain", &["-e", wrong, "four.test", "x"]);
        assert_eq!(did.code, 236, "{wrong}");
    }
    assert_eq!(
        home.run("vadddomain", &["-q", "lots", "four.test", "x"])
            .code,
        255
    );
    assert!(!home.at("domains/four.test").exists());
}

#[test]
fn an_alias_is_found_in_either_order_and_goes_alone() {
    let home = Home::with_domain();
    home.quiet("vaddaliasdomain", &["example.org", "one.test"]);
    home.quiet("vaddaliasdomain", &["two.test", "example.org"]);
    let rows: [(&[&str], u8, &str); 4] = [
        (
            &["one.test", "example.org"],
            255,
            "Error: Both domains already exist, unable to create alias.\n",
        ),
        (
            &["x.test", "y.test"],
            255,
            "Error: Neither 'x.test' or 'y.test'  exist, unable to create alias.\n",
        ),
        (
            &["x.test", "x.test"],
            255,
            "Error: real domain and alias domain are the same!\n",
        ),
        (
            &["x.test"],
            255,
            "vaddaliasdomain: usage: [options] real_domain alias_domain\n",
        ),
    ];
    for (arguments, code, first) in rows {
        let did = home.run("vaddaliasdomain", arguments);
        assert_eq!(did.code, code, "{arguments:?}");
        assert!(
            did.output.starts_with(first),
            "{arguments:?}: {}",
            did.output
        );
    }
    let did = home.run("vdeldomain", &["example.org"]);
    let warning = "Warning: Alias domains exist:\n   one.test\n   two.test\n   \
        use -f to force delete of domain and all aliases\n";
    assert_eq!(did, said(0, warning));
    home.quiet("vdeldomain", &["two.test"]);
    assert_eq!(
        home.text("control/virtualdomains"),
        "example.org:example.org\none.test:one.test\n"
    );
    let did = home.run("vdeldomain", &["-f", "example.org"]);
    assert_eq!(
        did,
        said(0, "Warning: Alias domains deleted:\n   one.test\n")
    );
    assert_eq!(home.text("users/assign"), ".\n");
    assert_eq!(home.text("control/rcpthosts"), "");
    assert!(!home.at("domains/example.org").exists());
    assert_eq!(
        home.run("vdeldomain", &["example.org"]),
        said(245, "Error: Domain does not exist\n")
    );
}

#[test]
fn programs_are_installed_under_their_names_and_run_under_them() {
    let home = Home::with_domain();
    let bin = home.at("bin");
    std::fs::create_dir(&bin).unwrap();
    let binary = env!("CARGO_BIN_EXE_vpopmail");
    let installed = Command::new(binary)
        .arg("--install")
        .arg(&bin)
        .status()
        .unwrap();
    assert!(installed.success());
    for name in vpopmail::NAMES {
        assert!(bin.join(name).is_symlink(), "{name}");
    }
    let output = Command::new(binary)
        .arg0("vdeldomain")
        .args(["-v", "nobody.test"])
        .env_clear()
        .env("MTA_HOME", home.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(245));
    let text = String::from_utf8(output.stdout).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        text,
        format!("version: {version}\nError: Domain does not exist\n")
    );
}

#[test]
fn the_two_homes_may_be_parted() {
    let (vpopmail, qmail) = (Home::new(), Home::new());
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_vpopmail"))
            .args(arguments)
            .env_clear()
            .env("MTA_HOME", "/nonexistent")
            .env("VPOPMAIL_HOME", vpopmail.path())
            .env("QMAIL_HOME", qmail.path())
            .status()
            .unwrap()
    };
    assert!(run(&["vadddomain", "example.org", "secret"]).success());
    assert!(vpopmail.at("domains/example.org/vpasswd").exists());
    assert_eq!(qmail.text("control/rcpthosts"), "example.org\n");
    assert!(!vpopmail.at("control/rcpthosts").exists());
}

#[test]
fn an_unknown_option_changes_nothing() {
    let home = Home::with_domain();
    let did = home.run("vdeldomain", &["-z", "example.org"]);
    assert_eq!(did.code, 255);
    assert!(
        did.errors
            .starts_with("vdeldomain: invalid option -- 'z'\n"),
        "{}",
        did.errors
    );
    assert!(home.at("domains/example.org").exists());
}
