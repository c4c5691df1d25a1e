//! Single messages on the stage: order of actions, exact log lines, batches, dying, shutdown, trouble.

use super::stage::{ID, Stage, address};
use mta_core::Unix;
use mta_core::ports::spool::MessageId;
use mta_core::queue::{Action, PerChannel, Recovered, Settings, Step, Trouble};
use mta_core::report::Report;
use mta_core::rewrite::Channel;

struct Scene {
    name: &'static str,
    sender: &'static str,
    recipients: &'static [&'static str],
    plot: &'static [&'static str],
}

const SCENES: &[Scene] = &[
    Scene {
        name: "a message without recipients ends at once",
        sender: "s@x",
        recipients: &[],
        plot: &["end msg 7", "[finish]"],
    },
    Scene {
        name: "a delivery is marked before the message is removed",
        sender: "s@x",
        recipients: &["joe@here"],
        plot: &[
            "starting delivery 1: msg 7 to local joe@here",
            "[s@x -> joe@here]",
            "delivery 1: success: ok/",
            "[mark [0]]",
            "end msg 7",
            "[finish]",
        ],
    },
    Scene {
        name: "one host in any case is one delivery, with a number for each recipient",
        sender: "s@x",
        recipients: &["a@One", "b@two", "c@oNE"],
        plot: &[
            "starting delivery 1: msg 7 to remote a@One",
            "starting delivery 2: msg 7 to remote c@oNE",
            "[s@x -> a@One c@oNE]",
            "delivery 1: success: ok/",
            "delivery 2: success: ok/",
            "[mark [0, 2]]",
            "starting delivery 3: msg 7 to remote b@two",
            "[s@x -> b@two]",
            "delivery 3: success: ok/",
            "[mark [1]]",
            "end msg 7",
            "[finish]",
        ],
    },
    Scene {
        name: "verp goes to each recipient alone",
        sender: "l-@h-@[]",
        recipients: &["a@one", "b@one"],
        plot: &[
            "starting delivery 1: msg 7 to remote a@one",
            "[l-a=one@h -> a@one]",
            "delivery 1: success: ok/",
            "[mark [0]]",
            "starting delivery 2: msg 7 to remote b@one",
            "[l-b=one@h -> b@one]",
            "delivery 2: success: ok/",
            "[mark [1]]",
            "end msg 7",
            "[finish]",
        ],
    },
    Scene {
        name: "a failure is on record before its mark, and the bounce is queued before it goes",
        sender: "s@x",
        recipients: &["nobody@one"],
        plot: &[
            "starting delivery 1: msg 7 to remote nobody@one",
            "[s@x -> nobody@one]",
            "delivery 1: failure: no_such_box_(#5.1.1)/",
            "[append]",
            "[mark [0]]",
            "[bounce]",
            "bounce msg 7 qp 9",
            "[clear]",
            "end msg 7",
            "[finish]",
        ],
    },
    Scene {
        name: "a bounce of a double bounce is discarded",
        sender: "#@[]",
        recipients: &["nobody@here"],
        plot: &[
            "starting delivery 1: msg 7 to local nobody@here",
            "[#@[] -> nobody@here]",
            "delivery 1: failure: no_such_box_(#5.1.1)/",
            "[append]",
            "[mark [0]]",
            "triple bounce: discarding bounce/7",
            "[clear]",
            "end msg 7",
            "[finish]",
        ],
    },
    Scene {
        name: "the trash address is delivered nowhere",
        sender: "#@[]",
        recipients: &["@here"],
        plot: &[
            "starting delivery 1: msg 7 to local @here",
            "delivery 1: success: ",
            "[mark [0]]",
            "end msg 7",
            "[finish]",
        ],
    },
    Scene {
        name: "a success is told of before its mark, and only by who is the last to know",
        sender: "s@x",
        recipients: &[
            "joe+all@here",
            "b+all@one",
            "dsn+all@one",
            "c+never@one",
            "d@one",
        ],
        plot: &[
            "starting delivery 1: msg 7 to local joe+all@here",
            "[s@x -> joe+all@here]",
            "delivery 1: success: ok/",
            "[delivered joe+all@here]",
            "notice msg 7: delivered",
            "[mark [0]]",
            "starting delivery 2: msg 7 to remote b+all@one",
            "starting delivery 3: msg 7 to remote dsn+all@one",
            "starting delivery 4: msg 7 to remote c+never@one",
            "starting delivery 5: msg 7 to remote d@one",
            "[s@x -> b+all@one dsn+all@one c+never@one d@one]",
            "delivery 2: success: ok/",
            "delivery 3: success: ok/",
            "delivery 4: success: ok/",
            "delivery 5: success: ok/",
            "[relayed b+all@one]",
            "notice msg 7: relayed",
            "[mark [1, 2, 3, 0]]",
            "end msg 7",
            "[finish]",
        ],
    },
    Scene {
        name: "a failure that nobody wants to hear of is marked and not reported",
        sender: "s@x",
        recipients: &["nobody+never@one"],
        plot: &[
            "starting delivery 1: msg 7 to remote nobody+never@one",
            "[s@x -> nobody+never@one]",
            "delivery 1: failure: no_such_box_(#5.1.1)/",
            "[mark [0]]",
            "end msg 7",
            "[finish]",
        ],
    },
    Scene {
        name: "a bounce that fails is told to the postmaster, whatever NOTIFY says, and no success",
        sender: "",
        recipients: &["nobody+never@one", "b+all@one"],
        plot: &[
            "starting delivery 1: msg 7 to remote nobody+never@one",
            "starting delivery 2: msg 7 to remote b+all@one",
            "[ -> nobody+never@one b+all@one]",
            "delivery 1: failure: no_such_box_(#5.1.1)/",
            "delivery 2: success: ok/",
            "[append]",
            "[mark [1, 0]]",
            "[bounce]",
            "bounce msg 7 qp 9",
            "[clear]",
            "end msg 7",
            "[finish]",
        ],
    },
    Scene {
        name: "deferred recipients wait, the others are marked",
        sender: "s@x",
        recipients: &["later@one", "b@one"],
        plot: &[
            "starting delivery 1: msg 7 to remote later@one",
            "starting delivery 2: msg 7 to remote b@one",
            "[s@x -> later@one b@one]",
            "delivery 1: deferral: busy_(#4.2.1)/",
            "delivery 2: success: ok/",
            "[mark [1]]",
            "[next +400]",
        ],
    },
];

#[test]
fn each_scene_plays_in_the_order_that_survives_a_crash() {
    for scene in SCENES {
        let mut stage = Stage::new(scene.sender, scene.recipients);
        stage.manager.found(ID);
        stage.manager.found(ID);
        let _ = stage.play();
        let from = format!(
            "info msg 7: bytes 300 from <{}> qp 5 uid 1000",
            scene.sender
        );
        let plot = stage.plot();
        assert_eq!(plot[..2], ["new msg 7", &from], "{}", scene.name);
        assert_eq!(plot[2..], *scene.plot, "{}", scene.name);
    }
}

#[test]
fn a_delay_is_told_once_at_its_age_and_to_those_who_asked() {
    let settings = Settings {
        delay_asked: Some(1000),
        ..Settings::default()
    };
    let to = ["later+all@one", "later@one", "later+never@one"];
    let mut stage = Stage::with(settings, "s@x", &to);
    stage.manager.found(ID);
    let mut told = Vec::new();
    for _ in 0..6 {
        stage.script.clear();
        let Action::WaitUntil(next) = stage.play() else {
            panic!("{:?}", stage.script)
        };
        let line = stage.script.iter().find(|l| l.contains("delayed"));
        told.push((stage.now - Unix(1_000_000), line.cloned()));
        stage.now = next;
    }
    let line = Some("[delayed later+all@one]".to_owned());
    let wanted = [
        (0, None),
        (400, None),
        (1600, line),
        (3600, None),
        (6400, None),
        (10000, None),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn a_held_message_waits_for_its_release_whatever_else_is_asked() {
    let to = ["later@one", "b@two", "c@three"];
    let settings = Settings {
        concurrency: PerChannel::new(1, 1),
        ..Settings::default()
    };
    let mut stage = Stage::with(settings, "s@x", &to);
    stage.manager.found(ID);
    // Held while the first of three deliveries runs.
    let first = loop {
        match stage.manager.poll(stage.now) {
            Action::Start(delivery) => break delivery,
            action => stage.act(action),
        }
    };
    assert!(stage.manager.hold(ID));
    assert!(stage.manager.is_held(ID));
    let busy = vec![Report::deferral("busy\n")];
    stage.manager.delivered(first.delivery, busy);
    assert_eq!(stage.play(), Action::Wait);
    stage.now = stage.now + 1_000_000;
    stage.manager.retry_all(stage.now);
    assert!(stage.manager.retry(ID, stage.now));
    assert_eq!(stage.play(), Action::Wait);
    let starts = |stage: &Stage| {
        let lines = stage.script.iter();
        lines.filter(|l| l.starts_with("starting")).count()
    };
    assert_eq!(starts(&stage), 1, "{:?}", stage.script);
    assert!(stage.manager.release(ID, stage.now));
    assert!(!stage.manager.release(ID, stage.now), "once is enough");
    let _ = stage.play();
    assert_eq!(starts(&stage), 4, "{:?}", stage.script);
}

#[test]
fn a_held_message_can_be_removed_and_the_shutdown_does_not_wait_for_it() {
    for remove in [true, false] {
        let mut stage = Stage::new("s@x", &["later@one"]);
        stage.manager.found(ID);
        let _ = stage.play();
        assert!(stage.manager.hold(ID));
        if remove {
            assert!(stage.manager.remove(ID));
            assert_eq!(stage.play(), Action::Wait);
            assert!(stage.plot().ends_with(&["end msg 7", "[finish]"]));
        }
        stage.manager.shutdown();
        assert_eq!(stage.play(), Action::Stopped);
    }
    let mut stage = Stage::new("s@x", &[]);
    assert!(!stage.manager.hold(ID), "there is none");
}

#[test]
fn status_follows_each_start_and_each_end() {
    let mut stage = Stage::new("s@x", &["a@one"]);
    stage.manager.found(ID);
    let _ = stage.play();
    let status: Vec<_> = stage
        .script
        .iter()
        .filter(|l| l.starts_with("status"))
        .collect();
    let idle = "status: local 0/10 remote 0/20";
    assert_eq!(status, [idle, "status: local 0/10 remote 1/20", idle]);
}

#[test]
fn a_batch_has_no_more_recipients_than_allowed() {
    let settings = Settings {
        recipients: 2,
        ..Settings::default()
    };
    let mut stage = Stage::with(settings, "s@x", &["a@h", "b@h", "c@h", "d@h", "e@h"]);
    stage.manager.found(ID);
    let _ = stage.play();
    let plot = stage.plot();
    let starts: Vec<_> = plot.iter().filter(|l| l.starts_with("[s@x")).collect();
    assert_eq!(
        starts,
        [&"[s@x -> a@h b@h]", &"[s@x -> c@h d@h]", &"[s@x -> e@h]"]
    );
}

#[test]
fn no_more_deliveries_run_than_allowed_and_zero_holds() {
    for (limit, want) in [(0, 0), (1, 1), (3, 3), (9, 4)] {
        let settings = Settings {
            concurrency: PerChannel::new(0, limit),
            ..Settings::default()
        };
        let mut stage = Stage::with(settings, "s@x", &["a@1", "b@2", "c@3", "d@4"]);
        stage.manager.found(ID);
        let mut started = 0;
        loop {
            match stage.manager.poll(stage.now) {
                Action::Start(_) => started += 1,
                Action::Wait => break,
                action => stage.act(action),
            }
        }
        assert_eq!(started, want, "limit {limit}");
        assert_eq!(stage.manager.status().running.remote, want, "limit {limit}");
    }
}

#[test]
fn other_settings_count_from_the_next_poll() {
    let held = Settings {
        concurrency: PerChannel::new(0, 0),
        ..Settings::default()
    };
    let mut stage = Stage::with(held, "s@x", &["joe@here"]);
    stage.manager.found(ID);
    let _ = stage.play();
    assert!(!stage.plot().contains(&"[s@x -> joe@here]"));
    stage.manager.set(Settings::default());
    assert_eq!(stage.play(), Action::Wait);
    assert!(stage.plot().contains(&"[s@x -> joe@here]"));
    assert!(
        stage
            .script
            .contains(&"status: local 0/10 remote 0/20".to_owned())
    );
}

#[test]
fn a_dying_message_turns_deferral_into_failure_with_qmails_words() {
    let mut stage = Stage::new("s@x", &["later@one"]);
    stage.manager.found(ID);
    let _ = stage.play();
    stage.now = stage.now + 604_801;
    let _ = stage.play();
    let line = "delivery 2: failure: busy_(#4.2.1)/I'm_not_going_to_try_again;_this_message_has_been_in_the_queue_too_long./";
    assert!(stage.plot().contains(&line), "{:#?}", stage.script);
    assert_eq!(*stage.plot().last().unwrap(), "[finish]");
    let text = String::from_utf8(stage.bounce.clone()).unwrap();
    assert_eq!(
        text,
        "<later@one>:\nbusy (#4.2.1)\nI'm not going to try again; this message has been in the queue too long.\n\n"
    );
}

#[test]
fn a_missing_report_defers() {
    let mut stage = Stage::new("s@x", &["a@h", "b@h"]);
    stage.manager.found(ID);
    let wait = loop {
        match stage.manager.poll(stage.now) {
            Action::Start(it) => stage.manager.delivered(it.delivery, Vec::new()),
            wait @ Action::WaitUntil(_) => break wait,
            action => stage.act(action),
        }
    };
    assert_eq!(wait, Action::WaitUntil(stage.now + 400));
    assert!(
        stage
            .plot()
            .contains(&"delivery 2: report mangled, will defer")
    );
}

#[test]
fn retry_makes_a_message_due_and_alarm_makes_all_due() {
    for all in [false, true] {
        let mut stage = Stage::new("s@x", &["later@one"]);
        stage.manager.found(ID);
        assert_eq!(stage.play(), Action::WaitUntil(stage.now + 400));
        stage.script.clear();
        stage.now = stage.now + 9;
        if all {
            stage.manager.retry_all(stage.now);
        } else {
            assert!(!stage.manager.retry(MessageId(8), stage.now));
            assert!(stage.manager.retry(ID, stage.now));
        }
        let _ = stage.play();
        assert!(stage.plot().contains(&"[s@x -> later@one]"), "all: {all}");
        // (isqrt(9) + 20)² after birth.
        let next = stage.manager.next_attempt(ID, Channel::Remote);
        assert_eq!(next, Some(stage.now + 520), "all: {all}");
    }
}

#[test]
fn shutdown_starts_nothing_and_lets_what_runs_end() {
    let settings = Settings {
        concurrency: PerChannel::new(1, 1),
        ..Settings::default()
    };
    let mut stage = Stage::with(settings, "s@x", &["a@1", "b@2"]);
    stage.manager.found(ID);
    let running = loop {
        match stage.manager.poll(stage.now) {
            Action::Start(it) => break it,
            action => stage.act(action),
        }
    };
    stage.manager.shutdown();
    assert_eq!(stage.play(), Action::Wait);
    stage.script.clear();
    let ok = vec![Report::success("ok\n")];
    stage.manager.delivered(running.delivery, ok);
    assert_eq!(stage.play(), Action::Stopped);
    let want = [
        "delivery 1: success: ok/",
        "status: local 0/1 remote 0/1 exitasap",
        "[mark [0]]",
        "[next +0]",
        "status: exiting",
    ];
    assert_eq!(stage.script, want);
    assert!(!stage.remote[1].1);
}

#[test]
fn shutdown_keeps_the_schedule_that_an_alarm_changed() {
    let mut stage = Stage::new("s@x", &[]);
    let far = stage.now + 5_000;
    let message = Recovered {
        id: ID,
        birth: stage.now,
        sender: address("s@x"),
        next: PerChannel::new(Some(far), Some(far)),
        bounced: false,
    };
    stage.manager.recovered(message);
    assert_eq!(stage.play(), Action::WaitUntil(far));
    stage.manager.retry_all(stage.now);
    stage.manager.shutdown();
    assert_eq!(stage.play(), Action::Stopped);
    assert_eq!(stage.plot(), ["[next +0]", "[next +0]"]);
}

/// The step of an action that a row names.
fn step_of(name: &str, action: &Action) -> Option<Step> {
    let (kind, step) = match action {
        Action::Preprocess { step, .. } => ("preprocess", step),
        Action::Load { step, .. } => ("load", step),
        Action::AppendBounce { step, .. } => ("append", step),
        Action::MarkDone { step, .. } => ("mark", step),
        Action::SendBounce { step, .. } => ("bounce", step),
        Action::ClearBounce { step, .. } => ("clear", step),
        Action::Finish { step, .. } => ("finish", step),
        _ => return None,
    };
    (kind == name).then_some(*step)
}

/// Plays until the first action of that name and lets it fail.
fn fail(stage: &mut Stage, name: &str, trouble: Trouble) {
    loop {
        let action = stage.manager.poll(stage.now);
        if let Some(step) = step_of(name, &action) {
            return stage.manager.failed(step, trouble);
        }
        stage.act(action);
    }
}

#[test]
fn a_step_that_fails_is_tried_again_after_123_seconds() {
    let rows = [
        ("preprocess", "trouble reading todo/7; will try again later"),
        ("load", "trouble reading remote/7; will try again later"),
        (
            "append",
            "trouble writing to bounce/7; will try again later",
        ),
        ("mark", "trouble marking remote/7; will try again later"),
        ("bounce", "trouble injecting bounce message, will try later"),
        ("clear", "unable to unlink bounce/7; will try again later"),
        ("finish", "unable to clean up mess/7; will try again later"),
    ];
    for (name, warning) in rows {
        let line = format!("warning: {warning}");
        let mut stage = Stage::new("s@x", &["nobody@one"]);
        stage.manager.found(ID);
        fail(&mut stage, name, Trouble::Temporary("no\nroom".into()));
        assert_eq!(stage.play(), Action::WaitUntil(stage.now + 123), "{name}");
        assert!(
            stage.plot().contains(&line.as_str()),
            "{name}: {:#?}",
            stage.script
        );
        assert!(stage.plot().contains(&"warning: msg 7: no/room"), "{name}");
        stage.now = stage.now + 123;
        assert_eq!(stage.play(), Action::Wait, "{name}");
        let deliveries = stage
            .plot()
            .iter()
            .filter(|l| l.starts_with("[s@x"))
            .count();
        assert_eq!(deliveries, 1, "{name}: never delivered twice");
        assert_eq!(*stage.plot().last().unwrap(), "[finish]", "{name}");
        assert_eq!(stage.manager.status().messages, 0, "{name}");
    }
}

#[test]
fn a_broken_message_is_dropped_with_a_line() {
    let mut stage = Stage::new("s@x", &["a@one"]);
    stage.manager.found(ID);
    let reason = String::from("unknown record type");
    fail(&mut stage, "load", Trouble::Broken(reason));
    assert_eq!(stage.play(), Action::Wait);
    let line = "alert: msg 7 is broken and was put into quarantine: unknown record type";
    assert_eq!(*stage.plot().last().unwrap(), line);
    assert_eq!(stage.manager.status().messages, 0);
}

#[test]
fn an_id_that_is_reused_before_the_end_is_answered_is_not_overlooked() {
    let mut stage = Stage::new("s@x", &["a@here"]);
    stage.manager.found(ID);
    let step = loop {
        match stage.manager.poll(stage.now) {
            Action::Finish { step, .. } => break step,
            action => stage.act(action),
        }
    };
    stage.manager.found(ID);
    stage.manager.done(step);
    stage.script.clear();
    stage.local[0].1 = false;
    let _ = stage.play();
    assert_eq!(stage.plot()[0], "new msg 7");
    assert_eq!(*stage.plot().last().unwrap(), "[finish]");
}

#[test]
fn a_recovered_message_whose_recipients_are_done_bounces_and_ends() {
    let mut stage = Stage::new("s@x", &[]);
    stage.manager.recovered(Recovered {
        id: ID,
        birth: Unix(5),
        sender: address("s@x"),
        next: PerChannel::default(),
        bounced: true,
    });
    let _ = stage.play();
    let want = [
        "[bounce]",
        "bounce msg 7 qp 9",
        "[clear]",
        "end msg 7",
        "[finish]",
    ];
    assert_eq!(stage.plot(), want);
}

#[test]
fn a_removed_message_tells_nobody_and_delivers_no_more() {
    // Removed while the delivery to the first of three hosts runs, whatever that comes to.
    for first in ["no@one", "later@one", "yes@one"] {
        let settings = Settings {
            concurrency: PerChannel::new(1, 1),
            ..Settings::default()
        };
        let mut stage = Stage::with(settings, "s@x", &[first, "b@two", "c@three"]);
        stage.manager.found(ID);
        loop {
            match stage.manager.poll(stage.now) {
                Action::Start(it) => {
                    assert!(stage.manager.remove(ID));
                    stage.act(Action::Start(it));
                    break;
                }
                action => stage.act(action),
            }
        }
        let wait = stage.play();
        assert_eq!(wait, Action::Wait, "{first}");
        let plot = stage.plot();
        assert!(
            !plot
                .iter()
                .any(|l| l.contains("-> b@two") || l.contains("[bounce]")),
            "{plot:?}"
        );
        assert_eq!(plot.last(), Some(&"[finish]"), "{first}");
        assert_eq!(stage.manager.status().messages, 0);
        assert!(!stage.manager.remove(ID));
    }
}

#[test]
fn a_removed_message_with_bounce_text_sends_no_bounce() {
    let mut stage = Stage::new("s@x", &["no@one", "later@two"]);
    stage.manager.found(ID);
    let _ = stage.play();
    assert!(!stage.bounce.is_empty());
    stage.script.clear();
    assert!(stage.manager.remove(ID));
    assert_eq!(stage.play(), Action::Wait);
    assert_eq!(stage.plot(), ["[clear]", "end msg 7", "[finish]"]);
}

#[test]
fn a_late_report_does_not_touch_the_next_message_with_that_id() {
    let mut stage = Stage::new("s@x", &["old@one", "old@here"]);
    stage.manager.found(ID);
    let mut start = None;
    let load = loop {
        match stage.manager.poll(stage.now) {
            Action::Start(it) => start = Some(it),
            Action::Load {
                step,
                channel: Channel::Local,
                ..
            } => break step,
            action => stage.act(action),
        }
    };
    while start.is_none() {
        match stage.manager.poll(stage.now) {
            Action::Start(it) => start = Some(it),
            action => stage.act(action),
        }
    }
    stage
        .manager
        .failed(load, Trouble::Broken("garbage".into()));
    stage.local.clear();
    stage.remote = vec![(address("later@one"), false)];
    stage.manager.found(ID);
    let _ = stage.play();
    let ok = vec![Report::success("ok\n")];
    stage.manager.delivered(start.unwrap().delivery, ok);
    let _ = stage.play();
    assert!(!stage.remote[0].1, "nothing was marked");
    assert_eq!(stage.manager.status().messages, 1);
    assert_eq!(stage.manager.status().running, PerChannel::new(0, 0));
}

#[test]
fn a_delivery_that_was_not_handed_out_before_the_shutdown_is_taken_back() {
    let mut stage = Stage::new("s@x", &["a@one"]);
    stage.manager.found(ID);
    let line = "starting delivery 1: msg 7 to remote a@one";
    while stage.script.last().is_none_or(|l| l != line) {
        let action = stage.manager.poll(stage.now);
        stage.act(action);
    }
    stage.manager.shutdown();
    assert_eq!(stage.play(), Action::Stopped);
    let plot = stage.plot();
    let line = "delivery 1: deferral: Not_begun:_the_queue_is_closing_down._(#4.3.2)/";
    assert!(plot.contains(&line), "{plot:#?}");
    assert!(!plot.contains(&"[s@x -> a@one]"));
}
