//! Whole dialogues (RFC 5321 §D, RFC 2920, RFC 3030).

use super::config;
use crate::transcript::Transcript;
use mta_proto::smtp::server::{Config, LineEnds, Newline};
use proptest::prelude::*;
use std::sync::Arc;

const PLAIN: Transcript = Transcript {
    name: "a message to two recipients",
    text: r"
        S: 220 mx.example.org ESMTP
        E: connected
        C: EHLO client.example.com
        E: ehlo client.example.com
        S: 250-mx.example.org
        S: 250-PIPELINING
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250-SIZE
        S: 250-SMTPUTF8
        S: 250-CHUNKING
        S: 250 HELP
        C: MAIL FROM:<joe@example.com>
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        C: RCPT TO:<ann@example.org>
        E: rcpt <ann@example.org>
        S: 250 2.1.5 ok
        C: RCPT TO:<nobody@example.org>
        E: rcpt <nobody@example.org>
        S: 550 5.1.1 as you wished
        C: RCPT TO:<later@example.org>
        E: rcpt <later@example.org>
        S: 451 4.7.1 as you wished
        C: RCPT TO:<bob@example.org>
        E: rcpt <bob@example.org>
        S: 250 2.1.5 ok
        C: DATA
        E: data
        S: 354 go ahead
        C: Subject: dots
        C:
        C: ..
        C: ...two
        C: .one
        C: end
        C: .
        E: body Subject: dots\n\n.\n..two\none\nend\n
        E: end 31
        S: 250 2.0.0 ok
        C: QUIT
        S: 221 2.0.0 mx.example.org
    ",
};

const ORDER: Transcript = Transcript {
    name: "commands out of order",
    text: r"
        S: 220 mx.example.org ESMTP
        E: connected
        C: DATA
        S: 503 5.5.1 MAIL first
        C: RCPT TO:<ann@example.org>
        S: 503 5.5.1 MAIL first
        C: MAIL FROM:<joe@example.com>
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        C: MAIL FROM:<joe@example.com>
        S: 503 5.5.1 a transaction is open already; send RSET first
        C: DATA
        S: 503 5.5.1 RCPT first
        C: RCPT TO:<ann@example.org>
        E: rcpt <ann@example.org>
        S: 250 2.1.5 ok
        C: RSET
        E: abort Reset
        S: 250 2.0.0 flushed
        C: DATA
        S: 503 5.5.1 MAIL first
        C: MAIL FROM:<>
        E: mail <>
        S: 250 2.1.0 ok
        C: HELO again
        E: abort Hello
        E: helo again
        S: 250 mx.example.org
        C: MAIL FROM:<spammer@example.com>
        E: mail <spammer@example.com>
        S: 550 5.7.1 as you wished
        C: MAIL FROM:<joe@example.com>
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        C: QUIT
        E: abort Quit
        S: 221 2.0.0 mx.example.org
    ",
};

const SMALL: Transcript = Transcript {
    name: "small commands and wrong ones",
    text: r"
        S: 220 mx.example.org ESMTP
        E: connected
        C: noop whatever
        S: 250 2.0.0 ok
        C: VRFY joe
        S: 252 2.1.5 send some mail, i'll try my best
        C: HELP
        S: 214-2.0.0 HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT
        S: 214 2.0.0 see RFC 5321
        C: EXPN list
        S: 502 5.5.1 unimplemented
        C: STARTTLS
        S: 502 5.5.1 unimplemented
        C: XYZZY
        S: 500 5.5.2 unrecognized command
        C:
        S: 500 5.5.2 unrecognized command
        C: EHLO
        S: 501 5.5.4 syntax: EHLO hostname
        C: DATA now
        S: 501 5.5.4 syntax: DATA
        C: MAIL joe@example.com
        S: 501 5.1.7 syntax: MAIL FROM:<address> [parameters]
        C: MAIL FROM:<joe@example.com> COLOUR=blue
        S: 555 5.5.4 parameter not recognized or not implemented
        C: RCPT TO:<>
        S: 501 5.1.3 syntax: RCPT TO:<address> [parameters]
        R: NOOP\n
        S: 500 5.5.2 the line ended with LF alone; lines end with CRLF
        R: NO\rOP\r\n
        S: 500 5.5.2 the line holds a CR without LF
        R: NOOP \0\r\n
        S: 500 5.5.2 the line holds a NUL byte
        C: EHLO refused
        E: ehlo refused
        S: 550 5.7.1 as you wished
        C: QUIT
        S: 221 2.0.0 mx.example.org
    ",
};

const REFUSALS: Transcript = Transcript {
    name: "the application refuses",
    text: r"
        S: 220 mx.example.org ESMTP
        E: connected
        C: MAIL FROM:<full@example.com>
        E: mail <full@example.com>
        S: 250 2.1.0 ok
        C: RCPT TO:<ann@example.org>
        E: rcpt <ann@example.org>
        S: 250 2.1.5 ok
        C: DATA
        E: data
        S: 452 4.3.1 as you wished
        E: abort Refused
        C: MAIL FROM:<broken@example.com>
        E: mail <broken@example.com>
        S: 250 2.1.0 ok
        C: RCPT TO:<ann@example.org>
        E: rcpt <ann@example.org>
        S: 250 2.1.5 ok
        C: DATA
        E: data
        S: 354 go ahead
        C: .
        E: end 0
        S: 451 4.3.0 as you wished
        C: MAIL FROM:<joe@example.com>
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        C: RCPT TO:<leave@example.org>
        E: rcpt <leave@example.org>
        S: 421 4.7.0 go away
        E: abort Closed
    ",
};

const CHUNKS: Transcript = Transcript {
    name: "BDAT",
    text: r"
        S: 220 mx.example.org ESMTP
        E: connected
        R: BDAT 5\r\nQUIT\n
        S: 503 5.5.1 MAIL first
        C: MAIL FROM:<joe@example.com>
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        C: RCPT TO:<ann@example.org>
        E: rcpt <ann@example.org>
        S: 250 2.1.5 ok
        R: BDAT 4\r\n.\r\na
        E: data
        S: 250 2.0.0 4 octets received
        C: RCPT TO:<bob@example.org>
        S: 503 5.5.1 BDAT has begun; go on with BDAT or send RSET
        C: DATA
        S: 503 5.5.1 BDAT has begun; go on with BDAT or send RSET
        C: MAIL FROM:<joe@example.com>
        S: 503 5.5.1 a transaction is open already; send RSET first
        R: BDAT 1\r\n\r
        S: 250 2.0.0 1 octets received
        R: BDAT 1\r\n\n
        S: 250 2.0.0 1 octets received
        C: BDAT 0 LAST
        E: body .\na\n
        E: end 4
        S: 250 2.0.0 ok
        C: MAIL FROM:<joe@example.com>
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        C: RCPT TO:<ann@example.org>
        E: rcpt <ann@example.org>
        S: 250 2.1.5 ok
        R: BDAT 3\r\na\nb
        E: data
        E: body a
        E: abort BareLf
        S: 554 5.6.0 a line of the message ended with LF alone; lines end with CRLF
        R: BDAT 3 LAST\r\nc\r\n
        S: 503 5.5.1 MAIL first
        C: MAIL FROM:<full@example.com>
        E: mail <full@example.com>
        S: 250 2.1.0 ok
        C: RCPT TO:<ann@example.org>
        E: rcpt <ann@example.org>
        S: 250 2.1.5 ok
        R: BDAT 6 LAST\r\nRSET\r\n
        E: data
        E: abort Refused
        S: 452 4.3.1 as you wished
        C: MAIL FROM:<joe@example.com>
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        C: BDAT x
        S: 501 5.5.4 syntax: BDAT size [LAST]; closing
        E: abort Closed
    ",
};

const LIMITS: Transcript = Transcript {
    name: "limits: size 30, header 20, two recipients, two hops",
    text: r"
        S: 220 mx.example.org ESMTP
        E: connected
        C: EHLO c
        E: ehlo c
        S: 250-mx.example.org
        S: 250-PIPELINING
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250-SIZE 30
        S: 250-SMTPUTF8
        S: 250-CHUNKING
        S: 250 HELP
        C: MAIL FROM:<joe@example.com> SIZE=31
        S: 552 5.3.4 sorry, that message size exceeds my limit
        C: MAIL FROM:<joe@example.com> SIZE=30
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        C: RCPT TO:<nobody@example.org>
        E: rcpt <nobody@example.org>
        S: 550 5.1.1 as you wished
        C: RCPT TO:<a@example.org>
        E: rcpt <a@example.org>
        S: 250 2.1.5 ok
        C: RCPT TO:<b@example.org>
        E: rcpt <b@example.org>
        S: 250 2.1.5 ok
        C: RCPT TO:<c@example.org>
        S: 452 4.5.3 too many recipients; send this message to them again
        C: DATA
        E: data
        S: 354 go ahead
        C:
        C: 12345678901234567890123456789
        C: .
        E: body \n12345678901234567890123456789
        E: abort TooBig
        S: 552 5.3.4 sorry, that message size exceeds my limit
        C: MAIL FROM:<joe@example.com>
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        C: RCPT TO:<a@example.org>
        E: rcpt <a@example.org>
        S: 250 2.1.5 ok
        C: DATA
        E: data
        S: 354 go ahead
        C: Subject: 123456789012345
        C: .
        E: body Subject: 12345678901
        E: abort HeaderTooBig
        S: 552 5.3.4 sorry, that message's header exceeds my limit
        C: MAIL FROM:<joe@example.com>
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        C: RCPT TO:<a@example.org>
        E: rcpt <a@example.org>
        S: 250 2.1.5 ok
        C: DATA
        E: data
        S: 354 go ahead
        C: Received:
        C: received:
        C: .
        E: body Received:\nreceived:
        E: abort TooManyHops
        S: 554 5.4.6 too many hops, this message is looping
        C: QUIT
        S: 221 2.0.0 mx.example.org
    ",
};

const ERRORS: Transcript = Transcript {
    name: "errors: three",
    text: r"
        S: 220 mx.example.org ESMTP
        E: connected
        C: MAIL FROM:<joe@example.com>
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        C: RCPT TO:<nobody@example.org>
        E: rcpt <nobody@example.org>
        S: 550 5.1.1 as you wished
        C: RCPT TO:<later@example.org>
        E: rcpt <later@example.org>
        S: 451 4.7.1 as you wished
        C: XYZZY
        S: 500 5.5.2 unrecognized command
        C: MAIL
        S: 501 5.1.7 syntax: MAIL FROM:<address> [parameters]
        S: 421 4.7.0 too many errors, closing
        E: abort TooManyErrors
    ",
};

const NORMALISED: Transcript = Transcript {
    name: "normalising, with CRLF line ends",
    text: r"
        S: 220 mx.example.org ESMTP
        E: connected
        R: MAIL FROM:<joe@example.com>\n
        E: mail <joe@example.com>
        S: 250 2.1.0 ok
        R: RCPT TO:<ann@example.org>\n
        E: rcpt <ann@example.org>
        S: 250 2.1.5 ok
        R: DATA\n
        E: data
        S: 354 go ahead
        R: a\n.\nb\r.\rc\r\n.\r\n
        E: body a\r\n.\r\nb\r\n.\r\nc\r\n
        E: end 15
        S: 250 2.0.0 ok
    ",
};

const XCLIENT: Transcript = Transcript {
    name: "a host in front speaks for its clients",
    text: r#"
        E: connected
        S: 220 mx.example.org ESMTP
        C: EHLO front.example
        E: ehlo front.example
        S: 250-mx.example.org
        S: 250-PIPELINING
        S: 250-8BITMIME
        S: 250-ENHANCEDSTATUSCODES
        S: 250-SIZE
        S: 250-SMTPUTF8
        S: 250-CHUNKING
        S: 250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT
        S: 250 HELP
        C: XCLIENT
        S: 501 5.5.4 syntax: XCLIENT attribute=value..., the attributes as offered
        C: XCLIENT ADDR=192.0.2.1 LOGIN=joe
        E: xclient Is(192.0.2.1) Unsaid
        S: 550 5.7.0 as you wished
        C: XCLIENT ADDR=IPV6:2001:db8::1 PORT=40000 HELO=a+2Bb.example
        E: xclient Is(2001:db8::1) Is(b"a+b.example")
        S: 220 mx.example.org ESMTP
        C: MAIL FROM:<a@client.example>
        E: mail <a@client.example>
        S: 250 2.1.0 ok
        C: XCLIENT ADDR=192.0.2.2
        S: 503 5.5.1 a transaction is open; XCLIENT comes before MAIL
        C: RSET
        E: abort Reset
        S: 250 2.0.0 flushed
        C: XCLIENT ADDR=192.0.2.2 HELO=[UNAVAILABLE]
        E: xclient Is(192.0.2.2) Unavailable
        S: 220 mx.example.org ESMTP
        C: QUIT
        S: 221 2.0.0 mx.example.org
    "#,
};

const NO_XCLIENT: Transcript = Transcript {
    name: "nobody else may speak for others",
    text: "
        E: connected
        S: 220 mx.example.org ESMTP
        C: XCLIENT ADDR=192.0.2.1
        S: 502 5.5.1 unimplemented
        C: QUIT
        S: 221 2.0.0 mx.example.org
    ",
};

fn table() -> Vec<(&'static Transcript, Arc<Config>)> {
    let limits = config(|config| {
        config.limits.message_size = 30;
        config.limits.header_size = 20;
        config.limits.recipients = 2;
        config.limits.hops = 2;
    });
    let normalised = config(|config| {
        config.line_ends = LineEnds::Normalise;
        config.newline = Newline::Crlf;
    });
    vec![
        (&PLAIN, config(|_| {})),
        (&XCLIENT, config(|config| config.xclient = true)),
        (&NO_XCLIENT, config(|_| {})),
        (&ORDER, config(|_| {})),
        (&SMALL, config(|_| {})),
        (&REFUSALS, config(|_| {})),
        (&CHUNKS, config(|_| {})),
        (&LIMITS, limits),
        (&ERRORS, config(|config| config.limits.errors = 3)),
        (&NORMALISED, normalised),
    ]
}

#[test]
fn dialogues_go_as_written_in_step_whole_and_byte_by_byte() {
    for (transcript, config) in table() {
        transcript.run(&config, &[]);
    }
}

proptest! {
    #[test]
    fn dialogues_go_as_written_however_they_are_cut(
        cuts in prop::collection::vec(1_usize..60, 1..20),
    ) {
        for (transcript, config) in table() {
            transcript.run(&config, &cuts);
        }
    }

    #[test]
    fn fragments_of_dialogues_in_any_order_keep_the_oracles(
        head in any::<[u8; 3]>(),
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..60),
    ) {
        let all: Vec<u8> = table().iter().flat_map(|(t, _)| t.input()).collect();
        let lines: Vec<&[u8]> = all.split_inclusive(|&b| b == b'\n').collect();
        let mut data = head.to_vec();
        for (pick, noise) in picks {
            data.extend_from_slice(lines[pick.index(lines.len())]);
            if noise < 10 {
                data.push(noise);
            }
        }
        crate::oracle::fuzz(&data);
    }

    #[test]
    fn garbage_keeps_the_oracles(data in prop::collection::vec(any::<u8>(), 0..600)) {
        crate::oracle::fuzz(&data);
    }
}
