//! Passwords against strings that libxcrypt made, and against perl's crypt (crypt(5)).

use mta_auth::password::{
    HashError, MAX_PASSWORD, PasswordError, Recipe, Salt, Scheme, hash, hash_with_rounds,
    needs_rehash, verify, verify_nobody,
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
    ("des", HORSE, r"abhfCpXqd4GrI"),
    ("des of one letter", b"x", r"./7H4fGCYxIHQ"),
    (
        "des of eight-bit letters",
        "pässwörd".as_bytes(),
        r"zZw8laZTywrOQ",
    ),
    ("des of a long password", LONG, r"q9Xh8HNBQdGwY"),
    ("bsdi", HORSE, r"_J9..rasmDiLRGIlI80c"),
    ("bsdi of one letter", b"x", r"_/...zzzzmgMRAEE/bSE"),
    ("bsdi of a long password", LONG, r"_K1..CCNffmjfoW6n.C2"),
    (
        "yescrypt",
        HORSE,
        r"$y$j9T$YoBhYAlf9xq6BTP2pQBoR.$DG92SgHDWF01ScTUB1uxs.AhMy9hAp2JiXWojdxaPxC",
    ),
    (
        "yescrypt of little memory",
        b"x",
        r"$y$j75$abcdefgh$wPWF6ZngZZxi0TBX8BqPcYXMIarFww.baLy6hMEGMb9",
    ),
    (
        "yescrypt of eight-bit letters",
        "pässwörd".as_bytes(),
        r"$y$j85$LdJMENpBABJJ3hIHjB1Bi.$le3zNXxFxfJcSjl/ACB3HAO/ZvLjDGnNtxBHaYgPAR9",
    ),
    (
        "yescrypt of two lanes",
        b"x",
        r"$y$j75.0$abcd$pWbdgmJYQTcvM6PHqou79CDtjqOayDRwG5rGatb02n3",
    ),
    (
        "yescrypt of more time",
        b"x",
        r"$y$j75/.$abcd$otajePv8kJzk6sGnBFLUcM7YsHeHZLruvcxVRPsPVqA",
    ),
    (
        "yescrypt without salt",
        b"x",
        r"$y$j75$$F6x4/3a6JxiQtidq1fi5YpRHXxWElSlk9y0PXcIxPm2",
    ),
];

/// Made by the reference implementation of Argon2, which libxcrypt does not have.
const FROM_ARGON2: &[(&str, &[u8], &str)] = &[
    (
        "argon2id",
        HORSE,
        r"$argon2id$v=19$m=256,t=3,p=1$c2FsdHNhbHQ$QMCsOYPmlvfffp/zBlBe8cJlYXgTk/rzP8pXf6fjzfs",
    ),
    (
        "argon2id of four lanes",
        HORSE,
        r"$argon2id$v=19$m=1024,t=2,p=4$c29tZXNhbHQxMjM0NTY3OA$ipHJQSbZyb/7XnNwOdkC69ynKL81wtgaD2rNilYOFSw",
    ),
    (
        "argon2i",
        "pässwörd".as_bytes(),
        r"$argon2i$v=19$m=512,t=3,p=1$c29tZXNhbHQxMjM0NTY3OA$pln7bESo39cDpxRh94L5lM6UDpmgK6N3",
    ),
];

#[test]
fn strings_of_other_implementations_verify() {
    for (name, password, stored) in FROM_LIBXCRYPT.iter().chain(FROM_ARGON2) {
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

const DAMAGED: &[(&str, &[u8], &str)] = &[
        ("BSDi without count", b"_....rasmDiLRGIlI80c", "BSDi DES"),
        ("BSDi that takes minutes", b"_zzzzrasmDiLRGIlI80c", "BSDi DES"),
        ("BSDi cut short", b"_J9..rasm", "BSDi DES"),
        ("yescrypt without digest", b"$y$j9T$abcd", "$y$"),
        ("yescrypt of another flavour", b"$y$/9T$abcd$x", "$y$"),
        ("yescrypt of 64 GiB", b"$y$jLT$abcd$x", "$y$"),
        ("yescrypt with a ROM", b"$y$jC559$abcd$x", "$y$"),
        ("yescrypt with half a number", b"$y$jz$abcd$x", "$y$"),
        ("yescrypt of foreign letters", b"$y$j9T$a-cd$x", "$y$"),
        (
            "argon2 of 4 GiB",
            b"$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$QMCsOYPmlvfffp/zBlBe8cJlYXgTk/rzP8pXf6fjzfs",
            "$argon2id$",
        ),
        (
            "argon2 of a million passes",
            b"$argon2id$v=19$m=1024,t=1000000,p=1$c2FsdHNhbHQ$QMCsOYPmlvfffp/zBlBe8cJlYXgTk/rzP8pXf6fjzfs",
            "$argon2id$",
        ),
        (
            "argon2 without lanes",
            b"$argon2id$v=19$m=1024,t=1,p=0$c2FsdHNhbHQ$QMCsOYPmlvfffp/zBlBe8cJlYXgTk/rzP8pXf6fjzfs",
            "$argon2id$",
        ),
        (
            "argon2 with a sign",
            b"$argon2id$v=19$m=+256,t=3,p=1$c2FsdHNhbHQ$QMCsOYPmlvfffp/zBlBe8cJlYXgTk/rzP8pXf6fjzfs",
            "$argon2id$",
        ),
        (
            "argon2 of another version",
            b"$argon2id$v=20$m=256,t=3,p=1$c2FsdHNhbHQ$QMCsOYPmlvfffp/zBlBe8cJlYXgTk/rzP8pXf6fjzfs",
            "$argon2id$",
        ),
        ("no digest", b"$6$salt", "$6$"),
        (
            "long salt",
            b"$6$aaaaaaaaaaaaaaaaaaaaaaaa$x",
            "$6$",
        ),
        (
            "rounds that take minutes",
            b"$6$rounds=999999999$a$x",
            "$6$",
        ),
        (
            "rounds that are no number",
            b"$5$rounds=+5$a$x",
            "$5$",
        ),
        (
            "rounds beyond 32 bits",
            b"$5$rounds=99999999999$a$x",
            "$5$",
        ),
        (
            "md5 without digest",
            b"$1$aaa",
            "$1$",
        ),
        (
            "bcrypt cut short",
            b"$2y$05$abc",
            "$2b$",
        ),
        (
            "bcrypt that takes hours",
            b"$2y$31$b01Sg9Bquy5xA29DCBg5k.77xzVKGCODwji6nLLCUl0YFB9zus3WW",
            "$2b$",
        ),
];

#[test]
fn damaged_and_too_costly_strings_are_named() {
    for (name, stored, scheme) in DAMAGED {
        assert_eq!(
            verify(b"x", stored),
            Err(HashError::Damaged(scheme)),
            "{name}"
        );
    }
    let long = format!("$6${}$x", "a".repeat(300));
    assert_eq!(
        verify(b"x", long.as_bytes()),
        Err(HashError::Damaged("$6$"))
    );
}

#[test]
fn strings_of_no_known_scheme_say_so() {
    let scheme = |name: &str| Err(HashError::Scheme(name.to_owned()));
    let rows: &[(&str, &[u8], Result<bool, HashError>)] = &[
        ("no password", b"", Err(HashError::NoPassword)),
        ("gost-yescrypt", b"$gy$j9T$a$b", scheme("$gy$")),
        ("scrypt", b"$7$CU..../....a$b", scheme("$7$")),
        ("old bcrypt", b"$2x$05$a", scheme("$2x$")),
        (
            "argon2d",
            b"$argon2d$v=19$m=8,t=1,p=1$a$b",
            scheme("$argon2d$"),
        ),
        ("twelve letters", b"eMdc7awIAR.A", scheme("unknown")),
        (
            "a clear password of 13 bytes",
            b"correct:horse",
            scheme("unknown"),
        ),
        ("locked account", b"!", scheme("unknown")),
        ("dollar alone", b"$", scheme("unknown")),
        ("two dollars", b"$$", scheme("$$")),
        ("not UTF-8", b"$\xff$", scheme("unknown")),
    ];
    for (name, stored, expected) in rows {
        assert_eq!(verify(b"x", stored), *expected, "{name}");
    }
}

#[test]
fn no_stored_string_panics() {
    proptest::proptest!(|(stored in "\\$[1-6y2]{0,2}[aby]?\\$(rounds=[0-9]{0,4}\\$)?[ -~]{0,70}")| {
        let _ = verify(b"x", stored.as_bytes());
    });
    proptest::proptest!(|(stored in "(_[./0-9A-Za-z]{19}|\\$y\\$j[5-7][./0-9A-Za-z]{0,6}\\$[./0-9A-Za-z]{0,90}\\$?[a-z]{0,4}|\\$argon2id?\\$v=19\\$m=[0-9]{0,3},t=[0-3],p=[0-9]{1,2}\\$[a-zA-Z0-9+/]{0,70}\\$[A-Za-z0-9]{0,70})")| {
        for recipe in RECIPES {
            let _ = needs_rehash(stored.as_bytes(), &recipe);
        }
        if !stored.starts_with('_') {
            let _ = verify(b"x", stored.as_bytes());
        }
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

const RECIPES: [Recipe; 4] = [
    Recipe::SHA512,
    Recipe::BCRYPT,
    Recipe::Yescrypt,
    Recipe::ARGON2ID,
];

#[test]
fn every_recipe_makes_strings_that_verify_and_fit_vpasswd() {
    for recipe in RECIPES {
        let stored = recipe.hash(HORSE, Salt::from_random([0xa5; 16])).unwrap();
        let name = recipe.scheme().name();
        assert!(stored.starts_with(name), "{stored}");
        assert_eq!(Scheme::of(stored.as_bytes()), Ok(recipe.scheme()));
        assert!(stored.len() <= mta_auth::vpasswd::MAX_CRYPT, "{name}");
        assert!(!stored.contains(':'), "{name}");
        assert_eq!(verify(HORSE, stored.as_bytes()), Ok(true), "{name}");
        assert_eq!(verify(b"wrong", stored.as_bytes()), Ok(false), "{name}");
        assert!(!needs_rehash(stored.as_bytes(), &recipe), "{name}");
        let other = recipe.hash(HORSE, Salt::from_random([0xa6; 16])).unwrap();
        assert_ne!(stored, other, "{name}: the salt counts");
    }
}

#[test]
fn a_recipe_beyond_the_bounds_or_a_password_that_it_would_cut_is_refused() {
    let salt = Salt::from_random([1; 16]);
    let greedy = Recipe::Argon2id {
        memory: u32::MAX,
        passes: 1,
        lanes: 1,
    };
    assert_eq!(greedy.hash(HORSE, salt), Err(PasswordError::Recipe));
    let cheap = Recipe::Bcrypt { cost: 4 };
    assert_eq!(cheap.hash(&[b'a'; 73], salt), Err(PasswordError::TooLong));
    assert!(cheap.hash(&[b'a'; 72], salt).is_ok());
    assert_eq!(Recipe::named("argon2id"), Some(Recipe::ARGON2ID));
    assert_eq!(Recipe::named("md5"), None);
}

const REHASHED: &[(&str, &str, Recipe, bool)] = &[
    ("DES", "des", Recipe::SHA512, true),
    ("BSDi", "bsdi", Recipe::SHA512, true),
    ("MD5", "md5", Recipe::SHA512, true),
    ("SHA-256", "sha256", Recipe::SHA512, true),
    ("fewer rounds", "sha512", Recipe::SHA512, true),
    (
        "as many rounds",
        "sha512",
        Recipe::Sha512 { rounds: 5000 },
        false,
    ),
    (
        "bcrypt is not made SHA-512",
        "bcrypt 2b",
        Recipe::SHA512,
        false,
    ),
    ("bcrypt of less cost", "bcrypt 2b", Recipe::BCRYPT, true),
    (
        "bcrypt of as much",
        "bcrypt 2b",
        Recipe::Bcrypt { cost: 5 },
        false,
    ),
    ("SHA-512 below bcrypt", "sha512", Recipe::BCRYPT, true),
    ("Debian's yescrypt", "yescrypt", Recipe::Yescrypt, false),
    (
        "yescrypt of little memory",
        "yescrypt of little memory",
        Recipe::Yescrypt,
        true,
    ),
    (
        "argon2 is not made yescrypt",
        "argon2id",
        Recipe::Yescrypt,
        false,
    ),
    ("argon2id of less work", "argon2id", Recipe::ARGON2ID, true),
    (
        "argon2i",
        "argon2i",
        Recipe::Argon2id {
            memory: 8,
            passes: 1,
            lanes: 1,
        },
        true,
    ),
    ("unknown", "$gy$x$y", Recipe::ARGON2ID, false),
    ("locked", "!", Recipe::ARGON2ID, false),
    ("no password", "", Recipe::ARGON2ID, false),
];

#[test]
fn only_weaker_strings_are_hashed_anew() {
    for (name, stored, recipe, wanted) in REHASHED {
        let mut all = FROM_LIBXCRYPT.iter().chain(FROM_ARGON2);
        let stored = all
            .find(|row| row.0 == *stored)
            .map_or(*stored, |row| row.2);
        assert_eq!(needs_rehash(stored.as_bytes(), recipe), *wanted, "{name}");
    }
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
    let salt = Salt::from_random(*b"0123456789abcdef");
    for recipe in [
        Recipe::Sha512 { rounds: 5000 },
        Recipe::SHA512,
        Recipe::Bcrypt { cost: 5 },
        Recipe::Yescrypt,
    ] {
        let stored = recipe.hash(HORSE, salt).unwrap();
        let out = Command::new("perl")
            .args(["-e", "print crypt($ARGV[0], $ARGV[1])"])
            .args(["correct horse", &stored])
            .output();
        let Ok(out) = out else {
            eprintln!(
                "skipped crypt_of_the_c_library_agrees_with_new_strings: perl is not installed"
            );
            return;
        };
        assert_eq!(String::from_utf8_lossy(&out.stdout), stored);
    }
}
