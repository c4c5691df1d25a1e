//! How the binary is called: names, --home, MTA_HOME, --install.

use crate::kit::{BINARY, Home};
use std::process::Command;

fn call(home: &Home, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(BINARY)
        .args(args)
        .current_dir(home.path())
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_home_is_named_before_the_applet() {
    let home = Home::new();
    let want = "messages in queue: 0\nmessages in queue but not yet preprocessed: 0\n";
    for args in [
        ["--home", ".", "qmail-qstat"].as_slice(),
        &["--home=.", "qmail-qstat"],
    ] {
        let got = call(&home, args);
        assert_eq!(got, (Some(0), want.to_owned(), String::new()), "{args:?}");
    }
    assert_eq!(call(&home, &["--home"]).0, Some(100));
    assert_eq!(call(&home, &["no-such-applet"]).0, Some(100));
    assert_eq!(call(&home, &[]).0, Some(100));
}

#[test]
fn install_makes_a_link_for_every_program() {
    let home = Home::new();
    std::fs::create_dir(home.at("links")).unwrap();
    let links = home.at("links").display().to_string();
    assert_eq!(
        call(&home, &["--install", &links]),
        (Some(0), String::new(), String::new())
    );
    for name in qmail::NAMES {
        let link = home.at("links").join(name);
        assert!(link.symlink_metadata().unwrap().is_symlink(), "{name}");
    }
    let called = Command::new(home.at("links/qmail-qstat"))
        .env("MTA_HOME", home.path())
        .output()
        .unwrap();
    assert!(called.status.success());
    assert!(called.stdout.starts_with(b"messages in queue: 0\n"));
}
