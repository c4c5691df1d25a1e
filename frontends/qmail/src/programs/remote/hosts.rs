//! Finds the addresses of a host and connects to them (qmail-remote(8), spec §7.2).

use super::tcpto::Tcpto;
use crate::io::Io;
use delivery::remote::{self, Way};
use driver::{Clock, DnsDriver};
use mta_core::control::Controls;
use mta_core::mx::{SMTP_PORT, Target};
use mta_core::report::Report;
use mta_core::tcpto::Advice;
use mta_proto::dns::ServerList;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Builder;

const RESOLV_CONF: &str = "/etc/resolv.conf";

pub(super) fn targets(
    io: &Io<'_>,
    controls: &Controls,
    host: &[u8],
) -> Result<Vec<Target>, Report> {
    let own = remote::own(
        controls,
        remote::interface_addresses().map_err(no_resources)?,
    );
    let way = Way {
        routes: &controls.smtproutes,
        own: &own,
        port: SMTP_PORT,
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(no_resources)?;
    runtime.block_on(async {
        let dns = resolver(io).map_err(no_resources)?;
        way.targets(host, &dns).await
    })
}

/// Asks the servers of $DNSCACHEIP, else those of resolv.conf.
fn resolver(io: &Io<'_>) -> io::Result<DnsDriver> {
    let named = io.variable("DNSCACHEIP").unwrap_or_default();
    match ServerList::from_dnscacheip(&String::from_utf8_lossy(&named)) {
        Some(servers) => Ok(DnsDriver::new(servers, Clock::start())),
        None => DnsDriver::from_resolv_conf(Path::new(RESOLV_CONF), Clock::start()),
    }
}

fn no_resources(_error: io::Error) -> Report {
    Report::deferral("System resources temporarily unavailable. (#4.3.0)\n")
}

/// Connects to one address, unless it timed out lately.
pub(super) fn connect(target: &Target, limit: Duration, tcpto: &Tcpto) -> Option<TcpStream> {
    let advice = tcpto.advice(target.address);
    if advice == Advice::Skip {
        return None;
    }
    let address = SocketAddr::new(target.address, target.port);
    match TcpStream::connect_timeout(&address, limit) {
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            tcpto.timed_out(target.address);
            None
        }
        connected => {
            if advice == Advice::Try {
                tcpto.answered(target.address);
            }
            connected.ok()
        }
    }
}
