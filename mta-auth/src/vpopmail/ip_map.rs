//! Which domain a bare name is in, by the address that was connected to: `etc/ip_alias_map` (vipmap(8)).

use super::{AccountError, Vpopmail};
use crate::DomainName;
use crate::domain_order::contains;
use mta_store::files::Files;
use std::net::IpAddr;

/// One line, `address domain`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IpMap {
    /// The address of ours that is connected to.
    pub address: IpAddr,
    /// The domain of names without one.
    pub domain: DomainName,
}

impl<F: Files> Vpopmail<F> {
    /// Reads the map; a line that is none is left out.
    ///
    /// # Errors
    /// Passes on why the file cannot be read.
    pub fn ip_maps(&self) -> Result<Vec<IpMap>, AccountError> {
        let file = self.read(&self.etc("ip_alias_map"))?;
        Ok(file.split(|&b| b == b'\n').filter_map(parse).collect())
    }

    /// Leads an address to a domain, in place of another that it led to.
    ///
    /// # Errors
    /// Passes on why the file cannot be changed.
    pub fn add_ip_map(&self, address: IpAddr, domain: &DomainName) -> Result<(), AccountError> {
        self.edit_ip_maps(|maps| {
            maps.retain(|map| map.address != address);
            let domain = domain.clone();
            maps.push(IpMap { address, domain });
        })
    }

    /// Leads an address nowhere, where it led to that domain; tells whether it did.
    ///
    /// # Errors
    /// Passes on why the file cannot be changed.
    pub fn remove_ip_map(
        &self,
        address: IpAddr,
        domain: &DomainName,
    ) -> Result<bool, AccountError> {
        let mut there = false;
        self.edit_ip_maps(|maps| {
            let before = maps.len();
            maps.retain(|map| map.address != address || map.domain != *domain);
            there = maps.len() != before;
        })?;
        Ok(there)
    }

    /// Tells the domain of names without one: that of the address that was connected to, unless it
    /// stands in control/locals, else that of `etc/defaultdomain`.
    ///
    /// # Errors
    /// Passes on why a file cannot be read.
    pub fn domain_of_bare_names(
        &self,
        local: Option<IpAddr>,
    ) -> Result<Option<String>, AccountError> {
        let local = local.map(|address| address.to_canonical());
        let maps = if local.is_some() {
            self.ip_maps()?
        } else {
            Vec::new()
        };
        let mapped = maps.into_iter().find(|map| Some(map.address) == local);
        if let Some(map) = mapped {
            let locals = self.read(&self.control("locals"))?;
            if !contains(&locals, map.domain.as_bytes()) {
                return Ok(Some(map.domain.as_str().to_owned()));
            }
        }
        self.default_domain()
    }

    fn edit_ip_maps(&self, change: impl FnOnce(&mut Vec<IpMap>)) -> Result<(), AccountError> {
        self.make_dir(&self.layout.vpopmail.join("etc"), 0o755)?;
        let path = self.etc("ip_alias_map");
        let _held = self.lock(&path)?;
        let mut maps = self.ip_maps()?;
        change(&mut maps);
        let line = |map: &IpMap| format!("{} {}\n", map.address, map.domain);
        let text: String = maps.iter().map(line).collect();
        self.publish(&path, text.as_bytes(), 0o644)
    }
}

fn parse(line: &[u8]) -> Option<IpMap> {
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.split_ascii_whitespace();
    let address: IpAddr = words.next()?.parse().ok()?;
    let domain = DomainName::parse(words.next()?.as_bytes()).ok()?;
    let address = address.to_canonical();
    Some(IpMap { address, domain })
}
