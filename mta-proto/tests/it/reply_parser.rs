//! What the reply parser promises of well-formed and of hostile replies (RFC 5321 §4.2).

use bytes::BytesMut;
use mta_proto::smtp::reply_parser::{RemoteReply, ReplyError, ReplyLimits, ReplyParser};
use proptest::prelude::*;

fn parse_all(input: &[u8], cut: usize) -> (Vec<RemoteReply>, Option<ReplyError>, Vec<u8>) {
    let mut parser = ReplyParser::new(ReplyLimits {
        line: 64,
        lines: 5,
        text: 200,
    });
    let (mut buffer, mut replies) = (BytesMut::new(), Vec::new());
    for piece in input.chunks(cut) {
        buffer.extend_from_slice(piece);
        loop {
            match parser.feed(&mut buffer) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => return (replies, Some(error), parser.said().to_vec()),
            }
        }
        assert!(buffer.is_empty(), "all input is taken");
    }
    (replies, None, Vec::new())
}

#[test]
fn replies_are_read_as_the_table_says() {
    let rows: [(&str, &[u8], u16, &[u8]); 7] = [
        ("one line", b"250 ok\r\n", 250, b"250 ok\n"),
        ("bare code", b"250\r\n", 250, b"250\n"),
        ("bare line feed", b"250 ok\n", 250, b"250 ok\n"),
        (
            "many lines",
            b"250-a\r\n250-\r\n250 b\r\n",
            250,
            b"250-a\n250-\n250 b\n",
        ),
        ("CR and NUL inside", b"550 a\rb\0c\r\n", 550, b"550 ab?c\n"),
        (
            "text line",
            b"550-a\r\noops\r\n550 b\r\n",
            550,
            b"550-a\noops\n550 b\n",
        ),
        ("high bytes", b"250 \xff\r\n", 250, b"250 \xff\n"),
    ];
    for (name, input, code, text) in rows {
        for cut in [1, 2, 1000] {
            let (replies, error, _) = parse_all(input, cut);
            assert_eq!(error, None, "{name}");
            let wanted = RemoteReply {
                code,
                text: text.to_vec(),
            };
            assert_eq!(replies, [wanted], "{name}");
        }
    }
}

#[test]
fn a_64_kib_line_is_cut_and_the_reply_fails() {
    let mut parser = ReplyParser::new(ReplyLimits::default());
    let mut input = BytesMut::from(&b"250 "[..]);
    input.extend_from_slice(&[b'x'; 65_536]);
    input.extend_from_slice(b"\r\n");
    assert_eq!(
        parser.feed(&mut input),
        Err(ReplyError::LineTooLong { limit: 4096 })
    );
    assert!(parser.said().len() <= 4097 && parser.said().starts_with(b"250 xxx"));
    assert_eq!(
        parser.feed(&mut input),
        Err(ReplyError::LineTooLong { limit: 4096 })
    );
}

#[test]
fn kept_text_never_passes_its_limit() {
    let mut parser = ReplyParser::new(ReplyLimits::default());
    let line = format!("550-{}\r\n", "y".repeat(900));
    let mut input = BytesMut::from(line.repeat(20).as_bytes());
    input.extend_from_slice(b"550 end\r\n");
    let reply = parser.feed(&mut input).unwrap().unwrap();
    assert_eq!((reply.code, reply.text.len()), (550, 5000));
    assert!(parser.is_between_replies());
}

#[test]
fn too_many_lines_fail() {
    let (replies, error, _) = parse_all(&b"250-a\r\n".repeat(6), 3);
    assert_eq!(
        (replies.len(), error),
        (0, Some(ReplyError::TooManyLines { limit: 5 }))
    );
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_replies(input in "(250|421|55.|[ -]|a|\r|\n|\r\n|\0){0,80}", cut in 1..20_usize) {
        prop_assert_eq!(parse_all(input.as_bytes(), cut), parse_all(input.as_bytes(), 10_000));
    }

    #[test]
    fn no_bytes_make_it_panic(input in proptest::collection::vec(any::<u8>(), 0..300), cut in 1..9_usize) {
        let (replies, _, said) = parse_all(&input, cut);
        prop_assert!(replies.iter().all(|r| r.text.len() <= 200) && said.len() <= 200);
    }
}
