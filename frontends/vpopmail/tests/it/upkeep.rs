//! Bulletins, mailboxes nobody uses, passwords changed by their owners, the hook (vpopbull(8), vdeloldusers(8), vchangepw(8)).

use crate::kit::{Home, said};
use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

const DAY: u64 = 86_400;

fn with_two() -> Home {
    let home = Home::with_domain();
    for name in ["joe@example.org", "ann@example.org"] {
        home.quiet("vadduser", &[name, "secret"]);
    }
    home
}

fn new_mail(home: &Home, name: &str) -> Vec<String> {
    let dir = home.at(&format!("domains/example.org/{name}/Maildir/new"));
    let entries = std::fs::read_dir(dir).unwrap();
    entries
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn a_bulletin_comes_into_every_mailbox_but_the_excluded() {
    let home = with_two();
    home.write("bulletin", "Subject: hello\n\nbody\n");
    home.write("none", "ANN@example.org\n");
    home.write(
        "domains/example.org/joe/Maildir/maildirsize",
        "1000S\n0 0\n",
    );
    let (file, none) = (home.at("bulletin"), home.at("none"));
    let (file, none) = (file.to_str().unwrap(), none.to_str().unwrap());
    let did = home.run("vpopbull", &["-V", "-f", file, "-e", none, "example.org"]);
    assert_eq!(did, said(0, "joe@example.org\npostmaster@example.org\n"));
    let date = "Date: Tue, 14 Nov 2023 22:13:20 +0000\n";
    let text = format!("To: joe@example.org\n{date}Subject: hello\n\nbody\n");
    assert_eq!(new_mail(&home, "joe"), std::slice::from_ref(&text));
    assert!(new_mail(&home, "ann").is_empty());
    let sum = home.text("domains/example.org/joe/Maildir/maildirsize");
    assert_eq!(sum, format!("1000S\n0 0\n{} 1\n", text.len()));
    let dir = home.at("domains/example.org/joe/Maildir/new");
    let entry = std::fs::read_dir(&dir).unwrap().next().unwrap().unwrap();
    assert_eq!(
        entry.metadata().unwrap().uid(),
        dir.metadata().unwrap().uid()
    );
}

#[test]
fn a_bulletin_with_a_date_keeps_it_and_can_be_linked() {
    let mut home = with_two();
    home.write("bulletin", "date: long ago\n\nDate: in the body\n");
    let file = home.at("bulletin");
    let file = file.to_str().unwrap();
    home.quiet("vpopbull", &["-f", file]);
    let text = "To: joe@example.org\ndate: long ago\n\nDate: in the body\n";
    assert_eq!(new_mail(&home, "joe"), [text]);
    home.quiet("vpopbull", &["-h", "-f", file, "example.org"]);
    assert_eq!(std::fs::metadata(file).unwrap().nlink(), 4);
    // Another second: another process would have another name.
    home.now += 1;
    home.quiet("vpopbull", &["-s", "-f", file, "example.org"]);
    assert_eq!(new_mail(&home, "joe").len(), 3);
}

#[test]
fn a_bulletin_says_what_is_missing() {
    let home = with_two();
    let listed = "ann@example.org\njoe@example.org\npostmaster@example.org\n";
    assert_eq!(home.run("vpopbull", &["-n", "-V"]), said(0, listed));
    home.write("empty", "");
    let empty = home.at("empty");
    let empty = empty.to_str().unwrap();
    let rows: [(&str, &[&str], &str); 4] = [
        (
            "no file",
            &["example.org"],
            "Error: email_file not specified",
        ),
        ("empty", &["-f", empty], "is empty"),
        ("missing", &["-f", "/nonexistent/x"], "Could not open file"),
        (
            "domain",
            &["-n", "else.test"],
            "Error: domain else.test does not exist",
        ),
    ];
    for (name, arguments, words) in rows {
        let did = home.run("vpopbull", arguments);
        assert_eq!(did.code, 255, "{name}");
        assert!(did.errors.contains(words), "{name}: {}", did.errors);
    }
    assert!(new_mail(&home, "joe").is_empty());
}

/// Makes it so many days since a mailbox was logged in to.
fn age(home: &Home, name: &str, days: u64) {
    let path = home.at(&format!("domains/example.org/{name}/lastauth"));
    let time = UNIX_EPOCH + Duration::from_secs(home.now - days * DAY);
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

#[test]
fn old_mailboxes_go_only_where_that_is_said() {
    let home = with_two();
    for (name, days) in [("postmaster", 999), ("joe", 181), ("ann", 180)] {
        age(&home, name, days);
    }
    let dry = " ** no users were deleted  **\n ** use -D to delete users **\n";
    let listed = "joe@example.org\nskipping postmaster@example.org\n";
    let did = home.run("vdeloldusers", &["-V", "-d", "example.org"]);
    assert_eq!(did, said(0, &format!("{listed}{dry}")));
    assert!(home.at("domains/example.org/joe").exists());
    let did = home.run("vdeloldusers", &["-a", "200", "-e", "-D"]);
    assert_eq!(did, said(0, "no old users found\n"));
    home.quiet("vdeloldusers", &["-e", "-D"]);
    assert!(!home.at("domains/example.org/joe").exists());
    assert!(home.at("domains/example.org/ann").exists());
    assert!(home.at("domains/example.org/postmaster").exists());
    std::fs::remove_file(home.at("domains/example.org/ann/lastauth")).unwrap();
    let did = home.run("vdeloldusers", &["-a", "0", "-e", "-D"]);
    assert_eq!(did, said(0, "no old users found\n"), "nothing tells");
    let rows: [(&[&str], &str); 3] = [
        (&[], "vdeloldusers: usage: "),
        (
            &["-D"],
            "error: you must supply either the -e or -d [domain] options\n",
        ),
        (
            &["-e", "-a", "many"],
            "Error: -a: expected a number, found many\n",
        ),
    ];
    for (arguments, words) in rows {
        let did = home.run("vdeloldusers", arguments);
        assert_eq!(did.code, 255, "{arguments:?}");
        assert!(did.output.starts_with(words), "{}", did.output);
    }
}

#[test]
fn a_mailbox_that_gets_the_domains_other_mail_stays() {
    let home = with_two();
    home.write(
        "domains/example.org/.qmail-default",
        "| /vp/bin/vdelivermail '' joe@example.org\n",
    );
    age(&home, "joe", 400);
    let did = home.run("vdeloldusers", &["-e", "-D"]);
    let text = "skipping joe@example.org: it is the catchall account\n";
    assert_eq!(did, said(0, text));
    assert!(home.at("domains/example.org/joe").exists());
}

#[test]
fn a_password_is_changed_by_who_knows_the_old_one() {
    let mut home = with_two();
    home.input = "Joe@Example.org\n";
    home.answers = vec!["wrong"];
    let before = home.stored("joe");
    let asked = "Please enter the email address: Joe@Example.org\n";
    let failed = format!("{asked}Error: authentication failed!\n");
    assert_eq!(home.run("vchangepw", &[]), said(3, &failed));
    home.input = "eve@example.org\n";
    let did = home.run("vchangepw", &[]);
    assert_eq!(did.code, 3);
    assert!(did.output.ends_with("\nError: authentication failed!\n"));
    assert_eq!(home.stored("joe"), before);
    home.input = "joe@example.org\n";
    home.answers = vec!["secret", "new one", "new one"];
    let changed =
        "Please enter the email address: joe@example.org\nPassword successfully changed.\n";
    assert_eq!(home.run("vchangepw", &[]), said(0, changed));
    let after = home.stored("joe");
    assert_eq!(
        mta_auth::password::verify(b"new one", after.as_bytes()),
        Ok(true)
    );
    home.quiet("vmoduser", &["-d", "joe@example.org"]);
    home.answers = vec!["new one", "third", "third"];
    assert_eq!(home.run("vchangepw", &[]).code, 255, "it is fixed");
    home.input = "";
    assert_eq!(home.run("vchangepw", &[]).code, 0, "nobody there");
    assert_eq!(home.stored("joe"), after);
}

#[test]
fn the_hook_hears_of_every_change_where_that_is_wanted() {
    let home = Home::with_domain();
    let heard = home.at("etc/heard");
    let script = format!("#!/bin/sh\necho \"$@\" >>{}\n", heard.display());
    home.write("etc/onchange", &script);
    let script = home.at("etc/onchange");
    std::fs::set_permissions(script, Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    home.quiet("vadduser", &["a1@example.org", "secret"]);
    assert!(!heard.exists(), "it is not wanted");
    home.write("etc/vpopmail.conf", "onchange-script=y\n");
    home.quiet("vadduser", &["joe@example.org", "secret"]);
    home.quiet("vpasswd", &["joe@example.org", "other"]);
    home.quiet("valias", &["-i", "&joe $(id)", "al@example.org"]);
    home.quiet("valias", &["-d", "al@example.org"]);
    home.quiet("vdeluser", &["joe@example.org"]);
    home.quiet("vadddomain", &["second.test", "secret"]);
    home.quiet("vaddaliasdomain", &["second.test", "third.test"]);
    home.quiet("vdeldomain", &["third.test"]);
    assert_eq!(home.run("vdeluser", &["eve@example.org"]).code, 246);
    assert_eq!(
        home.text("etc/heard"),
        "add_user joe@example.org\nmod_user joe@example.org\n\
         valias_insert al@example.org &joe $(id)\nvalias_delete al@example.org\n\
         del_user joe@example.org\nadd_domain second.test\n\
         add_alias_domain third.test second.test\ndel_domain third.test\n"
    );
    home.write("etc/onchange", "#!/bin/sh\nexit 1\n");
    let did = home.run("vadduser", &["joe@example.org", "secret"]);
    assert_eq!(did.code, 0);
    assert!(
        did.errors.contains("did not exit gracefully"),
        "{}",
        did.errors
    );
}
