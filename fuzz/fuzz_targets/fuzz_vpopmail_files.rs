//! vpasswd, limits, maildirsize, open-smtp, settings and .qmail-default of any content are read without a panic (vpopmail(8)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_auth::open_smtp::OpenSmtp;
use mta_auth::vpopmail::CatchAll;
use mta_auth::{Limits, MaildirSize, Quota, Settings, Usage, dir_control::DirControl, vpasswd};
use mta_core::Unix;

fuzz_target!(|data: &[u8]| {
    // One is enough: each edit copies the file.
    if let Some(entry) = vpasswd::entries(data).next() {
        let file = vpasswd::with(data, &entry);
        assert_eq!(vpasswd::find(&file, &entry.name).as_ref(), Some(&entry));
        assert!(vpasswd::find(&vpasswd::without(&file, &entry.name), &entry.name).is_none());
    }
    let limits = Limits::parse(data);
    assert_eq!(Limits::parse(limits.to_string().as_bytes()), limits);
    if let Ok(size) = MaildirSize::parse(data) {
        let _ = size.quota.is_over(size.usage.plus(Usage::message(u64::MAX)));
        assert!(size.quota.percent(size.usage) <= 100);
    }
    if let Ok(quota) = Quota::parse(data) {
        assert_eq!(Quota::parse(quota.to_string().as_bytes()), Ok(quota));
    }
    let mut open = OpenSmtp::parse(data);
    assert_eq!(OpenSmtp::parse(&open.format()), open);
    open.expire(Unix(u64::MAX), u64::MAX);
    let _ = Settings::parse(data);
    if let Some(action) = CatchAll::parse_file(data) {
        let _ = action.to_line("/vp".as_ref());
    }
    if let Ok(control) = DirControl::parse(data) {
        assert_eq!(DirControl::parse(&control.format()), Ok(control));
    }
});
