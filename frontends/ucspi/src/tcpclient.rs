//! `tcpclient`: connects to a server and becomes a program that has the connection as 6 and 7 (tcpclient(1)).

use crate::Io;
use crate::ends::{Ends, Prefix, program_command};
use crate::failure::{Failure, reason};
use crate::getopt::{Opt, Options};
use crate::hosts;
use crate::names::Names;
use applet::Exit;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};

const USAGE: &str = "tcpclient [ -hHrRdDqQv ] [ -i localip ] [ -p localport ] [ -T timeoutconn ] \
    [ -l localname ] [ -t timeoutinfo ] host port program";

/// The descriptors that the program reads from and writes to (tcp-environ(5)).
const READ: i32 = 6;
const WRITE: i32 = 7;

/// How much is told on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verbosity {
    Silent,
    Errors,
    All,
}

/// What a command line asks for.
#[derive(Debug)]
struct Settings {
    verbosity: Verbosity,
    local_ip: Option<IpAddr>,
    local_port: u16,
    /// How long each address has, in a first round and in a second one for those that did not answer.
    patience: (Duration, Duration),
    local_name: Option<OsString>,
    look_up_name: bool,
    ask_ident: bool,
    ident_timeout: Duration,
    no_delay: bool,
}

pub(crate) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let arguments = std::mem::take(&mut io.arguments);
    let (settings, rest) = Settings::parse(io, &arguments)?;
    let [host, port, program, arguments @ ..] = rest else {
        return Err(Failure::Usage(USAGE));
    };
    let addresses = match host.as_bytes() {
        b"" | b"0" => vec![Ipv4Addr::LOCALHOST.into()],
        _ => hosts::all(host)?,
    };
    let port = hosts::port(port)?;
    let targets = addresses.into_iter().map(|ip| SocketAddr::new(ip, port));
    let Some(stream) = connect(io, &settings, targets.collect())? else {
        return Ok(Exit::TEMPORARY);
    };
    let ends =
        find(io, &settings, &stream).map_err(|error| failed("look at the connection", &error))?;
    if settings.verbosity == Verbosity::All {
        let (ip, port) = (ends.peer.ip(), ends.peer.port());
        io.complain(format!("tcpclient: connected to {ip} port {port}").as_bytes());
    }
    ends.export(io, Prefix::Tcp);
    let mut command = program_command(io, program, arguments);
    pass(&mut command, stream).map_err(|error| failed("set up descriptors", &error))?;
    let error = command.exec();
    Err(failed(&format!("run {}", program.display()), &error))
}

fn pass(command: &mut Command, stream: TcpStream) -> io::Result<()> {
    sys::pass(command, OwnedFd::from(stream.try_clone()?), READ)?;
    sys::pass(command, OwnedFd::from(stream), WRITE)
}

impl Settings {
    /// Reads the options; returns what follows them as well.
    fn parse<'a>(
        io: &mut Io<'_>,
        arguments: &'a [OsString],
    ) -> Result<(Self, &'a [OsString]), Failure> {
        let mut settings = Self {
            verbosity: Verbosity::Errors,
            local_ip: None,
            local_port: 0,
            patience: (Duration::from_secs(2), Duration::from_secs(58)),
            local_name: None,
            look_up_name: true,
            ask_ident: true,
            ident_timeout: Duration::from_secs(26),
            no_delay: false,
        };
        let mut options = Options::new(arguments, b"dDvqQhHrR", b"lpitT");
        for option in options.by_ref() {
            let understood = match option {
                Opt::Given(letter, value) => settings.set(letter, value),
                Opt::Wrong(what) => {
                    io.complain(format!("tcpclient: {what}").as_bytes());
                    None
                }
            };
            understood.ok_or(Failure::Usage(USAGE))?;
        }
        Ok((settings, options.rest()))
    }

    fn set(&mut self, letter: u8, value: OsString) -> Option<()> {
        match letter {
            b'q' => self.verbosity = Verbosity::Silent,
            b'Q' => self.verbosity = Verbosity::Errors,
            b'v' => self.verbosity = Verbosity::All,
            b'i' => self.local_ip = Some(hosts::literal(value.to_str()?)?),
            b'p' => self.local_port = value.to_str()?.parse().ok()?,
            b'T' => self.patience = patience(&value)?,
            b'l' => self.local_name = Some(value),
            b'r' => self.ask_ident = true,
            b'R' => self.ask_ident = false,
            b't' => self.ident_timeout = seconds(&value)?,
            b'h' => self.look_up_name = true,
            b'H' => self.look_up_name = false,
            b'd' => self.no_delay = false,
            b'D' => self.no_delay = true,
            _ => return None,
        }
        Some(())
    }

    fn tell(&self, io: &mut Io<'_>, target: SocketAddr, error: &io::Error) {
        if self.verbosity >= Verbosity::Errors {
            let (ip, port, why) = (target.ip(), target.port(), reason(error));
            io.complain(
                format!("tcpclient: unable to connect to {ip} port {port}: {why}").as_bytes(),
            );
        }
    }
}

fn seconds(text: &OsStr) -> Option<Duration> {
    let seconds: u32 = text.to_str()?.parse().ok()?;
    Some(Duration::from_secs(seconds.into()))
}

/// `x+y`, or `x` for no second round.
fn patience(text: &OsStr) -> Option<(Duration, Duration)> {
    match text.to_str()?.split_once('+') {
        Some((first, second)) => Some((seconds(first.as_ref())?, seconds(second.as_ref())?)),
        None => Some((seconds(text)?, Duration::ZERO)),
    }
}

/// Tries every address, and those that did not answer a second time. `None` where no server was to
/// be had, of which everything has been told then.
fn connect(
    io: &mut Io<'_>,
    settings: &Settings,
    targets: Vec<SocketAddr>,
) -> Result<Option<TcpStream>, Failure> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| failed("start", &error))?;
    let (first, second) = settings.patience;
    let again = !second.is_zero();
    let mut silent = Vec::new();
    for target in targets {
        match attempt(&runtime, settings, target, first)? {
            Ok(stream) => return Ok(Some(stream)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut && again => silent.push(target),
            Err(error) => settings.tell(io, target, &error),
        }
    }
    for target in silent {
        match attempt(&runtime, settings, target, second)? {
            Ok(stream) => return Ok(Some(stream)),
            Err(error) => settings.tell(io, target, &error),
        }
    }
    Ok(None)
}

/// Tries one address. The inner failure is that of the server, the outer one ours.
fn attempt(
    runtime: &Runtime,
    settings: &Settings,
    target: SocketAddr,
    patience: Duration,
) -> Result<io::Result<TcpStream>, Failure> {
    let _entered = runtime.enter();
    let made = match target {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = made.map_err(|error| failed("create socket", &error))?;
    if settings.local_ip.is_some() || settings.local_port != 0 {
        let any: IpAddr = match target {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = SocketAddr::new(settings.local_ip.unwrap_or(any), settings.local_port);
        let bound = socket.set_reuseaddr(true).and_then(|()| socket.bind(local));
        bound.map_err(|error| failed("bind socket", &error))?;
    }
    Ok(runtime.block_on(async {
        let stream = tokio::time::timeout(patience, socket.connect(target)).await;
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        if settings.no_delay {
            stream.set_nodelay(true)?;
        }
        Ok(stream)
    }))
}

/// What the environment tells of the connection.
fn find(io: &Io<'_>, settings: &Settings, stream: &TcpStream) -> io::Result<Ends> {
    let canonical = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
    let (local, peer) = (
        canonical(stream.local_addr()?),
        canonical(stream.peer_addr()?),
    );
    let mut ends = Ends {
        local,
        local_host: settings.local_name.clone(),
        peer,
        peer_host: None,
        info: None,
    };
    if ends.local_host.is_some() && !settings.look_up_name && !settings.ask_ident {
        return Ok(ends);
    }
    let names = Names::new(io)?;
    if ends.local_host.is_none() {
        ends.local_host = names.reverse(local.ip()).ok().flatten().map(OsString::from);
    }
    if settings.look_up_name {
        ends.peer_host = names.reverse(peer.ip()).ok().flatten();
    }
    if settings.ask_ident {
        ends.info = names.ident(peer, local, settings.ident_timeout);
    }
    Ok(ends)
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::Temporary(format!("unable to {what}: {}", reason(error)).into_bytes())
}
