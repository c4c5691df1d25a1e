//! Replies as they go over the wire (RFC 5321 §4.2, RFC 2034).

use mta_proto::smtp::{Enhanced, Reply};

#[test]
fn replies_encode_as_the_table_says() {
    let table: &[(&str, Reply, &str)] = &[
        ("plain", Reply::fixed(250, "ok"), "250 ok\r\n"),
        ("no text", Reply::fixed(250, ""), "250 \r\n"),
        (
            "enhanced",
            Reply::fixed(452, "too many").with(Enhanced::new(5, 3)),
            "452 4.5.3 too many\r\n",
        ),
        (
            "three digits in the detail",
            Reply::fixed(550, "x").with(Enhanced::new(7, 509)),
            "550 5.7.509 x\r\n",
        ),
        (
            "3xx shows no enhanced code",
            Reply::fixed(354, "go ahead").with(Enhanced::new(0, 0)),
            "354 go ahead\r\n",
        ),
        (
            "every line repeats both codes",
            Reply::fixed(550, "a\nb\r\nc").with(Enhanced::new(1, 1)),
            "550-5.1.1 a\r\n550-5.1.1 b\r\n550 5.1.1 c\r\n",
        ),
        (
            "controls cannot forge a line",
            Reply::new(550, "a\rb\0c\x7f".to_owned()),
            "550 a?b?c?\r\n",
        ),
        ("impossible code", Reply::fixed(99, "x"), "451 x\r\n"),
    ];
    for (name, reply, wire) in table {
        assert_eq!(reply.to_string(), *wire, "{name}");
    }
}

#[test]
fn reply_lines_never_pass_512_bytes() {
    for pad in 0..4 {
        let text = "x".repeat(pad) + &"é".repeat(1000);
        let wire = Reply::new(250, text).with(Enhanced::new(0, 0)).to_string();
        assert!(wire.len() <= 512, "{}", wire.len());
        assert!(wire.ends_with("é\r\n"));
    }
}

#[test]
fn reply_lines_are_bounded_in_number() {
    let wire = Reply::new(250, "x\n".repeat(100_000)).to_string();
    assert_eq!(wire.lines().count(), 64);
    assert!(wire.ends_with("250 x\r\n"));
}
