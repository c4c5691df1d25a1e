//! Control files, users/assign, cdb and dot-qmail of any content are read without a panic (qmail-control(5), qmail-users(5)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::assign::{self, Assign};
use mta_core::cdb::Cdb;
use mta_core::control::{Controls, Patterns};
use mta_fuzz::split;

fuzz_target!(|data: &[u8]| {
    let (which, text) = split(data, 1);
    let which = usize::from(which.first().copied().unwrap_or(0));
    let names = ["me", "locals", "rcpthosts", "virtualdomains", "smtproutes", "morercpthosts.cdb", "percenthack", "badmailfrom", "queuelifetime", "badhelo", "qmqpservers"];
    let chosen = names[which % names.len()];
    let read = |name: &str| -> Result<Option<Vec<u8>>, std::convert::Infallible> {
        Ok(if name == chosen { Some(text.to_vec()) } else { (name == "me").then(|| b"mx.example.org\n".to_vec()) })
    };
    // Lists of patterns are cut: compiling each line may take its whole allowance.
    let text = if chosen.starts_with("bad") { split(text, 500).0 } else { text };
    if let Ok(loaded) = Controls::load(read) {
        for finding in loaded.findings {
            let _ = finding.to_string();
        }
    }
    // A few lines only: compiling each may take its whole allowance.
    let (lines, _) = split(text, 500);
    let _ = Patterns::parse(lines).refusing(b"joe@host.example");
    if let Ok(file) = Assign::parse(text) {
        let again = Assign::parse(&file.to_bytes()).expect("what was written can be read");
        assert_eq!(file, again);
    }
    if let Ok(cdb) = Cdb::new(text) {
        let _ = cdb.check();
        let _ = cdb.find(b"key");
        assert!(cdb.iter().take(100_000).count() < 100_000);
        let _ = assign::lookup(&cdb, b"joe-list-owner");
    }
});
