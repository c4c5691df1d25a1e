//! qmail-pw2u, qmail-getpw, qmail-showctl and splogger.

use crate::kit::{Ended, Home};

fn ended(code: i32, out: &str, err: &str) -> Ended {
    Ended {
        code,
        out: out.to_owned(),
        err: err.to_owned(),
    }
}

const PASSWD: &str = "alias:x:7:8::/a:\nann:x:11:20:Ann:/ann:/bin/sh\n";

#[test]
fn pw2u_feeds_newu() {
    let home = Home::new();
    home.write("users/append", "=extra:ann:11:20:/ann:::\n");
    let got = home
        .run("qmail-pw2u")
        .args(["-H", "-c", "="])
        .input(PASSWD)
        .end();
    let want = "+:alias:7:8:/a:-::\n=alias:alias:7:8:/a:::\n+alias=:alias:7:8:/a:-::\n\
                =ann:ann:11:20:/ann:::\n+ann=:ann:11:20:/ann:-::\n=extra:ann:11:20:/ann:::\n.\n";
    assert_eq!(got, ended(0, want, ""));
    home.write("users/assign", &got.out);
    assert_eq!(home.run("qmail-newu").end(), ended(0, "", ""));
}

#[test]
fn pw2u_looks_at_homes_unless_told_not_to() {
    let home = Home::new();
    let own = home.path().display().to_string();
    let uid = std::os::unix::fs::MetadataExt::uid(&home.path().metadata().unwrap());
    if uid == 0 {
        // Nobody is root, so no home of ours can be a user's.
        std::os::unix::fs::chown(home.path(), Some(65_534), None).unwrap();
    }
    let uid = std::os::unix::fs::MetadataExt::uid(&home.path().metadata().unwrap());
    let passwd = format!("alias:x:{uid}:8::{own}:\nlost:x:12:20::/no/such:\n");
    let got = home.run("qmail-pw2u").input(passwd.clone()).end();
    assert_eq!(got.code, 0, "{got:?}");
    assert!(!got.out.contains("lost"), "{got:?}");
    let demanded = home.run("qmail-pw2u").args(["-h"]).input(passwd).end();
    assert_eq!(
        demanded,
        ended(111, "", "qmail-pw2u: fatal: unable to stat /no/such\n")
    );
}

#[test]
fn pw2u_tells_what_is_wrong() {
    let home = Home::new();
    let run = |args: &[&str], passwd: &str| home.run("qmail-pw2u").args(args).input(passwd).end();
    let no_alias = ended(111, "", "qmail-pw2u: fatal: unable to find alias user\n");
    assert_eq!(run(&[], ""), no_alias);
    assert_eq!(
        run(&["-x"], PASSWD),
        ended(100, "", "qmail-pw2u: illegal option -- x\n")
    );
    let option = ended(100, "", "qmail-pw2u: option requires an argument -- c\n");
    assert_eq!(run(&["-Hc"], PASSWD), option);
    home.write("users/subusers", "s:who:p:\n");
    let no_user = ended(
        111,
        "",
        "qmail-pw2u: fatal: unable to find who user for subuser\n",
    );
    assert_eq!(run(&["-H"], PASSWD), no_user);
    let lost = home.run("qmail-pw2u").env("MTA_HOME", "/no/such").end();
    assert_eq!(lost, ended(111, "", "qmail-pw2u: fatal: unable to chdir\n"));
}

#[test]
fn getpw_ends_each_of_six_fields_with_a_nul() {
    let home = Home::new();
    assert_eq!(home.run("qmail-getpw").end(), ended(100, "", ""));
    let alias = nix::unistd::User::from_name("alias").unwrap();
    for local in ["root", "no-such-user", "", "a\u{ff}b"] {
        let got = home.run("qmail-getpw").args([local]).end();
        match &alias {
            None => assert_eq!(got, ended(116, "", ""), "{local}"),
            Some(_) => {
                let fields: Vec<_> = got.out.split('\0').collect();
                assert_eq!(
                    (got.code, fields[0], fields[5]),
                    (0, "alias", local),
                    "{local}"
                );
            }
        }
    }
    // Any account that has a home of its own will do.
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let owned = passwd.lines().find_map(|line| {
        let user = nix::unistd::User::from_name(line.split(':').next()?).ok()??;
        let owner = std::os::unix::fs::MetadataExt::uid(&user.dir.metadata().ok()?);
        (owner == user.uid.as_raw() && owner != 0 && !user.name.contains('-')).then_some(user)
    });
    if let Some(user) = owned {
        let got = home
            .run("qmail-getpw")
            .args([format!("{}-Ext-x", user.name)])
            .end();
        let (uid, gid, dir) = (user.uid, user.gid, user.dir.display());
        assert_eq!(
            got.out,
            format!("{}\0{uid}\0{gid}\0{dir}\0-\0Ext-x\0", user.name)
        );
    }
}

#[test]
fn showctl_says_what_each_file_means() {
    let home = Home::new();
    let path = home.path().display().to_string();
    home.write("control/me", "mx.example.org\n");
    home.write("control/rcpthosts", "example.org\n# no\n.example.net\n");
    home.write("control/concurrencylocal", "25 deliveries\n");
    home.write("control/databytes", "none\n");
    home.write("control/helohost", "\x07odd\n");
    home.write("control/strange", "x\n");
    std::fs::create_dir(home.at("control/locals")).unwrap();
    let got = home.run("qmail-showctl").end();
    assert_eq!((got.code, got.err.as_str()), (0, ""));
    let head = format!(
        "qmail home directory: {path}.\nuser-ext delimiter: -.\npaternalism (in decimal): 2.\n\
         silent concurrency limit: 120.\nsubdirectory split: 23.\nuser ids: "
    );
    assert!(got.out.starts_with(&head), "{}", got.out);
    let wanted = [
        "\nbadmailfrom: (Default.) Any MAIL FROM is allowed.\n",
        "\nbouncefrom: (Default.) Bounce user name is MAILER-DAEMON.\n",
        "\nbouncehost: (Default.) Bounce host name is mx.example.org.\n",
        "\nconcurrencylocal: Local concurrency is 25.\n",
        "\ndatabytes: (Default.) SMTP DATA limit is 0 bytes.\n",
        "\nhelohost: SMTP client HELO host name is ?odd.\n",
        "\nlocals: Oops! Trouble reading this file.\n",
        "\nme: My name is mx.example.org.\n",
        "\nrcpthosts: \nSMTP clients may send messages to recipients at example.org.\n\
         SMTP clients may send messages to recipients at .example.net.\n",
        "\nmorercpthosts: (Default.) No effect.\n",
        "\nmorercpthosts.cdb: (Default.) No effect.\n",
        "\nstrange: I have no idea what this file does.\n",
    ];
    for text in wanted {
        assert!(got.out.contains(text), "{text} in {}", got.out);
    }
}

#[test]
fn showctl_says_where_nothing_can_be_read() {
    let home = Home::new();
    let lost = home.run("qmail-showctl").env("MTA_HOME", "/no/such").end();
    assert_eq!(lost.code, 111);
    assert!(
        lost.out.ends_with("\nOops! Unable to chdir to /no/such.\n"),
        "{lost:?}"
    );
    std::fs::remove_dir(home.at("control")).unwrap();
    let lost = home.run("qmail-showctl").end();
    assert!(
        lost.out.ends_with("\nOops! Unable to chdir to control.\n"),
        "{lost:?}"
    );
}

#[test]
fn showctl_knows_whether_morercpthosts_is_fresh() {
    let home = Home::new();
    let says = || {
        let out = home.run("qmail-showctl").end().out;
        let line = out
            .lines()
            .find_map(|line| line.strip_prefix("morercpthosts.cdb: "));
        line.unwrap().to_owned()
    };
    home.write("control/morercpthosts", "a.example\n");
    assert_eq!(
        says(),
        "Oops! morercpthosts exists but morercpthosts.cdb doesn't."
    );
    let listed = home.run("qmail-showctl").end().out;
    assert!(
        listed.contains("\nNo rcpthosts; doesn't matter that morercpthosts has a.example.\n"),
        "{listed}"
    );
    assert_eq!(home.run("qmail-newmrh").end().code, 0);
    assert_eq!(says(), "Modified recently enough; hopefully up to date.");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(home.at("control/morercpthosts"))
        .unwrap();
    file.set_modified(later).unwrap();
    assert_eq!(
        says(),
        "Oops! morercpthosts.cdb is older than morercpthosts."
    );
    std::fs::remove_file(home.at("control/morercpthosts")).unwrap();
    assert_eq!(
        says(),
        "Oops! morercpthosts.cdb exists but morercpthosts doesn't."
    );
}

#[test]
fn splogger_says_nothing_and_ends_with_its_input() {
    let home = Home::new();
    assert_eq!(
        home.run("splogger").args(["tag", "2"]).end(),
        ended(0, "", "")
    );
}

#[test]
fn checkpassword_tells_misuse_and_refusal_apart() {
    let rows = [
        ("no program", "", "printf 'joe\\0x\\0t\\0'", 2),
        (
            "no such user",
            "true",
            "printf 'no-such-user\\0x\\0t\\0'",
            1,
        ),
        ("root", "true", "printf 'root\\0x\\0t\\0'", 1),
        ("no name", "true", "printf '\\0x\\0t\\0'", 1),
        ("nothing", "true", "true", 2),
        ("cut", "true", "printf 'joe\\0x\\0t'", 2),
        ("two fields", "true", "printf 'joe\\0x\\0'", 2),
        ("too long", "true", "head -c 513 /dev/zero", 1),
        ("closed", "true 3<&- #", "true", 111),
    ];
    for (name, program, input, code) in rows {
        let home = Home::new();
        std::os::unix::fs::symlink(crate::kit::BINARY, home.at("bin/checkpassword")).unwrap();
        let line = format!("{input} | bin/checkpassword {program} 3<&0");
        let status = std::process::Command::new("/bin/sh")
            .args(["-c", &line])
            .current_dir(home.path())
            .status();
        assert_eq!(status.unwrap().code(), Some(code), "{name}");
    }
}
