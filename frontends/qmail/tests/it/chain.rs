//! The whole chain of one account: qmail-start, qmail-send and its children, from qmail-queue to a mailbox (spec §5, §6).

use crate::running::{Installed, until};
use nix::sys::signal::Signal;
use std::fs;

/// A log without what differs from run to run: numbers of messages and processes.
fn shape(log: &str) -> Vec<String> {
    let plain = |word: &str| {
        let digits = word.trim_end_matches(':');
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let line = |line: &str| {
        let mut last = "";
        let words = line.split(' ').map(|word| {
            let varies = matches!(last, "msg" | "bytes" | "qp" | "uid") && plain(word);
            last = word;
            match (varies, word.ends_with(':')) {
                (true, true) => "#:",
                (true, false) => "#",
                _ => word,
            }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    log.lines().map(line).collect()
}

#[test]
fn a_message_to_an_mbox_makes_these_lines_in_this_order() {
    let installed = Installed::new();
    assert_eq!(
        installed.inject("me@a", &["box@mx.example.org"], "Subject: x\n\nbody\n"),
        0
    );
    let running = installed.start();
    installed.logged("end msg");
    running.stop();
    assert_eq!(
        shape(&installed.log()),
        [
            "status: local 0/10 remote 0/20",
            "new msg #",
            "info msg #: bytes # from <me@a> qp # uid #",
            "starting delivery 1: msg # to local box@mx.example.org",
            "status: local 1/10 remote 0/20",
            "delivery 1: success: did_1+0+0/",
            "status: local 0/10 remote 0/20",
            "end msg #",
            "status: exiting",
        ]
    );
    let mbox = installed.read("alias/box");
    assert!(mbox.starts_with("From me@a "), "{mbox}");
    assert!(
        mbox.contains("\nReturn-Path: <me@a>\nDelivered-To: box@mx.example.org\nReceived: "),
        "{mbox}"
    );
    assert!(mbox.ends_with("\nSubject: x\n\nbody\n\n"), "{mbox}");
    assert_eq!(installed.home.files(), 0);
}

#[test]
fn maildirs_programs_and_forwards_are_delivered_to() {
    let installed = Installed::new();
    let maildir = installed.home.at("alias/Maildir");
    for part in ["", "tmp", "new", "cur"] {
        fs::create_dir(maildir.join(part)).unwrap();
    }
    installed.alias(
        "all",
        "./Maildir/\n|cat > seen; echo \"$SENDER $RECIPIENT $EXT $HOST\"\n&box@mx.example.org\n",
    );
    let running = installed.start();
    let text = "Subject: x\n\nbody\n";
    installed.inject("me@a", &["all@mx.example.org"], text);
    let line =
        installed.logged("success: me@a_all@mx.example.org_all_mx.example.org/did_1+1+1/qp_");
    assert!(line.starts_with("delivery 1: "), "{line}");
    installed.logged("delivery 2: success: did_1+0+0/");
    until("two ends", || {
        (installed.log().matches("end msg").count() == 2).then_some(())
    });
    running.stop();
    assert!(installed.read("alias/seen").ends_with(text));
    assert_eq!(fs::read_dir(maildir.join("new")).unwrap().count(), 1);
    let forwarded = installed.read("alias/box");
    assert!(
        forwarded.contains("\nDelivered-To: box@mx.example.org\nReceived: (qmail "),
        "{forwarded}"
    );
    assert!(
        forwarded.contains("\nDelivered-To: all@mx.example.org\nReceived: (qmail "),
        "{forwarded}"
    );
}

#[test]
fn failures_come_back_and_bounces_of_bounces_go_to_the_postmaster() {
    let installed = Installed::new();
    installed.alias("postmaster", "./postmaster\n");
    let running = installed.start();
    installed.inject(
        "box@mx.example.org",
        &["no@mx.example.org"],
        "Subject: x\n\nbody\n",
    );
    let line = installed.logged("failure: ");
    assert_eq!(
        line,
        "delivery 1: failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/"
    );
    installed.logged("bounce msg ");
    installed.logged("delivery 2: success: ");
    let bounce = installed.read("alias/box");
    for part in [
        "From MAILER-DAEMON ",
        "\nReturn-Path: <>\n",
        "\nSubject: failure notice\n",
        "\nHi. This is the qmail-send program at mx.example.org.\n",
        "\n<no@mx.example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n",
    ] {
        assert!(bounce.contains(part), "{part:?} in {bounce}");
    }
    installed.inject("", &["nor@mx.example.org"], "Subject: x\n\nbody\n");
    until("the double bounce", || {
        let mbox = installed.read("alias/postmaster");
        mbox.contains("but the bounce bounced!").then_some(())
    });
    installed.inject("#@[]", &["neither@mx.example.org"], "Subject: x\n\nbody\n");
    installed.logged("triple bounce: discarding bounce/");
    running.stop();
}

#[test]
fn remote_mail_goes_through_qmail_remote_one_recipient_at_a_time() {
    let installed = Installed::new();
    installed.replace(
        "qmail-remote",
        "echo \"$@\" >> asked\ncase $3 in\n\
         bad@*) printf 'hno such user\\n\\0DGiving up.\\n\\0';;\n\
         slow@*) printf 'sbusy\\n\\0DGiving up.\\n\\0';;\n\
         *) cat > \"sent\"; printf 'r\\0Kaccepted\\n\\0';;\nesac",
    );
    installed.inject(
        "box@mx.example.org",
        &["good@far.example", "bad@far.example", "slow@far.example"],
        "Subject: x\n\nbody\n",
    );
    let running = installed.start();
    installed.logged("success: accepted/");
    installed.logged("failure: no_such_user/Giving_up./");
    installed.logged("deferral: busy/Giving_up./");
    running.stop();
    let mut asked: Vec<String> = installed.read("asked").lines().map(str::to_owned).collect();
    asked.sort();
    assert_eq!(
        asked,
        [
            "far.example box@mx.example.org bad@far.example",
            "far.example box@mx.example.org good@far.example",
            "far.example box@mx.example.org slow@far.example",
        ]
    );
    assert!(installed.read("sent").ends_with("\nSubject: x\n\nbody\n"));
    // What waits is kept, with the time of its next attempt.
    let queue = installed.home.queue();
    let [id] = queue.preprocessed().unwrap().try_into().unwrap();
    let kept = fs::read(
        queue
            .layout()
            .channel(id, mta_core::rewrite::Channel::Remote),
    )
    .unwrap();
    assert_eq!(
        String::from_utf8(kept).unwrap(),
        "Dgood@far.example\0Dbad@far.example\0Tslow@far.example\0"
    );
    let stat = fs::metadata(
        queue
            .layout()
            .channel(id, mta_core::rewrite::Channel::Remote),
    );
    let ahead = stat
        .unwrap()
        .modified()
        .unwrap()
        .duration_since(std::time::SystemTime::now());
    assert!(ahead.unwrap().as_secs() > 300);
}

#[test]
fn sigalrm_tries_everything_now_and_sighup_reads_locals_again() {
    let installed = Installed::new();
    installed.replace("qmail-remote", "printf 'sbusy\\n\\0ZLater.\\n\\0'");
    let running = installed.start();
    installed.inject("", &["joe@far.example"], "x\n");
    installed.logged("delivery 1: deferral: busy/Later./");
    running.signal(Signal::SIGALRM);
    installed.logged("delivery 2: deferral: busy/Later./");
    installed
        .home
        .write("control/locals", "mx.example.org\nnew.example\n");
    running.signal(Signal::SIGHUP);
    // The signal is obeyed before the next message is looked at, or this goes to busy.
    until("a local delivery", || {
        installed.inject("", &["box@new.example"], "x\n");
        let log = installed.log();
        log.contains("to local box@new.example").then_some(())
    });
    fs::remove_file(installed.home.at("control/locals")).unwrap();
    fs::create_dir(installed.home.at("control/locals")).unwrap();
    running.signal(Signal::SIGHUP);
    installed.logged("alert: unable to reread control/locals");
    running.stop();
}

#[test]
fn a_second_one_does_not_start() {
    let installed = Installed::new();
    let running = installed.start();
    installed.logged("status: local 0/10");
    let mut second = installed.start();
    assert_eq!(second.child.wait().unwrap().code(), Some(111));
    assert!(
        installed
            .log()
            .contains("alert: cannot start: qmail-send is already running\n")
    );
    running.stop();
}

#[test]
fn it_does_not_start_beside_messages_in_the_log_of_mtad() {
    let installed = Installed::new();
    let log = installed.home.log_with_a_message();
    let mut refused = installed.start();
    assert_eq!(refused.child.wait().unwrap().code(), Some(111));
    assert_eq!(
        installed.log(),
        "alert: cannot start: messages stand in queue/log (1), which mtad drains; mtad queue convert qmail moves them here\n"
    );
    log.remove(mta_core::ports::spool::MessageId(1)).unwrap();
    drop(log);
    let running = installed.start();
    installed.logged("status: local 0/10");
    running.stop();
}

#[test]
fn bounces_have_local_dates_where_localdates_is_set() {
    let installed = Installed::new();
    let variables = [("LOCALDATES", ""), ("TZ", "XYZ-03:30")];
    let running = installed.start_in(&variables, &["./Mailbox"]);
    installed.inject("box@mx.example.org", &["no@mx.example.org"], "x\n");
    installed.logged("delivery 2: success: ");
    running.stop();
    let bounce = installed.read("alias/box");
    let date = bounce.lines().find(|line| line.starts_with("Date: "));
    assert!(
        date.is_some_and(|date| date.ends_with(" +0330")),
        "{bounce}"
    );
}

#[test]
fn a_default_delivery_of_several_lines_and_a_logger_are_used() {
    let installed = Installed::new();
    installed.alias("empty", "");
    installed.replace("logger", "exec sed -u \"s/^/$1 /\" > \"$MTA_HOME/mylog\"");
    let running = installed.start_with(&["|echo first\n./second\n", "logger", "tagged"]);
    installed.inject("", &["empty@mx.example.org"], "x\n");
    until("the logger's line", || {
        let log = installed.read("mylog");
        log.contains("tagged delivery 1: success: first/did_1+0+1/\n")
            .then_some(())
    });
    running.signal(Signal::SIGTERM);
    until("the end", || {
        installed
            .read("mylog")
            .ends_with("tagged status: exiting\n")
            .then_some(())
    });
    assert!(
        installed
            .read("alias/second")
            .contains("Delivered-To: empty@")
    );
}

#[test]
fn a_lost_spawner_ends_it_and_loses_nothing() {
    let installed = Installed::new();
    installed.replace("qmail-lspawn", "printf '\\012'; head -c 1 > /dev/null");
    installed.inject("", &["box@mx.example.org"], "x\n");
    let mut running = installed.start();
    assert!(running.ended().success());
    let log = installed.log();
    assert!(
        log.contains("alert: oh no! lost spawn connection! dying...\n"),
        "{log}"
    );
    assert_eq!(installed.home.queue().preprocessed().unwrap().len(), 1);
}

#[test]
fn a_lost_cleaner_ends_it_and_loses_nothing() {
    let installed = Installed::new();
    installed.replace("qmail-clean", "head -c 1 > /dev/null");
    installed.inject("", &["box@mx.example.org"], "x\n");
    let mut running = installed.start();
    assert!(running.ended().success());
    let log = installed.log();
    assert!(
        log.contains("alert: oh no! lost qmail-clean connection! dying...\n"),
        "{log}"
    );
    assert_eq!(installed.home.queue().todo().unwrap().len(), 1);
}

#[test]
fn hostile_reports_of_a_spawner_change_nothing_else() {
    let installed = Installed::new();
    // A slot that nobody has, a letter that says nothing, and a flood without an end.
    installed.replace(
        "qmail-lspawn",
        "printf '\\012'; head -c 5 > /dev/null; printf '\\011Kforged\\n\\0\\377Kforged\\0\\0xmangled\\0'; \
         printf '\\0'; head -c 100000 /dev/zero | tr '\\0' A; printf '\\0'; cat > /dev/null",
    );
    installed.inject("", &["box@mx.example.org"], "x\n");
    let running = installed.start();
    installed.logged("delivery 1: report mangled, will defer");
    until("two complaints", || {
        let log = installed.log();
        let said = log.matches("warning: internal error: delivery report out of range\n");
        (said.count() == 3).then_some(())
    });
    running.stop();
    assert!(!installed.log().contains("forged"));
    assert_eq!(installed.home.queue().preprocessed().unwrap().len(), 1);
}

#[test]
fn killed_at_any_time_it_delivers_everything_after_the_next_start() {
    let installed = Installed::new();
    installed.alias("count", "|echo x >> count\n");
    for round in 0..5_u32 {
        for _ in 0..4 {
            assert_eq!(installed.inject("", &["count@mx.example.org"], "x\n"), 0);
        }
        let mut running = installed.start();
        until("a few deliveries", || {
            (installed.log().matches("success:").count() > (round * 3) as usize).then_some(())
        });
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }
    let running = installed.start();
    until("an empty queue", || {
        let queue = installed.home.queue();
        let left = queue.todo().unwrap().len() + queue.preprocessed().unwrap().len();
        (left == 0).then_some(())
    });
    running.stop();
    let delivered = installed.read("alias/count").lines().count();
    // Again only where a kill fell between a delivery and its mark.
    assert!((20..=70).contains(&delivered), "{delivered}");
    // A kill between the last two steps leaves a message without an envelope to the reaper.
    assert!(installed.home.files() <= 5, "{}", installed.home.files());
}
