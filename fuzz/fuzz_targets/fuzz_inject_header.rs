//! Header rewriting: any cut gives the same, rewriting twice changes nothing, the body is untouched (qmail-inject(8)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::Unix;
use mta_core::inject::{Environment, Fed, Hosts, InjectError, Injection, Injector, RecipientsFrom, Settings};
use mta_fuzz::{pieces, split};

fn inject(settings: &Settings, input: &[&[u8]]) -> Result<(Injection, Vec<u8>), InjectError> {
    let mut injector = Injector::new(settings.clone(), std::iter::empty::<&[u8]>())?;
    let mut body = Vec::new();
    for piece in input {
        match injector.feed(piece)? {
            Fed::More => assert!(body.is_empty(), "back in the header"),
            Fed::Body { taken } => body.extend_from_slice(&piece[taken..]),
        }
    }
    Ok((injector.finish()?, body))
}

fuzz_target!(|data: &[u8]| {
    let (choice, rest) = split(data, 2);
    let (cuts, message) = split(rest, 4);
    let flags = choice.first().copied().unwrap_or(0);
    let letters: Vec<u8> = b"csfirm".iter().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, &b)| b).collect();
    let environment = Environment::read(|name| match name {
        "QMAILINJECT" => Some(letters.clone()),
        "NAME" if flags & 0x40 != 0 => Some(cuts.to_vec()),
        "MAILUSER" if flags & 0x80 != 0 => Some(cuts.to_vec()),
        _ => None,
    });
    let mut settings = Settings::new(Hosts::default(), environment, Unix(0), 1);
    let option = choice.get(1).copied().unwrap_or(0);
    settings.recipients = if option & 1 == 0 { RecipientsFrom::Header } else { RecipientsFrom::Arguments };
    if option & 2 != 0 {
        settings.limits.header = 200;
        settings.limits.field = 100;
        settings.limits.addresses = 5;
    }
    let whole = inject(&settings, &[message]);
    let joined = |got: &Result<(Injection, Vec<u8>), InjectError>| {
        let joined = |(i, body): &(Injection, Vec<u8>)| (i.sender.clone(), i.recipients.clone(), [&*i.head, body].concat());
        got.as_ref().map(joined).map_err(Clone::clone)
    };
    assert_eq!(joined(&whole), joined(&inject(&settings, &pieces(message, cuts))));
    match whole {
        Err(error) => assert!(error.stderr().starts_with("qmail-inject: fatal: ")),
        Ok((injection, body)) => {
            assert!(message.ends_with(&body));
            assert!(injection.recipients.len() <= settings.limits.addresses);
            assert!(injection.recipients.iter().all(|address| !address.is_null()));
            // Once more, without letters that replace fields and limits that the new fields pass.
            settings = Settings::new(Hosts::default(), Environment::default(), Unix(9), 9);
            settings.recipients = RecipientsFrom::Arguments;
            if option & 1 == 0 {
                settings.recipients = RecipientsFrom::Header;
            }
            let once = [&*injection.head, &*body].concat();
            let (again, body) = inject(&settings, &[&once]).expect("what we write we read");
            assert_eq!(once, [&*again.head, &*body].concat());
        }
    }
});
