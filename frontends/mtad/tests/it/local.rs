//! Programs, mboxes, default deliveries and owners of .qmail files, run as the home's owner (dot-qmail(5), qmail-command(8)).

use crate::kit::{Home, Running, messages, until};
use mta_core::assign::{Account, Assign, Entry, Key};
use mta_store::cdb_writer;
use mta_store::files::RealFiles;
use nix::unistd::{Gid, Uid, chown, geteuid};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The account that nothing belongs to.
pub(crate) const NOBODY: u32 = 65534;

/// A home that is not root's, even where root runs the tests: root runs no programs.
pub(crate) fn own_home() -> Home {
    let home = Home::nowhere();
    fs::create_dir(home.path()).unwrap();
    give(home.path());
    home.fill();
    home
}

pub(crate) fn give(path: &Path) {
    if geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

fn alias(home: &Home, ext: &str, lines: &str) {
    let path = home.path().join(format!("alias/.qmail-{ext}"));
    fs::write(path, lines).unwrap();
}

fn send(mtad: &mut Running, ext: &str) {
    send_from(mtad, "ann@client.example", ext);
}

fn send_from(mtad: &mut Running, from: &str, ext: &str) {
    let to = format!("{ext}@mx.example.org");
    let text = "Subject: hello\r\n\r\nFrom the start\r\nbody";
    let reply = mtad.message(from, &[&to], text);
    assert!(reply.starts_with("250"), "{reply}");
}

/// Puts a user into users/assign and users/cdb.
pub(crate) fn assign(home: &Home, name: &str, owner: &Path, dir: &Path) {
    assign_as(home, name, Key::Exact(name.into()), owner, dir, b"");
}

pub(crate) fn assign_as(home: &Home, name: &str, key: Key, owner: &Path, dir: &Path, dash: &[u8]) {
    let stat = fs::metadata(owner).unwrap();
    let users = home.path().join("users");
    let text = fs::read(users.join("assign")).unwrap();
    let mut assign = Assign::parse(&text).unwrap();
    let account = Account {
        user: name.into(),
        uid: stat.uid().to_string().into(),
        gid: stat.gid().to_string().into(),
        home: dir.to_str().unwrap().into(),
        dash: dash.to_vec(),
        ext: Vec::new(),
    };
    assign.insert(Entry { key, account }).unwrap();
    fs::write(users.join("assign"), assign.to_bytes()).unwrap();
    let records = assign.to_cdb_records();
    let attributes = mta_store::atomic::Attributes::mode(0o644);
    cdb_writer::publish(&RealFiles::new(), &users.join("cdb"), records, attributes).unwrap();
}

#[test]
fn exit_codes_and_output_decide_and_are_logged() {
    let home = own_home();
    #[rustfmt::skip]
    let rows = [
        ("zero", "|echo hello; exit 0", "success: hello/did_0+0+1/"),
        ("two", "|echo one\n|echo two >&2", "success: one/two/did_0+0+2/"),
        ("stop", "|exit 99\n|echo never\n&joe@example.org", "success: did_0+0+1/"),
        ("no", "|echo no such luck; exit 100\n|echo never", "failure: no_such_luck/"),
        ("usage", "|echo usage; exit 64", "failure: usage/"),
        ("later", "|echo one\n|echo later; exit 111", "deferral: one/later/"),
        ("other", "|echo odd; exit 1", "deferral: odd/"),
        ("crash", "|kill -9 $$", "deferral: Aack,_child_crashed._(#4.3.0)/"),
        ("pipe", "|kill -PIPE $$; echo ignored", "deferral: Aack,_child_crashed._(#4.3.0)/"),
        ("syntax", "|echo ok\n|(", "deferral: ok/"),
        ("mask", "|umask; echo $USER $EXT", "success: 0077/alias_mask/did_0+0+1/"),
        ("input", "|cat >/dev/null\n|grep -c ^Subject:", "success: 1/did_0+0+2/"),
        ("nul", r"|printf 'seen\000unseen'; exit 100", "failure: seen"),
    ];
    for (ext, lines, _) in rows {
        alias(&home, ext, lines);
    }
    let mut mtad = Running::start(&home);
    for (ext, _, said) in rows {
        send_from(&mut mtad, "joe@example.org", ext);
        mtad.logged(said);
    }
    assert!(
        !mtad
            .log()
            .iter()
            .any(|line| line.contains("never") || line.contains("unseen"))
    );
}

#[test]
fn programs_run_in_the_home_and_long_output_is_cut() {
    let home = own_home();
    alias(&home, "where", "|pwd; echo $HOME");
    alias(
        &home,
        "long",
        "|head -c 100000 /dev/zero | tr '\\0' x; exit 100",
    );
    let mut mtad = Running::start(&home);
    send(&mut mtad, "where");
    let dir = home.path().join("alias");
    let dir = dir.to_str().unwrap();
    mtad.logged(&format!("success: {dir}/{dir}/did_0+0+1/"));
    send_from(&mut mtad, "joe@example.org", "long");
    let line = mtad.logged("failure: xxx");
    assert!(
        line.ends_with("x/Error_report_too_long,_sorry./"),
        "{}",
        line.len()
    );
    assert_eq!(line.bytes().filter(|&b| b == b'x').count(), 2966);
}

#[test]
fn a_program_learns_all_from_its_environment_and_never_a_function() {
    let home = own_home();
    alias(&home, "dump-default", "|env -0 >dump.tmp; mv dump.tmp dump");
    let mut mtad = Running::start(&home);
    let from = "\"() { :;}; echo owned >owned\"@client.example";
    let to = "Dump-A-B.c-D@mx.example.org";
    let reply = mtad.message(from, &[to], "Subject: x\r\n\r\nbody");
    assert!(reply.starts_with("250"), "{reply}");
    let path = home.path().join("alias/dump");
    let dump = until("the dump", || fs::read_to_string(&path).ok());
    let value = |name: &str| {
        let mut lines = dump.split('\0');
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    let dir = home.path().join("alias");
    #[rustfmt::skip]
    let rows = [
        ("SENDER", "_) { :;}; echo owned >owned@client.example"),
        ("NEWSENDER", "_) { :;}; echo owned >owned@client.example"),
        ("RECIPIENT", to), ("LOCAL", "Dump-A-B.c-D"), ("USER", "alias"), ("HOME", dir.to_str().unwrap()),
        ("HOST", "mx.example.org"), ("HOST2", "mx.example"), ("HOST3", "mx"), ("HOST4", "mx"),
        ("EXT", "Dump-A-B.c-D"), ("EXT2", "A-B.c-D"), ("EXT3", "B.c-D"), ("EXT4", "D"), ("DEFAULT", "A-B.c-D"),
        ("DTLINE", "Delivered-To: Dump-A-B.c-D@mx.example.org\n"),
        ("RPLINE", "Return-Path: <\"() { :;}; echo owned >owned\"@client.example>\n"),
    ];
    for (name, want) in rows {
        assert_eq!(value(name), Some(want), "{name}");
    }
    let ufline = value("UFLINE").unwrap();
    assert!(
        ufline.starts_with("From ()-{-:;};-echo-owned->owned@client.example "),
        "{ufline}"
    );
    assert!(!dump.split('\0').any(|one| {
        one.split_once('=')
            .is_some_and(|(_, v)| v.starts_with("()"))
    }));
    assert!(!dir.join("owned").exists());
}

#[test]
fn forwards_go_last_and_only_where_nothing_failed() {
    let home = own_home();
    alias(&home, "bad", "&joe@example.org\n|echo sorry; exit 111");
    alias(&home, "good", "joe@example.org\n|exit 99\n|exit 111");
    let mut mtad = Running::start(&home);
    send(&mut mtad, "bad");
    mtad.logged("deferral: sorry/");
    send(&mut mtad, "good");
    mtad.logged("success: did_0+1+1/qp_");
    until("the forwarded message", || home.mail("joe").pop());
    assert_eq!(home.mail("joe").len(), 1);
}

#[test]
fn a_program_is_killed_when_its_time_is_over() {
    let home = own_home();
    home.config("[timeouts]\nprogram = 1\n");
    alias(&home, "slow", "|echo wait; sleep 1000; echo over");
    let mut mtad = Running::start(&home);
    send(&mut mtad, "slow");
    mtad.logged("deferral: wait/Program_was_killed_after_1_seconds._(#4.3.0)/");
}

/// Reads an mbox with Python, for a judge of its own.
pub(crate) fn python_reads(path: &Path) -> Vec<String> {
    let program = "import mailbox, sys\n\
        for m in mailbox.mbox(sys.argv[1]): print(m.get_from().split()[0], m['Return-Path'], \
        m['Delivered-To'], m['Subject'], repr(m.get_payload()), sep='|')";
    let ran = Command::new("python3")
        .args(["-c", program])
        .arg(path)
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8(ran.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn an_mbox_is_read_back_by_another_program() {
    let home = own_home();
    alias(&home, "box", "./box\n");
    let mut mtad = Running::start(&home);
    for _ in 0..3 {
        send(&mut mtad, "box");
    }
    let path = home.path().join("alias/box");
    until("three deliveries", || {
        let done = mtad
            .log()
            .iter()
            .filter(|l| l.contains("did_1+0+0/"))
            .count();
        (done == 3).then_some(())
    });
    let want = "ann@client.example|<ann@client.example>|box@mx.example.org|hello|'>From the start\\nbody\\n'";
    assert_eq!(python_reads(&path), [want; 3]);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn an_mbox_that_cannot_be_opened_is_named() {
    let home = own_home();
    alias(&home, "box", "./no/where\n");
    let mut mtad = Running::start(&home);
    send(&mut mtad, "box");
    mtad.logged("deferral: Unable_to_open_./no/where:_");
}

fn user(home: &Home, name: &str) -> PathBuf {
    let dir = home.path().join(format!("people-{name}"));
    fs::create_dir(&dir).unwrap();
    give(&dir);
    assign(home, name, home.path(), &dir);
    dir
}

#[test]
fn a_user_without_instructions_gets_the_default_delivery_of_several_lines() {
    let home = own_home();
    let ann = user(&home, "ann");
    let bob = user(&home, "bob");
    fs::write(bob.join(".qmail"), "").unwrap();
    let eve = user(&home, "eve");
    fs::write(eve.join(".qmail"), "# nothing\n").unwrap();
    home.config("defaultdelivery = \"\"\"\n./Inbox\n|echo $USER\n&joe@example.org\"\"\"\n");
    let mut mtad = Running::start(&home);
    for name in ["ann", "bob", "eve"] {
        send(&mut mtad, name);
    }
    mtad.logged("success: ann/did_1+1+1/qp_");
    mtad.logged("success: bob/did_1+1+1/qp_");
    mtad.logged("success: did_0+0+0/");
    assert_eq!(python_reads(&ann.join("Inbox")).len(), 1);
    assert_eq!(python_reads(&bob.join("Inbox")).len(), 1);
    assert!(!eve.join("Inbox").exists());
    until("two forwarded messages", || {
        (home.mail("joe").len() == 2).then_some(())
    });
}

#[test]
fn without_a_setting_the_default_is_an_mbox() {
    let home = own_home();
    let ann = user(&home, "ann");
    let mut mtad = Running::start(&home);
    send(&mut mtad, "ann");
    mtad.logged("success: did_1+0+0/");
    assert_eq!(python_reads(&ann.join("Mailbox")).len(), 1);
}

#[test]
fn a_list_with_an_owner_gets_its_own_bounces() {
    let home = own_home();
    alias(&home, "list", "|echo $NEWSENDER\n&joe@example.org");
    let mut mtad = Running::start(&home);
    let rows = [
        (None, "ann@client.example", "ann@client.example"),
        (
            Some("list-owner"),
            "list-owner@mx.example.org",
            "list-owner@mx.example.org",
        ),
        (
            Some("list-owner-default"),
            "list-owner-@mx.example.org-@[]",
            "list-owner-example.org-joe=example.org@mx.example.org",
        ),
    ];
    for (file, new_sender, returned) in rows {
        if let Some(file) = file {
            alias(&home, file, "#\n");
        }
        send(&mut mtad, "list");
        mtad.logged(&format!("success: {new_sender}/did_0+1+1/qp_"));
        let want = format!("Return-Path: <{returned}>\n");
        until(&want, || {
            home.mail("joe")
                .into_iter()
                .find(|mail| mail.starts_with(&want))
        });
    }
    // A bounce keeps its sender.
    mtad.message("", &["list@mx.example.org"], "Subject: bounced\r\n\r\nx");
    until("the bounce", || {
        let mail = home.mail("joe");
        mail.into_iter()
            .find(|mail| mail.starts_with("Return-Path: <>\n"))
    });
}

#[test]
fn dangerous_homes_and_files_defer() {
    let home = own_home();
    let dir = home.path().join("alias");
    alias(&home, "forward", "&joe@example.org\n");
    alias(&home, "file", "&joe@example.org\n./box\n");
    alias(&home, "program", "|true\n");
    alias(&home, "open", "|true\n");
    let mode = |name: &str, mode| {
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap()
    };
    for name in [".qmail-forward", ".qmail-file", ".qmail-program"] {
        mode(name, 0o744);
    }
    let mut mtad = Running::start(&home);
    send(&mut mtad, "forward");
    mtad.logged("success: did_0+1+0/qp_");
    send(&mut mtad, "file");
    mtad.logged("deferral: Uh-oh:_.qmail_has_file_delivery_but_has_x_bit_set._(#4.7.0)/");
    send(&mut mtad, "program");
    mtad.logged("deferral: Uh-oh:_.qmail_has_prog_delivery_but_has_x_bit_set._(#4.7.0)/");
    home.control("concurrencylocal", "0\n");
    drop(mtad);
    let mut mtad = Running::start(&home);
    for name in ["open", "open", "open"] {
        send(&mut mtad, name);
    }
    drop(mtad);
    home.control("concurrencylocal", "1\n");
    for (file, bits, said) in [
        (
            ".qmail-open",
            0o646,
            "deferral: Uh-oh:_.qmail_file_is_writable._(#4.7.0)/",
        ),
        (
            ".",
            0o757,
            "deferral: Uh-oh:_home_directory_is_writable._(#4.7.0)/",
        ),
        (
            ".",
            0o1755,
            "deferral: Home_directory_is_sticky:_user_is_editing_his_.qmail_file._(#4.2.1)/",
        ),
    ] {
        mode(file, bits);
        let mtad = Running::start(&home);
        mtad.signal(nix::sys::signal::Signal::SIGALRM);
        mtad.logged(said);
    }
}

#[test]
fn a_mailbox_runs_programs_of_its_own_in_its_home() {
    let home = own_home();
    let joe = home.path().join("domains/example.org/joe");
    fs::write(
        joe.join(".qmail"),
        "|pwd; echo $SHELL $EXT@$HOST\n./Maildir/\n|exit 99\n|echo never\n",
    )
    .unwrap();
    let mut mtad = Running::start(&home);
    let reply = mtad.message(
        "ann@client.example",
        &["joe@example.org"],
        "Subject: x\r\n\r\nx",
    );
    assert!(reply.starts_with("250"), "{reply}");
    let dir = joe.to_str().unwrap();
    mtad.logged(&format!(
        "success: {dir}//bin/sh_joe@example.org/did_0+0+1/"
    ));
    assert_eq!(messages(&joe.join("Maildir")).len(), 1);
    fs::write(
        joe.join(".qmail"),
        "&postmaster@example.org\n|echo away; exit 77\n",
    )
    .unwrap();
    mtad.message(
        "postmaster@example.org",
        &["joe@example.org"],
        "Subject: x\r\n\r\nx",
    );
    mtad.logged("failure: away/");
    let mail = until("the bounce", || home.mail("postmaster").pop());
    assert!(mail.contains("<joe@example.org>:\naway\n"), "{mail}");
    assert_eq!(home.mail("postmaster").len(), 1, "nothing is forwarded");
}
