//! What holds for any message (spec §11).

use super::{hosts, run, settings};
use mta_core::inject::{RecipientsFrom, Rewriter};
use proptest::prelude::*;

/// What the grammar is made of, so that much of what is made of it parses.
const PIECES: &[&str] = &[
    "a",
    "b+",
    "joe",
    "ü",
    " ",
    " ",
    "\n ",
    "\t",
    ",",
    ", ",
    ".",
    "@",
    "@b.c",
    "+",
    "<",
    ">",
    "<x@y>",
    ":",
    ";",
    "g: ",
    "\"",
    "\"q r\"",
    "\"\\\"\"",
    "\\",
    "\\ ",
    "\\\n ",
    "(",
    ")",
    "(c)",
    "(c (d\\)))",
    "[",
    "]",
    "[1.2]",
    "@[]",
    "<@r:",
    "\r\n ",
    "\u{1}",
    "-",
];

const NAMES: &[&str] = &[
    "To: ",
    "Cc:",
    "bcc :",
    "From: ",
    "From ",
    "Reply-To: ",
    "Return-Path: ",
    "Resent-To: ",
    "Subject: ",
    "Content-Length: ",
    "Message-ID: ",
    "X",
    " ",
    "\n",
    "\r\n",
];

fn address_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..14).prop_map(|all| all.concat())
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let line = (proptest::sample::select(NAMES), address_text())
        .prop_map(|(name, body)| format!("{name}{body}\n"));
    let text = proptest::collection::vec(line, 0..6).prop_map(|lines| lines.concat().into_bytes());
    prop_oneof![3 => text, 1 => proptest::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn rewriting_what_was_rewritten_changes_nothing(body in address_text(), name in "(To|From|Resent-Cc)") {
        let first = format!("Date: x\nMessage-ID: y\nFrom: z@z.z\nTo: z@z.z\n{name}: {body}\n");
        let first = if name.starts_with("Resent") { format!("Resent-Date: x\nResent-Message-ID: y\nResent-From: z@z.z\n{first}") } else { first };
        if let Ok((injection, once)) = run(settings(&[]), &[], &[first.as_bytes()]) {
            let (again, twice) = run(settings(&[]), &[], &[&once]).expect("what we write we read");
            prop_assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
            prop_assert_eq!(injection.recipients, again.recipients);
        }
    }

    #[test]
    fn any_cut_gives_the_same(text in message(), cut in any::<prop::sample::Index>(), args in any::<bool>()) {
        let mut settings = settings(&[]);
        if args {
            settings.recipients = RecipientsFrom::Arguments;
        }
        let whole = run(settings.clone(), &[], &[&text]);
        let (front, back) = text.split_at(cut.index(text.len() + 1));
        let halves = run(settings.clone(), &[], &[front, b"", back]);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        let single = run(settings, &[], &bytes);
        let message = |got: &Result<(_, Vec<u8>), _>| got.as_ref().map(|(_, message)| message.clone()).map_err(Clone::clone);
        prop_assert_eq!(message(&whole), message(&halves));
        prop_assert_eq!(message(&whole), message(&single));
        if let (Ok((a, _)), Ok((b, _))) = (&whole, &single) {
            prop_assert_eq!((&a.sender, &a.recipients), (&b.sender, &b.recipients));
        }
    }

    #[test]
    fn the_body_is_untouched(text in message(), body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut settings = settings(&[]);
        settings.recipients = RecipientsFrom::Arguments;
        let message = [&text, b"\n\n".as_slice(), &body].concat();
        if let Ok((_, out)) = run(settings, &[], &[&message]) {
            let line_end: &[u8] = if message.ends_with(b"\n") { b"" } else { b"\n" };
            prop_assert!(out.ends_with(&[&body, line_end].concat()));
        }
    }

    #[test]
    fn no_recipient_is_lost_or_forged(text in message()) {
        if let Ok((injection, out)) = run(settings(&[]), &[], &[&text]) {
            let none = |address: &mta_core::Address| !address.is_null() && !address.as_bytes().contains(&b'\n');
            prop_assert!(injection.recipients.iter().all(none));
            prop_assert!(out.ends_with(b"\n"));
        }
    }

    #[test]
    fn arguments_never_panic_and_complete_once(text in proptest::collection::vec(any::<u8>(), 0..40)) {
        let rewriter = Rewriter::new(&hosts()).unwrap();
        if let Ok(address) = rewriter.address(&text) && !address.as_bytes().starts_with(b"@") {
            let again = rewriter.address(address.as_bytes());
            let bracketed = address.as_bytes().starts_with(b"<");
            prop_assert!(bracketed || again.as_ref() == Ok(&address), "{:?} {:?}", address, again);
        }
    }
}
