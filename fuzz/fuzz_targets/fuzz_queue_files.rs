//! A queue with garbage in its files: recovery puts it aside, and what is sound stays deliverable (qmail-send(8), INTERNALS).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::rewrite::{Channel, Routed};
use mta_core::{Address, Envelope, Unix};
use mta_fuzz::split;
use mta_store::files::{Access, Files, OpenFile, SimFiles};
use mta_store::queue::{Origin, Queue};
use std::path::PathBuf;
use std::sync::Arc;

fn envelope() -> Envelope {
    let to = Address::new(&b"joe@example.org"[..]).unwrap();
    Envelope { recipients: vec![to.into()], ..Envelope::default() }
}

fn overwrite(files: &SimFiles, path: &PathBuf, garbage: &[u8]) {
    if let Ok(file) = files.open(path, Access::ReadWrite) {
        let _ = file.truncate(0);
        let _ = file.append_all(garbage);
    } else if let Ok(file) = files.create_new(path, 0o600) {
        let _ = file.append_all(garbage);
    }
}

fuzz_target!(|data: &[u8]| {
    let (which, garbage) = split(data, 1);
    let which = which.first().copied().unwrap_or(0);
    let files = Arc::new(SimFiles::new());
    let queue = Queue::create(Arc::clone(&files), "/q").unwrap();
    let now = Unix(1_000_000);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut draft = queue.begin(Origin { uid: 1, pid: 2 }, now).unwrap();
        draft.write(b"Received: x\n\nbody\n").unwrap();
        ids.push(draft.commit(&envelope()).unwrap());
    }
    let mut route = |to: &Address| Routed { channel: Channel::Local, address: to.clone() };
    let (hurt, sound) = (ids[0], ids[1]);
    let layout = queue.layout();
    let target = match which % 6 {
        0 => layout.todo(hurt),
        1 => layout.intd(hurt),
        2 => layout.params(hurt),
        n => {
            let _ = queue.preprocess(hurt, now, &mut route);
            match n {
                3 => layout.info(hurt),
                4 => layout.channel(hurt, Channel::Local),
                _ => layout.bounce(hurt),
            }
        }
    };
    overwrite(&files, &target, garbage);
    queue.recover().expect("one bad file never stops the recovery");
    let _ = queue.preprocess(hurt, now, &mut route);
    let _ = queue.info(hurt);
    let _ = queue.params(hurt);
    let _ = queue.bounce(hurt);
    let _ = queue.pending(hurt, Channel::Local);
    queue.preprocess(sound, now, &mut route).expect("the sound message is untouched");
    assert_eq!(queue.pending(sound, Channel::Local).unwrap().len(), 1);
});
