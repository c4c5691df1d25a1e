//! How fast the parts are: a session's commands, unstuffing a body, a message into the queue (RFC 5321, qmail-queue(8)).

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a measuring tool: it stops with what went wrong; criterion's macros document nothing"
)]

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mta_core::{Address, Envelope, Mono, Unix};
use mta_proto::smtp::client::Stuffer;
use mta_proto::smtp::server::{Config, Event, Server, Verdict};
use mta_proto::{Action, Machine};
use mta_store::files::RealFiles;
use mta_store::queue::{Origin, Queue};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

/// Feeds `input` to a session that accepts everything; returns the bytes of bodies.
fn session(config: &Arc<Config>, input: &[u8]) -> u64 {
    let mut server = Server::new(Arc::clone(config), Mono::ZERO);
    let (mut rest, mut bytes) = (input, 0);
    loop {
        match server.poll(Mono::ZERO) {
            Action::Read | Action::Wait => {
                if rest.is_empty() {
                    server.wire_mut().push_eof();
                }
                let taken = server.wire_mut().push(rest);
                rest = rest.get(taken..).unwrap_or_default();
            }
            Action::Write => {}
            Action::Close | Action::StartTls => return bytes,
            Action::Event(event) => bytes += accept(&mut server, event),
        }
        let n = server.wire().output().len();
        server.wire_mut().advance_output(n);
    }
}

fn accept(server: &mut Server, event: Event) -> u64 {
    match event {
        Event::Connected(ticket) => server.answer(ticket, Verdict::Accept),
        Event::Hello { ticket, .. } => server.answer(ticket, Verdict::Accept),
        Event::Mail { ticket, .. } => server.answer(ticket, Verdict::Accept),
        Event::Rcpt { ticket, .. } => server.answer(ticket, Verdict::Accept),
        Event::Data(ticket) => server.answer(ticket, Verdict::Accept),
        Event::End { ticket, .. } => server.answer(ticket, Verdict::Accept),
        Event::Body(bytes) => return black_box(bytes).len() as u64,
        _ => {}
    }
    0
}

const ENVELOPE: &[u8] = b"MAIL FROM:<sender@client.example> SIZE=4096\r\nRCPT TO:<joe@example.org>\r\nRCPT TO:<jane@example.org>\r\nRSET\r\n";

fn commands(c: &mut Criterion) {
    let mut input = b"EHLO client.example\r\n".to_vec();
    input.extend(ENVELOPE.repeat(1000));
    let config = Arc::new(Config::new("mx.example.org"));
    let mut group = c.benchmark_group("smtp session");
    group.throughput(Throughput::Elements(4001));
    group.bench_function("4001 commands", |b| b.iter(|| session(&config, &input)));
    group.finish();
}

fn unstuffing(c: &mut Criterion) {
    let config = Arc::new(Config::new("mx.example.org"));
    let mut group = c.benchmark_group("body in");
    let lines: [(&str, &[u8]); 3] = [
        ("lines of 76", &[b'X'; 76]),
        ("dotted lines of 20", b"..................."),
        ("lines of 2", b"XX"),
    ];
    for (name, line) in lines {
        let mut input = b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<j@e>\r\nDATA\r\n\r\n".to_vec();
        while input.len() < 4 << 20 {
            input.extend_from_slice(line);
            input.extend_from_slice(b"\r\n");
        }
        input.extend_from_slice(b".\r\n");
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(name, |b| b.iter(|| session(&config, &input)));
    }
    group.finish();
}

fn stuffing(c: &mut Criterion) {
    let body = [&[b'X'; 76][..], b"\n"].concat().repeat(54_000);
    let mut group = c.benchmark_group("body out");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("lines of 76", |b| {
        let mut out = BytesMut::new();
        b.iter(|| {
            out.clear();
            let mut stuffer = Stuffer::new();
            stuffer.feed(&body, &mut out);
            stuffer.finish(&mut out);
            black_box(out.len())
        });
    });
    group.finish();
}

fn inject(c: &mut Criterion, name: &str, dir: &Path) {
    let dir = dir.join(format!("mta-bench-queue-{}", std::process::id()));
    let queue = Queue::create(Arc::new(RealFiles::new()), &dir).unwrap();
    let body = [&b"Received: here\n\n"[..], &[b'X'; 4096]].concat();
    let to = Address::new(&b"joe@example.org"[..]).unwrap();
    let envelope = Envelope {
        recipients: vec![to.into()],
        ..Envelope::default()
    };
    c.bench_function(name, |b| {
        b.iter(|| {
            let mut draft = queue.begin(Origin { pid: 1, uid: 0 }, Unix(1)).unwrap();
            draft.write(&body).unwrap();
            let id = draft.commit(&envelope).unwrap();
            queue.remove(id).unwrap();
        });
    });
    std::fs::remove_dir_all(dir).unwrap();
}

fn queue(c: &mut Criterion) {
    inject(
        c,
        "queue inject and remove, synced to disk",
        &std::env::temp_dir(),
    );
    // In memory a sync costs nothing: what is left is the work around it.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        inject(c, "queue inject and remove, without a disk", memory);
    }
}

criterion_group!(parts, commands, unstuffing, stuffing, queue);
criterion_main!(parts);
