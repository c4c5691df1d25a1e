//! Envelopes of qmail-queue: the same result for any cut, and what is taken was written as it stands (envelopes(5)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::Envelope;
use mta_core::qq::{self, BadEnvelope, EnvelopeParser, MAX_ADDRESS};
use mta_fuzz::{pieces, split};

fn parse(input: &[&[u8]]) -> Result<Envelope, BadEnvelope> {
    let mut parser = EnvelopeParser::new();
    for piece in input {
        if parser.push(piece)? {
            break;
        }
    }
    parser.finish()
}

/// What the envelope looks like on descriptor 1.
fn written(envelope: &Envelope) -> Vec<u8> {
    let mut out = b"F".to_vec();
    out.extend_from_slice(envelope.reverse_path.as_bytes());
    out.push(0);
    for recipient in &envelope.recipients {
        assert!(recipient.address.as_bytes().len() <= MAX_ADDRESS);
        out.push(b'T');
        out.extend_from_slice(recipient.address.as_bytes());
        out.push(0);
    }
    out.push(0);
    out
}

fuzz_target!(|data: &[u8]| {
    let (cuts, input) = split(data, 4);
    let whole = parse(&[input]);
    assert_eq!(whole, parse(&pieces(input, cuts)));
    match &whole {
        Ok(envelope) => {
            let again = written(envelope);
            assert!(input.starts_with(&again));
            assert_eq!(parse(&[&again]).as_ref(), Ok(envelope));
            // Cut anywhere it is no envelope: a caller that dies has sent nothing.
            let cut = usize::from(cuts.first().copied().unwrap_or(0)).min(again.len() - 1);
            assert_eq!(parse(&[&again[..cut]]), Err(BadEnvelope::Incomplete));
        }
        Err(bad) => assert!(qq::meaning(bad.exit_code(), input).is_err()),
    }
    // A queue program's own words are one report of bounded length.
    let code = cuts.first().copied().unwrap_or(0);
    if let Err(refusal) = qq::meaning(code, input) {
        assert!(refusal.text.len() < qq::MAX_CUSTOM);
    }
});
