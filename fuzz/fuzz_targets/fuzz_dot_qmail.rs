//! .qmail files, addresses in the environment and mboxes of any content keep their promises (dot-qmail(5), qmail-command(8), mbox(5)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::dotqmail::{Facts, Found, Instruction, candidates, cut_report, environment, parse, search, simple_words};
use mta_core::{Address, Unix};
use mta_fuzz::{pieces, split};
use mta_store::mbox::Quote;

fuzz_target!(|data: &[u8]| {
    let (head, rest) = split(data, 4);
    let mode = head.iter().fold(0, |all, &b| all << 8 | u32::from(b));
    let (ext, contents) = split(rest, head.first().copied().unwrap_or(0).into());
    lines(contents, mode);
    look_up(ext, contents, mode);
    variables(ext, contents);
    quoting(contents, head);
    assert!(cut_report(contents.to_vec()).len() <= 3000);
});

fn lines(contents: &[u8], mode: u32) {
    let read = parse(contents, mode);
    assert!(read.len() <= contents.split(|&b| b == b'\n').count());
    for (at, instruction) in read.iter().enumerate() {
        match instruction {
            Instruction::Refuse(_) => assert_eq!(at + 1, read.len(), "nothing follows a refusal"),
            Instruction::Program(command) => {
                assert!(mode & 0o100 == 0, "a file with x bit runs nothing");
                let _ = simple_words(command);
            }
            Instruction::Maildir(path) | Instruction::Mbox(path) => assert!(!path.contains(&0)),
            _ => {}
        }
    }
}

fn look_up(ext: &[u8], contents: &[u8], mode: u32) {
    let names: Vec<_> = candidates(b"-", ext).map(|c| c.name).collect();
    assert!(names.iter().all(|n| n.starts_with(b".qmail-") && !n.windows(3).any(|w| w == b"/..")));
    let last = names.last().cloned().unwrap_or_default();
    let chosen = search(b"-", ext, b"./Mailbox\n", |name| {
        Ok((name == last).then(|| Found { mode, contents: contents.to_vec() }))
    });
    assert_eq!(chosen.is_err(), mode & 0o002 != 0);
}

fn variables(ext: &[u8], bytes: &[u8]) {
    let (Ok(sender), Ok(recipient)) = (Address::new(bytes), Address::new(ext)) else {
        return;
    };
    let facts = Facts {
        sender: &sender,
        new_sender: &recipient,
        recipient: &recipient,
        user: bytes,
        home: bytes,
        ext,
        default: Some(bytes),
        now: Unix(0),
    };
    for (name, value) in environment(&facts) {
        let value = value.unwrap_or_default();
        assert!(!value.contains(&0) && !value.starts_with(b"()"), "{name}");
    }
}

fn quoting(message: &[u8], cuts: &[u8]) {
    let (mut quote, mut out) = (Quote::new(), Vec::new());
    for piece in pieces(message, cuts) {
        quote.feed(piece, &mut out);
    }
    quote.finish(&mut out);
    assert!(out.ends_with(b"\n") && !out.split(|&b| b == b'\n').any(|line| line.starts_with(b"From ")));
    let mut read = Vec::new();
    for line in out.split_inclusive(|&b| b == b'\n') {
        let quotes = line.iter().take_while(|&&b| b == b'>').count();
        let quoted = quotes > 0 && line[quotes..].starts_with(b"From ");
        read.extend_from_slice(if quoted { &line[1..] } else { line });
    }
    assert!(read.starts_with(message) && read.len() <= message.len() + 2);
}
