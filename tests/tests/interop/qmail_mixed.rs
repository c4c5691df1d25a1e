//! mtad, our qmail-send and the original one take turns at one queue, each as root starts it (qmail-start(8), spec §3).
//!
//! A mount namespace gives the host qmail's users and `/var/qmail` for as long as a process runs.
//! The original's programs are taken from the directory that `MTA_ORIGINAL_QMAIL` names; they have
//! `/var/qmail` built in.

use mta_tests::{Home, TempDir, qmail_binary, run, skip, tool, until};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Names a directory with the original's programs.
const ORIGINAL: &str = "MTA_ORIGINAL_QMAIL";
const USERS: [(&str, u32, u32); 8] = [
    ("alias", 7790, 7791),
    ("qmaild", 7791, 7791),
    ("qmaill", 7792, 7791),
    ("qmailp", 7793, 7791),
    ("qmailq", 7794, 7790),
    ("qmailr", 7795, 7790),
    ("qmails", 7796, 7790),
    ("ann", 7801, 7801),
];
const ENTER: &str = "mount --bind \"$1/passwd\" /etc/passwd && mount --bind \"$1/group\" /etc/group \
    && mount --bind \"$1/var\" /var && shift && exec \"$@\"";
const OWNERS: &str = "cd /var/qmail && chown root:qmail . && chown -R alias:nofiles alias \
    && chown qmailq:qmail queue && chmod 755 . \
    && (cd queue && chown -R qmailq:qmail pid intd todo mess lock params quarantine \
        && chown -R qmails:qmail info local remote bounce lock/sendmutex lock/trigger \
        && chown qmailr lock/tcpto) \
    && chown -R ann /var/ann";

/// Who drains the queue, or whose qmail-queue fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mtad,
    Ours,
    Original,
}

/// A host with qmail's users.
struct World {
    temp: TempDir,
}

impl World {
    /// `None`, with the reason noted, where there can be none.
    fn new(test: &str) -> Option<Self> {
        let temp = TempDir::new();
        let tools = ["unshare", "setpriv", "ps"]
            .into_iter()
            .all(|name| tool(name).is_some());
        let root = run(Command::new("id").arg("-u"), b"").ok().trim() == "0";
        if !tools || !root {
            skip(test, "needs root, unshare, setpriv and ps");
            return None;
        }
        let (mut passwd, mut group) = (String::new(), String::new());
        for (name, uid, gid) in USERS {
            let home = match name {
                "alias" => "/var/qmail/alias",
                "ann" => "/var/ann",
                _ => "/var/qmail",
            };
            passwd += &format!("{name}:x:{uid}:{gid}::{home}:/bin/sh\n");
        }
        for (name, gid) in [("qmail", 7790), ("nofiles", 7791), ("ann", 7801)] {
            group += &format!("{name}:x:{gid}:\n");
        }
        for (file, more) in [("passwd", passwd), ("group", group)] {
            let host = fs::read_to_string(Path::new("/etc").join(file)).unwrap();
            fs::write(temp.path().join(file), host + &more).unwrap();
        }
        fs::create_dir_all(temp.path().join("var/ann")).unwrap();
        let world = Self { temp };
        if !run(&mut world.command(&["true"]), b"").status.success() {
            skip(test, "there are no mount namespaces");
            return None;
        }
        let _ = Home::at(&world.at(""));
        // The others know no log.
        std::fs::remove_dir_all(world.at("queue/log")).unwrap();
        for name in ["ours", "original", "bin"] {
            let _ = fs::remove_dir_all(world.at(name));
            fs::create_dir(world.at(name)).unwrap();
        }
        fs::copy(qmail_binary(), world.at("ours/qmail")).unwrap();
        world.shell("cd /var/qmail/ours && ./qmail --install /var/qmail/ours");
        // The one that may be setuid is a program of its own.
        let queue = qmail_binary().with_file_name("qmail-queue");
        fs::remove_file(world.at("ours/qmail-queue")).unwrap();
        fs::copy(queue, world.at("ours/qmail-queue")).unwrap();
        world.write("control/locals", "mx.example.org\n");
        world.write("alias/.qmail-box", "./box\n");
        world.shell(OWNERS);
        world.install(Kind::Ours, Kind::Ours);
        Some(world)
    }

    /// With the original's programs as well.
    fn with_original(test: &str) -> Option<Self> {
        let Some(original) = std::env::var_os(ORIGINAL).map(PathBuf::from) else {
            skip(
                test,
                &format!("{ORIGINAL} names no directory with the original"),
            );
            return None;
        };
        let world = Self::new(test)?;
        for entry in fs::read_dir(original).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, world.at("original").join(from.file_name().unwrap())).unwrap();
        }
        Some(world)
    }

    /// A path in the home, as it is called outside.
    fn at(&self, path: &str) -> PathBuf {
        self.temp.path().join("var/qmail").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.at(path)).unwrap_or_default()).into_owned()
    }

    /// A command in this world.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", ENTER, "sh"]);
        command.arg(self.temp.path()).args(words);
        command.env_clear().current_dir("/");
        command.env("PATH", "/var/qmail/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    fn shell(&self, line: &str) {
        let _ = run(&mut self.command(&["sh", "-c", line]), b"").ok();
    }

    /// Puts programs into bin/: all of one kind but qmail-queue, which is setuid.
    fn install(&self, programs: Kind, queue: Kind) {
        let of = |kind| match kind {
            Kind::Original => "original",
            Kind::Ours | Kind::Mtad => "ours",
        };
        self.shell(&format!(
            "cd /var/qmail && rm -rf bin && cp -a {} bin && rm -f bin/qmail-queue \
             && cp -L {}/qmail-queue bin/ && chown qmailq:qmail bin/qmail-queue \
             && chmod 4711 bin/qmail-queue",
            of(programs),
            of(queue)
        ));
    }

    /// Queues a message as ann.
    fn inject(&self, sender: &str, recipients: &[&str]) {
        let (reader, mut envelope) = std::io::pipe().unwrap();
        let mut command = self.command(&[
            "setpriv",
            "--reuid=7801",
            "--regid=7801",
            "--clear-groups",
            "/var/qmail/bin/qmail-queue",
        ]);
        command.stdin(Stdio::piped()).stdout(reader);
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"Subject: x\n\nbody\n").unwrap();
        drop(input);
        write!(envelope, "F{sender}\0").unwrap();
        for to in recipients {
            write!(envelope, "T{to}@mx.example.org\0").unwrap();
        }
        envelope.write_all(b"\0").unwrap();
        drop(envelope);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }

    fn start(&self, kind: Kind) -> Drainer<'_> {
        let log = fs::File::create(self.at("../log")).unwrap();
        let mtad = qmail_binary().with_file_name("mtad");
        fs::copy(mtad, self.at("ours/mtad")).unwrap();
        let words: &[&str] = match kind {
            Kind::Mtad => &[
                "/var/qmail/ours/mtad",
                "--home",
                "/var/qmail",
                "serve",
                "--smtp",
                "127.0.0.1:0",
                "--pop3",
                "127.0.0.1:0",
            ],
            Kind::Ours | Kind::Original => &["/var/qmail/bin/qmail-start", "./Mailbox"],
        };
        let mut command = self.command(words);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Drainer {
            world: self,
            child: command.stdin(Stdio::null()).spawn().unwrap(),
        }
    }

    fn messages(&self) -> Vec<PathBuf> {
        let spread = fs::read_dir(self.at("queue/mess")).unwrap();
        let files = spread.map(|dir| fs::read_dir(dir.unwrap().path()).unwrap());
        files.flatten().map(|file| file.unwrap().path()).collect()
    }
}

/// Somebody who drains the queue.
struct Drainer<'a> {
    world: &'a World,
    child: Child,
}

impl Drainer<'_> {
    fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let pid = self.child.id().to_string();
        assert!(kill.args(["-s", name, &pid]).status().unwrap().success());
    }

    fn logged(&self, part: &str) -> String {
        let mut seen = String::new();
        until(&format!("the line {part:?}"), || {
            seen = self.world.read("../log");
            let found = seen.lines().find(|line| line.contains(part));
            found.map(str::to_owned)
        })
    }

    fn stop(mut self) {
        self.signal("TERM");
        let child = &mut self.child;
        let status = until("the drainer's end", || child.try_wait().unwrap());
        assert!(status.success(), "{}", self.world.read("../log"));
    }
}

impl Drop for Drainer<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One begins, the other one ends, and everything is delivered once.
fn hand_over(world: &World, first: Kind, second: Kind) {
    let why = format!("{first:?} to {second:?}");
    let _ = fs::remove_file(world.at("alias/box"));
    let _ = fs::remove_file(world.at("alias/later"));
    world.write("alias/.qmail-later", "|echo not yet; exit 111\n");
    world.install(first, first);
    let drainer = world.start(first);
    world.inject("", &["box", "later"]);
    drainer.logged("deferral: not_yet/");
    drainer.logged("success: did_1+0+0/");
    drainer.stop();
    // Nobody is there to take this one.
    world.inject("", &["box"]);
    world.install(second, second);
    world.write("alias/.qmail-later", "./later\n");
    let drainer = world.start(second);
    drainer.logged("to local box@mx.example.org");
    until(&format!("{why}: two messages in the box"), || {
        (world
            .read("alias/box")
            .matches("\nDelivered-To: box@")
            .count()
            == 2)
            .then_some(())
    });
    // It waits for its time, until it is told.
    assert!(!world.read("../log").contains("to local later@"), "{why}");
    drainer.signal("ALRM");
    until(&format!("{why}: an empty queue"), || {
        world.messages().is_empty().then_some(())
    });
    drainer.stop();
    let later = world.read("alias/later");
    assert_eq!(later.matches("\nDelivered-To: later@").count(), 1, "{why}");
    let delivered = world.read("alias/box");
    assert_eq!(
        delivered.matches("\nDelivered-To: box@").count(),
        2,
        "{why}"
    );
}

#[test]
fn mtad_and_our_qmail_send_take_turns() {
    let name = "qmail_mixed::mtad_and_our_qmail_send_take_turns";
    let Some(world) = World::new(name) else {
        return;
    };
    hand_over(&world, Kind::Ours, Kind::Mtad);
    hand_over(&world, Kind::Mtad, Kind::Ours);
}

#[test]
fn each_of_ours_takes_turns_with_the_original() {
    let name = "qmail_mixed::each_of_ours_takes_turns_with_the_original";
    let Some(world) = World::with_original(name) else {
        return;
    };
    for (first, second) in [
        (Kind::Original, Kind::Original),
        (Kind::Original, Kind::Ours),
        (Kind::Ours, Kind::Original),
        (Kind::Original, Kind::Mtad),
        (Kind::Mtad, Kind::Original),
    ] {
        hand_over(&world, first, second);
    }
}

#[test]
fn our_parts_and_the_originals_work_together() {
    let name = "qmail_mixed::our_parts_and_the_originals_work_together";
    let Some(world) = World::with_original(name) else {
        return;
    };
    let others = ["qmail-clean", "qmail-lspawn", "qmail-rspawn", "qmail-local"];
    for (host, guest) in [("original", "ours"), ("ours", "original")] {
        for part in others.into_iter().chain(["qmail-send", "qmail-queue"]) {
            let (kind, queue) = match (host, part) {
                ("original", "qmail-queue") => (Kind::Original, Kind::Ours),
                ("ours", "qmail-queue") => (Kind::Ours, Kind::Original),
                ("original", _) => (Kind::Original, Kind::Original),
                _ => (Kind::Ours, Kind::Ours),
            };
            world.install(kind, queue);
            if part != "qmail-queue" {
                let line = format!("cd /var/qmail && rm bin/{part} && cp -L {guest}/{part} bin/");
                world.shell(&line);
            }
            let _ = fs::remove_file(world.at("alias/box"));
            let drainer = world.start(kind);
            world.inject("box@mx.example.org", &["box", "nobody-here"]);
            until(
                &format!("{part} of {guest} among {host}: two messages"),
                || {
                    let delivered = world.read("alias/box");
                    let both = delivered.matches("\nDelivered-To: box@").count() == 2
                        && delivered.contains("\nSorry, no mailbox here by that name. (#5.1.1)\n");
                    (both && world.messages().is_empty()).then_some(())
                },
            );
            drainer.stop();
        }
    }
}

#[test]
fn the_compiled_files_are_the_same_bytes() {
    let name = "qmail_mixed::the_compiled_files_are_the_same_bytes";
    let Some(world) = World::with_original(name) else {
        return;
    };
    world.write(
        "users/assign",
        "=joe:joe:1001:1001:/home/joe:::\n+joe-:joe:1001:1001:/home/joe:-::\n\
         +x.:x:1002:1002:/home/x:-:y:\n+:alias:7790:7791:/var/qmail/alias:-::\n.\n",
    );
    let hosts: String = (0..300).map(|n| format!("host{n}.example.com\n")).collect();
    world.write(
        "control/morercpthosts",
        &format!("# many\n{hosts}.Wild.Example\n"),
    );
    for (program, file) in [
        ("qmail-newu", "users/cdb"),
        ("qmail-newmrh", "control/morercpthosts.cdb"),
    ] {
        world.shell(&format!("/var/qmail/original/{program}"));
        let theirs = fs::read(world.at(file)).unwrap();
        world.shell(&format!(
            "rm /var/qmail/{file} && /var/qmail/ours/{program}"
        ));
        assert!(fs::read(world.at(file)).unwrap() == theirs, "{file}");
    }
}

#[test]
fn started_by_root_every_part_is_somebody_else() {
    let name = "qmail_mixed::started_by_root_every_part_is_somebody_else";
    let Some(world) = World::new(name) else {
        return;
    };
    fs::write(
        world.temp.path().join("var/ann/.qmail"),
        "|id -u; id -g; id -G\n./box\n",
    )
    .unwrap();
    world.shell("chown ann /var/ann/.qmail");
    world.write("alias/.qmail-later", "|echo not yet; exit 111\n");
    world.write("alias/.qmail-root", "|id -u\n");
    world.write(
        "users/assign",
        "=boss:root:0:0:/root:::\n=odd:odd:many:0:/root:::\n.\n",
    );
    world.shell("/var/qmail/bin/qmail-newu");
    let drainer = world.start(Kind::Ours);
    world.inject(
        "ann@mx.example.org",
        &["ann", "later", "root", "boss", "odd", "no"],
    );
    drainer.logged("success: 7801/7801/7801/did_1+0+1/");
    drainer.logged("success: 7790/did_0+0+1/");
    drainer.logged("deferral: Not_allowed_to_perform_deliveries_as_root./");
    drainer.logged("deferral: Internal_qmail-lspawn_bug./");
    drainer.logged("failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/");
    drainer.logged("deferral: not_yet/");
    let [message] = world.messages().try_into().unwrap();
    let stat = fs::metadata(&message).unwrap();
    assert_eq!((stat.uid(), stat.mode() & 0o777), (7794, 0o644));
    let spread = message.strip_prefix(world.at("queue/mess")).unwrap();
    let info = fs::metadata(world.at("queue/info").join(spread)).unwrap();
    assert_eq!((info.uid(), info.mode() & 0o777), (7796, 0o600));
    runs_as_its_users(&drainer);
    drainer.stop();
    let delivered = fs::metadata(world.temp.path().join("var/ann/box")).unwrap();
    assert_eq!(delivered.uid(), 7801);
}

/// Looks at the processes.
fn runs_as_its_users(drainer: &Drainer<'_>) {
    let parent = drainer.child.id().to_string();
    let status = fs::read_to_string(format!("/proc/{parent}/status")).unwrap();
    let send = "\nUid:\t7796\t7796\t7796\t7796\nGid:\t7790\t7790\t7790\t7790\n";
    assert!(status.contains(send), "{status}");
    assert!(status.contains("\nGroups:\t \n"), "{status}");
    let found = run(Command::new("ps").args(["-eo", "uid=,ppid=,comm="]), b"").ok();
    let child = |part: &str| {
        let line = found.lines().find(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            matches!(words.as_slice(), [_, ppid, comm] if *ppid == parent && *comm == part)
        });
        line.and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok())
    };
    for (part, uid) in [
        ("qmail-lspawn", 0),
        ("qmail-rspawn", 7795),
        ("qmail-clean", 7794),
    ] {
        assert_eq!(child(part), Some(uid), "{part}");
    }
}
