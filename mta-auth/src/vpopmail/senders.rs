//! Which senders an account may use when it submits mail (RFC 6409 §6.1).

use super::{AccountError, AliasName, Mailbox, Vpopmail, bytes_of};
use mta_core::Address;
use mta_store::files::Files;

impl<F: Files> Vpopmail<F> {
    /// Tells whether mail from `sender` may come from this account: its own address, in the domain
    /// or an alias of the domain, that of an alias which delivers to it, or none at all.
    ///
    /// # Errors
    /// Fails where the account files cannot be read.
    pub fn may_send_as(&self, account: &str, sender: &Address) -> Result<bool, AccountError> {
        // Its own address even where it is no mailbox of a virtual domain.
        if sender.is_null() || sender.as_bytes().eq_ignore_ascii_case(account.as_bytes()) {
            return Ok(true);
        }
        let own = account.rsplit_once('@');
        let domain = sender.domain().map(std::str::from_utf8);
        let local = std::str::from_utf8(sender.local());
        let (Some((name, home)), Some(Ok(domain)), Ok(local)) = (own, domain, local) else {
            return Ok(false);
        };
        let Some(domain) = self.domain(domain)? else {
            return Ok(false);
        };
        if !domain.name.eq_ignore_ascii_case(home) {
            return Ok(false);
        }
        if local.eq_ignore_ascii_case(name) {
            return Ok(true);
        }
        let (Ok(alias), Some(mailbox)) =
            (AliasName::parse(local.as_bytes()), self.find(name, home)?)
        else {
            return Ok(false);
        };
        let lines = self.alias_lines(&domain, &alias)?;
        Ok(lines.iter().any(|line| delivers_to(line, &mailbox)))
    }
}

/// A forward to its address, or a Maildir in its home.
fn delivers_to(line: &[u8], mailbox: &Mailbox) -> bool {
    let line = line.trim_ascii_end();
    if let Some(rest) = line.strip_prefix(bytes_of(&mailbox.home)) {
        return rest.starts_with(b"/") || rest.is_empty();
    }
    let forward = line.strip_prefix(b"&").unwrap_or(line);
    forward.eq_ignore_ascii_case(mailbox.address().as_bytes())
}
