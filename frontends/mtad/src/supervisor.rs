//! What a supervisor hands over and hears: sockets that are open already, and how the server is (sd_listen_fds(3), sd_notify(3)).

use crate::Failure;
use crate::listen::Bound;
use listenfd::ListenFd;
use sd_notify::NotifyState;
use std::net::SocketAddr;
use std::time::Duration;

/// Which service has which port, where a socket's name does not tell.
const PORTS: [(&str, u16); 7] = [
    ("smtp", 25),
    ("smtps", 465),
    ("submission", 587),
    ("pop3", 110),
    ("pop3s", 995),
    ("qmtp", 209),
    ("qmqp", 628),
];

/// The sockets that were handed over, each with its service.
#[derive(Debug, Default)]
pub struct Inherited(Vec<(&'static str, Bound)>);

impl Inherited {
    /// Takes them from the environment (`LISTEN_FDS`, `LISTEN_FDNAMES`); there may be none.
    ///
    /// # Errors
    /// Names the socket that is none of TCP, or of which it is not known what it is for.
    pub fn take() -> Result<Self, Failure> {
        let mut all = ListenFd::from_env();
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut taken = Vec::new();
        for index in 0..all.len() {
            let name = names.next().unwrap_or_default();
            let bound = all.take_tcp_listener(index).and_then(|socket| {
                let socket = socket.ok_or(std::io::ErrorKind::NotFound)?;
                Bound::inherited(socket)
            });
            let bound = bound.map_err(|error| {
                Failure::permanent(format!("socket {index} ({name}) from outside: {error}"))
            })?;
            let service = service(name, bound.address.port()).ok_or_else(|| {
                let address = bound.address;
                Failure::permanent(format!(
                    "socket {index} ({name}) from outside: expected a name such as \"smtp\", \
                     or a well-known port, found {address}"
                ))
            })?;
            taken.push((service, bound));
        }
        Ok(Self(taken))
    }

    /// Where those of a service listen.
    #[must_use]
    pub fn addresses(&self, service: &str) -> Vec<SocketAddr> {
        let own = self.0.iter().filter(|(name, _)| *name == service);
        own.map(|(_, bound)| bound.address).collect()
    }

    /// Those of a service.
    pub(crate) fn bound(&mut self, service: &str) -> Vec<Bound> {
        let own = self.0.extract_if(.., |(name, _)| *name == service);
        own.map(|(_, bound)| bound).collect()
    }
}

fn service(name: &str, port: u16) -> Option<&'static str> {
    let named = PORTS.iter().find(|(service, _)| *service == name);
    let found = named.or_else(|| PORTS.iter().find(|(_, well_known)| *well_known == port));
    found.map(|(service, _)| *service)
}

/// What the supervisor hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// The server takes connections.
    Ready,
    /// Control files are being read again; [`State::Ready`] follows.
    Reloading,
    /// It ends.
    Stopping,
}

/// Tells it; without a supervisor that listens nothing happens.
pub fn tell(state: State) {
    let told = match state {
        State::Ready => sd_notify::notify(&[NotifyState::Ready]),
        State::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
        State::Reloading => NotifyState::monotonic_usec_now()
            .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now])),
    };
    if let Err(error) = told {
        tracing::warn!("unable to tell the supervisor: {error}");
    }
}

/// Tells that the server is ready, and from then on that it lives, twice as often as the supervisor
/// wants to hear it; needs a runtime.
pub fn keep_telling() {
    tell(State::Ready);
    let Some(wanted) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut beat = tokio::time::interval((wanted / 2).max(Duration::from_millis(1)));
    tokio::spawn(async move {
        loop {
            beat.tick().await;
            if let Err(error) = sd_notify::notify(&[NotifyState::Watchdog]) {
                tracing::warn!("unable to tell the supervisor: {error}");
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_before_a_port() {
        let rows = [
            ("its name", "pop3", 2110, Some("pop3")),
            ("its name against its port", "smtp", 587, Some("smtp")),
            ("its port", "mtad.socket", 587, Some("submission")),
            ("neither", "mtad.socket", 2525, None),
        ];
        for (name, socket, port, wanted) in rows {
            assert_eq!(service(socket, port), wanted, "{name}");
        }
    }
}
