//! qmail-smtpd: takes mail by SMTP on descriptors 0 and 1 and hands it to the queue program (qmail-smtpd(8), spec §8).

mod replies;
mod session;

use crate::controls;
use crate::failure::Failure;
use crate::io::Io;
use crate::net::Net;
use crate::reception::{HOPS, Peer};
use applet::Exit;
use delivery::remote::interface_addresses;
use driver::BlockingLink;
use mta_core::Mono;
use mta_core::control::Controls;
use mta_core::policy::{Settings, Variables};
use mta_proto::smtp::server::{AbortReason, Config, Server};
use session::Session;
use std::sync::Arc;

/// What the greeting and the decision at RCPT depend on.
const FILES: [&str; 17] = [
    "me",
    "badhelo",
    "badmailfrom",
    "badmailfromnorelay",
    "badmailto",
    "badmailtonorelay",
    "databytes",
    "envnoathost",
    "localiphost",
    "locals",
    "morercpthosts.cdb",
    "percenthack",
    "rcpthosts",
    "smtpgreeting",
    "timeoutsmtpd",
    "virtualdomains",
    "morercpthosts",
];

/// The code is 0 after QUIT and 1 otherwise; the client is told why, rather than a log.
pub(super) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let variables = Variables::read(|name| io.variable(name));
    let Ok(controls) = controls::load(io, &FILES) else {
        return refuse(io, "421 unable to read controls (#4.3.0)\r\n");
    };
    let Ok(own) = interface_addresses() else {
        return refuse(io, "421 unable to figure out my IP addresses (#4.3.0)\r\n");
    };
    let Ok(net) = Net::open() else {
        return Ok(Exit::NO);
    };
    let server = Server::new(Arc::new(config(&controls, &variables)), Mono::ZERO);
    let peer = Peer::new(io);
    let settings = Settings::from_variables(|name| io.variable(name));
    let mut session = Session {
        io,
        link: BlockingLink::new(server, net),
        controls,
        variables,
        settings,
        own,
        peer,
        hello: None,
        sender: None,
        recipients: Vec::new(),
        mail: None,
    };
    while session.step() {}
    Ok(match session.link.machine().ended() {
        Some(AbortReason::Quit) => Exit::OK,
        _ => Exit::NO,
    })
}

fn refuse(io: &mut Io<'_>, text: &str) -> Result<Exit, Failure> {
    // A client that has gone needs no answer.
    let _ = io.output.write_all(text.as_bytes());
    Ok(Exit::NO)
}

fn config(controls: &Controls, variables: &Variables) -> Config {
    let mut config = Config::new(String::from_utf8_lossy(&controls.smtpgreeting));
    config.limits.message_size = variables.databytes.unwrap_or(controls.databytes);
    config.limits.hops = HOPS;
    config.timeouts.command = controls.timeoutsmtpd;
    config.timeouts.body = controls.timeoutsmtpd;
    // The queue program has no way to be told of what these would promise.
    config.smtputf8 = false;
    config.dsn = false;
    config
}
