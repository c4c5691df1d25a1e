//! tcprules and tcprulescheck beside those of Debian's ucspi-tcp: the same bytes, the same answers (spec §9.2, §9.3).

use crate::kit::{applet, original, program};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A generator of its own, so that every run sees the same sources.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

const WORDS: [&str; 26] = [
    "10.0.0.",
    "1",
    "2",
    "-",
    ".",
    "3-5",
    "250-300",
    "=",
    "@",
    "joe@",
    "=.example.com",
    "h.example.com",
    ":",
    ":allow",
    ":deny",
    ",X=\"1\"",
    ",Y='a b'",
    ",=",
    "\"",
    " ",
    "\t",
    "#",
    "\n",
    "\n",
    "7-6.x",
    "0",
];

const WHOLE: [&str; 14] = [
    "10.0.0.1:deny\n",
    "10.0.0.2-4:allow,A=\"1\"\n",
    "10.0.:allow,A=\"2\"\n",
    "10.:deny,B=\"x\"\n",
    "joe@10.0.0.2:allow,C=\"3\"\n",
    "joe@=h.example.com:deny\n",
    "=h.example.com:allow,D=\"4\"\n",
    "=.example.com:deny\n",
    "=.com:allow\n",
    "=:allow,E=\"5\"\n",
    ":deny\n",
    ":allow,F=\"\"\n",
    "# comment:\n",
    "nothing\n",
];

/// What the original says is all on the first line; ours adds what it expected.
fn first_line(errors: &str) -> String {
    errors
        .lines()
        .filter(|line| !line.contains("warning"))
        .take(1)
        .collect()
}

fn compare(tcprules: &Path, dir: &Path, source: &str) -> bool {
    let paths = ["a.cdb", "a.tmp", "b.cdb", "b.tmp"].map(|name| dir.join(name));
    let [ours, ours_tmp, theirs, theirs_tmp] = &paths;
    let [a, a_tmp] = [ours, ours_tmp].map(|path| path.to_str().unwrap());
    let mine = applet("tcprules", &[a, a_tmp], &[], source.as_bytes());
    let peer = program(
        Command::new(tcprules).args([theirs, theirs_tmp]),
        source.as_bytes(),
    );
    assert_eq!(mine.code, peer.code, "{source:?}\n{mine:?}\n{peer:?}");
    assert_eq!(
        first_line(&mine.errors),
        first_line(&peer.errors),
        "{source:?}"
    );
    if mine.code == 0 {
        assert_eq!(
            fs::read(ours).unwrap(),
            fs::read(theirs).unwrap(),
            "{source:?}"
        );
    }
    mine.code == 0
}

#[test]
fn tcprules_writes_the_originals_bytes() {
    let Some(tcprules) = original("tcprules", "tcprules_writes_the_originals_bytes") else {
        return;
    };
    let dir = TempDir::new().unwrap();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut accepted = 0;
    for _ in 0..150 {
        let mut source = String::new();
        for _ in 0..dice.roll(12) {
            source.push_str(dice.pick(&WORDS));
        }
        accepted += usize::from(compare(&tcprules, dir.path(), &source));
        let whole: String = (0..dice.roll(20)).map(|_| dice.pick(&WHOLE)).collect();
        assert!(compare(&tcprules, dir.path(), &whole));
    }
    assert!((20..150).contains(&accepted), "{accepted} of 150 accepted");
    let many: String = (0..50_000)
        .map(|n| {
            format!(
                "10.{}.{}.{}:allow,RELAYCLIENT=\"\"\n",
                n >> 16,
                (n >> 8) & 255,
                n & 255
            )
        })
        .collect();
    assert!(compare(&tcprules, dir.path(), &many));
}

#[test]
fn each_tcprulescheck_answers_alike_on_the_others_cdb() {
    let Some(check) = original(
        "tcprulescheck",
        "each_tcprulescheck_answers_alike_on_the_others_cdb",
    ) else {
        return;
    };
    let dir = TempDir::new().unwrap();
    let cdb = dir.path().join("r.cdb").to_str().unwrap().to_owned();
    let tmp = dir.path().join("r.tmp").to_str().unwrap().to_owned();
    let ips = [
        "10.0.0.1",
        "10.0.0.3",
        "10.0.9.9",
        "10.9.9.9",
        "192.0.2.1",
        "0.0.0.0",
        "bad",
        "",
        "10.0.0.1.5",
    ];
    let hosts = [
        None,
        Some("h.example.com"),
        Some("x.example.com"),
        Some("a.b.com"),
        Some(".com"),
        Some("x"),
        Some(""),
    ];
    let infos = [None, Some("joe"), Some("jim"), Some("")];
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for _ in 0..200 {
        let source: String = (0..dice.roll(10)).map(|_| dice.pick(&WHOLE)).collect();
        assert_eq!(
            applet("tcprules", &[&cdb, &tmp], &[], source.as_bytes()).code,
            0
        );
        let mut environment = vec![("TCPREMOTEIP", ips[dice.roll(ips.len())])];
        environment.extend(hosts[dice.roll(hosts.len())].map(|host| ("TCPREMOTEHOST", host)));
        environment.extend(infos[dice.roll(infos.len())].map(|info| ("TCPREMOTEINFO", info)));
        let mine = applet("tcprulescheck", &[&cdb], &environment, b"");
        let mut command = Command::new(&check);
        command
            .arg(&cdb)
            .env_clear()
            .envs(environment.iter().copied());
        assert_eq!(
            mine,
            program(&mut command, b""),
            "{source:?} {environment:?}"
        );
    }
}
