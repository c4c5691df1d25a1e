//! Lines of vpasswd and edits that keep it sorted (vadduser(8)).

use mta_auth::Flags;
use mta_auth::vpasswd::{Entry, EntryError, entries, find, records, with, without};

const JOE: &[u8] = b"joe:$1$a$b:1:18:Joe Doe:/d/joe:1000S";

#[test]
fn lines_read_and_write_back() {
    let rows: &[(&str, &[u8])] = &[
        ("usual", JOE),
        ("no password", b"joe::1:0:joe:/d/joe:NOQUOTA"),
        ("clear password", b"joe:x:1:0:joe:/d/joe:NOQUOTA:secret"),
        ("empty clear password", b"joe:x:1:0:joe:/d/joe:NOQUOTA:"),
        (
            "colons in the clear password",
            b"joe:x:1:0:joe:/d/joe:NOQUOTA:a:b",
        ),
        ("no dir", b"joe:x:1:0:joe::NOQUOTA"),
    ];
    for (name, line) in rows {
        let entry = Entry::parse(line).unwrap();
        assert_eq!(entry.to_line(), [line, &b"\n"[..]].concat(), "{name}");
    }
    let joe = Entry::parse(JOE).unwrap();
    assert_eq!(joe.flags, Flags::BOUNCE_MAIL | Flags::NO_POP);
}

#[test]
fn damaged_lines_say_what_is_missing() {
    let rows: &[(&str, &[u8], EntryError)] = &[
        ("empty", b"", EntryError::Colons),
        ("five colons", b"a:b:1:0:c:d", EntryError::Colons),
        ("no name", b":b:1:0:c:d:e", EntryError::Name),
        ("uid", b"a:b:x:0:c:d:e", EntryError::Number("uid")),
        (
            "gid with sign",
            b"a:b:1:+1:c:d:e",
            EntryError::Number("gid"),
        ),
        (
            "gid too large",
            b"a:b:1:99999999999:c:d:e",
            EntryError::Number("gid"),
        ),
    ];
    for (name, line, error) in rows {
        assert_eq!(Entry::parse(line), Err(*error), "{name}");
    }
}

#[test]
fn debug_output_holds_no_password() {
    let entry = Entry::parse(b"joe:$1$secret$hash:1:0:g:/d:NOQUOTA:clearly").unwrap();
    let shown = format!("{entry:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("clearly"),
        "{shown}"
    );
}

#[test]
fn edits_keep_the_file_sorted_and_foreign_lines_whole() {
    let foreign = b"bob:x:1:0:bob:/d/bob:NOQUOTA:clear\ndamaged\nzoe:x:1:0:zoe:/d/zoe:NOQUOTA\n";
    let entry = Entry::new(b"joe", b"h", b"/d/joe");
    let file = with(foreign, &entry);
    let expected = b"bob:x:1:0:bob:/d/bob:NOQUOTA:clear\ndamaged\njoe:h:1:0:joe:/d/joe:NOQUOTA\nzoe:x:1:0:zoe:/d/zoe:NOQUOTA\n";
    assert_eq!(
        file.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
    assert_eq!(
        with(&file, &entry),
        file,
        "the same entry again changes nothing"
    );
    assert_eq!(without(&file, b"joe"), foreign);
    assert_eq!(entries(&file).count(), 3);
    assert_eq!(find(&file, b"joe"), Some(entry));
    assert_eq!(find(&file, b"jo"), None);
    let first: Vec<_> = records(&file).map(|(key, _)| key.to_vec()).collect();
    assert_eq!(first, [&b"bob"[..], b"joe", b"zoe"]);
}

#[test]
fn fields_that_would_break_the_line_are_refused() {
    let good = Entry::new(b"joe", b"h", b"/d/joe");
    assert_eq!(good.check(), Ok(()));
    let mut colon = good.clone();
    colon.gecos = b"a:b".to_vec();
    assert_eq!(colon.check().unwrap_err().field, "gecos");
    let mut newline = good.clone();
    newline.quota = b"1\n".to_vec();
    assert_eq!(newline.check().unwrap_err().field, "quota");
    let mut long = good;
    long.dir = vec![b'a'; 161];
    assert_eq!(long.check().unwrap_err().field, "dir");
}
