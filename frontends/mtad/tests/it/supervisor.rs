//! A supervisor's sockets are used, and it hears how the server is (sd_listen_fds(3), sd_notify(3)).

use crate::kit::{Home, Line, Running};
use nix::sys::signal::Signal;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

/// `mtad serve` below a shell that knows its own process number, with two sockets.
fn activated(home: &Home, names: &str, further: &[(&str, String)]) -> (Running, TcpListener) {
    let [smtp, pop3] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let plain = home.command(&["serve"]);
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "export LISTEN_PID=$$; exec \"$@\"", "sh"])
        .arg(plain.get_program())
        .args(plain.get_args())
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", names)
        .envs(further.iter().map(|(name, value)| (*name, value)));
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env_remove("QMAILQUEUE");
    sys::pass(&mut command, pop3.into(), 3).unwrap();
    sys::pass(&mut command, smtp.try_clone().unwrap().into(), 4).unwrap();
    (Running::spawn(command), smtp)
}

#[test]
fn sockets_that_are_handed_over_go_before_the_configured_ones() {
    let home = Home::new();
    // These cannot be had, so whoever binds them fails.
    home.config("smtp = [\"192.0.2.1:25\"]\npop3 = [\"192.0.2.1:110\"]\n");
    let (mut mtad, smtp) = activated(&home, "pop3:smtp", &[]);
    assert_eq!(mtad.smtp(), smtp.local_addr().unwrap());
    Line::smtp(mtad.smtp()).say("QUIT");
    assert!(Line::greeted(mtad.pop3()).1.starts_with("+OK"));
}

#[test]
fn a_supervisor_hears_of_ready_reloading_stopping_and_of_life() {
    let home = Home::new();
    let place = home.path().join("notify");
    let heard = UnixDatagram::bind(&place).unwrap();
    heard
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let next = |wanted: &str| {
        let mut buffer = [0; 512];
        loop {
            let length = heard.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(wanted) {
                return text;
            }
            assert_eq!(text.trim_end(), "WATCHDOG=1", "while waiting for {wanted}");
        }
    };
    let variables = [
        ("NOTIFY_SOCKET", place.display().to_string()),
        ("WATCHDOG_USEC", "200000".to_owned()),
    ];
    let (mut mtad, _smtp) = activated(&home, "pop3:smtp", &variables);
    next("READY=1");
    next("WATCHDOG=1");
    next("WATCHDOG=1");
    mtad.signal(Signal::SIGHUP);
    assert!(next("RELOADING=1").contains("MONOTONIC_USEC="));
    next("READY=1");
    mtad.signal(Signal::SIGTERM);
    next("STOPPING=1");
    assert!(mtad.ended().success());
}

#[test]
fn a_socket_for_nothing_known_is_an_error() {
    let home = Home::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = home.command(&["serve"]);
    let program = command.get_program().to_owned();
    let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    command = Command::new("/bin/sh");
    command
        .args(["-c", "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\"", "sh"])
        .arg(program)
        .args(words)
        .env("MTA_HOME", home.path());
    sys::pass(&mut command, socket.into(), 3).unwrap();
    let ran = command.output().unwrap();
    assert!(!ran.status.success());
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(
        said.contains("expected a name such as \"smtp\", or a well-known port"),
        "{said}"
    );
}
