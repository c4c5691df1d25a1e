//! One client's connection as the intake knows it, and as a queue program sees it (tcp-environ(5)).

use crate::rules::Admission;
use crate::server::Server;
use bytes::Bytes;
use mta_core::log::Session;
use mta_core::policy::{Relay, Variables};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt;

/// Who speaks to which address of ours, and what this client may do.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Its names in the log.
    pub(crate) session: Session,
    pub(crate) peer: SocketAddr,
    pub(crate) local: Option<SocketAddr>,
    /// The client's name in the DNS, where somebody looked it up.
    pub(crate) name: Option<Bytes>,
    /// What a rule says of it.
    pub(crate) rule: Admission,
    /// What is set for this client.
    pub(crate) variables: Variables,
}

impl Connection {
    /// The variables that a queue program gets besides those of this process; those of the
    /// client's rule go before ours, as under tcpserver.
    pub(super) fn environment(&self, server: &Server) -> Vec<(OsString, OsString)> {
        let home = std::path::absolute(server.home.root());
        let home = home.unwrap_or_else(|_| server.home.root().to_owned());
        let me = server.snapshot().controls.me.clone();
        let mut set = vec![
            ("MTA_HOME", home.into_os_string()),
            ("PROTO", "TCP".into()),
            ("TCPLOCALHOST", OsString::from_vec(me)),
            ("TCPREMOTEIP", ip(self.peer)),
            ("TCPREMOTEPORT", self.peer.port().to_string().into()),
        ];
        if let Some(name) = &self.name {
            set.push(("TCPREMOTEHOST", OsString::from_vec(name.to_vec())));
        }
        if let Some(local) = self.local {
            set.push(("TCPLOCALIP", ip(local)));
            set.push(("TCPLOCALPORT", local.port().to_string().into()));
        }
        match &self.variables.relay {
            Relay::Allowed => set.push(("RELAYCLIENT", OsString::new())),
            Relay::Appending(text) => {
                set.push(("RELAYCLIENT", OsString::from_vec(text.clone())));
            }
            _ => {}
        }
        if let Some(most) = self.variables.databytes {
            set.push(("DATABYTES", most.to_string().into()));
        }
        let set = set.into_iter().map(|(name, value)| (name.into(), value));
        set.chain(self.rule.environment()).collect()
    }
}

fn ip(address: SocketAddr) -> OsString {
    address.ip().to_canonical().to_string().into()
}
