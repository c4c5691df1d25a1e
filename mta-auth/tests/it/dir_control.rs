//! Placement in hashed sub-directories (vadduser(8)).

use mta_auth::dir_control::DirControl;

#[test]
fn every_hundredth_entry_moves_on() {
    let rows: &[(&str, u64, &str)] = &[
        ("first", 1, ""),
        ("last without sub-directory", 99, ""),
        ("first of 0", 100, "0"),
        ("last of 0", 199, "0"),
        ("first of 1", 200, "1"),
        ("first of A", 1_100, "A"),
        ("first of a", 3_700, "a"),
        ("first of z", 6_200, "z"),
        ("last of z", 6_299, "z"),
        ("first of two levels", 6_300, "0/0"),
        ("second of two levels", 6_400, "0/1"),
        ("next first letter", 6_300 + 6_200, "1/0"),
        ("last of two levels", 6_300 + 62 * 6_200 - 1, "z/z"),
        ("first of three levels", 6_300 + 62 * 6_200, "0/0/0"),
    ];
    let mut control = DirControl::default();
    let mut at = 0;
    for (name, count, directory) in rows {
        let mut last = String::new();
        while at < *count {
            last = control.place();
            at += 1;
        }
        assert_eq!(last, *directory, "{name}");
        assert_eq!(control.count(), *count, "{name}");
    }
}

#[test]
fn the_first_file_is_what_the_original_writes() {
    let mut control = DirControl::default();
    control.place();
    let file = "1\n0\n3\n0 0 0\n61 61 61\n0 2 4\n0 0 0\n\n";
    assert_eq!(String::from_utf8(control.format()).unwrap(), file);
}

#[test]
fn files_read_back() {
    let rows: &[(&str, u64)] = &[
        ("fresh", 1),
        ("one letter", 250),
        ("two", 7_000),
        ("three", 400_000),
    ];
    for (name, count) in rows {
        let mut control = DirControl::default();
        for _ in 0..*count {
            control.place();
        }
        assert_eq!(DirControl::parse(&control.format()), Ok(control), "{name}");
    }
}

#[test]
fn the_originals_slip_in_the_triples_is_accepted() {
    let file = b"6350\n1\n3\n0 0 0\n61 61 61\n0 2 2\n0 0 0\n0/0\n";
    let mut control = DirControl::parse(file).unwrap();
    assert_eq!(
        (control.count(), control.directory()),
        (6350, "0/0".to_owned())
    );
    assert_eq!(control.place(), "0/0");
}

#[test]
fn removal_lets_the_count_reach_the_hundred_again() {
    let mut control = DirControl::default();
    (0..100).for_each(|_| drop(control.place()));
    control.remove();
    assert_eq!(control.place(), "1");
    control.refill();
    assert_eq!(control.count(), 101);
}

#[test]
fn damage_names_its_line() {
    let rows: &[(&str, &[u8], usize)] = &[
        ("empty", b"", 1),
        ("no count", b"x\n", 1),
        ("a path that climbs", b"1\n0\n3\n\n\n\n\n../..\n", 8),
        ("four levels", b"1\n0\n3\n\n\n\n\n0/0/0/0\n", 8),
        ("a long level", b"1\n0\n3\n\n\n\n\n00\n", 8),
    ];
    for (name, file, line) in rows {
        assert_eq!(DirControl::parse(file).unwrap_err().line, *line, "{name}");
    }
}
