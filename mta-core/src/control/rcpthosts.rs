//! control/rcpthosts with morercpthosts.cdb: domains that mail is taken for from anybody (qmail-smtpd(8), spec §2.3).

use super::{HostSet, suffixes};
use crate::cdb::{Cdb, Damaged};

/// The domains and `.suffixes` that a stranger may send to.
///
/// ```
/// use mta_core::control::RcptHosts;
/// let hosts = RcptHosts::parse(Some(b"example.org\n.sub.example\n"), None);
/// assert_eq!(hosts.allows_domain(b"Example.ORG"), Ok(true));
/// assert_eq!(hosts.allows_domain(b"a.sub.example"), Ok(true));
/// assert_eq!(hosts.allows_domain(b"sub.example"), Ok(false));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RcptHosts {
    listed: Option<HostSet>,
    more: Option<Vec<u8>>,
}

impl RcptHosts {
    /// Takes the contents of rcpthosts and of morercpthosts.cdb, where they exist.
    ///
    /// Without rcpthosts the cdb is not consulted.
    #[must_use]
    pub fn parse(rcpthosts: Option<&[u8]>, more: Option<Vec<u8>>) -> Self {
        Self {
            listed: rcpthosts.map(HostSet::parse),
            more,
        }
    }

    /// Tells whether the file rcpthosts exists. What its absence means is a matter of policy.
    #[must_use]
    pub const fn exists(&self) -> bool {
        self.listed.is_some()
    }

    /// Tells whether a domain is listed, itself or by a `.suffix`. The empty domain never is.
    ///
    /// # Errors
    /// Fails where morercpthosts.cdb is damaged and rcpthosts does not list the domain.
    pub fn allows_domain(&self, domain: &[u8]) -> Result<bool, Damaged> {
        let Some(listed) = &self.listed else {
            return Ok(false);
        };
        if domain.is_empty() {
            return Ok(false);
        }
        if suffixes(domain).any(|key| listed.contains(key)) {
            return Ok(true);
        }
        let Some(more) = &self.more else {
            return Ok(false);
        };
        let cdb = Cdb::new(more)?;
        let lower = domain.to_ascii_lowercase();
        for key in suffixes(&lower) {
            if cdb.find(key)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the names listed in rcpthosts, in lower case and in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.listed.iter().flat_map(HostSet::iter)
    }
}

/// Returns the keys of morercpthosts.cdb for the text file morercpthosts; their data are empty
/// (qmail-newmrh(8)).
///
/// ```
/// use mta_core::control::morercpthosts_keys;
/// assert_eq!(morercpthosts_keys(b"#x\nExample.COM \n"), [b"example.com".to_vec()]);
/// ```
#[must_use]
pub fn morercpthosts_keys(text: &[u8]) -> Vec<Vec<u8>> {
    super::rules::lines(text)
        .map(|(_, line)| line.to_ascii_lowercase())
        .collect()
}
