//! What dot-stuffing promises of any body: one message in is one message out (RFC 5321 §4.5.2).

use bytes::BytesMut;
use mta_proto::smtp::client::Stuffer;
use proptest::prelude::*;

fn stuff(body: &[u8], cut: usize) -> Vec<u8> {
    let (mut out, mut stuffer) = (BytesMut::new(), Stuffer::new());
    for piece in body.chunks(cut) {
        let before = out.len();
        stuffer.feed(piece, &mut out);
        assert!(out.len() - before <= 2 * piece.len() + 2, "output bound");
    }
    stuffer.finish(&mut out);
    out.to_vec()
}

#[test]
fn bodies_are_stuffed_as_the_table_says() {
    let rows: [(&str, &[u8], &[u8]); 14] = [
        ("empty", b"", b".\r\n"),
        ("queue form", b"a\nb\n", b"a\r\nb\r\n.\r\n"),
        ("wire form", b"a\r\nb\r\n", b"a\r\nb\r\n.\r\n"),
        ("partial last line", b"a", b"a\r\n.\r\n"),
        ("dot first", b".\n", b"..\r\n.\r\n"),
        ("dot alone at the end", b"a\n.", b"a\r\n..\r\n.\r\n"),
        ("two dots", b"..a\n", b"...a\r\n.\r\n"),
        ("dot inside", b"a.b\n", b"a.b\r\n.\r\n"),
        ("bare CR", b"a\rb\n", b"a\r\nb\r\n.\r\n"),
        (
            "bare CR and dot",
            b"x\r.\nevil\n",
            b"x\r\n..\r\nevil\r\n.\r\n",
        ),
        ("CR CR LF", b"a\r\r\nb", b"a\r\n\r\nb\r\n.\r\n"),
        ("CR last", b"a\r", b"a\r\n.\r\n"),
        ("LF dot LF", b"\n.\n", b"\r\n..\r\n.\r\n"),
        ("CR dot CR", b"\r.\r", b"\r\n..\r\n.\r\n"),
    ];
    for (name, body, wanted) in rows {
        for cut in [1, 2, 3, 100] {
            let got = stuff(body, cut);
            assert_eq!(got, wanted, "{name}: {}", got.escape_ascii());
        }
    }
}

proptest! {
    #[test]
    fn one_body_in_is_one_body_out(body in "(a|\\.|\r|\n|\r\n){0,60}", cut in 1..9_usize) {
        let body = body.as_bytes();
        let out = stuff(body, cut);
        prop_assert_eq!(&out, &stuff(body, 1000));
        // Neither CR nor LF stands alone, and the end of data comes once: at the end.
        let text = String::from_utf8(out).unwrap();
        prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
        let data = format!("\r\n{text}");
        prop_assert_eq!(data.find("\r\n.\r\n"), Some(data.len() - 5));
        // What a server makes of it is the body with its line ends in order.
        let received = data.replace("\r\n.", "\r\n");
        let received = &received[2..received.len() - 2];
        let mut wanted = String::from_utf8(body.to_vec()).unwrap();
        wanted = wanted.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
        if !wanted.is_empty() && !wanted.ends_with("\r\n") {
            wanted += "\r\n";
        }
        prop_assert_eq!(received, wanted);
    }
}
