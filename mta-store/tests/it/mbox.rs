//! Appending to an mbox: quoting, locks, what goes wrong and how it is said (mbox(5), spec §6.6).

use mta_store::files::{Access, Files, OpenFile, RealFiles, SimFiles, Wait};
use mta_store::mbox::{AppendError, Head, Mbox, Quote};
use std::path::Path;
use std::sync::Arc;

pub(crate) const HEAD: Head<'_> = Head {
    from_line: b"From joe@a.example Thu Jan 01 00:00:00 1970\n",
    fields: &[
        b"Return-Path: <joe@a.example>\n",
        b"Delivered-To: ann@b.example\n",
    ],
};

/// Takes an mbox apart as mboxrd readers do: at lines that begin with `From `, one `>` taken off.
pub(crate) fn read(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        if line.starts_with(b"From ") {
            found.push(Vec::new());
            continue;
        }
        let Some(message) = found.last_mut() else {
            continue;
        };
        let after = line.iter().skip_while(|&&b| b == b'>').copied();
        let quoted = line.starts_with(b">") && after.collect::<Vec<_>>().starts_with(b"From ");
        message.extend_from_slice(if quoted { &line[1..] } else { line });
    }
    found
}

fn quoted(message: &[u8], pieces: usize) -> Vec<u8> {
    let (mut quote, mut out) = (Quote::new(), Vec::new());
    for piece in message.chunks(pieces) {
        quote.feed(piece, &mut out);
        assert!(out.capacity() <= 4096);
    }
    quote.finish(&mut out);
    out
}

#[test]
fn lines_are_quoted_however_the_message_is_cut() {
    #[rustfmt::skip]
    let rows: [(&str, &str, &str); 12] = [
        ("empty", "", "\n"),
        ("whole lines", "a\nb\n", "a\nb\n\n"),
        ("a partial last line is completed", "a\nb", "a\nb\n\n"),
        ("From_ at the start", "From me\n", ">From me\n\n"),
        ("within", "a\nFrom me\nb\n", "a\n>From me\nb\n\n"),
        ("quoted before", ">From me\n>>>From x", ">>From me\n>>>>From x\n\n"),
        ("not at the start of the line", "a From b\n >From c\n", "a From b\n >From c\n\n"),
        ("other words", "Fromage\nfrom x\nFrom\nFrom\tx\n", "Fromage\nfrom x\nFrom\nFrom\tx\n\n"),
        ("only its beginning at the end", ">Fro", ">Fro\n\n"),
        ("only its beginning, then a line", "Fr\nFrom x", "Fr\n>From x\n\n"),
        ("CRLF", "a\r\nFrom x\r\n", "a\r\n>From x\r\n\n"),
        ("a `>` inside the word", "F>rom x\n>F>From x\n", "F>rom x\n>F>From x\n\n"),
    ];
    for (name, message, want) in rows {
        for pieces in 1..=message.len().max(1) {
            let out = quoted(message.as_bytes(), pieces);
            assert_eq!(
                out.escape_ascii().to_string(),
                want.as_bytes().escape_ascii().to_string(),
                "{name} in {pieces}"
            );
        }
    }
}

#[test]
fn what_is_appended_is_read_back() {
    let files = Arc::new(SimFiles::new());
    let mbox = Mbox::new(Arc::clone(&files), "/m");
    let letters = [
        &b"Subject: x\n\nFrom the start\n"[..],
        b">From\n>From \n",
        b"",
    ];
    for letter in letters {
        mbox.append(HEAD, letter, || false).unwrap();
    }
    let found = read(&files.read(Path::new("/m"), 10_000).unwrap());
    let fields = HEAD.fields.concat();
    for (found, letter) in found.iter().zip(letters) {
        assert_eq!(found, &[&fields, letter, b"\n"].concat());
    }
    assert_eq!(found.len(), 3);
    assert_eq!(files.stat(Path::new("/m")).unwrap().mode, 0o600);
}

#[test]
fn a_message_of_many_pieces_keeps_every_byte() {
    let files = Arc::new(SimFiles::new());
    let letter: Vec<u8> = (0..20_000)
        .flat_map(|n| format!("From {n}\n").into_bytes())
        .collect();
    Mbox::new(Arc::clone(&files), "/m")
        .append(HEAD, &letter, || false)
        .unwrap();
    let found = read(&files.read(Path::new("/m"), 1 << 20).unwrap());
    assert_eq!(
        found,
        [[&HEAD.fields.concat(), letter.as_slice(), b"\n"].concat()]
    );
}

#[test]
fn what_a_crash_cut_off_cannot_swallow_the_next_message() {
    for (cut, between) in [
        ("", ""),
        ("\n", "\n"),
        ("half a li", "\n\n"),
        ("line\n", "\n"),
        ("whole\n\n", ""),
        ("\0\0\0", "\n\n"),
    ] {
        let files = Arc::new(SimFiles::new());
        let file = files.create_new(Path::new("/m"), 0o600).unwrap();
        file.append_all(cut.as_bytes()).unwrap();
        Mbox::new(Arc::clone(&files), "/m")
            .append(HEAD, b"x\n", || false)
            .unwrap();
        let bytes = files.read(Path::new("/m"), 1000).unwrap();
        let between = if cut == "\n" { "" } else { between };
        let want = [cut.as_bytes(), between.as_bytes(), HEAD.from_line].concat();
        assert!(
            bytes.starts_with(&want),
            "{cut:?}: {}",
            bytes.escape_ascii()
        );
        assert_eq!(read(&bytes).len(), 1);
    }
}

#[test]
fn a_locked_mbox_is_waited_for_as_long_as_the_caller_wants() {
    let files = Arc::new(SimFiles::new());
    let mbox = Mbox::new(Arc::clone(&files), "/m");
    let mut held = files.lock(Path::new("/m"), Wait::Never).unwrap();
    let mut asked = 0;
    let error = mbox.append(HEAD, b"x", || {
        asked += 1;
        asked < 5
    });
    assert!(matches!(error, Err(AppendError::Locked)));
    assert_eq!(asked, 5);
    let text = error.unwrap_err().qmail_text("./m");
    assert_eq!(
        text,
        "File has been locked for 30 seconds straight. (#4.3.0)\n"
    );
    mbox.append(HEAD, b"x", || {
        held = None;
        true
    })
    .unwrap();
}

#[test]
fn an_mbox_that_was_replaced_while_we_waited_is_opened_anew() {
    let files = Arc::new(SimFiles::new());
    let mbox = Mbox::new(Arc::clone(&files), "/m");
    mbox.append(HEAD, b"old\n", || false).unwrap();
    let mut held = files.lock(Path::new("/m"), Wait::Never).unwrap();
    mbox.append(HEAD, b"late\n", || {
        if held.is_some() {
            // As maildir2mbox does: a new file takes the name while the old one is locked.
            let new = files.create_new(Path::new("/new"), 0o600).unwrap();
            new.append_all(b"From x\nnew\n\n").unwrap();
            files.rename(Path::new("/new"), Path::new("/m")).unwrap();
            held = None;
        }
        true
    })
    .unwrap();
    let bytes = files.read(Path::new("/m"), 1000).unwrap();
    assert!(bytes.starts_with(b"From x\nnew\n\nFrom joe"));
    assert!(bytes.ends_with(b"late\n\n"));
}

#[test]
fn failures_are_told_in_qmails_words() {
    let files = Arc::new(SimFiles::new());
    files.mkdir(Path::new("/dir"), 0o700).unwrap();
    files.mkfifo(Path::new("/fifo"), 0o700).unwrap();
    for (path, starts) in [
        ("/dir", "Unable to open ./x: "),
        ("/fifo", "Unable to open ./x: expected a regular file"),
        ("/no/where", "Unable to open ./x: "),
    ] {
        let error = Mbox::new(Arc::clone(&files), path).append(HEAD, b"x", || false);
        let text = error.unwrap_err().qmail_text("./x");
        assert!(
            text.starts_with(starts) && text.ends_with(". (#4.2.1)\n"),
            "{text}"
        );
    }
    let error = AppendError::Storage(std::io::Error::other("no luck"));
    assert_eq!(
        error.qmail_text("./a\nb"),
        "Unable to write ./a_b: no luck. (#4.3.0)\n"
    );
}

#[test]
fn real_files_append_at_the_end_whoever_else_does() {
    let dir = std::env::temp_dir().join(format!("mta-store-mbox-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("m");
    let files = Arc::new(RealFiles::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mbox = Mbox::new(Arc::clone(&files), &path);
            scope.spawn(move || {
                for _ in 0..10 {
                    let wait = || {
                        std::thread::yield_now();
                        true
                    };
                    mbox.append(HEAD, b"Subject: x\n\nFrom me\n", wait).unwrap();
                }
            });
        }
    });
    let bytes = std::fs::read(&path).unwrap();
    let found = read(&bytes);
    assert_eq!(found.len(), 40);
    assert!(found.iter().all(|m| m.ends_with(b"\n\nFrom me\n\n")));
    let one = files.open(&path, Access::Append).unwrap();
    std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut f| std::io::Write::write_all(&mut f, b"other"))
        .unwrap();
    one.append_all(b"ours").unwrap();
    assert!(std::fs::read(&path).unwrap().ends_with(b"otherours"));
    std::fs::remove_dir_all(&dir).unwrap();
}
