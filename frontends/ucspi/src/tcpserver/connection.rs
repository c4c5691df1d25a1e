//! One connection of tcpserver: what is known of the client, what the rules say, and the program (tcpserver(1), tcp-environ(5)).

use super::options::{Called, Settings, Verbosity};
use super::{log, relay};
use crate::Io;
use crate::ends::{Ends, Prefix, run_program};
use crate::failure::{Failure, reason};
use crate::names::Names;
use applet::Exit;
use mta_core::tcprules::{Decision, Peer, decide};
use mta_store::files::RealFiles;
use mta_store::rules_file::RulesFile;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

const INTERNAL: Failure = Failure::usage("this name is for tcpserver alone");

/// Serves the connection at descriptors 0 and 1; with TLS at 0, the certificate being at 1. The
/// arguments are how tcpserver was called, the peer's address and port, and then tcpserver's own.
pub(crate) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let all = std::mem::take(&mut io.arguments);
    let [called, ip, port, arguments @ ..] = &all[..] else {
        return Err(INTERNAL);
    };
    let peer = address(ip, port).ok_or(INTERNAL)?;
    let called = Called::from_name(called).ok_or(INTERNAL)?;
    let settings = Settings::parse(io, called, arguments)?;
    Ok(match serve(io, &settings, peer) {
        Ok(exit) => exit,
        Err(Dropped(why)) => {
            let line = format!("warning: dropping connection, {why}");
            log::tell(io, &settings, Verbosity::Errors, line.as_bytes());
            Exit::TEMPORARY
        }
    })
}

fn address(ip: &OsStr, port: &OsStr) -> Option<SocketAddr> {
    let ip: IpAddr = ip.to_str()?.parse().ok()?;
    Some(SocketAddr::new(ip, port.to_str()?.parse().ok()?))
}

/// Why a connection is closed without the rules' word.
pub(super) struct Dropped(pub(super) String);

pub(super) fn dropped(what: &str) -> impl FnOnce(io::Error) -> Dropped {
    move |error| Dropped(format!("unable to {what}: {}", reason(&error)))
}

fn serve(io: &mut Io<'_>, settings: &Settings, peer: SocketAddr) -> Result<Exit, Dropped> {
    let pid = std::process::id();
    let began = format!("pid {pid} from {}", peer.ip());
    log::tell(io, settings, Verbosity::All, began.as_bytes());
    let mut stream = match settings.tls.on {
        // The program must have it nowhere.
        true => sys::take(0),
        false => sys::adopt(0),
    }
    .map(TcpStream::from)
    .map_err(dropped("get the connection"))?;
    prepare(&stream, settings, peer);
    if !settings.tls.on {
        stream
            .write_all(settings.banner.as_bytes())
            .map_err(dropped("print banner"))?;
    }
    let known = find(io, settings, &stream, peer)?;
    let decision = judge(&known, settings)?;
    let verdict: &[u8] = if decision.denied { b"deny" } else { b"ok" };
    log::tell(io, settings, Verbosity::All, &line(&known, verdict, pid));
    if decision.denied {
        return Ok(Exit::PERMANENT);
    }
    export(io, settings, &known, &decision);
    if settings.tls.on {
        return relay::serve(io, settings, stream);
    }
    // The program finds the connection at 0 and 1; this copy of it closes by itself.
    let error = run_program(io, &settings.program, &settings.arguments);
    let what = format!("run {}", settings.program.display());
    Err(dropped(&what)(error))
}

fn export(io: &mut Io<'_>, settings: &Settings, known: &Ends, decision: &Decision) {
    match settings.called {
        Called::Tcpserver | Called::TcpserverSsl => known.export(io, Prefix::Tcp),
        Called::Sslserver => {
            if settings.tls.export_tcp {
                known.export(io, Prefix::Tcp);
            }
            known.export(io, Prefix::Ssl);
        }
    }
    for variable in &decision.variables {
        if let (name, Some(value)) = variable.split() {
            let (name, value) = (
                OsString::from_vec(name.to_vec()),
                OsString::from_vec(value.to_vec()),
            );
            io.environment.insert(name, value);
        }
    }
}

/// Neither option is worth losing a connection for.
fn prepare(stream: &TcpStream, settings: &Settings, peer: SocketAddr) {
    if !settings.keep_ip_options && peer.is_ipv4() {
        let _ = sys::clear_ip_options(stream);
    }
    if settings.no_delay {
        let _ = stream.set_nodelay(true);
    }
}

fn find(
    io: &Io<'_>,
    settings: &Settings,
    stream: &TcpStream,
    peer: SocketAddr,
) -> Result<Ends, Dropped> {
    let local = stream.local_addr().map_err(dropped("get local address"))?;
    let local = SocketAddr::new(local.ip().to_canonical(), local.port());
    let mut known = Ends {
        local,
        local_host: settings.local_name.clone(),
        peer,
        peer_host: None,
        info: None,
    };
    if known.local_host.is_some() && !settings.look_up_name && !settings.ask_ident {
        return Ok(known);
    }
    let names = Names::new(io).map_err(dropped("look up names"))?;
    if known.local_host.is_none() {
        known.local_host = names.reverse(local.ip()).ok().flatten().map(OsString::from);
    }
    if settings.look_up_name {
        let host = names.reverse(peer.ip()).ok().flatten();
        known.peer_host = host.filter(|host| !settings.paranoid || names.leads_to(host, peer.ip()));
    }
    if settings.ask_ident {
        known.info = names.ident(peer, local, settings.ident_timeout);
    }
    Ok(known)
}

fn judge(ends: &Ends, settings: &Settings) -> Result<Decision, Dropped> {
    let Some(path) = &settings.rules else {
        return Ok(Decision::default());
    };
    let what = format!("read {}", path.display());
    let rules = match RulesFile::open(&RealFiles::new(), path) {
        Err(error) if settings.without_rules && error.kind() == io::ErrorKind::NotFound => {
            return Ok(Decision::default());
        }
        opened => opened.map_err(dropped(&what))?,
    };
    let mut peer = Peer::new(ends.peer.ip());
    if let Some(host) = &ends.peer_host {
        peer = peer.host(host.as_bytes());
    }
    if let Some(info) = &ends.info {
        peer = peer.info(info);
    }
    decide(&rules, &peer).map_err(dropped(&what))
}

/// `VERDICT PID LOCALHOST:LOCALIP:LOCALPORT HOST:IP:INFO:PORT`.
fn line(ends: &Ends, verdict: &[u8], pid: u32) -> Vec<u8> {
    let local_host = ends.local_host.as_deref().unwrap_or_default();
    let peer_host = ends.peer_host.as_deref().unwrap_or_default();
    [
        verdict,
        format!(" {pid} ").as_bytes(),
        &log::field(local_host.as_bytes()),
        format!(":{}:{} ", log::address(ends.local.ip()), ends.local.port()).as_bytes(),
        &log::field(peer_host.as_bytes()),
        format!(":{}:", log::address(ends.peer.ip())).as_bytes(),
        &log::field(ends.info.as_deref().unwrap_or_default()),
        format!(":{}", ends.peer.port()).as_bytes(),
    ]
    .concat()
}
