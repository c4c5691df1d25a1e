//! Sending for a while after mail was fetched: settings, the list, the rules (clearopensmtp(8)).

use crate::vpopmail::{Accounts, fresh, put};
use mta_auth::open_smtp::{MAX_ADDRESSES, OpenSmtp, is_openable, opens};
use mta_auth::relay_windows::RelayWindows;
use mta_auth::settings::Logging;
use mta_auth::vpopmail::{AccountError, Layout, Service, Vpopmail};
use mta_auth::{Flags, Settings};
use mta_core::Unix;
use mta_core::cdb::Cdb;
use mta_core::tcprules::{Peer, decide};
use mta_store::files::sim::Fault;
use mta_store::files::{Files, SimFiles};
use proptest::prelude::*;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

const RULES: &[u8] = b"127.:allow,RELAYCLIENT=\"\"\n192.0.2.66:deny\n:allow\n";

fn roaming() -> Settings {
    Settings::parse(b"roaming-users=y\n").unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn prepared() -> (Arc<SimFiles>, Accounts) {
    let (files, accounts) = fresh();
    files.mkdir(Path::new("/h/etc"), 0o755).unwrap();
    put(&files, "/h/etc/tcp.smtp", RULES);
    files.settle();
    (files, accounts)
}

fn open(accounts: &Accounts, client: &str, now: u64) -> Result<(), AccountError> {
    let settings = roaming();
    accounts.open_relay(&settings, (ip(client), Unix(now)), |source| {
        accounts.publish_rules(&settings, source)
    })
}

fn clear(accounts: &Accounts, now: u64) -> Result<(), AccountError> {
    let settings = roaming();
    accounts.clear_relay(&settings, Unix(now), |source| {
        accounts.publish_rules(&settings, source)
    })
}

/// What tcpserver would do: `None` refuses the connection, else whether it may relay.
fn may_relay(files: &SimFiles, client: &str) -> Option<bool> {
    let bytes = files
        .read(Path::new("/h/etc/tcp.smtp.cdb"), 1 << 20)
        .unwrap();
    let cdb = Cdb::new(&bytes).unwrap();
    let decision = decide(&cdb, &Peer::new(ip(client))).unwrap();
    let relays = decision.variable(b"RELAYCLIENT").is_some();
    (!decision.denied).then_some(relays)
}

#[test]
fn settings_have_the_names_of_configures_options() {
    let file = b"# the guide's six\n--enable-roaming-users=y\n--enable-relay-clear-minutes=15\n\
        --enable-tcpserver-file=/vp/etc/tcp.smtp\n--enable-tcprules-prog=/usr/bin/tcprules\n\
        --enable-clear-passwd=n\n--enable-qmail-ext=y\nlogging = e\n";
    let settings = Settings::parse(file).unwrap();
    assert!(settings.roaming_users && settings.qmail_ext && !settings.clear_passwd);
    assert_eq!(settings.relay_clear_minutes, 15);
    assert_eq!(
        settings.tcprules_prog.as_deref(),
        Some(Path::new("/usr/bin/tcprules"))
    );
    assert_eq!(settings.logging, Logging::Errors);
    assert_eq!(Settings::parse(b"").unwrap(), Settings::default());
    let rows: [(&str, &[u8], usize); 7] = [
        ("unknown name", b"\nroaming=y", 2),
        ("no value", b"roaming-users", 1),
        ("no switch", b"roaming-users=1", 1),
        ("no time", b"relay-clear-minutes=0", 1),
        ("too long a time", b"relay-clear-minutes=40321", 1),
        ("relative path", b"tcpserver-file=etc/tcp.smtp", 1),
        ("logs passwords", b"logging=p", 1),
    ];
    for (name, file, line) in rows {
        assert_eq!(Settings::parse(file).unwrap_err().line, line, "{name}");
    }
}

#[test]
fn the_list_has_the_originals_lines_and_forgets_the_old_ones() {
    let file = b"192.0.2.7:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t1000\nrubbish\n\
        192.0.2.8:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\n10.:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t1000\n\
        [2001:db8::7]:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t1600\n\
        192.0.2.9:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t99999999999\n";
    let mut list = OpenSmtp::parse(file);
    assert_eq!(list.addresses().count(), 3);
    assert!(
        !list.see(ip("::ffff:192.0.2.7"), Unix(1700)),
        "the same address"
    );
    list.expire(Unix(1000 + 1200), 10);
    let kept = "192.0.2.7:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t1700\n";
    assert_eq!(String::from_utf8(list.format()).unwrap(), kept);
    for closed in [
        "127.0.0.1",
        "::1",
        "0.0.0.0",
        "::ffff:127.0.0.9",
        "224.0.0.1",
    ] {
        assert!(!is_openable(ip(closed)), "{closed}");
    }
}

#[test]
fn the_window_opens_at_a_login_and_closes_after_it() {
    let (files, accounts) = prepared();
    open(&accounts, "192.0.2.7", 1000).unwrap();
    open(&accounts, "2001:db8::7", 1100).unwrap();
    open(&accounts, "192.0.2.66", 1100).unwrap();
    assert_eq!(may_relay(&files, "192.0.2.7"), Some(true));
    assert_eq!(may_relay(&files, "2001:db8::7"), Some(true));
    assert_eq!(may_relay(&files, "192.0.2.8"), Some(false));
    assert_eq!(
        may_relay(&files, "192.0.2.66"),
        None,
        "the administrator's rule wins"
    );
    clear(&accounts, 1000 + 600).unwrap();
    assert_eq!(may_relay(&files, "192.0.2.7"), Some(false));
    assert_eq!(may_relay(&files, "2001:db8::7"), Some(true));
    clear(&accounts, 1100 + 600).unwrap();
    assert_eq!(may_relay(&files, "2001:db8::7"), Some(false));
    assert!(accounts.open_addresses().unwrap().is_empty());
}

#[test]
fn only_fetching_opens_and_only_where_it_is_wanted() {
    let rows = [
        ("fetched", roaming(), Flags::default(), Service::Pop, true),
        ("read", roaming(), Flags::default(), Service::Imap, true),
        ("sent", roaming(), Flags::default(), Service::Smtp, false),
        ("forbidden", roaming(), Flags::NO_RELAY, Service::Pop, false),
        (
            "not wanted",
            Settings::default(),
            Flags::default(),
            Service::Pop,
            false,
        ),
    ];
    for (name, settings, flags, service, expected) in rows {
        assert_eq!(opens(&settings, flags, service), expected, "{name}");
    }
}

#[test]
fn a_running_servers_list_follows_the_file() {
    let (_files, accounts) = prepared();
    let (seven, eight) = (ip("192.0.2.7"), ip("2001:db8::8"));
    let mut windows = RelayWindows::default();
    windows.note(ip("::ffff:192.0.2.7"), Unix(1000));
    windows.read(&accounts.open_addresses().unwrap());
    assert!(
        windows.is_open(seven, Unix(1599), 10),
        "not written, yet kept"
    );
    assert!(
        !windows.is_open(seven, Unix(1600), 10),
        "over on the second"
    );
    open(&accounts, "2001:db8::8", 1100).unwrap();
    windows.read(&accounts.open_addresses().unwrap());
    assert!(
        windows.is_open(eight, Unix(1699), 10),
        "another program's login"
    );
    assert_eq!(windows.next_end(10), Some(Unix(1600)));
    assert!(windows.expire(Unix(1650), 10), "the first is over");
    assert!(!windows.expire(Unix(1650), 10), "and was forgotten");
    open(&accounts, "192.0.2.7", 1650).unwrap();
    windows.note(seven, Unix(1650));
    windows.recorded(seven);
    clear(&accounts, 9000).unwrap();
    windows.read(&accounts.open_addresses().unwrap());
    assert!(windows.is_empty(), "what the file forgets is forgotten");
    windows.note(seven, Unix(1_000_000));
    assert!(
        !windows.is_open(seven, Unix(1000), 10),
        "a clock set far back lets nobody in"
    );
}

#[test]
fn a_server_that_starts_again_knows_what_the_file_says() {
    let (_files, accounts) = prepared();
    open(&accounts, "192.0.2.7", 1000).unwrap();
    let mut windows = RelayWindows::default();
    windows.read(&accounts.open_addresses().unwrap());
    assert!(windows.is_open(ip("192.0.2.7"), Unix(1599), 10));
    assert!(!windows.is_open(ip("192.0.2.8"), Unix(1599), 10));
}

#[test]
fn the_list_is_bounded_and_the_oldest_go_first() {
    let mut windows = RelayWindows::default();
    let most = u32::try_from(MAX_ADDRESSES).unwrap();
    let address = |n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes());
    for n in 0..most + 3 {
        windows.note(address(n), Unix(1000 + u64::from(n)));
    }
    assert_eq!(windows.len(), MAX_ADDRESSES);
    assert!(!windows.is_open(address(2), Unix(1100), 10));
    assert!(windows.is_open(address(3), Unix(1100), 10));
}

#[test]
fn rules_that_do_not_parse_leave_the_old_database() {
    let (files, accounts) = prepared();
    open(&accounts, "192.0.2.7", 1000).unwrap();
    put(&files, "/h/etc/tcp.smtp", b"192.0.2.1:maybe\n");
    assert!(matches!(
        clear(&accounts, 9000),
        Err(AccountError::Damaged { .. })
    ));
    assert_eq!(may_relay(&files, "192.0.2.7"), Some(true));
}

#[test]
fn a_crash_leaves_whole_lines_and_a_whole_database() {
    let (files, accounts) = prepared();
    open(&accounts, "192.0.2.7", 1000).unwrap();
    files.settle();
    files.record();
    open(&accounts, "192.0.2.8", 1300).unwrap();
    clear(&accounts, 1700).unwrap();
    let mut states = 0;
    for photo in files.photos() {
        for crashed in photo.crash.some(24, photo.before) {
            let files = Arc::new(crashed);
            let accounts = Vpopmail::new(Arc::clone(&files), Layout::in_one("/h", (89, 90)));
            may_relay(&files, "192.0.2.7");
            let text = files.read(Path::new("/h/etc/open-smtp"), 9999).unwrap();
            assert_eq!(OpenSmtp::parse(&text).format(), text);
            clear(&accounts, 1700).unwrap();
            assert_eq!(may_relay(&files, "192.0.2.7"), Some(false));
            states += 1;
        }
    }
    assert!(states > 20, "{states}");
}

#[test]
fn a_failing_call_can_be_made_good() {
    let calls = {
        let (files, accounts) = prepared();
        let start = files.calls();
        open(&accounts, "192.0.2.7", 1000).unwrap();
        files.calls() - start
    };
    for (fault, at) in [Fault::Io, Fault::NoSpace]
        .into_iter()
        .flat_map(|fault| (1..=calls).map(move |at| (fault, at)))
    {
        let (files, accounts) = prepared();
        files.inject(files.calls() + at, fault);
        let done = open(&accounts, "192.0.2.7", 1000);
        files.heal();
        clear(&accounts, 1001).unwrap();
        assert!(
            done.is_err() || may_relay(&files, "192.0.2.7") == Some(true),
            "{fault:?} at {at}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_list_that_survives_being_written(file: Vec<u8>) {
        let list = OpenSmtp::parse(&file);
        prop_assert_eq!(OpenSmtp::parse(&list.format()), list);
    }

    #[test]
    fn addresses_survive_being_written(addresses: Vec<(u128, u32)>) {
        let mut list = OpenSmtp::default();
        for (address, seen) in addresses {
            list.see(IpAddr::from(address.to_be_bytes()), Unix(u64::from(seen)));
        }
        prop_assert_eq!(OpenSmtp::parse(&list.format()), list);
    }

    #[test]
    fn any_bytes_are_settings_or_an_error(file: Vec<u8>) {
        let _ = Settings::parse(&file);
    }
}
