//! Records of checkpassword programs and what they tell: fields stay apart, and a cut is noticed (checkpassword's interface).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_auth::checkpassword::{MAX_RECORD, Record, variable};

fuzz_target!(|data: &[u8]| {
    if let Some(record) = Record::parse(data) {
        let written = record.encode().expect("what was read can be written");
        assert!(written.len() <= MAX_RECORD && data.starts_with(&written));
        assert_eq!(Record::parse(&written), Some(record));
        assert_eq!(Record::parse(&written[..written.len() - 1]), None, "a cut record");
    }
    let mut parts = data.splitn(3, |&b| b == 0xff);
    let mut part = || parts.next().unwrap_or_default();
    let record = Record { name: part(), password: part(), timestamp: part() };
    if let Some(written) = record.encode() {
        assert_eq!(Record::parse(&written), Some(record), "a field moved");
    }
    if let Some(value) = variable(data, "HOME") {
        assert!(!value.contains(&0));
        let line = [b"HOME=", value, b"\0"].concat();
        assert!(data.windows(line.len()).any(|window| window == line));
    }
});
