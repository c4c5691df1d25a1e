//! `rblsmtpd`: refuses mail of clients that a variable or a list in DNS names, else becomes the SMTP server (rblsmtpd(1), spec §9.4).

use crate::Io;
use crate::ends::run_program;
use crate::failure::{Failure, reason};
use crate::getopt::{Opt, Options};
use crate::names::Names;
use crate::net::Net;
use applet::Exit;
use driver::BlockingLink;
use mta_core::Mono;
use mta_core::dns::Answer;
use mta_core::dnsbl::{self, Check, Class, Next, Refusal, Ruling, Source, Strictness};
use mta_proto::smtp::refusing::Refusing;
use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

const USAGE: &str = "rblsmtpd [ -bBcC ] [ -t timeout ] [ -r base ] [ -a base ] smtpd [ arg ... ]";

/// How the server calls itself to those whom it refuses.
const NAME: &str = "rblsmtpd.local";

/// What a command line asks for.
struct Settings {
    sources: Vec<Source>,
    /// How long the whole conversation may take; zero is no conversation.
    timeout: Duration,
}

pub(crate) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let arguments = std::mem::take(&mut io.arguments);
    let (settings, rest) = Settings::parse(io, &arguments)?;
    let [program, arguments @ ..] = rest else {
        return Err(Failure::Usage(USAGE));
    };
    match rule(io, &settings.sources)? {
        Ruling::Refused(refusal) => refuse(io, &refusal, settings.timeout),
        Ruling::Accepted => {
            let error = run_program(io, program, arguments);
            Err(failed(&format!("run {}", program.display()), &error))
        }
    }
}

impl Settings {
    /// Reads the options; returns what follows them as well. `-bBcC` are about the lists behind them.
    fn parse<'a>(
        io: &mut Io<'_>,
        arguments: &'a [OsString],
    ) -> Result<(Self, &'a [OsString]), Failure> {
        let mut settings = Self {
            sources: Vec::new(),
            timeout: Duration::from_secs(60),
        };
        let mut strictness = Strictness::default();
        let mut options = Options::new(arguments, b"bBcC", b"tra");
        for option in options.by_ref() {
            let understood = match option {
                Opt::Given(letter, value) => settings.set(&mut strictness, letter, &value),
                Opt::Wrong(what) => {
                    io.complain(format!("rblsmtpd: {what}").as_bytes());
                    None
                }
            };
            understood.ok_or(Failure::Usage(USAGE))?;
        }
        Ok((settings, options.rest()))
    }

    fn set(&mut self, strictness: &mut Strictness, letter: u8, value: &OsString) -> Option<()> {
        match letter {
            b'b' => strictness.class = Class::Permanent,
            b'B' => strictness.class = Class::Temporary,
            b'c' => strictness.failure = dnsbl::Failure::Closed,
            b'C' => strictness.failure = dnsbl::Failure::Open,
            b't' => self.timeout = Duration::from_secs(value.to_str()?.parse::<u32>().ok()?.into()),
            b'r' => self
                .sources
                .push(Source::deny(value.to_str()?, *strictness)),
            b'a' => self
                .sources
                .push(Source::allow(value.to_str()?, *strictness)),
            _ => return None,
        }
        Some(())
    }
}

/// Without the variable the lists decide; without an address there is nothing to ask them.
fn rule(io: &Io<'_>, sources: &[Source]) -> Result<Ruling, Failure> {
    if let Some(value) = io.variable("RBLSMTPD") {
        return Ok(Ruling::from_variable(value.as_bytes()));
    }
    let address = io.variable("TCPREMOTEIP").and_then(|ip| ip.to_str());
    let address: Option<IpAddr> = address.and_then(|ip| ip.parse().ok());
    let Some(address) = address.filter(|_| !sources.is_empty()) else {
        return Ok(Ruling::Accepted);
    };
    let mut check = Check::new(sources, address);
    let names = Names::new(io).map_err(|error| failed("look up names", &error))?;
    loop {
        match check.next() {
            Next::Done(ruling) => return Ok(ruling),
            Next::Ask(query) => {
                let answer: Answer = names.ask(&query);
                check.answered(&answer);
            }
        }
    }
}

/// Talks to a client without taking anything from it.
fn refuse(io: &mut Io<'_>, refusal: &Refusal, timeout: Duration) -> Result<Exit, Failure> {
    let reply = [refusal.code().to_string().as_bytes(), b" ", &refusal.text].concat();
    let ip = io.variable("TCPREMOTEIP").unwrap_or_default().as_bytes();
    // It comes from the environment, and may be anything.
    let ip: Vec<u8> = ip
        .iter()
        .map(|&byte| if byte.is_ascii_graphic() { byte } else { b'?' })
        .collect();
    let pid = std::process::id();
    let head = format!(" pid {pid}: ");
    io.complain(&[b"rblsmtpd: ", &ip[..], head.as_bytes(), &reply].concat());
    if timeout.is_zero() {
        let said = io.output.write_all(&[&reply[..], b"\r\n"].concat());
        // Whoever has gone by now needs no answer.
        let _ = said.and_then(|()| io.output.flush());
        return Ok(Exit::OK);
    }
    let net = Net::open().map_err(|error| failed("get the connection", &error))?;
    let server = Refusing::new(NAME, reply, Mono::from_start(timeout));
    match BlockingLink::new(server, net).next() {
        Ok(never) => match never {},
        Err(_) => Ok(Exit::OK),
    }
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::Temporary(format!("unable to {what}: {}", reason(error)).into_bytes())
}
