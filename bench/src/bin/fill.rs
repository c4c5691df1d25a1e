//! Fills a queue with preprocessed messages, each of one remote recipient (INTERNALS §2, state S5).
//!
//! `fill QUEUE COUNT [linked]` — nothing is synced, and nobody may be using the queue. `linked` shares
//! envelope files between messages and leaves bodies empty: a million then take little room on disk.
//! `fill LOG COUNT log` fills a log.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measuring tool run by hand: it stops with what went wrong"
)]

use mta_core::ports::spool::MessageId;
use mta_core::rewrite::{Channel, Routed};
use mta_core::{Address, Envelope, Unix};
use mta_store::files::RealFiles;
use mta_store::log::Log;
use mta_store::queue::{Layout, Origin, QueueError};
use std::fs::{File, hard_link, rename, write};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

/// How many names one file gets; file systems allow about 65,000.
const LINKS: u64 = 50_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let count: u64 = arguments[2].parse().unwrap();
    if arguments.get(3).is_some_and(|word| word == "log") {
        return fill_log(&arguments[1], count);
    }
    let layout = Layout::new(&arguments[1]);
    let linked = arguments.get(3).is_some_and(|word| word == "linked");
    let body: &[u8] = match linked {
        true => b"",
        false => {
            b"Received: (qmail 1 invoked by uid 0); 1 Jan 2026 00:00:00 -0000\nSubject: x\n\nbody\n"
        }
    };
    let mut shared = None;
    for n in 0..count {
        let begun = layout.dir().join(format!("pid/fill.{n}"));
        write(&begun, body).unwrap();
        let id = MessageId(File::open(&begun).unwrap().metadata().unwrap().ino());
        rename(begun, layout.mess(id)).unwrap();
        let (info, remote) = (layout.info(id), layout.channel(id, Channel::Remote));
        match &shared {
            Some((first_info, first_remote)) if n % LINKS != 0 => {
                hard_link(first_info, info).unwrap();
                hard_link(first_remote, remote).unwrap();
            }
            _ => {
                write(&info, b"Fsender@bench.example\0").unwrap();
                write(&remote, format!("Trecipient{n}@far.example\0")).unwrap();
                shared = linked.then_some((info, remote));
            }
        }
    }
}

/// Commits in groups, as a server with many clients does.
fn fill_log(dir: &str, count: u64) {
    let (log, _) = Log::open(Arc::new(RealFiles::new()), dir).unwrap();
    let mut route = |to: &Address| Routed {
        channel: Channel::Remote,
        address: to.clone(),
    };
    for n in 0..count {
        let to = Address::new(format!("recipient{n}@far.example")).unwrap();
        let envelope = Envelope {
            reverse_path: Address::new("sender@bench.example").unwrap(),
            recipients: vec![to.into()],
            ..Envelope::default()
        };
        let mut draft = log.begin(Origin { pid: 1, uid: 0 });
        draft
            .write(b"Received: (qmail 1 invoked by uid 0)\nSubject: x\n\nbody\n")
            .unwrap();
        if n % 1000 == 999 {
            draft
                .commit(&envelope, Unix(1_700_000_000), &mut route)
                .unwrap();
        } else {
            let told = |done: Result<MessageId, QueueError>| {
                done.unwrap();
            };
            draft.submit(&envelope, Unix(1_700_000_000), &mut route, told);
        }
    }
}
