//! Broken and foreign files in every directory of the queue: put aside with a reason, and the rest goes on (INTERNALS).

use crate::life::{self, DIR, Diary, NOW, RECORD, route};
use mta_core::rewrite::Channel;
use mta_store::files::{Files, Kind, OpenFile, SimFiles};
use mta_store::queue::{MessageId, Queue};
use std::path::{Path, PathBuf};

const KINDS: [&str; 8] = [
    "mess", "intd", "todo", "info", "local", "remote", "bounce", "params",
];

fn junk() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("empty", Vec::new()),
        ("nuls", vec![0; 5000]),
        ("no nul", b"Fsender@x".to_vec()),
        ("endless", vec![b'T'; 100_000]),
        ("wrong letters", b"Xa\0Yb\0".to_vec()),
        ("two senders", b"Fa\0Fb\0".to_vec()),
        ("recipients first", b"Ta\0Fb\0".to_vec()),
        ("high bytes", (0..=255).rev().cycle().take(9000).collect()),
        ("cut", b"u1\0p2\0Fa@b\0Tc@d".to_vec()),
    ]
}

/// One message in S4 and one in S5, with recipients on both channels and failure text.
fn two_messages() -> (SimFiles, Queue<SimFiles>, [MessageId; 2]) {
    let files = life::fresh();
    let queue = life::open(files.clone());
    let diary = Diary::new(&files);
    let ids = ["queued", "standing"].map(|name| {
        let letter = diary.letter(name, &["a@local", "b@remote"], true);
        diary.send(&queue, letter).unwrap();
        diary.get(letter).id.unwrap()
    });
    queue.preprocess(ids[1], NOW, &mut route).unwrap();
    queue.append_bounce(ids[1], RECORD).unwrap();
    files.settle();
    (files, queue, ids)
}

fn path(kind: &str, id: MessageId) -> PathBuf {
    let dir = Path::new(DIR).join(kind);
    match kind {
        "mess" | "info" | "local" | "remote" => dir.join(format!("{}/{id}", id.0 % 23)),
        _ => dir.join(id.to_string()),
    }
}

fn overwrite(files: &SimFiles, path: &Path, bytes: &[u8]) {
    files.unlink_if_there(path).unwrap();
    files
        .create_new(path, 0o600)
        .unwrap()
        .append_all(bytes)
        .unwrap();
}

/// Does what a draining process does with everything, putting aside what is broken.
fn drain(queue: &Queue<SimFiles>) -> Vec<String> {
    let mut reasons = Vec::new();
    let found = queue.recover().unwrap();
    reasons.extend(found.quarantined.into_iter().map(|q| q.reason));
    assert_eq!(found.failed, [""; 0]);
    let mut ids: Vec<_> = found.standing.iter().map(|s| s.id).collect();
    for id in queue.todo().unwrap() {
        match queue.preprocess(id, NOW, &mut route) {
            Ok(_) => ids.push(id),
            Err(e) if e.is_broken() => {
                reasons.push(queue.quarantine(id, &e.to_string()).unwrap().reason);
            }
            Err(e) => panic!("{e}"),
        }
    }
    for id in ids {
        let looked = Channel::ALL
            .iter()
            .try_for_each(|&c| queue.pending(id, c).map(|_| ()))
            .and_then(|()| queue.bounce(id))
            .and_then(|_| queue.params(id))
            .and_then(|_| queue.open_message(id));
        if let Err(e) = looked {
            assert!(e.is_broken(), "{e}");
            reasons.push(queue.quarantine(id, &e.to_string()).unwrap().reason);
        }
    }
    reasons
}

fn new_mail_passes(files: &SimFiles, queue: &Queue<SimFiles>, what: &str) {
    let diary = Diary::new(files);
    let next = diary.letter("next", &["c@local", "d@remote"], true);
    diary.send(queue, next).expect(what);
    diary.drain(queue, next).expect(what);
}

#[test]
fn junk_in_any_file_of_a_message_stops_nobody_else() {
    for kind in KINDS {
        for (name, bytes) in junk() {
            for which in 0..2 {
                let (files, queue, ids) = two_messages();
                overwrite(&files, &path(kind, ids[which]), &bytes);
                let what = format!("{kind} {name} of message {which}");
                let reasons = drain(&queue);
                assert!(reasons.len() <= 1, "{what}: {reasons:?}");
                new_mail_passes(&files, &queue, &what);
                let other = queue.info(ids[1 - which]);
                assert!(other.is_ok(), "{what}: the other message suffered");
            }
        }
    }
}

#[test]
fn what_is_broken_is_kept_in_quarantine_with_its_message() {
    let (files, queue, [queued, standing]) = two_messages();
    overwrite(&files, &path("todo", queued), b"Xjunk\0");
    overwrite(&files, &path("info", standing), b"junk");
    let reasons = drain(&queue);
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons.iter().all(|r| r.contains("broken")), "{reasons:?}");
    let names = files.names(&queue.layout().quarantine_dir()).unwrap();
    for (kind, id) in [
        ("todo", queued),
        ("mess", queued),
        ("params", queued),
        ("info", standing),
        ("local", standing),
        ("remote", standing),
        ("bounce", standing),
        ("mess", standing),
    ] {
        let name = format!("{kind}.{id}");
        assert!(names.iter().any(|n| n.to_str() == Some(&name)), "{name}");
    }
    assert_eq!(life::count(&files, &KINDS), 0);
}

#[test]
fn foreign_names_and_things_that_are_no_files_are_put_aside() {
    let (files, queue, _) = two_messages();
    let mut foreign = 0;
    for kind in KINDS {
        let spread = ["mess", "info", "local", "remote"].contains(&kind);
        let dir = Path::new(DIR).join(if spread {
            format!("{kind}/3")
        } else {
            kind.into()
        });
        for name in [
            "core",
            "007",
            "-5",
            "99999999999999999999999",
            ".hidden",
            "1x",
        ] {
            overwrite(&files, &dir.join(name), b"junk");
            foreign += 1;
        }
        files.mkdir(&dir.join("2300003"), 0o700).unwrap();
        files.mkfifo(&dir.join("2300026"), 0o600).unwrap();
        foreign += 2;
        if spread {
            overwrite(&files, &dir.join("2300004"), b"in the wrong directory");
            foreign += 1;
        }
    }
    let found = queue.recover().unwrap();
    assert_eq!(found.failed, [""; 0]);
    assert_eq!(found.quarantined.len(), foreign);
    assert_eq!(found.standing.len(), 1);
    let again = queue.recover().unwrap();
    assert_eq!(again.quarantined, []);
    assert_eq!(drain(&queue), [""; 0]);
    new_mail_passes(&files, &queue, "after foreign names");
}

#[test]
fn parts_without_their_message_are_put_aside() {
    for kind in ["todo", "info", "local", "remote", "bounce"] {
        let (files, queue, _) = two_messages();
        let lone = path(kind, MessageId(4242));
        overwrite(&files, &lone, b"Ta@b\0");
        let reasons = drain(&queue);
        assert_eq!(reasons.len(), 1, "{kind}: {reasons:?}");
        assert!(reasons[0].contains("missing"), "{kind}: {reasons:?}");
        assert!(!files.exists(&lone).unwrap());
    }
}

#[test]
fn quarantined_twice_both_are_kept() {
    let (files, queue, _) = two_messages();
    for bytes in [b"one", b"two"] {
        overwrite(&files, &path("todo", MessageId(4242)), bytes);
        drain(&queue);
    }
    let dir = queue.layout().quarantine_dir();
    assert_eq!(files.read(&dir.join("todo.4242"), 10).unwrap(), b"one");
    assert_eq!(files.read(&dir.join("todo.4242.1"), 10).unwrap(), b"two");
}

#[test]
fn torn_failure_text_is_cut_to_whole_paragraphs() {
    let (files, queue, [_, standing]) = two_messages();
    let torn = [RECORD, b"<c@x>:\nhalf a para\0\0\0\0", RECORD].concat();
    overwrite(&files, &path("bounce", standing), &torn);
    assert_eq!(queue.bounce(standing).unwrap().unwrap(), RECORD);
    queue.recover().unwrap();
    queue.append_bounce(standing, RECORD).unwrap();
    assert_eq!(
        queue.bounce(standing).unwrap().unwrap(),
        [RECORD, RECORD].concat()
    );
}

#[test]
fn a_trigger_that_is_no_pipe_is_put_aside_and_made_anew() {
    let (files, queue, _) = two_messages();
    let trigger = queue.layout().trigger();
    for (name, quarantined) in [("a file", 1), ("nothing", 0), ("the pipe", 0)] {
        match name {
            "a file" => overwrite(&files, &trigger, b"not a pipe"),
            "nothing" => files.unlink(&trigger).unwrap(),
            _ => {}
        }
        let found = queue.recover().unwrap();
        assert_eq!(found.quarantined.len(), quarantined, "{name}");
        assert_eq!(
            found.mended.contains(&trigger),
            name != "the pipe",
            "{name}"
        );
        assert_eq!(files.stat(&trigger).unwrap().kind, Kind::Fifo, "{name}");
        assert_eq!(files.stat(&trigger).unwrap().mode, 0o622, "{name}");
    }
}

#[test]
fn failure_text_that_was_cut_is_told() {
    let (files, queue, [_, standing]) = two_messages();
    let bounce = path("bounce", standing);
    assert_eq!(queue.recover().unwrap().mended, [] as [PathBuf; 0]);
    overwrite(&files, &bounce, b"<a@local>:\nno\n\n\xff\0");
    assert_eq!(queue.recover().unwrap().mended, [bounce]);
}
