//! Crypt strings: reading one never panics, verifying one stays bounded and says the same each time (crypt(5)).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_auth::password::{Recipe, Scheme, needs_rehash, verify};

/// Settings that cost little; the rest of the input stands behind one of them.
const CHEAP: &[&str] = &["$1$", "$5$rounds=1000$", "$6$rounds=1000$", "$2b$04$", "$y$j75$", "$argon2id$v=19$m=64,t=1,p=1$", ""];

fuzz_target!(|data: &[u8]| {
    for recipe in [Recipe::SHA512, Recipe::BCRYPT, Recipe::Yescrypt, Recipe::ARGON2ID] {
        if needs_rehash(data, &recipe) {
            assert!(Scheme::of(data).is_ok_and(|scheme| scheme <= recipe.scheme()));
        }
    }
    let Some((&choice, rest)) = data.split_first() else {
        return;
    };
    let setting = CHEAP[usize::from(choice) % CHEAP.len()];
    // What the rest alone would cost is for the bounds' own tests.
    if setting.is_empty() && rest.len() != 13 || setting.contains("rounds") && rest.starts_with(b"rounds") {
        return;
    }
    let stored = [setting.as_bytes(), rest].concat();
    let first = verify(b"sesame", &stored);
    assert_eq!(first, verify(b"sesame", &stored));
    assert_eq!(first.is_err(), verify(b"other", &stored).is_err());
});
