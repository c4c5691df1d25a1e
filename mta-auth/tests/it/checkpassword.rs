//! Records and exit codes of checkpassword programs (checkpassword's interface, vchkpw(8)).

use mta_auth::checkpassword::{MAX_RECORD, Meaning, Record, meaning, variable};

#[test]
fn a_part_with_nul_cannot_move_the_others() {
    let record = Record {
        name: b"joe\0sesame",
        password: b"guess",
        timestamp: b"",
    };
    assert_eq!(record.encode(), None);
}

#[test]
fn records_have_a_bound() {
    let most = MAX_RECORD - "joe\0\0\0".len();
    for (length, fits) in [(most, true), (most + 1, false)] {
        let password = vec![b'x'; length];
        let record = Record {
            name: b"joe",
            password: &password,
            timestamp: b"",
        };
        assert_eq!(record.encode().is_some(), fits, "{length}");
    }
    assert_eq!(Record::parse(&[0; MAX_RECORD + 1]), None);
}

#[test]
fn cut_records_are_noticed() {
    let whole = b"joe\0sesame\0<1@mx>\0";
    for end in 0..whole.len() {
        assert_eq!(Record::parse(&whole[..end]), None, "{end}");
    }
    let record = Record::parse(b"joe\0sesame\0<1@mx>\0more").unwrap();
    assert_eq!(record.timestamp, b"<1@mx>");
    assert_eq!(format!("{record:?}"), "Record(..)");
}

#[test]
fn only_what_says_so_is_a_wrong_password() {
    let wrong: Vec<i32> = (0..=255)
        .filter(|&code| meaning(code) == Meaning::Wrong)
        .collect();
    assert_eq!(wrong, [1, 3, 12, 13, 15, 20]);
    let right: Vec<i32> = (-300..300)
        .filter(|&code| meaning(code) == Meaning::Right)
        .collect();
    assert_eq!(right, [0]);
}

#[test]
fn a_variable_that_was_cut_is_not_told() {
    assert_eq!(variable(b"HOME=/ho", "HOME"), None);
    assert_eq!(
        variable(b"X=1\0HOME=/home\0US", "HOME"),
        Some(&b"/home"[..])
    );
    assert_eq!(variable(b"XHOME=/x\0", "HOME"), None);
}
