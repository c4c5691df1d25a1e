//! The unit files are what systemd takes (systemd.service(5), systemd.socket(5), sysusers.d(5)).

use crate::need;
use mta_tests::{TempDir, mtad_binary, run};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let analyze = need!(
        "systemd_finds_nothing_wrong_with_the_units",
        "systemd-analyze"
    );
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/systemd");
    let dir = TempDir::new();
    let mtad = mtad_binary();
    let mut paths = Vec::new();
    for unit in ["mtad.service", "mtad.socket"] {
        let text = fs::read_to_string(contrib.join(unit)).unwrap();
        let text = text.replace("/usr/local/bin/mtad", &mtad.display().to_string());
        let path = dir.path().join(unit);
        fs::write(&path, text).unwrap();
        paths.push(path);
    }
    let mut command = Command::new(analyze);
    command.args(["verify", "--man=no"]).args(&paths);
    let ran = run(&mut command, b"");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let ours: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("mtad.s"))
        .collect();
    assert!(ours.is_empty() && ran.status.success(), "{said}");
}
