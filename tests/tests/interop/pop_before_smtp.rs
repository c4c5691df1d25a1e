//! The way of a well-known guide from a domain to a window that is over, by mtad, vpopmail's programs and tcpserver's rules together (vchkpw(8), clearopensmtp(8), tcprulescheck(1)).

use crate::need;
use mta_tests::{Home, LineClient, Mtad, Ran, TempDir, run, until, vpopmail_binary};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// Whose the home is where root runs the tests: mail is never root's.
const OWNER: u32 = 1000;
/// The guide's six options.
const OPTIONS: &str = "--enable-roaming-users=y\n--enable-relay-clear-minutes=10\n\
    --enable-clear-passwd=n\n--enable-qmail-ext=n\n";

/// A home with both kinds of programs in its bin/.
struct World {
    _temp: TempDir,
    home: Home,
}

impl World {
    fn new() -> Self {
        let temp = TempDir::new();
        let home = Home::at(&temp.path().join("home"));
        let etc = home.path().join("etc");
        let bin = home.path().join("bin");
        for dir in [&etc, &bin] {
            fs::create_dir_all(dir).unwrap();
        }
        for program in ["vadddomain", "vadduser", "vchkpw", "clearopensmtp"] {
            let link = bin.join(program);
            let _ = fs::remove_file(&link);
            symlink(vpopmail_binary(), link).unwrap();
        }
        let rules = etc.join("tcp.smtp");
        let prog = format!("--enable-tcpserver-file={}\n", rules.display());
        fs::write(etc.join("vpopmail.conf"), format!("{OPTIONS}{prog}")).unwrap();
        fs::write(rules, "192.0.2.66:deny\n:allow\n").unwrap();
        // The proxy's header tells from where a client comes.
        // The clients come from elsewhere, and log in as in 2005.
        let config = "[proxy]\nfrom = [\"127.0.0.1\"]\n[auth]\nwithout_tls = \"everywhere\"\n";
        fs::write(home.path().join("mtad.toml"), config).unwrap();
        let world = Self { _temp: temp, home };
        if Path::new("/proc/self").metadata().unwrap().uid() == 0 {
            give_away(world.home.path());
        }
        world
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Ran {
        let mut command = Command::new(self.home.path().join("bin").join(name));
        command
            .args(arguments)
            .env_clear()
            .env("MTA_HOME", self.home.path());
        run(&mut command, b"")
    }

    fn list(&self) -> PathBuf {
        self.home.path().join("etc/open-smtp")
    }

    /// As if everybody had logged in so many seconds before.
    fn age(&self, seconds: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seen = now.as_secs() - seconds;
        let text = fs::read_to_string(self.list()).unwrap();
        let aged: String = text
            .lines()
            .map(|line| format!("{}\t{seen}\n", line.split_once('\t').unwrap().0))
            .collect();
        let scratch = self.list().with_extension("aged");
        fs::write(&scratch, aged).unwrap();
        fs::rename(scratch, self.list()).unwrap();
    }

    /// What the original says that tcpserver would do for an address.
    fn ruled(&self, tcprulescheck: &Path, address: &str) -> String {
        let mut command = Command::new(tcprulescheck);
        command
            .arg(self.home.path().join("etc/tcp.smtp.cdb"))
            .env_clear()
            .env("TCPREMOTEIP", address);
        run(&mut command, b"").ok()
    }

    /// A login through vchkpw as under tcpserver and qmail-popup.
    fn vchkpw(&self, address: &str, credentials: &str) -> Ran {
        let file = self.home.path().join(format!("credentials-{address}"));
        fs::write(&file, credentials.replace(' ', "\0")).unwrap();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "exec \"$0\" /bin/true 3<\"$1\""])
            .arg(self.home.path().join("bin/vchkpw"))
            .arg(&file)
            .env_clear()
            .env("MTA_HOME", self.home.path())
            .env("TCPLOCALPORT", "110")
            .env("TCPREMOTEIP", address);
        run(&mut command, b"")
    }
}

fn give_away(path: &Path) {
    std::os::unix::fs::lchown(path, Some(OWNER), Some(OWNER)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

/// A client that comes from `address`, as a proxy says.
fn coming_from(address: &str, to: SocketAddr) -> LineClient {
    let mut client = LineClient::connect(to);
    let (kind, ours) = if address.contains(':') {
        ("TCP6", "2001:db8::1")
    } else {
        ("TCP4", "192.0.2.1")
    };
    let header = format!("PROXY {kind} {address} {ours} 40000 110\r\n");
    assert!(client.send(header.as_bytes()));
    client.reply().unwrap();
    client
}

fn may_relay(mtad: &mut Mtad, address: &str) -> bool {
    let mut client = coming_from(address, mtad.smtp());
    client.command("HELO client.example");
    client.command("MAIL FROM:<joe@guide.test>");
    let reply = client.command("RCPT TO:<far@elsewhere.example>");
    assert!(
        reply.starts_with("250 ") || reply.starts_with("553 "),
        "{reply}"
    );
    reply.starts_with("250 ")
}

fn fetch(mtad: &mut Mtad, address: &str) {
    let mut client = coming_from(address, mtad.pop3());
    client.command("USER joe@guide.test");
    let reply = client.command("PASS joesecret");
    assert!(reply.starts_with("+OK"), "{address}: {reply}");
    assert!(client.command("QUIT").starts_with("+OK"));
}

#[test]
fn the_guides_way_from_a_domain_to_a_window_that_is_over() {
    let check = need!(
        "the_guides_way_from_a_domain_to_a_window_that_is_over",
        "tcprulescheck"
    );
    let world = World::new();
    let (roamer, six, stranger) = ("192.0.2.7", "2001:db8::7", "192.0.2.8");
    let mut mtad = Mtad::start(&world.home);
    // 2.2: the domain and its user, made beside a running server.
    let _ = world
        .program("vadddomain", &["guide.test", "postsecret"])
        .ok();
    let _ = world
        .program("vadduser", &["joe@guide.test", "joesecret"])
        .ok();
    until("mtad to take the domain's mail", || {
        let mut client = coming_from(stranger, mtad.smtp());
        client.command("HELO client.example");
        client.command("MAIL FROM:<>");
        let reply = client.command("RCPT TO:<joe@guide.test>");
        reply.starts_with("250 ").then_some(())
    });
    assert!(!may_relay(&mut mtad, roamer), "before the login");
    // 2.4: fetching opens the relay, in mtad and for tcpserver.
    fetch(&mut mtad, roamer);
    fetch(&mut mtad, six);
    assert!(may_relay(&mut mtad, roamer) && may_relay(&mut mtad, six));
    assert!(!may_relay(&mut mtad, stranger));
    let open = "set environment variable RELAYCLIENT=\n";
    assert!(world.ruled(&check, roamer).contains(open));
    assert!(!world.ruled(&check, stranger).contains("RELAYCLIENT"));
    assert!(
        world
            .ruled(&check, "192.0.2.66")
            .contains("deny connection")
    );
    // The window is over: mtad refuses at once, and cron's program clears the rules.
    world.age(600);
    assert!(!may_relay(&mut mtad, roamer) && !may_relay(&mut mtad, six));
    let _ = world.program("clearopensmtp", &[]).ok();
    assert!(!world.ruled(&check, roamer).contains("RELAYCLIENT"));
    assert_eq!(fs::read_to_string(world.list()).unwrap(), "");
    // A login through vchkpw counts in mtad as well.
    let _ = world.vchkpw(roamer, "joe@guide.test joesecret  ").ok();
    assert!(may_relay(&mut mtad, roamer));
    assert!(world.ruled(&check, roamer).contains(open));
    world.age(599);
    assert!(may_relay(&mut mtad, roamer), "a second is left");
    world.age(3600);
    assert!(!may_relay(&mut mtad, roamer));
    // Nobody needs cron beside mtad.
    until("the rules without it", || {
        (!world.ruled(&check, roamer).contains("RELAYCLIENT")).then_some(())
    });
}

#[test]
fn fifty_logins_by_mtad_and_vchkpw_beside_clearopensmtp_lose_nothing() {
    let check = need!(
        "fifty_logins_by_mtad_and_vchkpw_beside_clearopensmtp_lose_nothing",
        "tcprulescheck"
    );
    let world = World::new();
    let _ = world
        .program("vadddomain", &["guide.test", "postsecret"])
        .ok();
    let _ = world
        .program("vadduser", &["joe@guide.test", "joesecret"])
        .ok();
    let mut mtad = Mtad::start(&world.home);
    let pop3 = mtad.pop3();
    let addresses: Vec<String> = (0..50).map(|n| format!("10.{n}.0.7")).collect();
    thread::scope(|scope| {
        for (at, address) in addresses.iter().enumerate() {
            let (world, check) = (&world, &check);
            scope.spawn(move || {
                if at % 2 == 0 {
                    // In a session of its own each, since a mailbox has one at a time.
                    let mut client = coming_from(address, pop3);
                    client.command("USER joe@guide.test");
                    let reply = client.command("PASS joesecret");
                    assert!(
                        reply.starts_with("+OK") || reply.contains("IN-USE"),
                        "{reply}"
                    );
                } else {
                    let _ = world.vchkpw(address, "joe@guide.test joesecret  ").ok();
                }
            });
            if at % 5 == 0 {
                scope.spawn(move || {
                    let _ = world.program("clearopensmtp", &[]).ok();
                    // Readable at every moment.
                    let _ = world.ruled(check, "10.0.0.1");
                });
            }
        }
    });
    let text = fs::read_to_string(world.list()).unwrap();
    for address in &addresses {
        let line = format!("{address}:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t");
        let found = text.lines().filter(|l| l.starts_with(&line)).count();
        assert_eq!(found, 1, "{address}");
        assert!(
            world.ruled(&check, address).contains("RELAYCLIENT"),
            "{address}"
        );
        assert!(may_relay(&mut mtad, address), "{address}");
    }
    assert_eq!(text.lines().count(), 50);
}
