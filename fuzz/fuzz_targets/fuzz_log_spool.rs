//! Operations on the log spool with restarts, crashes and damage: what is promised is there, and nothing panics (docs/spool-log.md).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::ports::spool::MessageId;
use mta_core::rewrite::{Channel, Routed};
use mta_core::{Address, Envelope, Unix};
use mta_store::files::{Access, Files, OpenFile, SimFiles};
use mta_store::log::Log;
use mta_store::queue::Origin;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

const SEGMENT: u64 = 2048;

/// What was promised of one message.
#[derive(Debug, Default)]
struct Promise {
    size: usize,
    done: bool,
    bounce: bool,
    /// Its end was asked for; whether a crash undoes that is open.
    ended: bool,
}

type Promises = BTreeMap<MessageId, Promise>;

fn open(disk: &SimFiles) -> Log<SimFiles> {
    let opened = Log::open_with(Arc::new(disk.clone()), "/log", SEGMENT);
    opened.expect("a log opens whatever is in it").0
}

fn send(log: &Log<SimFiles>, size: usize) -> MessageId {
    let to = Address::new(&b"joe@example.org"[..]).unwrap();
    let envelope = Envelope { recipients: vec![to.into()], ..Envelope::default() };
    let mut draft = log.begin(Origin { uid: 1, pid: 2 });
    draft.write(&vec![b'x'; size]).unwrap();
    let mut route = |to: &Address| Routed { channel: Channel::Local, address: to.clone() };
    draft.commit(&envelope, Unix(1_000_000), &mut route).unwrap()
}

fn step(log: &Log<SimFiles>, op: u8, promises: &mut Promises) {
    let size = usize::from(op) * 3;
    match op % 6 {
        0 | 1 => {
            let id = send(log, size);
            promises.insert(id, Promise { size, ..Promise::default() });
        }
        2 => drop(log.tidy()),
        n => {
            let nth = usize::from(op / 6);
            let count = promises.len().max(1);
            let Some((&id, promise)) = promises.iter_mut().nth(nth % count) else { return };
            match n {
                3 => promise.done |= log.mark_done(id, &[0]).is_ok(),
                4 if promise.bounce => promise.bounce = log.clear_bounce(id).is_err(),
                4 => promise.bounce = log.append_bounce(id, b"<joe>:\nno\n\n").is_ok(),
                _ => promise.ended |= log.finish(id).is_ok(),
            }
        }
    }
}

fn compare(log: &Log<SimFiles>, promises: &Promises) {
    for (&id, promise) in promises {
        if promise.ended {
            continue;
        }
        let message = log.open_message(id).expect("what is promised is there");
        assert_eq!(message.len(), promise.size as u64);
        assert_eq!(log.pending(id, Channel::Local).unwrap().is_empty(), promise.done);
        assert_eq!(log.bounce(id).unwrap().is_some(), promise.bounce);
    }
}

fn damage(disk: &SimFiles, at: u8, value: u8) {
    let names = disk.names("/log".as_ref()).unwrap();
    let segments: Vec<_> = names.iter().filter(|n| n.to_string_lossy().ends_with(".seg")).collect();
    let Some(name) = segments.get(usize::from(at) % segments.len().max(1)) else { return };
    let file = disk.open(&PathBuf::from("/log").join(name), Access::ReadWrite).unwrap();
    let _ = file.write_all_at(&[value], u64::from(at) * 9);
    let _ = file.sync();
}

fuzz_target!(|data: &[u8]| {
    let mut disk = SimFiles::new();
    let mut log = open(&disk);
    let mut promises = Promises::new();
    let mut damaged = false;
    let mut ops = data.iter().copied().take(200);
    while let Some(op) = ops.next() {
        match op {
            250..=252 => {
                drop(log);
                log = open(&disk);
            }
            253..=254 => {
                let crash = disk.crash();
                drop(log);
                disk = crash.random(u64::from(ops.next().unwrap_or(0)));
                log = open(&disk);
            }
            255 => {
                let (at, value) = (ops.next().unwrap_or(0), ops.next().unwrap_or(0));
                damage(&disk, at, value);
                damaged = true;
            }
            op => step(&log, op, &mut promises),
        }
        if damaged {
            // Anything may be unreadable now, and says so.
            for &id in promises.keys() {
                let _ = (log.open_message(id), log.bounce(id), log.params(id));
            }
        } else {
            compare(&log, &promises);
        }
    }
});
