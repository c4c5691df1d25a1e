//! Where mail for another host goes: smtproutes, then the DNS, never ourselves (qmail-remote(8), RFC 5321 §5.1).

mod resolve;

use mta_core::control::{Controls, SmtpRoutes};
use mta_core::mx::{Own, Route, Target};
use mta_core::ports::Resolver;
use mta_core::report::Report;
use std::io;
use std::net::IpAddr;

/// Every address of this machine's interfaces.
///
/// # Errors
/// Fails where the system does not tell.
///
/// ```
/// let all = delivery::remote::interface_addresses()?;
/// assert!(all.iter().any(std::net::IpAddr::is_loopback));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    let ip = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
    };
    Ok(nix::ifaddrs::getifaddrs()?.filter_map(ip).collect())
}

/// By which names and addresses this host is reached, so that mail is never sent back to it.
#[must_use]
pub fn own(controls: &Controls, addresses: Vec<IpAddr>) -> Own {
    Own {
        names: vec![String::from_utf8_lossy(&controls.me).into_owned()],
        addresses,
        ..Own::default()
    }
}

/// What the way to a host depends on besides the DNS.
///
/// ```
/// use delivery::remote::Way;
/// use mta_core::control::SmtpRoutes;
/// use mta_core::mx::Own;
/// use mta_core::ports::resolver::NoNames;
/// # async fn way() {
/// let way = Way {
///     routes: &SmtpRoutes::parse(b"far.example:192.0.2.1:2525\n"),
///     own: &Own::default(),
///     port: 25,
/// };
/// let targets = way.targets(b"far.example", &NoNames).await.unwrap();
/// assert_eq!(targets[0].port, 2525);
/// assert!(way.targets(b"nowhere.example", &NoNames).await.is_err());
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers fill in every part")]
pub struct Way<'a> {
    /// control/smtproutes.
    pub routes: &'a SmtpRoutes,
    /// This host itself.
    pub own: &'a Own,
    /// The port where no route names one.
    pub port: u16,
}

impl Way<'_> {
    /// Finds the addresses for the text behind the last `@` of a recipient, in the order in which
    /// they are to be tried; at least one.
    ///
    /// # Errors
    /// Says, in qmail-remote's words, why there is none.
    pub async fn targets(
        &self,
        host: &[u8],
        resolver: &dyn Resolver,
    ) -> Result<Vec<Target>, Report> {
        let relay = self.routes.find(host);
        // It only orders exchangers of equal preference.
        let random = driver::dns::random().unwrap_or_default();
        let route = Route::new(host, relay.as_ref(), self.own.clone(), random);
        let mut targets = resolve::resolve(route, resolver).await?;
        if relay.is_none_or(|relay| relay.port.is_none()) {
            targets
                .iter_mut()
                .for_each(|target| target.port = self.port);
        }
        Ok(targets)
    }
}
