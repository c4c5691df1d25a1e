//! Judges what the DNS says of this host and of its domains: every MX by preference, with its addresses and their names (RFC 5321 §5.1, RFC 1912 §2.1).

use super::Judge;
use crate::config::Config;
use crate::{Failure, accounts, serve};
use driver::{Clock, DnsDriver};
use mta_core::control::Controls;
use mta_core::dns::{Answer, Kind, Query, Record};
use mta_core::ports::Resolver;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Domains that are looked up.
const DOMAINS: usize = 50;
/// MX records of one domain that are looked at.
const EXCHANGERS: usize = 10;

/// Nobody answers questions, so asking on is of no use.
struct NoAnswer(String);

/// What is said, in order; nothing of it keeps mail from working here.
struct Look<'a> {
    dns: &'a DnsDriver,
    own: &'a [IpAddr],
    me: &'a str,
    said: Vec<String>,
}

impl Judge<'_> {
    /// Where the DNS does not answer that is said, and is no error: a home may be made before its
    /// host has a name.
    pub(super) fn names(&mut self, config: &Config, controls: &Controls) -> Result<(), Failure> {
        let me = String::from_utf8_lossy(&controls.me).to_lowercase();
        let mut domains: BTreeSet<String> = BTreeSet::new();
        // What is wrong with users/ was said before.
        let listed = accounts::of(self.home)?.domains().unwrap_or_default();
        domains.extend(listed.iter().map(|domain| domain.name.to_string()));
        domains.remove(&me);
        let own = delivery::remote::interface_addresses().unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::temporary(format!("unable to start: {error}")))?;
        let said = runtime.block_on(async {
            let dns = serve::resolver(&config.dns, Clock::start())?;
            let mut look = Look {
                dns: &dns,
                own: &own,
                me: &me,
                said: Vec::new(),
            };
            if let Err(NoAnswer(why)) = look.all(&domains).await {
                let note = format!("dns: note: names are not judged: {why}");
                look.said.push(note);
            }
            Ok::<_, Failure>(look.said)
        })?;
        for line in said {
            // Whoever answers may have put anything into a name.
            writeln!(self.out, "{}", line.replace(char::is_control, "?"))?;
        }
        Ok(())
    }
}

impl Look<'_> {
    async fn all(&mut self, domains: &BTreeSet<String>) -> Result<(), NoAnswer> {
        let me = self.me.to_owned();
        let addresses = self.addresses(&me).await?;
        if addresses.is_empty() {
            self.warn(&format!("{me}: expected an A or AAAA record, found none"));
        }
        for address in addresses {
            self.reverse(address, &me).await?;
        }
        for domain in domains.iter().take(DOMAINS) {
            self.domain(domain).await?;
        }
        if let Some(rest) = domains.len().checked_sub(DOMAINS).filter(|&rest| rest > 0) {
            let note = format!("dns: note: {rest} further domains are not looked up");
            self.said.push(note);
        }
        Ok(())
    }

    async fn domain(&mut self, domain: &str) -> Result<(), NoAnswer> {
        let mut exchangers: Vec<(u16, String)> = self
            .ask(domain, Kind::Mx)
            .await?
            .into_iter()
            .filter_map(|record| match record {
                Record::Mx { preference, host } => Some((preference, host)),
                _ => None,
            })
            .collect();
        exchangers.sort();
        exchangers.truncate(EXCHANGERS);
        if exchangers.is_empty() {
            self.warn(&format!("{domain}: expected an MX record, found none"));
            return Ok(());
        }
        if exchangers.iter().any(|(_, host)| host.is_empty()) {
            self.warn(&format!("{domain}: its null MX says that it takes no mail"));
            return Ok(());
        }
        let mut all: Vec<(u16, String, Vec<IpAddr>)> = Vec::new();
        for (preference, host) in exchangers {
            let addresses = self.addresses(&host).await?;
            self.exchanger(domain, (preference, &host), &addresses);
            for &address in &addresses {
                self.reverse(address, &host).await?;
            }
            all.push((preference, host, addresses));
        }
        self.together(domain, &all);
        Ok(())
    }

    fn exchanger(&mut self, domain: &str, (preference, host): (u16, &str), addresses: &[IpAddr]) {
        if addresses.is_empty() {
            let said = format!("{domain}: MX {preference} {host}: expected an address, found none");
            return self.warn(&said);
        }
        let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let shown = shown.join(", ");
        self.said
            .push(format!("dns: {domain}: MX {preference} {host}: {shown}"));
    }

    /// What only shows when all exchangers of a domain are seen together.
    fn together(&mut self, domain: &str, all: &[(u16, String, Vec<IpAddr>)]) {
        let ours = |host: &str, addresses: &[IpAddr]| {
            host == self.me || addresses.iter().any(|address| self.own.contains(address))
        };
        let here = all.iter().position(|(_, host, ips)| ours(host, ips));
        match here {
            None => self.warn(&format!("{domain}: no MX leads to this host")),
            Some(0) => {}
            Some(_) => {
                let note = format!("dns: note: {domain}: other hosts get its mail before this one");
                self.said.push(note);
            }
        }
        let Some(((_, first, addresses), rest)) = all.split_first() else {
            return;
        };
        if rest.is_empty() {
            let note = format!("dns: note: {domain}: there is no second MX");
            self.said.push(note);
        }
        let backup = |(_, _, ips): &(u16, String, Vec<IpAddr>)| {
            ips.iter().any(|address| !addresses.contains(address))
        };
        if !rest.is_empty() && !rest.iter().any(backup) {
            self.warn(&format!(
                "{domain}: every further MX leads to the addresses of {first}, so none stands in for it"
            ));
        }
    }

    /// Other hosts doubt one whose address has no name, or another one.
    async fn reverse(&mut self, address: IpAddr, host: &str) -> Result<(), NoAnswer> {
        let names: Vec<String> = self
            .ask(&reverse_name(address), Kind::Ptr)
            .await?
            .into_iter()
            .filter_map(|record| match record {
                Record::Ptr(name) => Some(name.to_lowercase()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            let said = format!("{host}: {address}: expected a PTR record, found none");
            self.warn(&said);
        } else if !names.iter().any(|name| name == host) {
            let found = names.join(", ");
            self.warn(&format!(
                "{host}: {address}: expected a PTR record with that name, found {found}"
            ));
        }
        Ok(())
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, NoAnswer> {
        let mut records = self.ask(host, Kind::A).await?;
        records.extend(self.ask(host, Kind::Aaaa).await?);
        let address = |record| match record {
            Record::A(ip) => Some(IpAddr::V4(ip)),
            Record::Aaaa(ip) => Some(IpAddr::V6(ip)),
            _ => None,
        };
        Ok(records.into_iter().filter_map(address).collect())
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<Vec<Record>, NoAnswer> {
        let query = Query {
            name: name.to_owned(),
            kind,
        };
        match tokio::time::timeout(PATIENCE, self.dns.lookup(&query)).await {
            Ok(Answer::Records(records)) => Ok(records),
            Ok(Answer::Failed(why)) => Err(NoAnswer(format!("{name}: {why}"))),
            Ok(_) => Ok(Vec::new()),
            Err(_) => Err(NoAnswer(format!("{name}: no answer in time"))),
        }
    }

    fn warn(&mut self, said: &str) {
        self.said.push(format!("dns: warning: {said}"));
    }
}

/// The name under which an address has its PTR record (RFC 1035 §3.5, RFC 3596 §2.5).
fn reverse_name(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let hex = format!("{:032x}", ip.to_bits());
            let digits: Vec<String> = hex.chars().rev().map(String::from).collect();
            format!("{}.ip6.arpa", digits.join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_their_names_backwards() {
        let name = |ip: &str| reverse_name(ip.parse().unwrap());
        assert_eq!(name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        let v6 = name("2001:db8::1");
        assert!(v6.starts_with("1.0.0.0.0."), "{v6}");
        assert!(v6.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"), "{v6}");
    }
}
