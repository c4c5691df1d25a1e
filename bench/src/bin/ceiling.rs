//! What the disk allows: the queue's own file calls without any SMTP, many writers at once (qmail-queue(8)).
//!
//! `ceiling DIR WRITERS COUNT SIZE` prints one JSON line with messages a second.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measuring tool run by hand: it stops with what went wrong"
)]

use mta_core::{Address, Envelope, Unix};
use mta_store::files::RealFiles;
use mta_store::queue::{Origin, Queue};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |n: usize| {
        args[n]
            .parse::<usize>()
            .expect("ceiling DIR WRITERS COUNT SIZE")
    };
    let (dir, writers, count, size) = (Path::new(&args[0]), number(1), number(2), number(3));
    let queue = Queue::create(Arc::new(RealFiles::new()), dir).unwrap();
    // As the server does: it lets writers do without looking for stale envelopes each time.
    queue.recover().unwrap();
    let body = [&b"Received: here\n\n"[..], &vec![b'X'; size]].concat();
    let to = Address::new(&b"load@bench.example"[..]).unwrap();
    let envelope = Envelope {
        recipients: vec![to.into()],
        ..Envelope::default()
    };
    let next = AtomicUsize::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    let origin = Origin {
                        pid: std::process::id(),
                        uid: 0,
                    };
                    let mut draft = queue.begin(origin, Unix(1)).unwrap();
                    draft.write(&body).unwrap();
                    draft.commit(&envelope).unwrap();
                }
            });
        }
    });
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{{\"rate\":{:.1},\"seconds\":{seconds:.3}}}",
        count as f64 / seconds
    );
    std::fs::remove_dir_all(dir).unwrap();
}
