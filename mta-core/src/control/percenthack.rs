//! control/percenthack: domains in which `user%host` is turned into `user@host` (qmail-send(8), spec §2.4 step 2).

use super::HostSet;

/// The domains for which the last `%` of a local part becomes `@`.
///
/// ```
/// use mta_core::control::PercentHack;
/// let hack = PercentHack::parse(b"gate.example\n");
/// assert_eq!(hack.apply(b"joe%in.example@Gate.example"), Some(b"joe@in.example".to_vec()));
/// assert_eq!(hack.apply(b"joe@gate.example"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PercentHack(HostSet);

impl PercentHack {
    /// Reads the file.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self(HostSet::parse(text))
    }

    /// Tells whether the hack is off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Undoes one `%`; `None` where the domain is not listed or the local part has no `%`.
    #[must_use]
    pub fn apply(&self, address: &[u8]) -> Option<Vec<u8>> {
        self.apply_line(address).map(|(_, undone)| undone)
    }

    /// As [`PercentHack::apply`], with the number of the line that decided; lines count from 1.
    #[must_use]
    pub fn apply_line(&self, address: &[u8]) -> Option<(usize, Vec<u8>)> {
        let at = address.iter().rposition(|&b| b == b'@')?;
        let (local, domain) = address.split_at_checked(at)?;
        let line = self.0.line_of(domain.get(1..)?)?;
        let percent = local.iter().rposition(|&b| b == b'%')?;
        let mut undone = local.to_vec();
        if let Some(byte) = undone.get_mut(percent) {
            *byte = b'@';
        }
        Some((line, undone))
    }
}
