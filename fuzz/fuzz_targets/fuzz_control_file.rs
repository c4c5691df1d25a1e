//! Control files, users/assign, cdb and dot-qmail of any content are read without a panic (qmail-control(5), qmail-users(5)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::assign::{self, Assign, Key};
use mta_core::cdb::Cdb;
use mta_core::control::{Controls, NAMES, Patterns};
use mta_core::tcpto::Table;
use mta_core::Unix;
use mta_fuzz::split;
use mta_store::cdb_writer;

/// Whoever users/assign names is found in the users/cdb that qmail-newu would make of it.
fn assigned(file: &Assign) {
    let bytes = cdb_writer::build(file.to_cdb_records()).expect("a small table fits");
    let cdb = Cdb::new(&bytes).expect("what was written can be read");
    cdb.check().expect("what was written is sound");
    for entry in file.entries().take(20) {
        let (Key::Exact(name) | Key::Wildcard(name)) = &entry.key;
        let (_, key) = assign::lookup_key(&cdb, name).expect("six fields").expect("it is there");
        assert!(file.line_of(&key).is_some());
        if matches!(entry.key, Key::Exact(_)) {
            assert_eq!(key, Key::Exact(name.to_ascii_lowercase()));
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let (which, text) = split(data, 1);
    let which = usize::from(which.first().copied().unwrap_or(0));
    let chosen = NAMES[which % NAMES.len()];
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
        assigned(&file);
    }
    if let Some(mut table) = Table::parse(text) {
        let (ip, size) = ([192, 0, 2, 1].into(), table.as_bytes().len());
        table.timed_out(ip, Unix(1000));
        let _ = table.advice(ip, Unix(2000), 1);
        table.answered(ip);
        assert_eq!(table.as_bytes().len(), size);
    }
    if let Ok(cdb) = Cdb::new(text) {
        let _ = cdb.check();
        let _ = cdb.find(b"key");
        assert!(cdb.iter().take(100_000).count() < 100_000);
        let _ = assign::lookup(&cdb, b"joe-list-owner");
    }
});
