//! Passwords against strings that libxcrypt made, and against perl's crypt (crypt(5)).

use mta_auth::password::{
    HashError, MAX_PASSWORD, PasswordError, Salt, hash, hash_with_rounds, verify, verify_nobody,
};
use std::process::Command;

const HORSE: &[u8] = b"correct horse";

const LONG: &[u8] = b"long password long password long password long password \
    long password long password long password long password ";

const FROM_LIBXCRYPT: &[(&str, &[u8], &str)] = &[
    (
        "sha512",
        HORSE,
        r"$6$7h99P.egcvVCnAN3$zw1DeCcHQ4y1P1Ao87jQfFE8vpDj.Nadany61/VsYZ5UQe55/BGvh3OB5HPXD0wWSSSElIWqQYm1hKbAc2hoe.",
    ),
    (
        "sha512 with rounds",
        HORSE,
        r"$6$rounds=1234$abcdefgh$fnpIuhaCV2VDdBD8TdaAnkiKvTftprgrPrajgofRE8UidZvrM0dFMpFTXKrhbsgA1Klo2.FFmcL48y9L5aiAP0",
    ),
    (
        "sha512 without salt",
        HORSE,
        r"$6$$6LUofpTKYGJWmsxkYcfhDE9wD283B.yVCb5N1sauapb401RaE4WCRGITJhyCTMm1Vn0P9o4AW6q0BRXpOJZc9.",
    ),
    (
        "sha512 of a long password",
        LONG,
        r"$6$x$IvTzm.lfWt6nAyO6m.6PLY8FMRe9gPjR2dJXKGUje5DtIbZrxG1CKsW/XG.Is292ONeQq5XQxZl7MlElPdTeX/",
    ),
    (
        "sha256",
        HORSE,
        r"$5$Jju229ywyaCAnwVk$zUnlAZcHtfJkxzDXjL2uCqqWTyfGCoMXzD6Cp4.09Y9",
    ),
    (
        "sha256 of a long password",
        LONG,
        r"$5$ab$g93eGhEt1buYJ9qvttjtwE9Y/PfXAr6yGODVstiu2D8",
    ),
    ("md5", HORSE, r"$1$zBH9xrzu$avSvfiVfbp3E5/TrgB.4m."),
    (
        "md5 of a long password",
        LONG,
        r"$1$abcdefgh$MCQmjtISDmk2o/a5Z.X1s.",
    ),
    (
        "bcrypt 2b",
        HORSE,
        r"$2b$05$d2/Rex8xV5wkZSWJ5oI3X.pKOkRN/Zc9hoGYqVbWzKXlHi1kdXCY6",
    ),
    (
        "bcrypt 2a",
        HORSE,
        r"$2a$05$2OqO3HGMws9LNYDqc0m3D.2c3exgCrjkwv81P.cFM/p5/UmIwC8vO",
    ),
    (
        "bcrypt of eight-bit letters",
        "pässwörd".as_bytes(),
        r"$2b$05$b01Sg9Bquy5xA29DCBg5k.77xzVKGCODwji6nLLCUl0YFB9zus3WW",
    ),
    (
        "bcrypt 2y of a long password",
        LONG,
        r"$2y$04$b01Sg9Bquy5xA29DCBg5k.ag9yIw9Jtv7VoiHMOQZ105PKyJ.zLyi",
    ),
];

#[test]
fn strings_of_libxcrypt_verify() {
    for (name, password, stored) in FROM_LIBXCRYPT {
        assert_eq!(verify(password, stored.as_bytes()), Ok(true), "{name}");
        assert_eq!(verify(b"wrong", stored.as_bytes()), Ok(false), "{name}");
        let mut other = stored.as_bytes().to_vec();
        let last = other.last_mut().unwrap();
        *last = if *last == b'.' { b'/' } else { b'.' };
        assert_ne!(
            verify(password, &other),
            Ok(true),
            "{name}, last letter changed"
        );
    }
}

#[test]
fn strings_that_cannot_be_verified_say_why() {
    let scheme = |name: &str| Err(HashError::Scheme(name.to_owned()));
    let rows: &[(&str, &[u8], Result<bool, HashError>)] = &[
        ("no password", b"", Err(HashError::NoPassword)),
        ("DES", b"eMdc7awIAR.AY", scheme("DES")),
        (
            "yescrypt",
            b"$y$j9T$YoBhYAlf9xq6BTP2pQBoR.$DG92",
            scheme("$y$"),
        ),
        ("locked account", b"!", scheme("unknown")),
        ("dollar alone", b"$", scheme("unknown")),
        ("two dollars", b"$$", scheme("$$")),
        ("not UTF-8", b"$\xff$", scheme("unknown")),
        ("no digest", b"$6$salt", Err(HashError::Damaged("$6$"))),
        (
            "long salt",
            b"$6$aaaaaaaaaaaaaaaaaaaaaaaa$x",
            Err(HashError::Damaged("$6$")),
        ),
        (
            "rounds that take minutes",
            b"$6$rounds=999999999$a$x",
            Err(HashError::Damaged("$6$")),
        ),
        (
            "rounds that are no number",
            b"$5$rounds=+5$a$x",
            Err(HashError::Damaged("$5$")),
        ),
        (
            "rounds beyond 32 bits",
            b"$5$rounds=99999999999$a$x",
            Err(HashError::Damaged("$5$")),
        ),
        (
            "md5 without digest",
            b"$1$aaa",
            Err(HashError::Damaged("$1$")),
        ),
        (
            "bcrypt cut short",
            b"$2y$05$abc",
            Err(HashError::Damaged("$2")),
        ),
        (
            "bcrypt that takes hours",
            b"$2y$31$b01Sg9Bquy5xA29DCBg5k.77xzVKGCODwji6nLLCUl0YFB9zus3WW",
            Err(HashError::Damaged("$2")),
        ),
        ("too long", &[b'$'; 300], scheme("$$")),
    ];
    for (name, stored, expected) in rows {
        let found = verify(b"x", stored);
        if *name == "too long" {
            assert!(found.is_err(), "{name}");
        } else {
            assert_eq!(found, *expected, "{name}");
        }
    }
}

#[test]
fn no_stored_string_panics() {
    proptest::proptest!(|(stored in "\\$[1-6y2]{0,2}[aby]?\\$(rounds=[0-9]{0,4}\\$)?[ -~]{0,70}")| {
        let _ = verify(b"x", stored.as_bytes());
    });
    proptest::proptest!(|(stored in proptest::collection::vec(proptest::num::u8::ANY, 0..80))| {
        let _ = verify(b"x", &stored);
    });
}

#[test]
fn new_strings_are_salted_sha512_that_fits_vpasswd() {
    let one = hash(HORSE, Salt::from_random([1; 16])).unwrap();
    let two = hash(HORSE, Salt::from_random([2; 16])).unwrap();
    assert!(one.starts_with("$6$rounds=50000$"), "{one}");
    assert_ne!(one, two);
    assert!(one.len() <= mta_auth::vpasswd::MAX_CRYPT);
    assert!(!one.contains(':'));
    assert_eq!(verify(HORSE, one.as_bytes()), Ok(true));
}

#[test]
fn implied_rounds_are_not_written() {
    let stored = hash_with_rounds(HORSE, Salt::from_random([9; 16]), 5000).unwrap();
    assert!(!stored.contains("rounds"), "{stored}");
    assert_eq!(verify(HORSE, stored.as_bytes()), Ok(true));
}

#[test]
fn a_password_that_crypt_would_cut_is_refused() {
    let salt = Salt::from_random([1; 16]);
    let rows: &[(&str, Vec<u8>, PasswordError)] = &[
        ("empty", Vec::new(), PasswordError::Empty),
        (
            "too long",
            vec![b'a'; MAX_PASSWORD + 1],
            PasswordError::TooLong,
        ),
        ("with NUL", b"a\0b".to_vec(), PasswordError::Nul),
    ];
    for (name, password, error) in rows {
        assert_eq!(hash(password, salt), Err(*error), "{name}");
    }
    let stored = hash_with_rounds(b"a", salt, 1000).unwrap();
    assert_eq!(verify(b"a\0b", stored.as_bytes()), Ok(false));
    assert_eq!(verify(&vec![b'a'; 100_000], stored.as_bytes()), Ok(false));
    verify_nobody(b"anything");
    verify_nobody(&vec![b'a'; 100_000]);
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn crypt_of_the_c_library_agrees_with_new_strings() {
    let stored = hash_with_rounds(HORSE, Salt::from_random(*b"0123456789abcdef"), 5000).unwrap();
    let out = Command::new("perl")
        .args([
            "-e",
            "print crypt($ARGV[0], $ARGV[1])",
            "correct horse",
            &stored,
        ])
        .output();
    let Ok(out) = out else {
        eprintln!("skipped crypt_of_the_c_library_agrees_with_new_strings: perl is not installed");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&out.stdout), stored);
}
