//! Databases that we write are those of tinycdb, byte for byte (cdb(5)).

use crate::files::Scratch;
use mta_core::cdb::Cdb;
use mta_store::atomic::Attributes;
use mta_store::cdb_file;
use mta_store::cdb_writer::{CdbError, MAX_PIECE, build, publish};
use mta_store::files::{Access, Files, OpenFile, SimFiles};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

type Records = Vec<(Vec<u8>, Vec<u8>)>;

fn tables() -> Vec<(&'static str, Records)> {
    let many = (0..2000_u32).map(|n| {
        let key = format!("user{n}").into_bytes();
        let data = vec![b'x'; n as usize % 300];
        (key, data)
    });
    vec![
        ("empty", Vec::new()),
        ("one", vec![(b"joe".to_vec(), b"data".to_vec())]),
        (
            "empty key",
            vec![(b"joe".to_vec(), Vec::new()), (Vec::new(), b"-".to_vec())],
        ),
        (
            "binary",
            vec![(b"!a-\0".to_vec(), b"a\x001\x002\0/h\0-\0".to_vec())],
        ),
        (
            "twice",
            vec![
                (b"k".to_vec(), b"1".to_vec()),
                (b"k".to_vec(), b"2".to_vec()),
            ],
        ),
        (
            "longest",
            vec![(vec![b'k'; MAX_PIECE], vec![b'd'; MAX_PIECE])],
        ),
        ("many", many.collect()),
    ]
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn databases_equal_those_of_tinycdb() {
    let scratch = Scratch::new();
    for (name, records) in tables() {
        let path = scratch.0.join("x.cdb");
        let made = Command::new("cdb")
            .args(["-c", "-t", "-"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn();
        let Ok(mut child) = made else {
            eprintln!("skipped databases_equal_those_of_tinycdb: tinycdb is not installed");
            return;
        };
        let mut input = Vec::new();
        for (key, data) in &records {
            input.extend(format!("+{},{}:", key.len(), data.len()).bytes());
            input.extend_from_slice(key);
            input.extend_from_slice(b"->");
            input.extend_from_slice(data);
            input.push(b'\n');
        }
        input.push(b'\n');
        child.stdin.take().unwrap().write_all(&input).unwrap();
        assert!(child.wait().unwrap().success(), "{name}");
        let theirs = std::fs::read(&path).unwrap();
        assert!(build(records).unwrap() == theirs, "{name}: bytes differ");
    }
}

#[test]
fn our_reader_finds_every_record() {
    for (name, records) in tables() {
        let bytes = build(records.clone()).unwrap();
        let cdb = Cdb::new(&bytes).unwrap();
        cdb.check().unwrap();
        for (key, data) in &records {
            let first = records.iter().find(|(k, _)| k == key).map(|(_, d)| d);
            let found = cdb.find(key).unwrap();
            assert_eq!(found, first.map(Vec::as_slice), "{name} {}", data.len());
        }
    }
}

#[test]
fn a_piece_that_the_encoder_could_cut_is_refused() {
    let long = vec![b'x'; MAX_PIECE + 1];
    assert!(matches!(
        build([(&b"k"[..], &long[..])]),
        Err(CdbError::Piece)
    ));
    assert!(matches!(
        build([(&long[..], &b"d"[..])]),
        Err(CdbError::Piece)
    ));
}

#[test]
fn a_published_database_survives_every_crash() {
    let files = SimFiles::new();
    let path = Path::new("/x.cdb");
    publish(&files, path, [(b"k", b"1")], Attributes::mode(0o644)).unwrap();
    files.record();
    publish(&files, path, [(b"k", b"2")], Attributes::mode(0o644)).unwrap();
    let reads = |after: &SimFiles| {
        let bytes = after.read(path, 10_000).unwrap();
        Cdb::new(&bytes)
            .unwrap()
            .find(b"k")
            .unwrap()
            .unwrap()
            .to_vec()
    };
    for photo in files.photos() {
        for after in photo.crash.some(500, photo.before) {
            let found = reads(&after);
            assert!(found == b"1" || found == b"2", "before {:?}", photo.call);
        }
    }
    for after in files.crash().some(500, 1) {
        assert_eq!(reads(&after), b"2");
    }
}

#[test]
fn single_look_ups_agree_and_survive_damage() {
    for (name, records) in tables() {
        let files = SimFiles::new();
        let path = Path::new("/x.cdb");
        publish(&files, path, records.clone(), Attributes::mode(0o644)).unwrap();
        let file = files.open(path, Access::Read).unwrap();
        for (key, _) in &records {
            let first = records
                .iter()
                .find(|(k, _)| k == key)
                .map(|(_, d)| d.clone());
            assert_eq!(
                cdb_file::find(&file, key, MAX_PIECE).unwrap(),
                first,
                "{name}"
            );
        }
        assert_eq!(
            cdb_file::find(&file, b"nobody", 10).unwrap(),
            None,
            "{name}"
        );
        let whole = files.read(path, 1 << 20).unwrap();
        let file = files.open(path, Access::ReadWrite).unwrap();
        for at in (0..whole.len()).step_by(97) {
            file.write_all_at(&[0xff; 4], at as u64).unwrap();
            for (key, _) in records.iter().take(3) {
                let _ = cdb_file::find(&file, key, MAX_PIECE);
            }
        }
        file.truncate(100).unwrap();
        assert!(cdb_file::find(&file, b"k", 10).is_err(), "{name}, cut");
    }
}
