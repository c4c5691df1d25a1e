//! The cdb reader against the `cdb` crate's writer and against arbitrary bytes (spec §2.6).

use mta_core::cdb::{Cdb, hash};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Writes records with the `cdb` crate and returns the file's bytes.
pub(crate) fn written(records: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.cdb").to_string_lossy().into_owned();
    let mut writer = cdb::CDBWriter::create(path.as_str()).unwrap();
    for (key, data) in records {
        writer.add(key, data).unwrap();
    }
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

fn records() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    let short = || proptest::collection::vec(any::<u8>(), 0..6);
    proptest::collection::vec((short(), short()), 0..40)
}

#[test]
fn hashes_are_the_known_ones() {
    assert_eq!(hash(b""), 5381);
    assert_eq!(hash(b"a"), (5381 * 33) ^ 97);
}

#[test]
fn a_huge_slot_count_ends_the_look_up() {
    let mut bytes = written(&[(b"key".to_vec(), b"data".to_vec())]);
    for at in (4..2048).step_by(8) {
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    }
    assert!(Cdb::new(&bytes).unwrap().find(b"key").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_the_cdb_crate_writes_is_found(records in records()) {
        let bytes = written(&records);
        let cdb = Cdb::new(&bytes).unwrap();
        let mut first = BTreeMap::new();
        for (key, data) in &records {
            first.entry(key).or_insert(data);
        }
        for (key, data) in first {
            prop_assert_eq!(cdb.find(key).unwrap(), Some(data.as_slice()));
        }
        let walked: Vec<_> = cdb.iter().map(Result::unwrap).collect();
        let given: Vec<_> = records.iter().map(|(k, d)| (k.as_slice(), d.as_slice())).collect();
        prop_assert_eq!(walked, given);
        prop_assert_eq!(cdb.find(b"longer than any key"), Ok(None));
        cdb.check().unwrap();
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        pointers in proptest::collection::vec(any::<u8>(), 2048),
        rest in proptest::collection::vec(any::<u8>(), 0..400),
        key in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let bytes = [pointers, rest].concat();
        let cdb = Cdb::new(&bytes).unwrap();
        let _ = cdb.find(&key);
        let _ = cdb.check();
        prop_assert!(cdb.iter().count() <= bytes.len());
    }

    #[test]
    fn a_damaged_file_never_panics(
        records in records(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = written(&records);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(2048.max(cut.index(bytes.len() + 1)));
        let cdb = Cdb::new(&bytes).unwrap();
        for (key, _) in &records {
            let _ = cdb.find(key);
        }
        let _ = cdb.check();
    }
}
