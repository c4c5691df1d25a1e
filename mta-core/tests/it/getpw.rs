//! Local parts and the system's accounts (qmail-getpw(8), spec §6.2).

use mta_core::getpw::{Accounts, Entry, alias, find};

/// A passwd(5) of name, uid, home and the home's owner.
struct Passwd(&'static [(&'static str, u32, &'static str, Option<u32>)]);

impl Accounts for Passwd {
    type Error = &'static str;

    fn user(&self, name: &[u8]) -> Result<Option<Entry>, &'static str> {
        if name == b"nis" {
            return Err("the directory server is down");
        }
        let row = self.0.iter().find(|row| row.0.as_bytes() == name);
        Ok(row.map(|&(name, uid, home, _)| Entry {
            name: name.into(),
            uid,
            gid: uid + 1,
            home: home.into(),
        }))
    }

    fn owner(&self, home: &[u8]) -> Result<Option<u32>, &'static str> {
        if home == b"/nfs/late" {
            return Err("stale handle");
        }
        let row = self.0.iter().find(|row| row.2.as_bytes() == home);
        Ok(row.and_then(|row| row.3))
    }
}

const PASSWD: Passwd = Passwd(&[
    ("root", 0, "/root", Some(0)),
    ("joe", 1000, "/home/joe", Some(1000)),
    ("joe-x", 1001, "/home/joe-x", Some(1001)),
    ("daemon", 1, "/usr/sbin", Some(0)),
    ("gone", 1002, "/home/gone", None),
    ("late", 1003, "/nfs/late", Some(1003)),
    ("a123456789b123456789c123456789d", 1004, "/h31", Some(1004)),
    ("a123456789b123456789c123456789de", 1005, "/h32", Some(1005)),
]);

#[test]
fn the_longest_name_that_is_a_user_wins() {
    #[rustfmt::skip]
    let rows = [
        ("whole name", "joe", Some(("joe", "", ""))),
        ("upper case", "JOE", Some(("joe", "", ""))),
        ("extension keeps its case", "Joe-Work.List", Some(("joe", "-", "Work.List"))),
        ("empty extension", "joe-", Some(("joe", "-", ""))),
        ("a name with a dash beats an extension", "joe-x", Some(("joe-x", "", ""))),
        ("and has extensions too", "joe-x-y", Some(("joe-x", "-", "y"))),
        ("a longer word is no extension", "joexy", None),
        ("other characters break nothing", "joe+x", None),
        ("root is nobody", "root", None),
        ("root's extensions neither", "root-x", None),
        ("a home of somebody else", "daemon", None),
        ("no home", "gone", None),
        ("nobody at all", "mary", None),
        ("empty", "", None),
        ("leading dash", "-joe", None),
        ("31 bytes", "a123456789b123456789c123456789d", Some(("a123456789b123456789c123456789d", "", ""))),
        ("32 bytes", "a123456789b123456789c123456789de", None),
        ("31 bytes and more", "a123456789b123456789c123456789d-e", Some(("a123456789b123456789c123456789d", "-", "e"))),
    ];
    for (name, local, want) in rows {
        let found = find(local.as_bytes(), &PASSWD).unwrap();
        let want = want.map(|(u, d, e)| [u.as_bytes().to_vec(), d.into(), e.into()]);
        assert_eq!(found.map(|a| [a.user, a.dash, a.ext]), want, "{name}");
    }
}

#[test]
fn what_cannot_be_told_is_never_a_no() {
    assert!(find(b"nis", &PASSWD).is_err());
    assert!(find(b"nis-list", &PASSWD).is_err());
    assert!(find(b"late", &PASSWD).is_err());
}

#[test]
fn a_user_without_a_home_of_its_own_leaves_the_mail_to_shorter_names() {
    let two = Passwd(&[("a-b", 5, "/ab", Some(9)), ("a", 6, "/a", Some(6))]);
    let found = find(b"a-b", &two).unwrap().unwrap();
    assert_eq!((found.user, found.ext), (b"a".to_vec(), b"b".to_vec()));
}

#[test]
fn alias_gets_the_whole_local_part_as_extension() {
    let entry = Entry {
        name: b"alias".to_vec(),
        uid: 7,
        gid: 8,
        home: b"/a".to_vec(),
    };
    let account = alias(entry, b"Post-Master");
    assert_eq!(
        account.to_cdb_data(),
        b"alias\x007\x008\0/a\0-\0Post-Master"
    );
}
