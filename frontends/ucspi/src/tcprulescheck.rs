//! `tcprulescheck`: tells what the rules say about a client (tcprulescheck(1), spec §9.3).

use crate::Io;
use crate::failure::Failure;
use applet::Exit;
use mta_core::tcprules::{Decision, Peer, decide};
use mta_store::files::RealFiles;
use mta_store::rules_file::RulesFile;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The client is the one of TCPREMOTEIP, TCPREMOTEHOST and TCPREMOTEINFO.
pub(crate) fn run(io: &mut Io<'_>) -> Result<Exit, Failure> {
    let [path, ..] = &io.arguments[..] else {
        return Err(Failure::usage("tcprulescheck rules.cdb"));
    };
    let path = Path::new(path);
    let unreadable = |error| Failure::file("read", path, &error);
    let mut peer = Peer::from_text(
        io.variable("TCPREMOTEIP")
            .map_or(b"0.0.0.0", |ip| ip.as_bytes()),
    );
    if let Some(host) = io.variable("TCPREMOTEHOST") {
        peer = peer.host(host.as_bytes());
    }
    if let Some(info) = io.variable("TCPREMOTEINFO") {
        peer = peer.info(info.as_bytes());
    }
    let rules = RulesFile::open(&RealFiles::new(), path).map_err(unreadable)?;
    let decision = decide(&rules, &peer).map_err(unreadable)?;
    let text = told(&decision);
    let written = io.output.write_all(&text).and_then(|()| io.output.flush());
    written
        .map_err(|error| Failure::Temporary(format!("unable to write: {error}").into_bytes()))?;
    Ok(Exit::OK)
}

fn told(decision: &Decision) -> Vec<u8> {
    let mut text = match &decision.key {
        Some(key) => [b"rule ", &key[..], b":\n"].concat(),
        None => b"default:\n".to_vec(),
    };
    for variable in &decision.variables {
        text.extend_from_slice(b"set environment variable ");
        text.extend_from_slice(variable.text());
        text.push(b'\n');
    }
    text.extend_from_slice(if decision.denied {
        b"deny connection\n"
    } else {
        b"allow connection\n"
    });
    text
}
