//! What the queue does when nothing goes wrong, on the real disk and the simulated one (qmail-queue(8), qmail-send(8)).

use crate::files::Scratch;
use crate::life::{self, DIR, NOW, address, route};
use mta_core::envelope::{Body, MailParams, Notify, RcptParams, Recipient, Ret};
use mta_core::rewrite::Channel;
use mta_core::{Envelope, Unix};
use mta_store::files::{Files, OpenFile, RealFiles, SimFiles};
use mta_store::queue::{MessageId, Origin, Queue, QueueError, Reroute, limits};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

const ORIGIN: Origin = Origin { pid: 42, uid: 1007 };

fn to(recipients: &[&str]) -> Envelope {
    Envelope {
        reverse_path: address("s@example.org"),
        recipients: recipients.iter().map(|r| address(r).into()).collect(),
        params: MailParams::default(),
    }
}

fn send<F: Files>(queue: &Queue<F>, body: &[u8], envelope: &Envelope) -> MessageId {
    let mut draft = queue.begin(ORIGIN, NOW).unwrap();
    draft.write(body).unwrap();
    draft.commit(envelope).unwrap()
}

fn sim() -> (SimFiles, Queue<SimFiles>) {
    let files = life::fresh();
    (files.clone(), life::open(files))
}

#[test]
fn the_real_disk_gets_qmails_files() {
    let scratch = Scratch::new();
    let dir = scratch.0.join("queue");
    let queue = Queue::create(Arc::new(RealFiles::new()), &dir).unwrap();
    let id = send(
        &queue,
        b"Received: (x)\n\nhi\n",
        &to(&["a@local", "b@x", "c@x"]),
    );
    let read = |path: &Path| std::fs::read(path).unwrap();
    let layout = queue.layout();
    let mess = std::fs::metadata(layout.mess(id)).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&mess), id.0);
    assert_eq!(read(&layout.mess(id)), b"Received: (x)\n\nhi\n");
    assert_eq!(
        read(&layout.todo(id)),
        b"u1007\0p42\0Fs@example.org\0Ta@local\0Tb@x\0Tc@x\0"
    );
    let done = queue.preprocess(id, NOW, &mut route).unwrap();
    assert_eq!((done.uid, done.pid, done.size), (Some(1007), Some(42), 18));
    assert_eq!((done.local, done.remote), (1, 2));
    assert_eq!(read(&layout.info(id)), b"Fs@example.org\0");
    assert_eq!(read(&layout.channel(id, Channel::Local)), b"Ta@local\0");
    assert_eq!(read(&layout.channel(id, Channel::Remote)), b"Tb@x\0Tc@x\0");
    assert!(!layout.todo(id).exists() && !layout.intd(id).exists());
    assert_eq!(queue.info(id).unwrap().birth, NOW);

    let pending = queue.pending(id, Channel::Remote).unwrap();
    queue
        .mark_done(id, Channel::Remote, &[pending[1].offset])
        .unwrap();
    assert_eq!(read(&layout.channel(id, Channel::Remote)), b"Tb@x\0Dc@x\0");
    queue
        .set_next_attempt(id, Channel::Remote, NOW + 400)
        .unwrap();
    let found = Queue::open(Arc::new(RealFiles::new()), &dir).unwrap();
    let found = found.recover().unwrap();
    assert_eq!(found.quarantined, []);
    assert_eq!(found.standing.len(), 1);
    assert_eq!(found.standing[0].remote, Some(NOW + 400));
    assert!(matches!(
        queue.finish(id),
        Err(QueueError::Unfinished { .. })
    ));
    queue.remove(id).unwrap();
    assert!(!layout.mess(id).exists());
    assert!(matches!(queue.open_message(id), Err(QueueError::Gone(_))));
}

#[test]
fn only_one_process_drains_a_queue() {
    let (_, queue) = sim();
    let held = queue.lock_drainer().unwrap();
    assert!(matches!(queue.lock_drainer(), Err(QueueError::Busy)));
    drop(held);
    queue.lock_drainer().unwrap();
}

#[test]
fn the_trigger_is_pulled() {
    let (files, queue) = sim();
    queue.pull_trigger();
    assert_eq!(files.pulls(&queue.layout().trigger()), 1);
}

#[test]
fn a_dropped_draft_leaves_nothing() {
    let (files, queue) = sim();
    let mut draft = queue.begin(ORIGIN, NOW).unwrap();
    draft.write(&[b'x'; 100_000]).unwrap();
    assert_eq!(draft.len(), 100_000);
    drop(draft);
    assert_eq!(life::count(&files, &["pid", "mess", "intd", "todo"]), 0);
}

#[test]
fn a_message_of_many_pieces_comes_out_whole() {
    let (_, queue) = sim();
    let mut body = b"Received: (x)\n".to_vec();
    let mut draft = queue.begin(ORIGIN, NOW).unwrap();
    draft.write(&body).unwrap();
    for n in [1, 31_000, 2_000, 40_000, 70_000, 5] {
        let piece = vec![b'a' + (n % 26) as u8; n];
        draft.write(&piece).unwrap();
        body.extend(piece);
    }
    let id = draft.commit(&to(&["a@local"])).unwrap();
    let mut read = Vec::new();
    let message = queue.open_message(id).unwrap();
    message.reader().read_to_end(&mut read).unwrap();
    assert!(read == body);
}

#[test]
fn a_million_recipients_pass_in_pieces() {
    let (_, queue) = sim();
    let recipients: Vec<Recipient> = (0..1_000_000)
        .map(|n| address(&format!("user{n}@x")).into())
        .collect();
    let envelope = Envelope {
        recipients,
        ..to(&[])
    };
    let id = send(&queue, b"x\n", &envelope);
    let done = queue.preprocess(id, NOW, &mut route).unwrap();
    assert_eq!(done.remote, 1_000_000);
    let mut count = 0;
    let mut last = None;
    queue
        .each_pending(id, Channel::Remote, &mut |one| {
            count += 1;
            last = Some(one);
        })
        .unwrap();
    assert_eq!(count, 1_000_000);
    assert_eq!(last.unwrap().address, address("user999999@x"));
}

#[test]
fn what_the_originals_cannot_read_is_refused() {
    let (files, queue) = sim();
    let refuse = |envelope: &Envelope| {
        let draft = queue.begin(ORIGIN, NOW).unwrap();
        let error = draft.commit(envelope).unwrap_err();
        assert!(!error.is_temporary());
    };
    refuse(&to(&[&"x".repeat(limits::ADDRESS + 1)]));
    let mut nul = to(&["a@local"]);
    nul.params.envid = Some(b"a\0b".to_vec());
    refuse(&nul);
    let id = send(&queue, b"x\n", &to(&[&"x".repeat(limits::ADDRESS)]));
    assert_eq!(life::count(&files, &["mess", "todo"]), 2);
    queue.preprocess(id, NOW, &mut route).unwrap();
}

#[test]
fn no_recipients_and_the_null_sender_are_queued() {
    let (_, queue) = sim();
    let id = send(&queue, b"x\n", &Envelope::default());
    let done = queue.preprocess(id, NOW, &mut route).unwrap();
    assert!(done.sender.is_null());
    assert_eq!((done.local, done.remote), (0, 0));
    queue.finish(id).unwrap();
}

fn with_params() -> Envelope {
    let mut envelope = to(&["plain@x", "dsn@x", "never@x"]);
    envelope.params = MailParams {
        body: Some(Body::EightBit),
        smtputf8: true,
        ret: Some(Ret::Headers),
        envid: Some(b"QQ+3D".to_vec()),
    };
    envelope.recipients[1].params = RcptParams {
        notify: Some(Notify {
            success: true,
            failure: false,
            delay: true,
        }),
        orcpt: Some(b"rfc822;dsn@x".to_vec()),
    };
    envelope.recipients[2].params.notify = Some(Notify::default());
    envelope
}

#[test]
fn parameters_come_back_with_their_message() {
    let (_, queue) = sim();
    let envelope = with_params();
    let id = send(&queue, b"Received: (one)\n\nx\n", &envelope);
    queue.preprocess(id, NOW, &mut route).unwrap();
    let params = queue.params(id).unwrap();
    assert_eq!(params.mail, envelope.params);
    let recipients: Vec<_> = params
        .recipients
        .iter()
        .map(|r| (&r.address, &r.params))
        .collect();
    let given = &envelope.recipients[1..];
    assert_eq!(
        recipients,
        given
            .iter()
            .map(|r| (&r.address, &r.params))
            .collect::<Vec<_>>()
    );
}

#[test]
fn what_is_decided_later_is_kept_beside_the_parameters() {
    let (files, queue) = sim();
    let envelope = with_params();
    let id = send(&queue, b"Received: (one)\n\nx\n", &envelope);
    queue.preprocess(id, NOW, &mut route).unwrap();
    let came = queue.params(id).unwrap();
    let reroute = |domain: &[u8], host: &[u8]| Reroute {
        domain: domain.to_vec(),
        hosts: vec![host.to_vec(), b"[192.0.2.1]:26".to_vec()],
    };
    let set = queue.change_params(id, |params| {
        params.held = true;
        params.reroutes.push(reroute(b"", b"all.example"));
        params
            .reroutes
            .push(reroute(b"Far.example", b"far.example:25"));
        params.warned.insert((Channel::Remote, 17));
        params.warned.insert((Channel::Local, 0));
    });
    set.unwrap();
    let now = queue.params(id).unwrap();
    assert_eq!((&now.mail, &now.recipients), (&came.mail, &came.recipients));
    assert!(now.held);
    let first = |domain: &[u8]| now.rerouted(domain).unwrap()[0].clone();
    assert_eq!(first(b"far.EXAMPLE"), b"far.example:25");
    assert_eq!(first(b"other.example"), b"all.example");
    let warned: Vec<_> = now.warned.iter().copied().collect();
    assert_eq!(warned, [(Channel::Local, 0), (Channel::Remote, 17)]);
    assert_eq!(queue.held().unwrap(), [id]);
    let mut later = now.clone();
    later.reroute(b"FAR.example", Vec::new());
    assert_eq!(later.rerouted(b"far.example"), None, "its usual way");
    assert!(later.rerouted(b"other.example").is_some());
    later.reroute(b"", Vec::new());
    assert!(later.reroutes.is_empty());
    let tab = queue.change_params(id, |params| params.reroutes.push(reroute(b"a\tb", b"c")));
    assert!(matches!(tab, Err(QueueError::Envelope(_))), "{tab:?}");
    assert_eq!(queue.params(id).unwrap(), now);
    queue
        .change_params(id, |params| *params = Default::default())
        .unwrap();
    let path = queue.layout().params(id);
    assert!(!files.exists(&path).unwrap(), "nothing is left to say");
    queue.remove(id).unwrap();
    let gone = queue.change_params(id, |params| params.held = true);
    assert!(matches!(gone, Err(QueueError::Gone(_))), "{gone:?}");
}

#[test]
fn parameters_of_an_earlier_message_are_ignored_and_removed() {
    let (files, queue) = sim();
    let id = send(&queue, b"Received: (one)\n\nx\n", &with_params());
    let path = queue.layout().params(id);
    let old = files.read(&path, 10_000).unwrap();
    queue.remove(id).unwrap();
    let again = send(&queue, b"Received: (two)\n\nx\n", &to(&["a@local"]));
    assert_eq!(again, id, "the number is reused");
    for (name, bytes) in [
        ("stale", &old[..]),
        ("torn", &old[..old.len() - 5]),
        ("empty", b""),
        ("garbage", b"\0\0\xff"),
        ("unbound", b"V1\0U\0.\0"),
    ] {
        let file = files.create_new(&path, 0o600).unwrap();
        file.append_all(bytes).unwrap();
        assert_eq!(queue.params(id).unwrap(), Default::default(), "{name}");
        assert!(!files.exists(&path).unwrap(), "{name}");
    }
}

#[test]
fn the_dead_are_reaped_after_36_hours_and_the_living_are_not() {
    let (files, queue) = sim();
    std::mem::forget(queue.begin(ORIGIN, NOW).unwrap());
    let queued = send(&queue, b"x\n", &to(&["a@local"]));
    files
        .create_new(&queue.layout().dir().join("pid/1.2.3"), 0o600)
        .unwrap();
    let late = Unix(NOW.0 + limits::ABANDONED);
    assert_eq!(queue.reap(late).unwrap().removed.len(), 0);
    files.set_clock(late);
    let living = queue.begin(ORIGIN, late).unwrap();
    let reaped = queue.reap(late + 1).unwrap();
    assert_eq!(reaped.removed.len(), 2, "{reaped:?}");
    assert_eq!(queue.todo().unwrap(), [queued]);
    living.commit(&to(&["b@local"])).unwrap();
    assert_eq!(life::count(&files, &["mess"]), 2);
}

#[test]
fn a_number_that_leftovers_claim_is_passed_over() {
    let (files, queue) = sim();
    let id = send(&queue, b"x\n", &to(&["a@local"]));
    files.unlink(&queue.layout().mess(id)).unwrap();
    assert_eq!(
        queue.todo().unwrap(),
        [id],
        "an envelope without its message"
    );
    let other = send(&queue, b"y\n", &to(&["b@local"]));
    assert_ne!(other, id);
    assert_eq!(life::count(&files, &["mess"]), 1);
}

#[test]
fn many_writers_share_files_in_stock_and_leave_none() {
    let scratch = Scratch::new();
    let queue = Queue::create(Arc::new(RealFiles::new()), scratch.0.join("q")).unwrap();
    queue.recover().unwrap();
    std::thread::scope(|scope| {
        for n in 0..12 {
            let queue = &queue;
            scope.spawn(move || {
                for k in 0..5 {
                    send(
                        queue,
                        format!("Received: {n} {k}\n").as_bytes(),
                        &to(&["a@local"]),
                    );
                }
            });
        }
    });
    let todo = queue.todo().unwrap();
    assert_eq!(todo.len(), 60);
    let mut bodies: Vec<_> = todo
        .iter()
        .map(|id| std::fs::read(queue.layout().mess(*id)).unwrap())
        .collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 60);
    let names = (0..23)
        .flat_map(|n| std::fs::read_dir(queue.layout().dir().join(format!("mess/{n}"))).unwrap());
    assert_eq!(names.count(), 60, "no file without envelope is left");
}

#[test]
fn a_queue_made_by_the_originals_gets_our_directories() {
    let files = life::fresh();
    for own in ["params", "quarantine"] {
        files.rmdir(&Path::new(DIR).join(own)).unwrap();
    }
    let queue = life::open(files.clone());
    assert!(files.exists(&Path::new(DIR).join("params")).unwrap());
    send(&queue, b"x\n", &with_params());
    let none = Queue::open(Arc::new(files), "/elsewhere");
    assert!(none.is_err());
}
