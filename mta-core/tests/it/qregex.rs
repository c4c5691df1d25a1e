//! Lists of POSIX extended regular expressions (spec §8.7).

use mta_core::control::{BadPattern, MAX_PATTERN, Patterns};
use proptest::prelude::*;

fn refuses(pattern: &str, value: &str) -> bool {
    let read = Patterns::parse(pattern.as_bytes());
    assert_eq!(read.unusable(), [], "{pattern}");
    read.refusing(value.as_bytes()).is_some()
}

/// Name, pattern, what it matches, what it does not.
const MATCHES: &[(&str, &str, &[&str], &[&str])] = &[
    ("anywhere", "evil", &["xevilx", "evil"], &["evi"]),
    ("any case", "Evil", &["eVIL"], &[]),
    (
        "a literal entry",
        "@evil.com",
        &["a@evil.com", "a@evil.com.org", "a@evil-com"],
        &["a@evil"],
    ),
    ("anchors", "^a$", &["a"], &["ab", "ba", "a\n"]),
    ("anchors in a branch", "^a|b$", &["ax", "xb"], &["xa", "bx"]),
    (". is any byte", "^.$", &["x", "\n"], &["é", ""]),
    ("escaped special", "a\\.b", &["a.b"], &["axb"]),
    ("an escaped letter is that letter", "^\\d$", &["d"], &["1"]),
    ("words", "\\<a\\>", &["x a y"], &["xa", "ax"]),
    ("word bytes", "^\\w+\\W\\w+$", &["a@b"], &["a"]),
    ("a bracket expression", "^[a-c]$", &["b", "B"], &["d"]),
    ("] first", "^[]x]$", &["]", "x"], &["[", "y"]),
    (
        "] first in a negated one",
        "^[^]x]$",
        &["y"],
        &["]", "x", "X"],
    ),
    ("a negated one in any case", "^[^a]$", &["b"], &["a", "A"]),
    ("- last", "^[a-]$", &["a", "-"], &["b"]),
    ("\\ in brackets is itself", "^[\\.]$", &["\\", "."], &["a"]),
    ("&& in brackets is &", "^[a&&b]$", &["a", "&", "b"], &["c"]),
    ("a range from -", "^[--/]$", &["-", ".", "/"], &["a", "0"]),
    ("[ in brackets", "^[[]$", &["["], &["x"]),
    ("a class", "^[[:digit:]_]+$", &["1_2"], &["a"]),
    ("a negated class", "^[^[:space:]]+$", &["a@b"], &["a b"]),
    (
        "collating symbol and equivalence class",
        "^[[.-.][=b=]]$",
        &["-", "b"],
        &["."],
    ),
    (
        "everything excluded",
        "[^\u{1}-\u{7f}[:cntrl:]]",
        &["é"],
        &["a", "~"],
    ),
    (
        "repetitions",
        "^ab*c+d?$",
        &["ac", "abbccd"],
        &["ab", "acdd"],
    ),
    (
        "an interval",
        "^a{2}b{1,}c{,2}$",
        &["aab", "aabbcc"],
        &["ab", "aabccc"],
    ),
    (
        "two repetitions",
        "^x(ab)+?$",
        &["x", "xab", "xabab"],
        &["xa"],
    ),
    ("two repetitions are not lazy", "^a+?$", &["aa"], &["b"]),
    ("* twice", "^a**$", &["aaa"], &["b"]),
    (
        "an interval of an interval",
        "^a{2}{3}$",
        &["aaaaaa"],
        &["aaaaa"],
    ),
    ("groups", "^(a|(b|c)+)d$", &["ad", "bcbd"], &["abd", "d"]),
    ("an empty branch", "^(a|)b$", &["ab", "b"], &["bb"]),
    ("a ) that nothing opens", "^a)$", &["a)"], &["a"]),
    ("a } that nothing opens", "^a}$", &["a}"], &["a"]),
    ("bytes beyond ASCII", "é", &["café"], &["É", "e"]),
    ("# and blanks inside", "a #b", &["a #b"], &["ab"]),
    ("negation", "!@.*\\.", &["joe@host"], &["joe@host.example"]),
];

#[test]
fn patterns_are_posix_extended_ones() {
    for (name, pattern, matches, others) in MATCHES {
        for value in *matches {
            assert!(refuses(pattern, value), "{name}: {value:?}");
        }
        for value in *others {
            assert!(!refuses(pattern, value), "{name}: {value:?}");
        }
    }
}

#[test]
fn what_is_no_pattern_is_reported_and_refuses_nobody() {
    let long = "a".repeat(MAX_PATTERN + 1);
    let deep = "(".repeat(MAX_PATTERN / 2) + &")".repeat(MAX_PATTERN / 2);
    let rows = [
        ("a back-reference", "(a)\\1", BadPattern::BackReference),
        ("a \\ at the end", "a\\", BadPattern::TrailingBackslash),
        ("an open bracket", "[a", BadPattern::Bracket),
        ("an empty bracket", "[]", BadPattern::Bracket),
        ("a range backwards", "[z-a]", BadPattern::Bracket),
        ("an unknown class", "[[:letter:]]", BadPattern::Bracket),
        ("an open class", "[[:alpha]", BadPattern::Bracket),
        (
            "a named collating element",
            "[[.hyphen.]]",
            BadPattern::Bracket,
        ),
        ("an open parenthesis", "(a", BadPattern::Parenthesis),
        (
            "a group of another syntax",
            "(?:a)",
            BadPattern::NothingToRepeat,
        ),
        ("* first", "*a", BadPattern::NothingToRepeat),
        ("+ behind an anchor", "^+", BadPattern::NothingToRepeat),
        ("? behind |", "a|?", BadPattern::NothingToRepeat),
        ("an open interval", "a{2", BadPattern::Interval),
        ("an empty interval", "a{}", BadPattern::Interval),
        ("an interval backwards", "a{2,1}", BadPattern::Interval),
        ("a large interval", "a{256}", BadPattern::Interval),
        ("a NUL", "a\0b", BadPattern::Nul),
        ("a long one", &long, BadPattern::TooLong),
        ("a deep one", &deep, BadPattern::TooLarge),
        (
            "an explosive one",
            "((a{255}){255}){255}",
            BadPattern::TooLarge,
        ),
    ];
    for (name, pattern, want) in rows {
        let read = Patterns::parse(format!("# one\n{pattern}\n").as_bytes());
        assert!(read.is_empty(), "{name}");
        assert_eq!(read.refusing(b"a"), None, "{name}");
        let [unusable] = read.unusable() else {
            panic!("{name} is a pattern");
        };
        assert_eq!((unusable.line, unusable.reason), (2, want), "{name}");
        assert!(
            unusable.to_string().starts_with("line 2: expected "),
            "{unusable}"
        );
    }
}

#[test]
fn the_first_line_that_refuses_decides_and_the_null_sender_is_let_through() {
    let list = Patterns::parse(b"#a\n\n(\nb \n!.\nA\n.\n");
    assert_eq!(list.refusing(b"ab"), Some(&b"b"[..]));
    assert_eq!(list.refusing(b"a"), Some(&b"A"[..]));
    assert_eq!(list.refusing(b"x"), Some(&b"."[..]));
    assert_eq!(list.refusing(b""), None);
    assert_eq!(list.unusable().len(), 1);
    assert!(Patterns::parse(b"").is_empty());
}

proptest! {
    #[test]
    fn any_text_is_read(text in proptest::collection::vec(any::<u8>(), 0..80), value in proptest::collection::vec(any::<u8>(), 0..40)) {
        let read = Patterns::parse(&text);
        let _ = read.refusing(&value);
    }

    #[test]
    fn whatever_the_translation_writes_compiles(pattern in "[\\]\\[ab()|*+?{}0-9,^$.\\\\:=\\-]{0,30}") {
        let read = Patterns::parse(pattern.as_bytes());
        let large = |unusable: &mta_core::control::Unusable| unusable.reason == BadPattern::TooLarge;
        prop_assert!(pattern.contains('{') || !read.unusable().iter().any(large), "{}", pattern);
    }

    #[test]
    fn letters_and_digits_match_themselves(text in "[a-zA-Z0-9@_-]{1,20}") {
        let read = Patterns::parse(format!("^{text}$").as_bytes());
        prop_assert!(read.refusing(text.as_bytes()).is_some());
        let longer = format!("{text}x");
        prop_assert!(read.refusing(longer.as_bytes()).is_none());
    }
}
